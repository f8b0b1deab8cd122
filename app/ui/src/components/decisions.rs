//! Changes of replicas, newest first, each with its reason.

use leptos::prelude::*;

use super::handler;
use crate::view_model::live::LogRow;

/// The table; a time leads to its moment on the timelines.
#[component]
pub(crate) fn DecisionTable(
    /// What was decided.
    #[prop(into)]
    rows: Signal<Vec<LogRow>>,
    /// The moment that is read.
    cursor: RwSignal<Option<u64>>,
    /// What is said while there is none.
    none: &'static str,
) -> impl IntoView {
    let row = move |LogRow { at_ms, time, what, by, why, ready }: LogRow| {
        let label = format!("{time}, show it on the timelines");
        view! {
            <tr>
                <td><button type="button" class="ghost small" aria-label=label on:click=handler(move |_| cursor.set(Some(at_ms)))>{time}</button></td>
                <td class="strong">{what}</td>
                <td>{by}</td>
                <td class="why">{why}</td>
                <td>{ready}</td>
            </tr>
        }
    };
    view! {
        <h2>"Decisions"</h2>
        <div class="scroll" tabindex="0" role="region" aria-label="Decision log">
            <table>
                <thead><tr><th>"Time"</th><th>"Change"</th><th>"Asked by"</th><th>"Why"</th><th>"New workers"</th></tr></thead>
                <tbody>{move || rows.get().into_iter().map(row).collect_view().into_any()}</tbody>
            </table>
        </div>
        <p class="note" class:hidden=move || !rows.with(Vec::is_empty)>{none}</p>
    }
}
