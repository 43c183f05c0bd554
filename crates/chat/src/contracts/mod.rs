//! What the product needs from outside, and others provide.

mod clock;
mod entropy;
mod store;

pub use clock::Clock;
pub use entropy::Entropy;
pub use store::{Admission, Changed, Deleted, Registered, Store, StoreError, TokenMade};
