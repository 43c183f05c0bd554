//! Chatkeep, the product: who owns chat sessions, what was said in them, and every answer that a
//! model is still writing.
//!
//! Nothing here knows HTTP, SQL or the JSON of a wire. In reading order:
//!
//! - [`types`]: the nouns. A value of theirs is well-formed by construction.
//! - [`contracts`]: what the product needs from outside: a store, models, a bus between nodes, a clock, randomness.
//! - [`Chat`]: what the product can do, a module for each noun.
//! - [`limits`]: every limit, with its unit.
//! - [`Error`]: what can go wrong.

pub mod contracts;
pub mod limits;
pub mod types;

mod accounts;
mod admin;
mod brief;
mod channels;
mod chat;
mod context;
mod engine;
mod error;
mod event_log;
mod guests;
mod lock;
mod lookout;
mod messages;
mod models;
mod news;
mod nodes;
mod passing;
mod passwords;
mod replies;
mod reply_task;
mod running;
mod sessions;
mod sign_in_limits;
mod titles;
mod tokens;
mod watch;

pub use accounts::Registration;
pub use admin::{Health, ModelTest};
pub use chat::{Chat, Load, Options};
pub use error::Error;
pub use messages::MessageDraft;
pub use models::{Model, Models};
pub use passing::{Passing, Unkept};
pub use replies::{PromptDraft, ReplyDraft, WantedSession};
pub use sessions::SessionDraft;
pub use tokens::{FreshToken, TokenDraft};
pub use watch::{Feed, News, Watch};
