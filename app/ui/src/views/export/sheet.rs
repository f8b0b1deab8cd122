//! A text whose lines know which choice made them.

use engine::manifest::File;
use leptos::prelude::*;

use crate::components::{When, handler};
use crate::services::screen;

/// The text; the line under the pointer, or under the arrow keys, says why it is there.
#[component]
pub(super) fn Sheet(file: File) -> impl IntoView {
    let File { text, reasons, .. } = file;
    let active = RwSignal::new(None::<u32>);
    let lines = text
        .lines()
        .zip(1_u32..)
        .map(|(text, number)| {
            let known = reasons.iter().any(|(line, _)| *line == number);
            view! { <span class="line" class:known=known class:on=move || active.get() == Some(number) id=line_id(number)>{parts(text)}"\n"</span> }
        })
        .collect_view();
    let numbers = StoredValue::new(reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>());
    let reasons = StoredValue::new(reasons);
    let said = move || {
        let now = active.get()?;
        let why = reasons.with_value(|reasons| {
            reasons.iter().filter(|(line, _)| *line == now).map(|(_, why)| why.clone()).collect::<Vec<_>>()
        });
        Some(view! { <b>"Line "{now}</b>" "{why.join(" ")} })
    };
    let step = move |down: bool| {
        let next = numbers.with_value(|numbers| match active.get_untracked() {
            None => numbers.first().copied(),
            Some(now) if down => numbers.iter().copied().find(|line| *line > now),
            Some(now) => numbers.iter().rev().copied().find(|line| *line < now),
        });
        if let Some(next) = next {
            active.set(Some(next));
            screen::reveal(&line_id(next));
        }
    };
    let key = move |event: leptos::ev::KeyboardEvent| {
        match event.key().as_str() {
            "ArrowDown" => step(true),
            "ArrowUp" => step(false),
            _ => return,
        }
        event.prevent_default();
    };
    let point = move |event: leptos::ev::PointerEvent| {
        let number = screen::closest_id(&event, ".line.known").and_then(|id| id.get(5..)?.parse().ok());
        if number.is_some() && number != active.get_untracked() {
            active.set(number);
        }
    };
    let has_reasons = numbers.with_value(|numbers| !numbers.is_empty());
    view! {
        <pre class="yaml" tabindex="0" role="region" aria-label="Text; arrow keys walk the lines that have a reason" on:keydown=handler(key) on:pointermove=handler(point) on:pointerdown=handler(point)>
            <code>{lines}</code>
        </pre>
        <When holds=move || has_reasons>
            <p class="reason" aria-live="polite">
                {move || said().map_or_else(|| view! { <span>"Point at a line, or walk with the arrow keys, to see which choice made it."</span> }.into_any(), IntoAny::into_any)}
            </p>
        </When>
    }
}

fn line_id(number: u32) -> String {
    format!("line-{number}")
}

/// A line, its comment set apart.
fn parts(text: &str) -> impl IntoView + use<> {
    let (code, comment) = match text.find('#') {
        Some(at) if at == 0 || text[..at].ends_with(' ') => text.split_at(at),
        _ => (text, ""),
    };
    view! { {code.to_owned()}<i>{comment.to_owned()}</i> }
}
