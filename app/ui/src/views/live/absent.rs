//! No server, a server that has gone, or one that wants a token.

use engine::format::duration;
use engine::text::Message;
use engine::text::live::{Away, away};
use leptos::prelude::*;

use super::Here;
use crate::components::{MessageBox, handler};
use crate::reactive::memo;
use crate::services::live::Line;

/// What stands above the screen while there is no connection; nothing while there is one.
#[component]
pub(super) fn Absent(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let live = here.live;
    // The message changes with its reason; the seconds to the next try must not make it anew.
    let reason = memo(move || match live.line.get() {
        Line::Away(away, _) => Some(away),
        _ => None,
    });
    let locked = memo(move || match live.line.get() {
        Line::Locked(message) => Some(message),
        _ => None,
    });
    let next = move || match live.line.get() {
        Line::Away(_, at) => {
            let left = at.saturating_sub(live.now.get());
            if left < 1_000 {
                "Trying again…".to_owned()
            } else {
                format!("Trying again in {}.", duration(left))
            }
        }
        _ => String::new(),
    };
    let gone = move |reason: Away| {
        view! {
            <MessageBox message=away(&reason)>
                <button type="button" class="ghost" on:click=handler(move |_| live.connect())>"Try now"</button>
                <span class="note" aria-hidden="true">{move || next().into_any()}</span>
            </MessageBox>
        }
    };
    let connecting = move || live.line.with(|line| *line == Line::Connecting);
    view! {
        <div class="notices">
            {move || reason.get().map(gone).into_any()}
            {move || locked.get().map(|message| view! { <Token here=here message=message/> }).into_any()}
            <p class="note" class:hidden=move || !connecting()>"Asking the server for its live status…"</p>
        </div>
    }
}

/// Asks for the token.
#[component]
fn Token(
    /// The screen.
    here: Here,
    /// Why it is asked for.
    message: Message,
) -> impl IntoView {
    let token = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<Message>);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let typed = token.get_untracked().trim().to_owned();
        if !typed.is_empty() {
            here.live.unlock(typed, wrong);
            token.set(String::new());
        }
    };
    view! {
        <MessageBox message=message>
            <form class="token" on:submit=handler(send)>
                <label for="live-token">"Token"</label>
                <input
                    id="live-token"
                    class="field"
                    type="password"
                    autocomplete="current-password"
                    prop:value=move || token.get()
                    aria-describedby="live-token-error"
                    aria-invalid=move || wrong.with(Option::is_some).to_string()
                    on:input=handler(move |event: leptos::ev::Event| token.set(event_target_value(&event)))
                />
                <button type="submit" class="ghost">"Use it"</button>
                <p id="live-token-error" role="alert">{move || wrong.get().map(|message| message.to_string()).into_any()}</p>
            </form>
        </MessageBox>
    }
}
