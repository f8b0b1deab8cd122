//! The same configurations as rows: sortable, by keyboard, linked to the chart.

use std::collections::BTreeSet;

use engine::view::Point;
use engine::{link, text};
use leptos::prelude::*;

use crate::components::{Segments, handler};
use crate::reactive::memo;
use crate::services::{clipboard, location, screen};
use crate::state::{Page, use_page};
use crate::view_model::best::is_solid;
use crate::view_model::table::{Column, Context, Filter, Row, Sort, csv, rows};

/// Rows before one asks for all.
const SHORT: usize = 60;

/// The table with its controls.
#[component]
pub(super) fn Table() -> impl IntoView {
    let page = use_page();
    let filter = RwSignal::new(Filter::default());
    let sort = RwSignal::new(Sort::default());
    let columns = RwSignal::new(
        Column::ALL.into_iter().filter(|column| column.default_shown()).collect::<BTreeSet<_>>(),
    );
    let all = RwSignal::new(false);
    let ordered = memo(move || {
        page.shown
            .get()
            .map(|shown| rows(&shown.view, filter.get(), sort.get(), page.price.get()))
            .unwrap_or_default()
    });
    let visible = memo(move || {
        let (shown, price) = (page.shown.get(), page.price.get());
        let applies =
            |column: &Column| shown.as_ref().is_none_or(|shown| column.applies(Context { shown, price }));
        columns.with(|columns| columns.iter().copied().filter(applies).collect::<Vec<_>>())
    });
    let count = move || ordered.with(Vec::len);
    view! {
        <section class="panel table" aria-label="Configurations">
            <div class="tablehead">
                <h2>"Configurations"</h2>
                <Segments
                    label="Rows"
                    options=vec![(Filter::Picks, "within the SLO"), (Filter::Frontier, "on the frontier")]
                    value=filter
                    set=move |value| filter.set(value)
                />
                <div class="tools">
                    <Columns columns=columns/>
                    <button type="button" class="ghost" disabled=move || count() == 0 on:click=handler(move |_| save(page, &ordered.get_untracked()))>"CSV"</button>
                </div>
            </div>
            <div class="scroll" tabindex="0" role="region" aria-label="Table of configurations">
                <table>
                    <thead><tr>
                        {move || visible.get().into_iter().map(|column| view! {
                            <th scope="col" class:num=column.is_number() aria-sort=move || sort.get().aria(column)>
                                <button type="button" on:click=handler(move |_| sort.update(|sort| *sort = sort.clicked(column)))>
                                    {column.heading()}
                                    <span aria-hidden="true">{move || arrow(sort.get(), column).into_any()}</span>
                                </button>
                            </th>
                        }).collect_view().into_any()}
                    </tr></thead>
                    <Body ordered=ordered visible=visible all=all/>
                </table>
            </div>
            <p class="empty" class:hidden=move || count() != 0 || page.shown.get().is_none()>
                "No configuration to list: nothing meets the SLO."
            </p>
            <button type="button" class="ghost show-all" class:hidden=move || all.get() || count() <= SHORT on:click=handler(move |_| all.set(true))>
                {move || format!("Show all {}", count()).into_any()}
            </button>
        </section>
    }
}

fn arrow(sort: Sort, column: Column) -> &'static str {
    match sort.aria(column) {
        "descending" => " ▾",
        "ascending" => " ▴",
        _ => "",
    }
}

#[component]
fn Columns(columns: RwSignal<BTreeSet<Column>>) -> impl IntoView {
    view! {
        <details class="columns">
            <summary class="ghost">"Columns"</summary>
            <fieldset>
                <legend class="offscreen">"Columns of the table"</legend>
                {Column::ALL.into_iter().skip(1).map(|column| view! {
                    <label>
                        <input
                            type="checkbox"
                            prop:checked=move || columns.with(|columns| columns.contains(&column))
                            on:change=handler(move |event: leptos::ev::Event| {
                                let on = event_target_checked(&event);
                                columns.update(|columns| { if on { columns.insert(column); } else { columns.remove(&column); } });
                            })
                        />
                        {column.heading()}
                    </label>
                }).collect_view()}
            </fieldset>
        </details>
    }
}

