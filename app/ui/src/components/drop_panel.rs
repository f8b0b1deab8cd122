//! A panel that texts are pasted or dropped into.

use std::sync::Arc;

use leptos::prelude::*;

use super::handler;
use crate::services::files;

/// Gets names and texts of files; the reading may outlive the panel, so this is no handle that goes with it.
pub(crate) type TakeFiles = Arc<dyn Fn(Vec<(String, String)>) + Send + Sync>;

/// A section that takes dropped files; Escape closes it.
#[component]
pub(crate) fn DropPanel(
    /// What is read aloud.
    label: &'static str,
    /// Bytes of a file that are read at most, and one more.
    limit: usize,
    /// Gets names and texts of the dropped files.
    take: TakeFiles,
    /// Closes the panel.
    #[prop(into)]
    close: Callback<()>,
    children: Children,
) -> impl IntoView {
    let over = RwSignal::new(false);
    view! {
        <section
            class="own"
            class:over=move || over.get()
            aria-label=label
            on:keydown=handler(move |event: leptos::ev::KeyboardEvent| {
                if event.key() == "Escape" {
                    event.stop_propagation();
                    close.run(());
                }
            })
            on:dragover=handler(move |event: leptos::ev::DragEvent| { event.prevent_default(); over.set(true); })
            on:dragleave=handler(move |_| over.set(false))
            on:drop=handler(move |event: leptos::ev::DragEvent| {
                over.set(false);
                if let Some(files) = files::dropped(&event) {
                    event.prevent_default();
                    let take = take.clone();
                    leptos::task::spawn_local(async move { take(files::texts(Some(files), limit).await) });
                }
            })
        >
            {children()}
        </section>
    }
}

/// The button beside it, for those who do not drag.
#[component]
pub(crate) fn ChooseFiles(
    /// Endings that are offered.
    accept: &'static str,
    /// Bytes of a file that are read at most, and one more.
    limit: usize,
    /// Gets names and texts of the chosen files.
    take: TakeFiles,
) -> impl IntoView {
    view! {
        <label class="ghost">
            "Choose files…"
            <input
                type="file"
                multiple
                accept=accept
                on:change=handler(move |event: leptos::ev::Event| {
                    let take = take.clone();
                    leptos::task::spawn_local(async move { take(files::chosen(event, limit).await) });
                })
            />
        </label>
    }
}
