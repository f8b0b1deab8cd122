//! The server as a browser meets it: `app()` in process, and a real port where the socket matters.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod access;
mod api;
mod caching;
mod deploy;
mod fixture;
mod hub;
mod live;
mod navigation;
mod security;
mod sockets;
mod streams;
mod wire;
