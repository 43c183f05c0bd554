//! What the product needs from outside, and others provide.

mod clock;
mod entropy;
mod provider;
mod store;

pub use clock::Clock;
pub use entropy::Entropy;
pub use provider::{EndOfAnswer, Piece, Pieces, Provider, Question, Turn};
pub use store::{
    Admission, Append, Appended, Begun, Change, Changed, Changes, Claim, Claimed, Deleted, Finish,
    Finished, Fresh, Kept, NewReply, Prompt, Registered, Stopped, Store, StoreError, TokenMade,
    Work,
};
