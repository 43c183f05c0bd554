//! Where a page begins, as clients carry it around: they are not to look inside.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat::types::{SessionPosition, Timestamp};

/// The cursor of a place in the list of sessions.
pub(crate) fn write(position: SessionPosition) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&position.updated_at.0.to_be_bytes());
    bytes[8..].copy_from_slice(&position.number.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write`] wrote.
pub(crate) fn read(text: &str) -> Result<SessionPosition, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let halves = bytes
        .split_at_checked(8)
        .and_then(|(time, number)| Some((time.try_into().ok()?, number.try_into().ok()?)));
    let (time, number) = halves.ok_or("is not a cursor that this server made")?;
    Ok(SessionPosition {
        updated_at: Timestamp(i64::from_be_bytes(time)),
        number: i64::from_be_bytes(number),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(time: i64, number: i64) {
            let position = SessionPosition { updated_at: Timestamp(time), number };
            prop_assert_eq!(read(&write(position)), Ok(position));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            if let Ok(position) = read(&text) {
                prop_assert_eq!(write(position), text);
            }
        }
    }
}
