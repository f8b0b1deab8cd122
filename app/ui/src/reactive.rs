//! Memos and effects whose code is built once for all: what is generic over every closure weighs more than a call
//! through a pointer costs.

use leptos::prelude::*;

/// A value that follows others and tells only changes.
pub(crate) fn memo<T: PartialEq + Send + Sync + 'static>(
    compute: impl Fn() -> T + Send + Sync + 'static,
) -> Memo<T> {
    let compute: Box<dyn Fn() -> T + Send + Sync> = Box::new(compute);
    Memo::new(move |_| compute())
}

/// Something that happens whenever what it reads has changed.
pub(crate) fn effect(run: impl FnMut() + 'static) {
    let run: Box<dyn FnMut()> = Box::new(run);
    Effect::new(run);
}
