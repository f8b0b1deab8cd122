//! Canvases: sharp on every screen, redrawn when they change their size.

use leptos::prelude::*;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ResizeObserver, ResizeObserverEntry};

use super::clipboard;
use super::fine::Fine;
use crate::draw::{DrawError, UNITS};

/// What charts are drawn on in the page.
pub(crate) type Surface = Fine<CanvasBackend>;

/// Draws on a canvas of `size` CSS pixels.
pub(crate) fn paint(
    canvas: &HtmlCanvasElement,
    size: (f64, f64),
    draw: impl FnOnce(&DrawingArea<Surface, Shift>) -> Result<(), DrawError<Surface>>,
) {
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    paint_scaled(canvas, size, ratio, draw);
}

fn paint_scaled(
    canvas: &HtmlCanvasElement,
    size: (f64, f64),
    ratio: f64,
    draw: impl FnOnce(&DrawingArea<Surface, Shift>) -> Result<(), DrawError<Surface>>,
) {
    // Setting the size also clears the canvas and resets its transform.
    canvas.set_width((size.0 * ratio).round() as u32);
    canvas.set_height((size.1 * ratio).round() as u32);
    let context =
        canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok());
    let (Some(context), Some(backend)) = (context, CanvasBackend::with_canvas_object(canvas.clone())) else {
        return;
    };
    let scale = ratio / UNITS;
    if context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0).is_err() {
        return;
    }
    context.set_line_join("round");
    let units = ((size.0 * UNITS).ceil() as u32, (size.1 * UNITS).ceil() as u32);
    if let Err(error) = draw(&Fine { inner: backend, size: units }.into_drawing_area()) {
        web_sys::console::error_1(&JsValue::from_str(&error.to_string()));
    }
}

/// Draws on a canvas that nobody sees and saves it as a PNG of twice `size`; false when the browser cannot.
pub(crate) fn save_png(
    name: &str,
    size: (f64, f64),
    draw: impl FnOnce(&DrawingArea<Surface, Shift>) -> Result<(), DrawError<Surface>>,
) -> bool {
    let canvas = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.create_element("canvas").ok())
        .and_then(|element| element.dyn_into::<HtmlCanvasElement>().ok());
    let Some(canvas) = canvas else { return false };
    paint_scaled(&canvas, size, 2.0, draw);
    let name = name.to_owned();
    let saved = Closure::once_into_js(move |blob: JsValue| {
        if let Ok(blob) = blob.dyn_into::<web_sys::Blob>() {
            clipboard::save_blob(&name, &blob);
        }
    });
    canvas.to_blob(saved.unchecked_ref()).is_ok()
}

/// Calls `act` before the browser paints the next time.
pub(crate) fn next_frame(act: impl FnOnce() + 'static) {
    if let Some(window) = web_sys::window() {
        let act = Closure::once_into_js(act);
        drop(window.request_animation_frame(act.unchecked_ref()));
    }
}

/// The size of an element in CSS pixels, followed while it changes.
pub(crate) fn follow_size(element: &Element, size: RwSignal<(f64, f64)>) {
    let measure = move |element: &Element| {
        let now = (f64::from(element.client_width()), f64::from(element.client_height()));
        if now.0 > 0.0 && now.1 > 0.0 && size.get_untracked() != now {
            size.set(now);
        }
    };
    measure(element);
    let resized = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        for entry in entries.iter() {
            if let Ok(entry) = entry.dyn_into::<ResizeObserverEntry>() {
                measure(&entry.target());
            }
        }
    });
    if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
        observer.observe(element);
        let held = StoredValue::new_local(Some((observer, resized)));
        on_cleanup(move || {
            held.try_update_value(|held| {
                if let Some((observer, _)) = held.take() {
                    observer.disconnect();
                }
            });
        });
    }
}
