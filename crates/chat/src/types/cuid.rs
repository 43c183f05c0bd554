use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Timestamp;
use crate::contracts::Entropy;

const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const TIME_DIGITS: u32 = 8;
const COUNTER_DIGITS: u32 = 4;
const RANDOM_DIGITS: u32 = 12;
const MINTED_LENGTH: usize = 25;
/// How many CUIDs one millisecond has room for.
const PER_MILLISECOND: u64 = 36u64.pow(COUNTER_DIGITS);

/// A public identifier: `c` and 7 to 31 lower-case letters and digits.
///
/// The ones minted here are 25 characters and sort by the time of their making. Others of that
/// form are accepted, since data may have been imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cuid(String);

/// The text is no CUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a CUID")]
pub struct InvalidCuid;

impl Cuid {
    /// Reads a CUID, as a client or a database wrote it.
    pub fn parse(text: &str) -> Result<Self, InvalidCuid> {
        let well_formed = (8..=32).contains(&text.len())
            && text.starts_with('c')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCuid)
        }
    }

    /// The identifier's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes CUIDs: `c`, 8 digits of milliseconds, 4 of a counter, 12 random, all in base 36.
///
/// Within one mint they ascend, whatever the clock does: keys that arrive in order keep inserts
/// at one end of an index. The 62 random bits keep one from being guessed from another.
#[derive(Debug, Default)]
pub struct CuidMint {
    /// The last one's milliseconds × [`PER_MILLISECOND`] + its counter.
    last: AtomicU64,
}

impl CuidMint {
    /// Makes the next CUID.
    pub fn mint(&self, now: Timestamp, entropy: &dyn Entropy) -> Cuid {
        let floor = u64::try_from(now.0).unwrap_or(0) * PER_MILLISECOND;
        let step = |last: u64| floor.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(step(last))
            });
        let place = step(last.unwrap_or_else(|unchanged| unchanged));

        let mut random = [0; 8];
        entropy.fill(&mut random);

        let mut text = String::with_capacity(MINTED_LENGTH);
        text.push('c');
        push_base36(&mut text, place / PER_MILLISECOND, TIME_DIGITS);
        push_base36(&mut text, place % PER_MILLISECOND, COUNTER_DIGITS);
        push_base36(&mut text, u64::from_le_bytes(random), RANDOM_DIGITS);
        Cuid(text)
    }
}

/// Appends the lowest `digits` base-36 digits of `number`, the highest of them first.
fn push_base36(text: &mut String, number: u64, digits: u32) {
    for power in (0..digits).rev() {
        let digit = number / 36u64.pow(power) % 36;
        text.push(char::from(BASE36[digit as usize]));
    }
}
