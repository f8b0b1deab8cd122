//! Table and chart as files.

use std::sync::Arc;

use leptos::prelude::*;

use super::share_link;
use crate::components::handler;
use crate::draw::sheet;
use crate::services::{clipboard, surface};
use crate::state::{Page, use_page};
use crate::view_model::export;
use crate::view_model::figures::{chart, footer, svg, title};
use crate::view_model::shown::Shown;
use crate::view_model::table::{Context, Filter, Sort, csv, rows};

/// What can be saved.
#[component]
pub(super) fn Figures() -> impl IntoView {
    let page = use_page();
    let item = move |name: &'static str, about: &'static str, save: fn(Page, &Shown)| {
        view! {
            <li>
                <div><b>{name}</b><span>{about}</span></div>
                <button type="button" class="ghost" aria-label=format!("Download {name}") on:click=handler(move |_| if let Some(shown) = page.shown.get_untracked() { save(page, &shown); })>"Download"</button>
            </li>
        }
    };
    let picture = move || {
        page.shown.get().map(|shown: Arc<Shown>| {
            svg(&shown, page.focus.get(), page.today_point(), &page.palette.get(), "")
        })
    };
    view! {
        <div class="sheethead"><h2>"Figures and chart"</h2></div>
        <ul class="figures">
            {item("configurations.csv", "Every configuration within the SLO, one line each.", save_csv)}
            {item("configurations.json", "The question and every point with all its figures.", save_json)}
            {item("frontier.svg", "The chart below, for print and slides.", save_svg)}
            {item("frontier.png", "The same as a picture of 2,400 × 1,400 pixels.", save_png)}
        </ul>
        <div class="preview" inner_html=move || picture().unwrap_or_default()></div>
    }
}

fn save_csv(page: Page, shown: &Shown) {
    let price = page.price.get_untracked();
    let rows = rows(&shown.view, Filter::Picks, Sort::default(), price);
    let text = csv(Context { shown, price }, &rows, &export::provenance(shown, &address(page)));
    clipboard::save("configurations.csv", "text/csv", &text);
}

fn save_json(page: Page, shown: &Shown) {
    clipboard::save("configurations.json", "application/json", &export::figures_json(shown, &address(page)));
}

fn save_svg(page: Page, shown: &Shown) {
    let text = svg(
        shown,
        page.focus.get_untracked(),
        untrack(|| page.today_point()),
        &page.palette.get_untracked(),
        &address(page),
    );
    clipboard::save("frontier.svg", "image/svg+xml", &text);
}

fn save_png(page: Page, shown: &Shown) {
    let palette = page.palette.get_untracked();
    let foot = footer(shown, &address(page));
    let chart = chart(shown, page.focus.get_untracked(), untrack(|| page.today_point()), foot.len());
    surface::save_png("frontier.png", sheet::SIZE, |area| {
        sheet::draw(area, &chart, &title(shown), &foot, &palette)
    });
}

fn address(page: Page) -> String {
    untrack(|| share_link(page))
}
