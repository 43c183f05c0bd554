//! The world outside: the wall clock and the system's randomness. Nothing else reads either.

use chat::contracts::{Clock, Entropy};
use chat::types::Timestamp;
use rand::RngExt;

/// The system's clock.
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that is handed in"
        )]
        let now = jiff::Timestamp::now();
        Timestamp(now.as_millisecond())
    }
}

/// A generator fit for secrets, one per thread, seeded by the system.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill(bytes);
    }
}
