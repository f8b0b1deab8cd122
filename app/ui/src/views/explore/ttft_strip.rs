//! The companion axis of the chart, for the target that the chart's axes do not show.

use std::sync::Arc;

use leptos::html::{Canvas, Div};
use leptos::prelude::*;

use super::handle::Handle;
use crate::draw;
use crate::reactive::{effect, memo};
use crate::services::surface;
use crate::state::use_page;
use crate::view_model::form::show_number;
use crate::view_model::slo;
use crate::view_model::strip::StripVm;

/// How the time to first token is distributed, with its target as a handle.
#[component]
pub(super) fn TtftStrip() -> impl IntoView {
    let page = use_page();
    let frame = NodeRef::<Div>::new();
    let canvas = NodeRef::<Canvas>::new();
    let size = RwSignal::new((0.0, 0.0));
    let dragging = RwSignal::new(false);
    let frozen = StoredValue::new(None::<Arc<StripVm>>);
    let strip = Memo::new_with_compare(
        move |_| {
            let (shown, size): (_, (f64, f64)) = (page.shown.get()?, size.get());
            let narrow = size.0 < 520.0;
            let plot =
                (if narrow { 46.0 } else { 58.0 }, f64::max(size.0 - if narrow { 10.0 } else { 18.0 }, 80.0));
            (size.0 > 0.0).then(|| Arc::new(StripVm::new(&shown.view, &shown.scenario, size, plot)))
        },
        |_, _| true,
    );
    effect(move || {
        if let Some(frame) = frame.get() {
            surface::follow_size(&frame, size);
        }
    });
    effect(move || {
        if let (Some(canvas), Some(strip)) = (canvas.get(), strip.get()) {
            let palette = page.palette.get();
            surface::paint(&canvas, strip.size, |area| draw::strip::draw(area, &strip, &palette));
        }
    });
    // The scale at the start of a drag steers the whole of it.
    effect(move || frozen.set_value(if dragging.get() { strip.get_untracked() } else { None }));
    let ttft = memo(move || page.scenario.with(|scenario| scenario.sla.ttft_ms));
    let set = move |ms: f64| page.edit(|scenario| scenario.sla.ttft_ms = ms);
    let drag = move |x: f64| {
        if let Some(strip) = frozen.get_value().or_else(|| strip.get_untracked()) {
            set(slo::ttft_at(strip.ttft_at(x)));
        }
    };
    view! {
        <div class="strip-title" aria-hidden="true">"time to first token, ms"</div>
        <div class="strip" node_ref=frame>
            <canvas node_ref=canvas aria-hidden="true"></canvas>
            <Handle
                x=Signal::derive(move || strip.get().map(|strip| strip.target_x))
                span=Signal::derive(move || strip.get().map_or((0.0, 0.0), |strip| (2.0, strip.axis_y)))
                text=Signal::derive(move || format!("TTFT ≤ {} ms", show_number(ttft.get())))
                label="TTFT target"
                values=Signal::derive(move || (1.0, 100_000.0, ttft.get()))
                value_text=Signal::derive(move || format!("TTFT at most {} ms", show_number(ttft.get())))
                right_is_tighter=false
                frame=frame
                dragging=dragging
                drag=drag
                nudge=move |steps: i32| set(slo::nudge_ttft(ttft.get_untracked(), steps))
                commit=move |()| page.commit()
            />
        </div>
    }
}
