//! Give it to Kubernetes: the manifest of the point shown in full.

use engine::catalog::Catalog;
use engine::manifest::{Check, Dynamo, Format, Manifest, Options as Wanted, Selection, write};
use engine::text;
use leptos::prelude::*;

use crate::components::{CopyButton, Select};
use crate::services::{clipboard, location};
use crate::state::{Page, use_page};
use crate::view_model::form::Choice;
use crate::view_model::fragment::Screen;

type Outcome = Option<Result<Manifest, Vec<Check>>>;

/// The screen.
#[component]
pub(crate) fn Export() -> impl IntoView {
    let page = use_page();
    let name = RwSignal::new(String::new());
    let release = RwSignal::new(Dynamo::default());
    let manifest = Memo::new(move |_| build(page, &name.get(), release.get()));
    let blocked = Signal::derive(move || manifest.with(|manifest| !matches!(manifest, Some(Ok(_)))));
    let yaml = move || {
        manifest.with_untracked(|manifest| match manifest {
            Some(Ok(manifest)) => manifest.files[0].text.clone(),
            _ => String::new(),
        })
    };
    let download = move |_| {
        if let Some(Ok(manifest)) = manifest.get_untracked() {
            clipboard::save(&manifest.files[0].name, "application/yaml", &manifest.files[0].text);
        }
    };
    view! {
        <div class="export">
            <section class="panel sheet" aria-label="Manifest">
                <div class="sheethead">
                    <h1>"DynamoGraphDeploymentRequest"</h1>
                    <div class="tools">
                        <CopyButton label="Copy" text=yaml disabled=blocked class="primary"/>
                        <button type="button" class="ghost" disabled=move || blocked.get() on:click=download>"Download"</button>
                    </div>
                </div>
                {move || sheet(manifest.get())}
            </section>
            <aside class="panel side" aria-label="Options and checks">
                <Options name=name release=release/>
                <Checks manifest=manifest/>
                <Commands manifest=manifest/>
            </aside>
        </div>
    }
}

fn build(page: Page, name: &str, release: Dynamo) -> Outcome {
    let shown = page.shown.get()?;
    let point = shown.view.points.get(page.focus.get()?)?;
    let catalog = Catalog::embedded();
    // The deployment of a pick has the pick's own backend and system.
    let asked = shown.scenario.at(&shown.place(point));
    let (model, system) = (asked.spec(catalog)?, catalog.system(&asked.system)?);
    let options = Wanted {
        name: (!name.trim().is_empty()).then(|| name.trim().to_owned()),
        release,
        link: Some(share_link(page)),
        ..Wanted::default()
    };
    let selection = Selection { scenario: &asked, model: &model, system, decode_system: None, point };
    Some(write(Format::Dgdr, &selection, &options))
}

/// The link to this answer, without the screen.
fn share_link(page: Page) -> String {
    let address = page.address();
    let query = address.split('#').next().unwrap_or_default();
    location::absolute(query)
}

fn sheet(outcome: Outcome) -> impl IntoView {
    match outcome {
        Some(Ok(manifest)) => {
            let lines = manifest.files[0].text.lines().map(line).collect_view();
            view! { <pre class="yaml" tabindex="0" role="region" aria-label="YAML"><code>{lines}</code></pre> }.into_any()
        }
        Some(Err(_)) => view! { <p class="empty">"No manifest: the checks say why."</p> }.into_any(),
        None => view! { <p class="empty">"No configuration meets the SLO, so there is nothing to export. Relax a target on Explore."</p> }.into_any(),
    }
}

/// A line of YAML, its comment set apart.
fn line(text: &str) -> impl IntoView + use<> {
    let (code, comment) = match text.find('#') {
        Some(at) if at == 0 || text[..at].ends_with(' ') => text.split_at(at),
        _ => (text, ""),
    };
    view! { <span class="line">{code.to_owned()}<i>{comment.to_owned()}</i>"\n"</span> }
}

#[component]
fn Options(name: RwSignal<String>, release: RwSignal<Dynamo>) -> impl IntoView {
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
    let releases = Dynamo::ALL
        .iter()
        .map(|release| Choice { value: release.tag().to_owned(), label: release.tag().to_owned() })
        .collect::<Vec<_>>();
    view! {
        <p class="about">{about}" "<a href="#explore" on:click=move |event| { event.prevent_default(); page.go(Screen::Explore); }>"Back to the chart"</a></p>
        <p class="note">
            "A DGDR is a request. It carries the model, the workload, the SLO and the hardware; Dynamo profiles and chooses TP and batch itself, so the layout above is not part of it."
        </p>
        <div class="options-row">
            <div class="control">
                <label for="manifest-name">"Name"</label>
                <input
                    id="manifest-name"
                    class="field"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="derived from the model"
                    prop:value=move || name.get()
                    on:input=move |event| name.set(event_target_value(&event))
                />
            </div>
            <Select
                id="release"
                label="Dynamo"
                choices=releases
                value=Signal::derive(move || release.get().tag().to_owned())
                set=move |tag| if let Some(found) = Dynamo::from_tag(&tag) { release.set(found) }
            />
        </div>
    }
}

#[component]
fn Checks(manifest: Memo<Outcome>) -> impl IntoView {
    let list = move || {
        let checks = match manifest.get()? {
            Ok(manifest) => manifest.checks,
            Err(checks) => checks,
        };
        if checks.is_empty() {
            return Some(
                view! { <ul class="checks"><li class="ok">"Passes the CRD schema and every rule."</li></ul> }
                    .into_any(),
            );
        }
        let items = checks.into_iter().map(|check| {
            let kind = if check.is_error() { ("error", "Error") } else { ("warning", "Warning") };
            view! { <li class=kind.0><b>{kind.1}</b>" "<code>{check.path}</code><span>{check.message}</span></li> }
        });
        Some(view! { <ul class="checks">{items.collect_view()}</ul> }.into_any())
    };
    view! { <h2>"Checks"</h2><div aria-live="polite">{list}</div> }
}

#[component]
fn Commands(manifest: Memo<Outcome>) -> impl IntoView {
    let page = use_page();
    let blocked = Signal::derive(move || manifest.with(|manifest| !matches!(manifest, Some(Ok(_)))));
    let read = move |manifest: &Outcome, at: usize| match manifest {
        Some(Ok(manifest)) => manifest.commands[at].text.clone(),
        _ => String::new(),
    };
    let link = Memo::new(move |_| share_link(page));
    view! {
        <div class:hidden=move || blocked.get()>
            <h2>"Apply it"</h2>
            <div class="command">
                <code>{move || manifest.with(|manifest| read(manifest, 0))}</code>
                <CopyButton label="Copy command" text=move || manifest.with_untracked(|manifest| read(manifest, 0))/>
            </div>
            <h2>"See what came of it"</h2>
            <div class="command">
                <code>{move || manifest.with(|manifest| read(manifest, 1))}</code>
                <CopyButton label="Copy command" text=move || manifest.with_untracked(|manifest| read(manifest, 1))/>
            </div>
        </div>
        <h2>"Share the answer"</h2>
        <div class="command">
            <code>{move || link.get()}</code>
            <CopyButton label="Copy link" text=move || link.get_untracked()/>
        </div>
    }
}
