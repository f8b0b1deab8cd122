//! The frontier: canvas below, handles and cards above.

use std::sync::Arc;

use leptos::html::{Canvas, Div};
use leptos::prelude::*;

use super::handle::Handle;
use super::hover_card::HoverCard;
use crate::components::{Glossed, Segments};
use crate::draw;
use crate::services::{screen, surface};
use crate::state::{Page, use_page};
use crate::view_model::form::show_number;
use crate::view_model::frontier::{ChartInput, ChartVm, YAxis};
use crate::view_model::slo;

/// How near a pointer has to come; a finger is less exact.
const REACH: f64 = 14.0;
const FINGER: f64 = 24.0;
/// A press that moves further than this is a brush.
const SLACK: f64 = 5.0;
/// The narrowest zoom, tokens/s/user.
const NARROWEST: f64 = 0.5;

/// What the pointer and the wheel change.
#[derive(Clone, Copy)]
struct Look {
    y: RwSignal<YAxis>,
    zoom: RwSignal<Option<(f64, f64)>>,
    /// The domain at the start of a drag: a chart that rescales under a handle cannot be steered.
    frozen: RwSignal<Option<(f64, f64)>>,
    brush: RwSignal<Option<(f64, f64)>>,
    chart: Memo<Option<Arc<ChartVm>>>,
}

impl Look {
    fn new(page: Page, size: RwSignal<(f64, f64)>) -> Self {
        let y = RwSignal::new(YAxis::default());
        let zoom = RwSignal::new(None);
        let frozen = RwSignal::new(None);
        let chart = Memo::new_with_compare(
            move |_| {
                let shown = page.shown.get()?;
                let size = size.get();
                (size.0 > 0.0).then(|| {
                    Arc::new(ChartVm::new(&ChartInput {
                        view: &shown.view,
                        scenario: &shown.scenario,
                        y: if page.price.get().is_none() && y.get() == YAxis::Money { YAxis::PerGpu } else { y.get() },
                        price: page.price.get(),
                        x_domain: zoom.get().or_else(|| frozen.get()),
                        close_up: zoom.get().is_some(),
                        size,
                        focus: page.focus.get(),
                    }))
                })
            },
            |_, _| true,
        );
        Self { y, zoom, frozen, brush: RwSignal::new(None), chart }
    }

    fn now(self) -> Option<Arc<ChartVm>> {
        self.chart.get_untracked()
    }

    fn wheel(self, at: f64, turn: f64) -> bool {
        let Some(chart) = self.now() else { return false };
        if turn > 0.0 && self.zoom.get_untracked().is_none() {
            return false;
        }
        let (low, high) = chart.x.domain();
        let centre = chart.x.value(at).clamp(low, high);
        let factor = if turn > 0.0 { 1.25 } else { 0.8 };
        let next = ((centre - (centre - low) * factor).max(0.0), centre + (high - centre) * factor);
        if next.1 - next.0 >= NARROWEST {
            self.zoom.set(Some(next));
        }
        true
    }

    fn take_brush(self) -> bool {
        let Some((a, b)) = self.brush.get_untracked() else { return false };
        self.brush.set(None);
        let Some(chart) = self.now() else { return false };
        if (a - b).abs() < SLACK {
            return false;
        }
        let clamp = |x: f64| chart.x.value(x.clamp(chart.plot.left, chart.plot.right));
        let (low, high) = (clamp(a.min(b)), clamp(a.max(b)));
        if high - low >= NARROWEST {
            self.zoom.set(Some((low, high)));
        }
        true
    }
}

