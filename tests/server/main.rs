//! The server as a browser meets it: `app()` in process, and a real port where the socket matters.

mod caching;
mod fixture;
mod navigation;
mod security;
mod sockets;
