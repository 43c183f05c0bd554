//! What must hold for every reply, whatever breaks: each proof counts what it has seen.

mod busy;
pub(crate) mod change_feed;
mod frozen;
mod kill;
pub(crate) mod once;
mod resume;
mod stop;