#[component]
fn Body(ordered: Memo<Vec<Row>>, visible: Memo<Vec<Column>>, all: RwSignal<bool>) -> impl IntoView {
    let page = use_page();
    let body = move || {
        let Some(shown) = page.shown.get() else { return Vec::new() };
        let columns = visible.get();
        let limit = if all.get() { usize::MAX } else { SHORT };
        let price = page.price.get();
        let rows = ordered.get();
        let first = rows.first().map(|row| row.index);
        rows.into_iter()
            .take(limit)
            .enumerate()
            .filter_map(|(at, row)| {
                let point = shown.view.points.get(row.index)?;
                let cells = columns
                    .iter()
                    .map(|&column| {
                        cell(column, column.cell(point, row.rank, Context { shown: &shown, price }), point)
                    })
                    .collect_view();
                let index = row.index;
                let focused = move || page.focus.get() == Some(index);
                // One stop of the Tab key for the whole table: the row that is shown in full, else the first.
                let stop = move || focused() || (Some(index) == first && page.focus.get().is_none());
                Some(view! {
                    <tr
                        id=row_id(at)
                        tabindex=move || if stop() { "0" } else { "-1" }
                        class:sel=focused
                        class:hover=move || page.hovered.get() == Some(index)
                        aria-selected=move || focused().to_string()
                        on:focus=handler(move |_| page.hovered.set(Some(index)))
                        on:blur=handler(move |_| page.hovered.set(None))
                        on:pointerenter=handler(move |_| page.hovered.set(Some(index)))
                        on:pointerleave=handler(move |_| page.hovered.set(None))
                        on:click=handler(move |_| { page.select(index); page.commit(); })
                        on:keydown=handler(move |event: leptos::ev::KeyboardEvent| key(page, &event, at, index))
                    >
                        {cells}
                    </tr>
                })
            })
            .collect()
    };
    view! { <tbody>{move || body().into_any()}</tbody> }
}

fn row_id(at: usize) -> String {
    format!("row-{at}")
}

fn key(page: Page, event: &leptos::ev::KeyboardEvent, at: usize, index: usize) {
    match event.key().as_str() {
        "ArrowDown" => screen::focus(&row_id(at + 1)),
        "ArrowUp" => screen::focus(&row_id(at.saturating_sub(1))),
        "Home" => screen::focus(&row_id(0)),
        "Enter" | " " => {
            page.select(index);
            page.commit();
        }
        _ => return,
    }
    event.prevent_default();
}

fn cell(column: Column, text: String, point: &Point) -> impl IntoView + use<> {
    let (disagg, weak) = (point.is_disagg(), !is_solid(point));
    let mark = if disagg { "mark disagg" } else { "mark agg" };
    match column {
        Column::Mode => view! { <td><span class=mark></span>{text}</td> }.into_any(),
        Column::Evidence => view! { <td><span class="badge" class:weak=weak>{text}</span></td> }.into_any(),
        Column::PerGpu => view! { <td class="num strong">{text}</td> }.into_any(),
        column if column.is_number() => view! { <td class="num">{text}</td> }.into_any(),
        _ => view! { <td>{text}</td> }.into_any(),
    }
}

fn save(page: Page, rows: &[Row]) {
    let Some(shown) = page.shown.get_untracked() else { return };
    let query = link::write(&shown.scenario, Some(&shown.data));
    let footer = [
        ("inputs", query.replace('&', " ")),
        ("data", shown.data.clone()),
        ("link", location::absolute(&format!("?{query}"))),
        ("columns", "latencies in ms; batch is requests per worker, prefill/decode".to_owned()),
        ("evidence", text::evidence_detail(shown.best().map(|best| best.evidence).unwrap_or_default())),
    ];
    let context = Context { shown: &shown, price: page.price.get_untracked() };
    let text = csv(context, rows, &footer);
    clipboard::save("configurations.csv", "text/csv", &text);
}
