//! Server-sent events, out of bytes: the `text/event-stream` of the HTML standard.

use std::mem;

/// Bytes of one event, and of one line of a comment. A model's piece is a few dozen.
pub(crate) const EVENT_BYTES: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Something that a server said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// What kind of thing; mostly empty.
    pub name: String,
    /// The thing itself; its lines are joined by a line feed.
    pub data: String,
}

/// An event, or a line, was longer than [`EVENT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Takes bytes as they come, split anywhere, and gives events.
///
/// Whatever bytes come, they are read as something: what is no UTF-8 becomes U+FFFD, and unknown
/// fields are skipped. An event that the stream ends in the middle of never comes out.
#[derive(Default)]
pub(crate) struct Parser {
    /// What there is of a line that has not ended.
    line: Vec<u8>,
    /// What there is of an event that has not ended; `None` before its first data.
    data: Option<String>,
    name: String,
    /// Whether the last line ended with a carriage return: a line feed then belongs to it.
    after_return: bool,
    /// Whether a line has been read; a byte order mark may only stand before the first.
    begun: bool,
}

impl Parser {
    /// Reads on. Errors: an event is too long; the parser is of no use afterwards.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        while let Some(&first) = bytes.first() {
            if mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + self.data.as_ref().map_or(0, String::len) + piece.len()
                > EVENT_BYTES
            {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            bytes = rest;
            if let Some((end, rest)) = rest.split_first() {
                self.after_return = *end == b'\r';
                bytes = rest;
                let mut line = mem::take(&mut self.line);
                events.extend(self.take_line(&line));
                line.clear();
                self.line = line;
            }
        }
        Ok(())
    }

    /// Takes in a whole line; an empty one ends an event.
    fn take_line(&mut self, line: &[u8]) -> Option<Event> {
        let begun = mem::replace(&mut self.begun, true);
        let line = line.strip_prefix(BOM).filter(|_| !begun).unwrap_or(line);
        if line.is_empty() {
            let name = mem::take(&mut self.name);
            return self.data.take().map(|data| Event { name, data });
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.name),
            // A comment has an empty name; ids and times to wait are for those who come back.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, TooLong> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, &mut events)?;
        }
        Ok(events.into_iter().map(|e| (e.name, e.data)).collect())
    }

    fn one(name: &str, data: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), data.to_owned())]
    }

    #[test]
    fn lines_may_end_in_every_way_that_the_standard_knows() {
        for end in ["\n", "\r", "\r\n"] {
            let text = format!("event: a{end}data: b{end}data:c{end}{end}");
            assert_eq!(read(&[text.as_bytes()]), Ok(one("a", "b\nc")), "{end:?}");
        }
    }

    #[test]
    fn comments_ids_and_unknown_fields_are_skipped() {
        let text = b": OPENROUTER PROCESSING\n\nid: 1\nretry: 5\nnothing\ndata: x\n\n";
        assert_eq!(read(&[text]), Ok(one("", "x")));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
        assert_eq!(read(&[b"\xEF\xBB\xBFdata: x\n\n"]), Ok(one("", "x")));
        assert_eq!(read(&[b"\n\xEF\xBB\xBFdata: x\n\n"]), Ok(Vec::new()));
    }

    #[test]
    fn an_event_without_its_empty_line_never_comes_out() {
        assert_eq!(read(&[b"data: x\n"]), Ok(Vec::new()));
    }

    #[test]
    fn an_event_name_without_data_is_forgotten() {
        assert_eq!(read(&[b"event: a\n\ndata: x\n\n"]), Ok(one("", "x")));
    }

    #[test]
    fn an_event_may_be_as_long_as_the_limit_and_no_longer() {
        let data = "x".repeat(EVENT_BYTES - "data:".len());
        let fits = format!("data:{data}\n\n");
        assert_eq!(read(&[fits.as_bytes()]), Ok(one("", &data)));
        let long = format!("data:{data}x\n\n");
        assert_eq!(read(&[long.as_bytes()]), Err(TooLong));
        let lines = "data: 12345678\n".repeat(EVENT_BYTES / 8);
        assert_eq!(read(&[lines.as_bytes()]), Err(TooLong), "many short lines");
        let comment = vec![b':'; EVENT_BYTES + 1];
        assert_eq!(read(&[&comment]), Err(TooLong), "a comment without an end");
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_events(
            text in "((data|event|id|)(:| |: )[a-zä€😀:]{0,4}(\n|\r|\r\n|\n\n|\r\r|\r\n\r\n){0,2}){0,12}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(pieces: Vec<Vec<u8>>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let whole = pieces.concat();
            prop_assert_eq!(read(&pieces), read(&[&whole]));
        }
    }
}
