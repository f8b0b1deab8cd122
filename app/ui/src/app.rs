//! The frame around the screens.

use leptos::prelude::*;

use crate::components::{When, handler};
use crate::services::screen;
use crate::state::{MAX_PINS, Page};
use crate::view_model::fragment::Screen;
use crate::views::{Coverage, Explore, Export, Live, LiveRegion, PinTray, Replay, ScenarioBar, TopBar};

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let page = Page::start();
    provide_context(page);
    screen::remove("first-paint");
    keys(page);
    let on = move |wanted| page.screen.get() == wanted;
    view! {
        <a class="skip" href="#answer" on:click=handler(move |event: leptos::ev::MouseEvent| { event.prevent_default(); screen::focus("answer"); })>"Skip to the answer"</a>
        <TopBar/>
        <ScenarioBar/>
        <main id="answer" tabindex="-1">
            <When holds=move || on(Screen::Explore)><Explore/></When>
            <When holds=move || on(Screen::Export)><Export/></When>
            <When holds=move || on(Screen::Replay)><Replay/></When>
            <When holds=move || on(Screen::Live)><Live/></When>
            <When holds=move || on(Screen::Coverage)><Coverage/></When>
        </main>
        <PinTray/>
        <LiveRegion/>
    }
}

fn keys(page: Page) {
    screen::on_key(move |event| {
        if event.key() == "Escape" {
            page.open_term.set(None);
        }
        if screen::is_typing(event) || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        match event.key().as_str() {
            "p" | "P" => page.toggle_pin(),
            "Escape" => page.deselect(),
            key => {
                if let Some(number) =
                    key.parse::<usize>().ok().filter(|number| (1..=MAX_PINS).contains(number))
                {
                    page.recall(number - 1);
                }
            }
        }
    });
    screen::on_press(move |event| {
        if !screen::is_inside(event, ".glossed") {
            page.open_term.set(None);
        }
    });
}
