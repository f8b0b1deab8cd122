//! Give it to Kubernetes, or to somebody who wants to see figures.

mod checks;
mod figures;
mod options;
mod sheet;

use engine::manifest::{Check, File, Format, Manifest};
use engine::text::{self, Message};
use leptos::prelude::*;
use worker::papers::{Answer, Ask};

use crate::components::{CopyButton, MessageBox, Segments, When, handler};
use crate::reactive::{effect, memo};
use crate::services::{clipboard, location};
use crate::state::{Page, use_page};
use crate::view_model::export::{self, Tab};
use crate::view_model::fragment::Screen;
pub(crate) use checks::findings;

use checks::Checks;
use figures::Figures;
use options::OptionFields;
use sheet::Sheet;

/// What came of writing.
#[derive(Clone, PartialEq)]
enum Outcome {
    /// Files that passed their checks.
    Files(Manifest),
    /// What keeps them back.
    Refused(Vec<Check>),
    /// Why nothing was written.
    Failed(Message),
}

/// The files on screen, and the tab they are for.
type Written = RwSignal<Option<(Format, Outcome)>>;

/// The screen.
#[component]
pub(crate) fn Export() -> impl IntoView {
    let page = use_page();
    let written: Written = RwSignal::new(None);
    follow(page, written);
    let file = RwSignal::new(0_usize);
    effect(move || {
        page.tab.track();
        file.set(0);
    });
    let tabs = Tab::all().into_iter().map(|tab| (tab, tab.label())).collect::<Vec<_>>();
    let files = memo(move || match page.tab.get() {
        Tab::Files(format) => written.with(|written| match written {
            Some((of, Outcome::Files(manifest))) if *of == format => manifest.files.clone(),
            _ => Vec::new(),
        }),
        Tab::Figures => Vec::new(),
    });
    let empty = move || page.shown.get().is_none_or(|_| page.focus.get().is_none());
    view! {
        <h1 class="offscreen">"Export"</h1>
        <div class="formats">
            <Segments label="Format" options=tabs value=page.tab set=move |tab| { page.tab.set(tab); page.commit(); }/>
        </div>
        <div class="export">
            <section class="panel sheet" aria-label="What leaves the page">
                {move || if empty() {
                    view! { <p class="empty">"No configuration meets the SLO, so there is nothing to export. Relax a target on Explore."</p> }.into_any()
                } else if page.tab.get() == Tab::Figures {
                    view! { <Figures/> }.into_any()
                } else {
                    view! {
                        <Head files=files file=file/>
                        <Body written=written files=files file=file/>
                    }.into_any()
                }}
            </section>
            <aside class="panel side" aria-label="Options and checks">
                <About/>
                <OptionFields/>
                <When holds=move || page.tab.get() != Tab::Figures>
                    <Checks outcome=Signal::derive(move || written.get().map(|(_, outcome)| outcome))/>
                </When>
                <Share/>
            </aside>
        </div>
    }
}

/// Has the selected point written whenever it, the format or an option changes; only the newest answer counts.
fn follow(page: Page, written: Written) {
    let asked = StoredValue::new(0_u32);
    effect(move || {
        let Tab::Files(format) = page.tab.get() else { return };
        let Some(ask) = question(page, format) else {
            written.set(None);
            return;
        };
        let number = asked.try_update_value(|asked| {
            *asked = asked.wrapping_add(1);
            *asked
        });
        page.papers.ask(ask, move |answer| {
            if asked.try_get_value() == number {
                let outcome = match answer {
                    Ok(Answer::Written(Ok(manifest))) => Outcome::Files(manifest),
                    Ok(Answer::Written(Err(checks))) => Outcome::Refused(checks),
                    Ok(_) => return,
                    Err(message) => Outcome::Failed(message),
                };
                written.try_set(Some((format, outcome)));
            }
        });
    });
}

/// The question that has the point shown in full written.
fn question(page: Page, format: Format) -> Option<Ask> {
    let shown = page.shown.get()?;
    let point = shown.view.points.get(page.focus.get()?)?;
    let mut options = page.options.get();
    options.link = Some(share_link(page));
    Some(export::ask(&shown, point, format, &options))
}

/// The link to this point, wherever it is looked at.
fn share_link(page: Page) -> String {
    location::absolute(&page.point_address())
}

