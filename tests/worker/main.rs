//! Both ends of the worker boundary, fed with scripts.

mod site;
mod host;
mod session;
mod papers;
mod replay;
