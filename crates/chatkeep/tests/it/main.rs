//! Black-box tests: the real binary over a real socket, laid out like the URLs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod background;
mod client;
mod database;
mod provider;
mod proxy;
mod server;
mod sse;
mod talk;

mod api_ai_chat;
mod api_chat_sessions;
mod api_openai_completions;
mod api_openai_conversations;
mod api_openai_responses;
mod api_v1_admin;
mod api_v1_auth;
mod api_v1_chat;
mod api_v1_events;
mod api_v1_message;
mod api_v1_messages;
mod api_v1_replies;
mod api_v1_replies_busy;
mod api_v1_replies_failing;
mod api_v1_tools;
mod browser;
mod clients;
mod cluster;
mod command_line;
mod copying;
mod crash;
mod every_change;
mod every_route;
mod one_session_every_dialect;
mod openapi;
mod operating;
mod outage;
mod pages;
mod readme;
mod replies_proof;
mod resume_every_dialect;
mod ui;
