//! Both ends of the worker boundary, fed with scripts.

mod host;
mod session;
