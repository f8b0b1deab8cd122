//! The linked timelines: canvas below; titles, values, cursor and decisions above.

use std::sync::Arc;

use leptos::html::{Canvas, Div};
use leptos::prelude::*;

use super::handler;
use crate::draw;
use crate::reactive::{effect, memo};
use crate::services::{screen, surface};
use crate::state::use_page;
use crate::view_model::timeline::{Item, Lane, Mark, Readout, TimelineData, TimelineVm, readout, step};

/// What the parts of the timelines share.
#[derive(Clone, Copy)]
struct Parts {
    data: RwSignal<TimelineData>,
    cursor: RwSignal<Option<u64>>,
    vm: RwSignal<Option<Arc<TimelineVm>>>,
    window: Memo<(u64, u64)>,
    at: Memo<u64>,
    read: Memo<Readout>,
}

impl Parts {
    fn new(data: RwSignal<TimelineData>, cursor: RwSignal<Option<u64>>) -> Self {
        let window = memo(move || data.with(|data| data.window));
        let at = memo(move || {
            let (from, to) = window.get();
            cursor.get().map_or(to, |at| at.clamp(from, to.max(from)))
        });
        let read = memo(move || data.with(|data| readout(data, at.get())));
        Self { data, cursor, vm: RwSignal::new(None), window, at, read }
    }

    /// Lays the timelines out before the next frame, once for all changes until then.
    fn follow(self, size: RwSignal<(f64, f64)>) {
        let queued = StoredValue::new(false);
        effect(move || {
            self.data.track();
            if size.get().0 <= 0.0 || queued.get_value() {
                return;
            }
            queued.set_value(true);
            surface::next_frame(move || {
                queued.try_set_value(false);
                let width = size.try_get_untracked().map_or(0.0, |size| size.0);
                if let Some(vm) = self.data.try_with_untracked(|data| TimelineVm::new(data, width)) {
                    self.vm.try_set(Some(Arc::new(vm)));
                }
            });
        });
    }

    fn x(self) -> Option<f64> {
        self.vm.get().and_then(|vm| vm.x(self.at.get()))
    }