/// Name of the files, and what can be done with them.
#[component]
fn Head(files: Memo<Vec<File>>, file: RwSignal<usize>) -> impl IntoView {
    let page = use_page();
    let now = move || files.with(|files| files.get(file.get()).cloned());
    let copied = move || untrack(now).map_or_else(String::new, |file| file.text);
    let blocked = Signal::derive(move || files.with(Vec::is_empty));
    let names = move || files.with(|files| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>());
    let download = move |_| {
        let files = files.get_untracked();
        match files.as_slice() {
            [] => {}
            [file] => {
                clipboard::save(&file.name, media_type(&file.name), &file.text);
            }
            many => pack(page, format!("{}.zip", page.tab.get_untracked().word()), many),
        }
    };
    view! {
        <div class="sheethead">
            <h2>{move || page.tab.get().title().into_any()}</h2>
            <div class="tools">
                <CopyButton label="Copy" text=copied disabled=blocked class="primary"/>
                <button type="button" class="ghost" disabled=move || blocked.get() on:click=handler(download)>"Download"</button>
                <button type="button" class="ghost" disabled=move || blocked.get() title="Every format that this point can be written in, in one archive" on:click=handler(move |_| all(page))>"All as zip"</button>
            </div>
        </div>
        <When holds=move || files.with(|files| files.len() > 1)>
            <div class="filenames" role="group" aria-label="Files">
                {move || names().into_iter().enumerate().map(|(at, name)| view! {
                    <button type="button" aria-pressed=move || (file.get() == at).to_string() on:click=handler(move |_| file.set(at))>{name}</button>
                }).collect_view().into_any()}
            </div>
        </When>
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("yaml") => "application/yaml",
        Some("json") => "application/json",
        _ => "text/plain",
    }
}

/// Saves several files as one archive.
fn pack(page: Page, name: String, files: &[File]) {
    let files = files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    page.papers.ask(Ask::Zip { files }, move |answer| {
        if let Ok(Answer::Zip(bytes)) = answer {
            clipboard::save_bytes(&name, "application/zip", &bytes);
        }
    });
}

/// Saves every format that the point can be written in, each in a folder of its own.
fn all(page: Page) {
    let written = StoredValue::new((0_usize, Vec::<File>::new()));
    for &format in Format::ALL {
        let Some(ask) = untrack(|| question(page, format)) else { return };
        page.papers.ask(ask, move |answer| {
            let files = match answer {
                Ok(Answer::Written(Ok(manifest))) => manifest.files,
                _ => Vec::new(),
            };
            let done = written.try_update_value(|(answers, all)| {
                *answers += 1;
                all.extend(
                    files
                        .into_iter()
                        .map(|file| File { name: format!("{}/{}", format.name(), file.name), ..file }),
                );
                (*answers == Format::ALL.len()).then(|| std::mem::take(all))
            });
            if let Some(Some(files)) = done {
                pack(page, "configuration.zip".to_owned(), &files);
            }
        });
    }
}

/// The text, or why there is none.
#[component]
fn Body(written: Written, files: Memo<Vec<File>>, file: RwSignal<usize>) -> impl IntoView {
    let shown = memo(move || files.with(|files| files.get(file.get()).cloned()));
    let body = move || match shown.get() {
        Some(file) => view! { <Sheet file=file/> }.into_any(),
        None => match written.get() {
            Some((_, Outcome::Failed(message))) => {
                view! { <div class="empty"><MessageBox message=message/></div> }.into_any()
            }
            Some((_, Outcome::Refused(_))) => {
                view! { <p class="empty">"Nothing was written: the checks say why."</p> }.into_any()
            }
            _ => view! { <p class="empty">"Writing…"</p> }.into_any(),
        },
    };
    view! { {move || body()} }
}

/// Which point this is, and what the format is good for.
#[component]
fn About() -> impl IntoView {
    let page = use_page();
    let about = move || {
        let (shown, index) = (page.shown.get()?, page.focus.get()?);
        let point = shown.view.points.get(index)?;
        let which = if shown.view.picks.first() == Some(&index) {
            "The best within your SLO"
        } else {
            "The selected configuration"
        };
        let place = shown.place_label(point).map_or_else(String::new, |place| format!(", {place}"));
        Some(format!("{which}: {}, {}{place}.", text::layout_short(point), text::layout_total(point)))
    };
    view! {
        <p class="about">{move || about().into_any()}" "<a href="#explore" on:click=handler(move |event: leptos::ev::MouseEvent| { event.prevent_default(); page.go(Screen::Explore); })>"Back to the chart"</a></p>
        <p class="note">{move || page.tab.get().note().into_any()}</p>
    }
}

#[component]
fn Share() -> impl IntoView {
    let page = use_page();
    view! {
        <h2>"Share the answer"</h2>
        <div class="command">
            <code>{move || share_link(page).into_any()}</code>
            <CopyButton label="Copy link" text=move || untrack(|| share_link(page))/>
        </div>
    }
}
