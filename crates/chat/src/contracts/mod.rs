//! What the product needs from outside, and others provide.

mod bus;
mod clock;
mod entropy;
mod outcomes;
mod provider;
mod store;

pub use bus::{Bus, News, NoBus, Told};
pub use clock::Clock;
pub use entropy::Entropy;
pub use outcomes::{
    AccountChanged, Admission, Append, Appended, Begun, Change, Changed, Changes, Claim, Claimed,
    Deleted, Finish, Finished, Fresh, InSession, Interrupted, Kept, NewReply, Prompt, Registered,
    Stopped, TokenMade, Work,
};
pub use provider::{EndOfAnswer, Piece, Pieces, Provider, Question, Turn};
pub use store::{Store, StoreError};
