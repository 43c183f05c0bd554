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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    proptest! {
        #[test]
        fn a_minted_cuid_passes_the_validators_of_both_generations(
            time in 0..2_800_000_000_000_i64,
            random: u8,
        ) {
            let made = CuidMint::default().mint(Timestamp(time), &Same(random));
            let text = made.as_str();
            // zod's cuid: /^c[^\s-]{8,}$/i; its cuid2 and Prisma's: /^[a-z][0-9a-z]+$/.
            prop_assert_eq!(text.len(), MINTED_LENGTH);
            prop_assert!(text.starts_with('c'));
            prop_assert!(text.bytes().all(|byte| BASE36.contains(&byte)));
            prop_assert_eq!(Cuid::parse(text), Ok(made));
        }

        #[test]
        fn cuids_ascend_whatever_the_clock_does(times in prop::collection::vec(0..5_000_i64, 2..50)) {
            let mint = CuidMint::default();
            let made = times.iter().map(|time| mint.mint(Timestamp(*time), &Same(0)));
            let made: Vec<Cuid> = made.collect();
            prop_assert!(made.is_sorted_by(|one, next| one < next), "{:?}", made);
        }

        #[test]
        fn what_is_read_as_a_cuid_is_one(text in "\\PC{0,40}") {
            let base36 = |byte: u8| BASE36.contains(&byte);
            let is_one = (8..=32).contains(&text.len()) && text.starts_with('c') && text.bytes().all(base36);
            prop_assert_eq!(Cuid::parse(&text).is_ok(), is_one);
        }
    }
}
