//! The frontier: canvas below, handles and cards above.

use leptos::html::{Canvas, Div};
use leptos::prelude::*;

use super::handle::Handle;
use super::hover_card::HoverCard;
use super::look::{Look, SLACK};
use crate::components::{Glossed, Segments, handler};
use crate::draw;
use crate::reactive::{effect, memo};
use crate::services::surface;
use crate::state::use_page;
use crate::view_model::form::show_number;
use crate::view_model::frontier::YAxis;
use crate::view_model::slo;

/// The chart with its legend and its switch.
#[component]
pub(super) fn Chart() -> impl IntoView {
    let page = use_page();
    let frame = NodeRef::<Div>::new();
    let canvas = NodeRef::<Canvas>::new();
    let size = RwSignal::new((0.0, 0.0));
    let look = Look::new(page, size, frame);
    effect(move || {
        if let Some(frame) = frame.get() {
            surface::follow_size(&frame, size);
        }
    });
    effect(move || {
        if let (Some(canvas), Some(chart)) = (canvas.get(), look.chart.get()) {
            let palette = page.palette.get();
            surface::paint(&canvas, chart.size, |area| draw::frontier::draw(area, &chart, &palette));
        }
    });
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
            on:pointerdown=handler(move |event: leptos::ev::PointerEvent| look.down(&event))
            on:pointermove=handler(move |event: leptos::ev::PointerEvent| look.moved(&event))
            on:pointerup=handler(move |event: leptos::ev::PointerEvent| look.up(&event))
            on:pointerleave=handler(move |_| { page.hovered.set(None); look.brush.set(None); })
            on:dblclick=handler(move |_| look.zoom.set(None))
            on:wheel=handler(move |event: leptos::ev::WheelEvent| look.turned(&event))
            on:keydown=handler(move |event: leptos::ev::KeyboardEvent| look.key(&event))
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
            <button type="button" class="ghost" class:hidden=move || look.zoom.get().is_none() on:click=handler(move |_| look.zoom.set(None))>
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
    let itl = memo(move || page.scenario.with(|scenario| scenario.sla.itl_ms));
    let dragging = RwSignal::new(false);
    effect(move || {
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
            nudge=move |steps: i32| set(slo::nudge_itl(itl.get_untracked(), steps))
            commit=move |()| page.commit()
        />
    }
}
