//! Names of points that survive a new search: in the address, for pins and for the selection.

use engine::view::{Layout, Point, View, Worker};

/// A short, stable name of a layout, such as `d5.tp2.b1-6.tp1.b64` or `a8.tp4.b80.c4000`.
pub fn key(point: &Point) -> String {
    let others = match point.layout {
        Layout::Agg { worker, ctx_tokens, .. } => format!("a{}.c{ctx_tokens}", side(&worker)),
        Layout::Disagg { prefill, decode, .. } => format!("d{}-{}", side(&prefill), side(&decode)),
    };
    match point.layout.encoders() {
        Some(pool) => format!("{others}-{}.e{}.b{}", pool.count, pool.tp, pool.batch),
        None => others,
    }
}

fn side(worker: &Worker) -> String {
    format!("{}.{}.b{}", worker.count, worker.parallel.to_string().replace(' ', "."), worker.batch)
}

/// The point of that name.
pub fn find(view: &View, name: &str) -> Option<usize> {
    view.points.iter().position(|point| key(point) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn names_are_short_and_found_again() {
        let view = fixture::view();
        assert_eq!(key(&view.points[0]), "d10.tp2.b1-12.tp1.b64");
        for (at, point) in view.points.iter().enumerate() {
            assert_eq!(find(&view, &key(point)), Some(at));
        }
        assert_eq!(find(&view, "nonsense"), None);
    }
}
