//! Chatkeep's model back ends: whoever answers a prompt, behind [`chat::contracts::Provider`].
//!
//! In reading order:
//!
//! - [`ProviderSettings`]: what the server's settings say about a provider, keys included. Nothing
//!   here reads the environment or a file of settings.
//! - [`models()`]: checks the settings, and makes the product's models of them.
//! - `remote`: asks over HTTP, with time limits and retries; the dialects `openai_compatible` and
//!   `anthropic` say what that looks like on the wire, `answer` reads what comes back, and `heard`
//!   makes pieces of it.
//! - `faults`: everything that can go wrong, in words of ours.
//! - `demo`: answers without anybody behind it.
//! - `tokens`: how many tokens a text has.

mod answer;
mod anthropic;
mod client;
mod demo;
mod dialect;
mod events;
mod faults;
mod heard;
mod models;
mod openai_compatible;
mod remote;
mod retry;
mod settings;
mod tokens;

pub use client::{Client, ClientError, trusted_roots};
pub use models::{SettingsError, models};
pub use settings::{Key, Kind, ModelSettings, ProviderSettings, Timeouts};
