//! Failures and notices, in place and with what to do.

use engine::text::{self, Message, Suggestion};
use leptos::prelude::*;

use crate::components::{MessageBox, handler};
use crate::services::engine::Phase;
use crate::state::{Page, use_page};
use crate::view_model::remedy::remedies;

/// Buttons that change the question.
pub(super) fn suggestions(page: Page, list: Vec<Suggestion>) -> impl IntoView {
    list.into_iter()
        .map(|suggestion| {
            let Suggestion { label, scenario } = suggestion;
            view! { <button type="button" class="ghost" on:click=handler(move |_| page.set(scenario.clone()))>{format!("Use {label}")}</button> }
        })
        .collect_view()
}

/// Everything there is to tell above the answer.
#[component]
pub(super) fn Notices() -> impl IntoView {
    let page = use_page();
    let failure = move || {
        let Phase::Failed { message, error } = page.engine.phase.get() else { return None };
        let retry = error.is_none().then(|| {
            view! {
                <button type="button" class="ghost" on:click=handler(move |_| page.engine.retry())>"Try again"</button>
            }
        });
        let instead = error
            .map(|error| suggestions(page, page.scenario.with_untracked(|asked| remedies(&error, asked))));
        Some(view! { <MessageBox message=message urgent=true>{retry}{instead}</MessageBox> })
    };
    let other_data = move || {
        let have = page.engine.answer.with(|answer| answer.as_ref().map(|answer| answer.data.clone()))?;
        let link = page.link_data.get().filter(|link| *link != have)?;
        Some(view! {
            <MessageBox message=text::different_data(&have, &link)>
                <button type="button" class="ghost" on:click=handler(move |_| page.link_data.set(None))>"Understood"</button>
            </MessageBox>
        })
    };
    let notices = move || {
        let notices = page.notices.get();
        (!notices.is_empty()).then(|| {
            let message = Message {
                title: "Part of this link was not understood".to_owned(),
                detail: notices.join(" "),
                action: String::new(),
            };
            view! {
                <MessageBox message=message>
                    <button type="button" class="ghost" on:click=handler(move |_| page.notices.set(Vec::new()))>"Understood"</button>
                </MessageBox>
            }
        })
    };
    view! { <div class="notices">{move || failure().into_any()}{move || other_data().into_any()}{move || notices().into_any()}</div> }
}
