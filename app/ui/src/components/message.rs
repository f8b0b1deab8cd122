//! Something to tell the user, with what to do about it.

use engine::text::Message;
use leptos::prelude::*;

/// A message in place.
#[component]
pub(crate) fn MessageBox(
    /// What to tell.
    message: Message,
    /// Whether it must be heard at once.
    #[prop(default = false)]
    urgent: bool,
    /// Buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let Message { title, detail, action } = message;
    view! {
        <div class="message" class:urgent=urgent role=if urgent { "alert" } else { "status" }>
            <p><b>{title}</b></p>
            <p>{detail}</p>
            {(!action.is_empty()).then(|| view! { <p>{action}</p> })}
            {children.map(|children| view! { <div class="buttons">{children()}</div> })}
        </div>
    }
}