    fn key(self, event: &leptos::ev::KeyboardEvent) {
        let step_ms = self.data.with_untracked(|data| data.step_ms);
        let next = step(&event.key(), self.at.get_untracked(), self.window.get_untracked(), step_ms);
        if next.is_some() {
            event.prevent_default();
            // The end moves on, and so does who reads it.
            self.cursor.set(next.filter(|_| event.key() != "End"));
        } else if event.key() == "Escape" {
            event.stop_propagation();
            self.cursor.set(None);
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}px")
}

/// Timelines of what `data` holds, drawn at most once per frame; the cursor moves by pointer and keys.
#[component]
pub(crate) fn Timeline(
    /// What is drawn.
    data: RwSignal<TimelineData>,
    /// The moment that is read; none reads the end of the window.
    cursor: RwSignal<Option<u64>>,
    /// What is read aloud.
    label: &'static str,
) -> impl IntoView {
    let page = use_page();
    let frame = NodeRef::<Div>::new();
    let canvas = NodeRef::<Canvas>::new();
    let size = RwSignal::new((0.0, 0.0));
    let parts = Parts::new(data, cursor);
    let Parts { vm, read, .. } = parts;
    parts.follow(size);
    effect(move || {
        if let Some(frame) = frame.get() {
            surface::follow_size(&frame, size);
        }
    });
    effect(move || {
        if let (Some(canvas), Some(vm)) = (canvas.get(), vm.get()) {
            let palette = page.palette.get();
            surface::paint(&canvas, vm.size, |area| draw::timeline::draw(area, &vm, &palette));
        }
    });
    let dragging = RwSignal::new(false);
    let seek = move |event: &leptos::ev::PointerEvent| {
        if let (Some(frame), Some(vm)) = (frame.get_untracked(), vm.get_untracked()) {
            cursor.set(Some(vm.at(screen::within(&frame, event).0)));
        }
    };
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 && !screen::is_inside(&event, "button") {
            if let Some(frame) = frame.get_untracked() {
                screen::capture(&frame, &event);
            }
            dragging.set(true);
            seek(&event);
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        if dragging.get_untracked() || event.pointer_type() == "mouse" {
            seek(&event);
        }
    };
    let height = move || px(vm.get().map_or(460.0, |vm| vm.size.1));
    let latest = move || read.with(|read| read.decision.clone());
    view! {
        <div
            class="timeline"
            node_ref=frame
            style:height=height
            on:pointerdown=handler(down)
            on:pointermove=handler(moved)
            on:pointerup=handler(move |_| dragging.set(false))
            on:pointercancel=handler(move |_| dragging.set(false))
        >
            <canvas node_ref=canvas aria-hidden="true" style:height=height></canvas>
            {lanes(parts)}
            <Cursor parts=parts label=label/>
            {marks(parts)}
            <ul class="offscreen">
                {move || vm.get().map(|vm| vm.lanes.iter().map(|lane| view! { <li>{lane.says.clone()}</li> }).collect_view()).into_any()}
            </ul>
        </div>
        <p class="latest">{move || latest().unwrap_or_else(|| "No decision yet.".to_owned()).into_any()}</p>
    }
}

/// The moment that is read, as a slider.
#[component]
fn Cursor(
    /// What it reads.
    parts: Parts,
    /// What is read aloud.
    label: &'static str,
) -> impl IntoView {
    let Parts { data, vm, window, at, read, .. } = parts;
    let flips = move || parts.x().zip(vm.get()).is_some_and(|(x, vm)| x > vm.plot.1 - 64.0);
    view! {
        <div
            class="cursor"
            class:hidden=move || parts.x().is_none()
            style:left=move || px(parts.x().unwrap_or_default())
            style:height=move || px(vm.get().map_or(0.0, |vm| vm.axis_y))
            role="slider"
            tabindex="0"
            aria-label=label
            aria-orientation="horizontal"
            aria-valuemin=move || window.get().0.to_string()
            aria-valuemax=move || window.get().1.to_string()
            aria-valuenow=move || at.get().to_string()
            aria-valuetext=move || read.with(|read| read.sentence(data.with_untracked(|data| data.aggregated)))
            on:keydown=handler(move |event: leptos::ev::KeyboardEvent| parts.key(&event))
        >
            <span class:flips=flips>{move || read.with(|read| read.time.clone()).into_any()}</span>
        </div>
    }
}

/// Titles of the lanes, with their values at the cursor.
fn lanes(parts: Parts) -> impl IntoView {
    let Parts { vm, read, .. } = parts;
    let heads = memo(move || {
        vm.get().map_or_else(Vec::new, |vm| {
            vm.lanes.iter().map(|lane| (lane.lane, lane.title, lane.head)).collect::<Vec<_>>()
        })
    });
    let head = move |(lane, title, head): (Lane, &'static str, f64)| {
        let values = move || read.with(|read| read.items(lane).iter().map(value).collect_view());
        view! {
            <div class="lane" data-lane=title style:top=px(head) aria-hidden="true"><b>{title}</b>{move || values().into_any()}</div>
        }
    };
    view! { {move || heads.get().into_iter().map(head).collect_view().into_any()} }
}

fn value(item: &Item) -> impl IntoView + use<> {
    let Item { key, label, value, over } = item.clone();
    view! { <span class:over=over><i class=key.class()></i>{label}" "<em>{value}</em></span> }
}

/// Decisions, as buttons that take the cursor to them.
fn marks(parts: Parts) -> impl IntoView {
    let Parts { vm, cursor, .. } = parts;
    let marks = memo(move || {
        vm.get().map_or_else(Vec::new, |vm| vm.marks.iter().map(|mark| (mark.clone(), vm.marks_y)).collect())
    });
    let button = move |(Mark { x, at_ms, says, .. }, y): (Mark, f64)| {
        view! {
            <button
                type="button"
                style:left=px(x - 13.0)
                style:top=px(y - 14.0)
                aria-label=says.clone()
                title=says
                on:click=handler(move |_| cursor.set(Some(at_ms)))
            ></button>
        }
    };
    view! {
        <div role="group" aria-label="Decisions">{move || marks.get().into_iter().map(button).collect_view().into_any()}</div>
    }
}
