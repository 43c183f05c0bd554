//! Black-box tests: the real binary over a real socket, laid out like the URLs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod server;

mod api_chat_sessions;
mod api_v1_auth;
mod api_v1_chat;
mod command_line;
mod crash;
mod every_change;
mod every_route;
mod openapi;
mod operating;
mod pages;
mod readme;
