//! Names of points that survive a new search: in the address, for pins and for the selection.

use engine::link::{layout_name, place_suffix};
use engine::view::Point;

use super::shown::Shown;

/// A short, stable name of a point, such as `d5.tp2.b1-6.tp1.b64` or `a8.tp4.b80.c4000`; with its backend and
/// system behind it where several were asked for.
pub fn key(shown: &Shown, point: &Point) -> String {
    format!("{}{}", layout_name(&point.layout), suffix(shown, point.place))
}

/// `.vllm.h100-sxm`, where several places were asked for.
fn suffix(shown: &Shown, place: u32) -> String {
    match shown.places.get(place as usize) {
        Some(place) if shown.scenario.reach.is_wide() => place_suffix(place),
        _ => String::new(),
    }
}

/// The point of that name.
pub fn find(shown: &Shown, name: &str) -> Option<usize> {
    let mut places = 0..shown.places.len().max(1) as u32;
    let (place, name) =
        places.find_map(|place| Some((place, name.strip_suffix(suffix(shown, place).as_str())?)))?;
    shown.view.points.iter().position(|point| point.place == place && layout_name(&point.layout) == name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::backend::Backend;
    use engine::scenario::Place;

    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn names_are_short_and_found_again() {
        let shown = fixture::shown();
        assert_eq!(key(&shown, &shown.view.points[0]), "d10.tp2.b1-12.tp1.b64");
        for (at, point) in shown.view.points.iter().enumerate() {
            assert_eq!(find(&shown, &key(&shown, point)), Some(at));
        }
        assert_eq!(find(&shown, "nonsense"), None);
    }

    #[test]
    fn names_tell_places_apart() {
        let mut shown = fixture::shown();
        shown.scenario.set_backend(None);
        let at = |backend| Place { system: "h100_sxm".to_owned(), backend };
        shown.places = Arc::new(vec![at(Backend::Trtllm), at(Backend::Vllm)]);
        let mut twin = shown.view.points[0];
        twin.place = 1;
        shown.view.points.push(twin);
        assert_eq!(key(&shown, &twin), "d10.tp2.b1-12.tp1.b64.vllm.h100-sxm");
        for (at, point) in shown.view.points.iter().enumerate() {
            assert_eq!(find(&shown, &key(&shown, point)), Some(at));
        }
        assert_eq!(find(&shown, "d10.tp2.b1-12.tp1.b64"), None);
    }
}
