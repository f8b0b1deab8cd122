//! What the checks found, and the commands that follow.

use engine::manifest::Check;
use leptos::prelude::*;

use super::Outcome;
use crate::components::CopyButton;

/// Findings, then commands once nothing is wrong.
#[component]
pub(super) fn Checks(outcome: Signal<Option<Outcome>>) -> impl IntoView {
    let list = move || {
        let checks = match outcome.get()? {
            Outcome::Files(manifest) => manifest.checks,
            Outcome::Refused(checks) => checks,
            Outcome::Failed(_) => return None,
        };
        Some(findings(checks))
    };
    let commands = move || match outcome.get() {
        Some(Outcome::Files(manifest)) => manifest.commands,
        _ => Vec::new(),
    };
    view! {
        <h2>"Checks"</h2>
        <div aria-live="polite">{move || list().into_any()}</div>
        {move || commands().into_iter().map(|command| {
            let text = StoredValue::new(command.text.clone());
            view! {
                <h2>{command.label}</h2>
                <div class="command">
                    <code>{command.text}</code>
                    <CopyButton label="Copy command" text=move || text.get_value()/>
                </div>
            }
        }).collect_view().into_any()}
    }
}

/// A list of findings, errors first.
pub(crate) fn findings(checks: Vec<Check>) -> AnyView {
    if checks.is_empty() {
        return view! { <ul class="checks"><li class="ok">"Passes the schema and every rule."</li></ul> }
            .into_any();
    }
    let items = checks.into_iter().map(|check| {
        let kind = if check.is_error() { ("error", "Error") } else { ("warning", "Warning") };
        let line = check.line.map(|line| format!("line {line}"));
        view! { <li class=kind.0><b>{kind.1}</b>" "<i>{line}</i>" "<code>{check.path}</code><span>{check.message}</span></li> }
    });
    view! { <ul class="checks">{items.collect_view()}</ul> }.into_any()
}
