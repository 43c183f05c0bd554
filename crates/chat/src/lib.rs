//! Chatkeep, the product: who owns chat sessions and what was said in them.
//!
//! Nothing here knows HTTP, SQL or the JSON of a wire. In reading order:
//!
//! - [`types`]: the nouns. A value of theirs is well-formed by construction.
//! - [`contracts`]: what the product needs from outside: a store, a clock, randomness.
//! - [`Chat`]: what the product can do, a module for each noun.
//! - [`limits`]: every limit, with its unit.
//! - [`Error`]: what can go wrong.

pub mod contracts;
pub mod limits;
pub mod types;

mod accounts;
mod chat;
mod error;
mod passwords;
mod running;
mod sessions;
mod sign_in_limits;
mod tokens;

pub use accounts::Registration;
pub use chat::Chat;
pub use error::Error;
pub use sessions::SessionDraft;
pub use tokens::{FreshToken, TokenDraft};