/// The chart with its legend and its switch.
#[component]
pub(super) fn Chart() -> impl IntoView {
    let page = use_page();
    let frame = NodeRef::<Div>::new();
    let canvas = NodeRef::<Canvas>::new();
    let size = RwSignal::new((0.0, 0.0));
    let look = Look::new(page, size);
    Effect::new(move || {
        if let Some(frame) = frame.get() {
            surface::follow_size(&frame, size);
        }
    });
    Effect::new(move || {
        if let (Some(canvas), Some(chart)) = (canvas.get(), look.chart.get()) {
            let palette = page.palette.get();
            surface::paint(&canvas, chart.size, |area| draw::frontier::draw(area, &chart, &palette));
        }
    });
    let down = move |event: leptos::ev::PointerEvent| {
        if let (0, Some(frame)) = (event.button(), frame.get_untracked())
            && event.pointer_type() != "touch"
            && !screen::is_inside(&event, ".hover-card")
        {
            let x = screen::within(&frame, &event).0;
            look.brush.set(Some((x, x)));
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        let (Some(frame), Some(chart)) = (frame.get_untracked(), look.now()) else { return };
        let at = screen::within(&frame, &event);
        if look.brush.get_untracked().is_some() {
            look.brush.update(|brush| if let Some(brush) = brush { brush.1 = at.0 });
        } else if !screen::is_inside(&event, ".hover-card") {
            let hit = chart.hit(at.0, at.1, REACH).map(|mark| mark.index);
            if page.hovered.get_untracked() != hit {
                page.hovered.set(hit);
            }
        }
    };
    let up = move |event: leptos::ev::PointerEvent| {
        let (Some(frame), Some(chart)) = (frame.get_untracked(), look.now()) else { return };
        if look.take_brush() || screen::is_inside(&event, ".hover-card") || event.button() != 0 {
            return;
        }
        let at = screen::within(&frame, &event);
        let reach = if event.pointer_type() == "touch" { FINGER } else { REACH };
        if let Some(mark) = chart.hit(at.0, at.1, reach) {
            page.select(mark.index);
            page.held.set(true);
            page.commit();
        }
    };
    let wheel = move |event: leptos::ev::WheelEvent| {
        if let Some(frame) = frame.get_untracked()
            && look.wheel(f64::from(event.client_x()) - frame.get_bounding_client_rect().left(), event.delta_y())
        {
            event.prevent_default();
        }
    };
    let key = move |event: leptos::ev::KeyboardEvent| {
        let steps = match event.key().as_str() {
            "ArrowRight" | "ArrowUp" => if event.shift_key() { 5 } else { 1 },
            "ArrowLeft" | "ArrowDown" => if event.shift_key() { -5 } else { -1 },
            "Home" => i32::MIN / 2,
            "End" => i32::MAX / 2,
            _ => return,
        };
        event.prevent_default();
        if let Some(next) = look.now().and_then(|chart| chart.step(page.focus.get_untracked(), steps)) {
            page.select(next);
            page.held.set(true);
        }
    };
    let px = |value: f64| format!("{value:.1}px");
    let brush = move || look.brush.get().filter(|(a, b)| (a - b).abs() >= SLACK);
    view! {
        <Heading look=look/>
        <div
            class="chart"
            node_ref=frame
            tabindex="0"
            role="group"
            aria-label="Frontier chart: tokens per second per GPU against tokens per second per user. Arrow keys walk the frontier; the table below has the same figures."
            class:pointing=move || page.hovered.get().is_some()
            on:pointerdown=down
            on:pointermove=moved
            on:pointerup=up
            on:pointerleave=move |_| { page.hovered.set(None); look.brush.set(None); }
            on:dblclick=move |_| look.zoom.set(None)
            on:wheel=wheel
            on:keydown=key
        >
            <canvas node_ref=canvas aria-hidden="true"></canvas>
            <div
                class="brush"
                class:hidden=move || brush().is_none()
                style:left=move || px(brush().map_or(0.0, |(a, b)| a.min(b)))
                style:width=move || px(brush().map_or(0.0, |(a, b)| (a - b).abs()))
            ></div>
            <ItlHandle look=look frame=frame/>
            <HoverCard chart=look.chart/>
        </div>
    }
}

#[component]
fn Heading(look: Look) -> impl IntoView {
    let page = use_page();
    view! {
        <div class="plothead">
            <div class="legend">
                <span><span class="mark agg"></span>"aggregated"<Glossed term="agg"/></span>
                <span><span class="mark disagg"></span>"disaggregated"<Glossed term="disagg"/></span>
                <span><span class="mark out"></span>"outside the SLO"<Glossed term="SLO"/></span>
            </div>
            <button type="button" class="ghost" class:hidden=move || look.zoom.get().is_none() on:click=move |_| look.zoom.set(None)>
                "Reset zoom"
            </button>
            <Segments
                label="Vertical axis"
                options=Signal::derive(move || YAxis::offered(page.price.get()).into_iter().map(|y| (y, y.label())).collect::<Vec<_>>())
                value=look.y
                set=move |y| look.y.set(y)
            />
        </div>
    }
}

#[component]
fn ItlHandle(look: Look, frame: NodeRef<Div>) -> impl IntoView {
    let page = use_page();
    let itl = Memo::new(move |_| page.scenario.with(|scenario| scenario.sla.itl_ms));
    let dragging = RwSignal::new(false);
    Effect::new(move || {
        look.frozen.set(if dragging.get() { look.now().map(|chart| chart.x.domain()) } else { None });
    });
    let set = move |ms: f64| page.edit(|scenario| scenario.sla.itl_ms = ms);
    let drag = move |x: f64| {
        if let Some(chart) = look.now() {
            set(slo::itl_at(chart.x.value(x.clamp(chart.plot.left + 1.0, chart.plot.right))));
        }
    };
    let per_user = move || 1000.0 / itl.get().max(1e-3);
    view! {
        <Handle
            x=Signal::derive(move || look.chart.get().and_then(|chart| chart.slo_x))
            span=Signal::derive(move || look.chart.get().map_or((0.0, 0.0), |chart| (chart.plot.top, chart.plot.bottom)))
            text=Signal::derive(move || format!("ITL ≤ {} ms", show_number(itl.get())))
            label="ITL target"
            values=Signal::derive(move || (0.1, 1000.0, per_user()))
            value_text=Signal::derive(move || format!(
                "ITL at most {} ms, {} tokens per second per user", show_number(itl.get()), engine::format::rate(per_user())
            ))
            right_is_tighter=true
            frame=frame
            dragging=dragging
            drag=drag
            nudge=move |steps| set(slo::nudge_itl(itl.get_untracked(), steps))
            commit=move || page.commit()
        />
    }
}
