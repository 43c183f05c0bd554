//! Black-box tests of the providers, against a server that says what the test wrote down.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
mod calling;
mod cuts;
mod dialects;
mod dropping;
mod failing;
mod server;
mod times;
