//! Brand, screens, counter, link and theme.

use engine::{format, text};
use leptos::prelude::*;

use crate::components::{CopyButton, handler};
use crate::services::engine::Phase;
use crate::services::location;
use crate::services::theme::Theme;
use crate::state::use_page;
use crate::view_model::fragment::Screen;

/// The line at the top.
#[component]
pub(crate) fn TopBar() -> impl IntoView {
    let page = use_page();
    let link = move || untrack(|| location::absolute(&page.address()));
    let tabs = Screen::ALL.map(|screen| {
        let on = move || page.screen.get() == screen;
        let href = format!("#{}", screen.word());
        view! {
            <a
                href=href
                aria-current=move || on().then_some("page")
                on:click=handler(move |event: leptos::ev::MouseEvent| { event.prevent_default(); page.go(screen); })
            >
                {screen.label()}
            </a>
        }
    });
    view! {
        <header class="top">
            <a class="brand" href="./">
                <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
                    <path d="M2 20 C6 7 12 4 20 3" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"></path>
                    <circle cx="8" cy="9.2" r="3" fill="var(--accent)"></circle>
                </svg>
                <span>"AI Configurator"</span>
            </a>
            <nav aria-label="Screens">{tabs.collect_view()}</nav>
            <div class="tools">
                <Counter/>
                <CopyButton label="Copy link" text=link/>
                <ThemeSwitch/>
            </div>
            <Progress/>
        </header>
    }
}

#[component]
fn Counter() -> impl IntoView {
    let page = use_page();
    let figures = move || {
        let tried = page.shown.get().map(|shown| format::count(shown.view.funnel.tried))?;
        let spent =
            page.engine.answer.with(|answer| answer.as_ref().map(|answer| format::ms(answer.elapsed_ms)))?;
        Some(view! { <b>{tried}</b>" tried · "<b>{spent}</b>" ms" })
    };
    view! { <span class="counter" title="Candidates tried within the GPU budget, and the time of the last search">{move || figures().into_any()}</span> }
}

/// A thin line that waits before it shows, and a word that waits longer: both by style sheet alone.
#[component]
fn Progress() -> impl IntoView {
    let page = use_page();
    let busy = move || page.engine.phase.with(Phase::is_busy);
    let resting = move || page.engine.phase.with(|phase| *phase == Phase::Resting);
    let share = move || page.engine.phase.with(Phase::share);
    let width = move || format!("{}%", (share().unwrap_or(1.0) * 100.0).round());
    let word = move || {
        page.engine.phase.with(|phase| match phase {
            Phase::Loading { received, total } => {
                let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
                format!("Fetching measurements, {} of {} MB", mb(*received), mb(*total))
            }
            Phase::Running { done, total } => {
                format!(
                    "Searching, {} of {} layouts",
                    format::count(u64::from(*done)),
                    format::count(u64::from(*total))
                )
            }
            _ => "Searching".to_owned(),
        })
    };
    view! {
        <div class="progress" class:busy=busy class:resting=resting class:unknown=move || share().is_none()>
            <i style:width=width></i>
            <span>{move || word().into_any()}</span>
        </div>
    }
}

#[component]
fn ThemeSwitch() -> impl IntoView {
    let page = use_page();
    view! {
        <label class="theme">
            <span class="offscreen">"Theme"</span>
            <select class="ghost" on:change=handler(move |event: leptos::ev::Event| page.theme.set(Theme::from_name(&event_target_value(&event))))>
                {Theme::ALL.map(|theme| view! {
                    <option value=theme.name() prop:selected=move || page.theme.get() == theme>{theme.label()}</option>
                }).collect_view()}
            </select>
        </label>
    }
}

/// Says in words what changed, for those who do not see it.
#[component]
pub(crate) fn LiveRegion() -> impl IntoView {
    let page = use_page();
    let said = move || match page.engine.phase.get() {
        Phase::Done => page
            .shown
            .get_untracked()
            .map(|shown| text::announcement(&shown.view.funnel, shown.best()))
            .unwrap_or_default(),
        _ => String::new(),
    };
    view! { <p class="offscreen" aria-live="polite" id="announcement">{move || said().into_any()}</p> }
}
