//! What must hold for every reply, whatever breaks: each proof counts what it has seen.

mod busy;
mod change_feed;
mod frozen;
mod kill;
mod once;
mod resume;
mod stop;
