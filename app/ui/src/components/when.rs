//! Something that is there under a condition.

use std::sync::Arc;

use leptos::prelude::*;

/// Like `Show`, which this is, but with one type for all conditions and all contents.
#[component]
pub(crate) fn When(
    /// The condition.
    holds: impl Fn() -> bool + Send + Sync + 'static,
    children: ChildrenFn,
) -> impl IntoView {
    show(Arc::new(holds), children)
}

fn show(holds: Arc<dyn Fn() -> bool + Send + Sync>, children: ChildrenFn) -> AnyView {
    view! { <Show when=move || holds()>{children()}</Show> }.into_any()
}
