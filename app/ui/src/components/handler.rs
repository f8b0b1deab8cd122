//! One type for all event handlers.

/// Boxes a handler: as closures of their own types, each would bring its own copy of what attaches a listener.
pub(crate) fn handler<E>(act: impl FnMut(E) + 'static) -> Box<dyn FnMut(E)> {
    Box::new(act)
}
