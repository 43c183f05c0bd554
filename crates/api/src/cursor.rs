//! Where a page begins, as clients carry it around: they are not to look inside.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat::types::{Email, SessionPosition, Timestamp};

/// A place in a list.
pub(crate) trait Cursor: Sized {
    /// The place as text.
    fn write(&self) -> String;
    /// Reads what [`Cursor::write`] wrote.
    fn read(text: &str) -> Result<Self, &'static str>;
}

/// A place in the list of sessions.
impl Cursor for SessionPosition {
    fn write(&self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.updated_at.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let [time, number] = numbers(text)?;
        Ok(Self {
            updated_at: Timestamp(time),
            number,
        })
    }
}

/// A message's place in its session.
impl Cursor for i64 {
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_be_bytes())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        numbers(text).map(|[place]| place)
    }
}

/// A place in the list of accounts.
impl Cursor for Email {
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_str())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| STRANGE)?;
        let text = str::from_utf8(&bytes).map_err(|_| STRANGE)?;
        Self::parse(text).map_err(|_| STRANGE)
    }
}

const STRANGE: &str = "is not a cursor that this server made";

fn numbers<const N: usize>(text: &str) -> Result<[i64; N], &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| STRANGE)?;
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: [[u8; 8]; N] = numbers.try_into().map_err(|_| STRANGE)?;
    if rest.is_empty() {
        Ok(numbers.map(i64::from_be_bytes))
    } else {
        Err(STRANGE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(time: i64, number: i64) {
            let position = SessionPosition { updated_at: Timestamp(time), number };
            prop_assert_eq!(SessionPosition::read(&position.write()), Ok(position));
            prop_assert_eq!(i64::read(&number.write()), Ok(number));
            let email = Email::parse(&format!("{number}ä+@{time}")).unwrap();
            prop_assert_eq!(Email::read(&email.write()), Ok(email));
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in "[A-Za-z0-9_-]{0,24}|.*") {
            if let Ok(position) = SessionPosition::read(&text) {
                prop_assert_eq!(position.write(), text.clone());
            }
            let _ = Email::read(&text);
            if let Ok(place) = i64::read(&text) {
                prop_assert_eq!(place.write(), text);
            }
        }
    }
}
