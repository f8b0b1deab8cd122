//! How the chart is looked at: axis, zoom, brush, and what pointer, wheel and keys do to them.

use std::sync::Arc;

use leptos::ev::{KeyboardEvent, PointerEvent, WheelEvent};
use leptos::html::Div;
use leptos::prelude::*;

use crate::services::screen;
use crate::state::Page;
use crate::view_model::frontier::{ChartInput, ChartVm, YAxis};

/// How near a pointer has to come; a finger is less exact.
const REACH: f64 = 14.0;
const FINGER: f64 = 24.0;
/// A press that moves further than this is a brush.
pub(super) const SLACK: f64 = 5.0;
/// The narrowest zoom, tokens/s/user.
const NARROWEST: f64 = 0.5;

/// What the pointer and the wheel change.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// The vertical axis.
    pub(super) y: RwSignal<YAxis>,
    /// The zoom; none fits the points.
    pub(super) zoom: RwSignal<Option<(f64, f64)>>,
    /// The domain at the start of a drag: a chart that rescales under a handle cannot be steered.
    pub(super) frozen: RwSignal<Option<(f64, f64)>>,
    /// Both ends of a brush under way.
    pub(super) brush: RwSignal<Option<(f64, f64)>>,
    /// The chart as laid out.
    pub(super) chart: Memo<Option<Arc<ChartVm>>>,
    page: Page,
    frame: NodeRef<Div>,
}

impl Look {
    pub(super) fn new(page: Page, size: RwSignal<(f64, f64)>, frame: NodeRef<Div>) -> Self {
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
                        y: if page.price.get().is_none() && y.get() == YAxis::Money {
                            YAxis::PerGpu
                        } else {
                            y.get()
                        },
                        price: page.price.get(),
                        x_domain: zoom.get().or_else(|| frozen.get()),
                        close_up: zoom.get().is_some(),
                        size,
                        focus: page.focus.get(),
                        today: page.today_point(),
                    }))
                })
            },
            |_, _| true,
        );
        Self { y, zoom, frozen, brush: RwSignal::new(None), chart, page, frame }
    }

    /// The chart as it stands.
    pub(super) fn now(self) -> Option<Arc<ChartVm>> {
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

    /// A press: the beginning of a brush, except for a finger, which scrolls.
    pub(super) fn down(self, event: &PointerEvent) {
        if let (0, Some(frame)) = (event.button(), self.frame.get_untracked())
            && event.pointer_type() != "touch"
            && !screen::is_inside(event, ".hover-card")
        {
            let x = screen::within(&frame, event).0;
            self.brush.set(Some((x, x)));
        }
    }

    /// A move: the other end of the brush, or another point under the pointer.
    pub(super) fn moved(self, event: &PointerEvent) {
        let (Some(frame), Some(chart)) = (self.frame.get_untracked(), self.now()) else { return };
        let at = screen::within(&frame, event);
        if let Some((from, _)) = self.brush.get_untracked() {
            self.brush.set(Some((from, at.0)));
        } else if !screen::is_inside(event, ".hover-card") {
            let hit = chart.hit(at.0, at.1, REACH).map(|mark| mark.index);
            if self.page.hovered.get_untracked() != hit {
                self.page.hovered.set(hit);
            }
        }
    }

    /// A release: the zoom that was brushed, or the point that was clicked.
    pub(super) fn up(self, event: &PointerEvent) {
        let (Some(frame), Some(chart)) = (self.frame.get_untracked(), self.now()) else { return };
        if self.take_brush() || screen::is_inside(event, ".hover-card") || event.button() != 0 {
            return;
        }
        let at = screen::within(&frame, event);
        let reach = if event.pointer_type() == "touch" { FINGER } else { REACH };
        if let Some(mark) = chart.hit(at.0, at.1, reach) {
            self.page.select(mark.index);
            self.page.held.set(true);
            self.page.commit();
        }
    }

    /// A turn of the wheel.
    pub(super) fn turned(self, event: &WheelEvent) {
        if let Some(frame) = self.frame.get_untracked() {
            let x = f64::from(event.client_x()) - frame.get_bounding_client_rect().left();
            if self.wheel(x, event.delta_y()) {
                event.prevent_default();
            }
        }
    }

    /// A key: a walk along the frontier.
    pub(super) fn key(self, event: &KeyboardEvent) {
        let size = if event.shift_key() { 5 } else { 1 };
        let steps = match event.key().as_str() {
            "ArrowRight" | "ArrowUp" => size,
            "ArrowLeft" | "ArrowDown" => -size,
            "Home" => isize::MIN,
            "End" => isize::MAX,
            _ => return,
        };
        event.prevent_default();
        if let Some(next) = self.now().and_then(|chart| chart.step(self.page.focus.get_untracked(), steps)) {
            self.page.select(next);
            self.page.held.set(true);
        }
    }
}
