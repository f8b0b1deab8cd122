//! Where the user is today, against the answer.

use engine::format;
use engine::text::Message;
use leptos::prelude::*;

use crate::components::{MessageBox, When, handler};
use crate::state::use_page;
use crate::view_model::today::Standing;

/// The deployment that was brought along, and how far it is from the best; nothing while there is none.
#[component]
pub(super) fn TodayStrip() -> impl IntoView {
    let page = use_page();
    let forget = move |_| {
        page.today.set(None);
        page.commit();
    };
    let content = move || {
        page.today.get()?;
        Some(match page.standing.get() {
            Some(Ok(standing)) => figures(standing).into_any(),
            Some(Err(message)) => failed(message).into_any(),
            None => view! { <p class="note">"Pricing what runs today…"</p> }.into_any(),
        })
    };
    view! {
        <When holds=move || page.today.with(Option::is_some)>
            <section class="panel standing" aria-label="What runs today" aria-live="polite">
                {move || content().into_any()}
                <button type="button" class="ghost small" on:click=handler(forget)>"Forget it"</button>
            </section>
        </When>
    }
}

fn figures(standing: Standing) -> impl IntoView {
    let page = use_page();
    let Standing { point, title, says, change } = standing;
    let facts = [
        ("tokens/s/GPU", format::rate(point.tokens_per_sec_per_gpu)),
        ("TTFT", format!("{} ms", format::ms(point.ttft_ms))),
        ("ITL", format!("{} ms", format::ms(point.itl_ms))),
        ("req/s", format::rate(point.requests_per_sec)),
    ];
    let facts =
        facts.map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> }).collect_view();
    let change = change.map(|at| {
        view! {
            <button type="button" class="ghost small" on:click=handler(move |_| { page.select(at); page.commit(); })>"Show the change"</button>
        }
    });
    view! {
        <h2><span class="mark today"></span>{title}</h2>
        <dl>{facts}</dl>
        <ul>{says.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
        {change}
    }
}

fn failed(message: Message) -> impl IntoView {
    view! { <h2>"What runs today has no figures here"</h2><MessageBox message=message/> }
}
