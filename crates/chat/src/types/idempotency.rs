use std::time::Duration;

use crate::limits;

/// What a client sends along so that a change happens once, however often it is asked for:
/// 1 to 255 visible ASCII characters. Known per owner, for 24 hours.
///
/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key; `None` if it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of what was asked: two requests with one key must agree in it.
pub type Fingerprint = [u8; 32];

/// The wish that a change happen once.
#[derive(Clone, Debug)]
pub struct Once {
    /// What names the change.
    pub key: IdempotencyKey,
    /// What was asked.
    pub request: Fingerprint,
    /// How the client tells a retry from a new wish.
    pub tries: Tries,
}

/// How a client tells a retry from a new wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// By a key of its own making, for [`IDEMPOTENCY_KEPT`](limits::IDEMPOTENCY_KEPT).
    Keyed,
    /// It counts its tries of a request, and this is the first one: what was done for a request like it
    /// is of no account.
    First,
    /// It counts them, and this is a later one. What the first one did is known for
    /// [`TRIES_KEPT`](limits::TRIES_KEPT); of a reply that has ended, for
    /// [`RETRY_AWAITED`](limits::RETRY_AWAITED) after its end: requests like it may come again.
    Later,
}

impl Tries {
    /// How long what was done is known.
    pub fn kept(self) -> Duration {
        match self {
            Self::Keyed => limits::IDEMPOTENCY_KEPT,
            Self::First | Self::Later => limits::TRIES_KEPT,
        }
    }
}
