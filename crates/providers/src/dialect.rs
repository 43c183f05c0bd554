//! What differs from one provider's API to another's: how one asks, and how one reads the answer.

use std::collections::VecDeque;
use std::mem;

use chat::contracts::{EndOfAnswer, Piece, Question};
use chat::types::{Delta, TokenUsage};
use reqwest::header::{HeaderMap, InvalidHeaderValue};

use crate::events::Event;
use crate::faults::Fault;
use crate::settings::Key;

/// Tokens that a provider can claim; more would fit into no database and no client's number.
const TOKENS_MOST: u64 = 1 << 53;

/// A provider's API. It has no state: what an answer has said so far is in [`Heard`].
pub(crate) trait Dialect: Send + Sync {
    /// Where the company is that made it.
    fn home(&self) -> &'static str;

    /// What is added to the path of the base URL.
    fn path(&self) -> &'static [&'static str];

    /// Whether nobody is answered without a key.
    fn needs_key(&self) -> bool;

    /// The most tokens of an answer if nobody says otherwise; `None` for the provider's own limit.
    fn max_output_tokens(&self) -> Option<u32>;

    /// The headers that a question has. Errors: the key is none that a header could carry.
    fn headers(&self, key: Option<&Key>) -> Result<HeaderMap, InvalidHeaderValue>;

    /// A question as JSON; a plain one goes without what not every server knows.
    fn question(
        &self,
        question: &Question,
        temperature: Option<f32>,
        plain: bool,
    ) -> serde_json::Result<Vec<u8>>;

    /// Reads an event of an answer.
    fn event(&self, event: &Event, heard: &mut Heard);

    /// Reads an answer that came as one JSON document, since the server does not stream.
    fn whole(&self, body: &[u8], heard: &mut Heard);
}

/// What has been heard of an answer.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pieces: VecDeque<Piece>,
    usage: TokenUsage,
    end: Option<Result<EndOfAnswer, Fault>>,
    begun: bool,
    closed: bool,
}

impl Heard {
    /// The model said something, maybe nothing.
    pub fn text(&mut self, text: Option<String>) {
        self.delta(text, Delta::Text);
    }

    /// The model thought something, maybe nothing.
    pub fn reasoning(&mut self, text: Option<String>) {
        self.delta(text, Delta::Reasoning);
    }

    fn delta(&mut self, text: Option<String>, kind: fn(String) -> Delta) {
        let mut text = text.unwrap_or_default();
        // No database's text can keep U+0000, and no reader misses it.
        if text.contains('\0') {
            text.retain(|c| c != '\0');
        }
        if !text.is_empty() {
            self.begun = true;
            self.pieces.push_back(Piece::Delta(kind(text)));
        }
    }

    /// What is known of the cost so far; `None` for what is as it was. It never shrinks.
    pub fn usage(&mut self, input_tokens: Option<u64>, output_tokens: Option<u64>) {
        let grown = |old: u64, new: Option<u64>| old.max(new.unwrap_or(0).min(TOKENS_MOST));
        let usage = TokenUsage {
            input_tokens: grown(self.usage.input_tokens, input_tokens),
            output_tokens: grown(self.usage.output_tokens, output_tokens),
        };
        // Some servers repeat it with every word.
        if mem::replace(&mut self.usage, usage) != usage {
            self.pieces.push_back(Piece::Usage(usage));
        }
    }

    /// The model has ended; its usage may still come. Only the first end counts.
    pub fn end(&mut self, end: Result<EndOfAnswer, Fault>) {
        self.end.get_or_insert(end);
    }

    /// Nothing more comes that matters. Who closes without an end has said everything.
    pub fn close(&mut self) {
        self.end(Ok(EndOfAnswer::Complete));
        self.closed = true;
    }

    /// Something went wrong, and nothing more comes. An answer that had ended is still complete.
    pub fn fail(&mut self, fault: Fault) {
        self.end(Err(fault));
        self.closed = true;
    }

    /// The next piece.
    pub fn next(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Whether nothing more comes.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the model has written something.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the model has ended, well or not.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// How it ended; once.
    pub fn take_end(&mut self) -> Option<Result<EndOfAnswer, Fault>> {
        self.end.take()
    }

    /// What went wrong before the model wrote anything.
    pub fn take_early_fault(&mut self) -> Option<Fault> {
        if self.begun {
            return None;
        }
        self.end.take_if(|end| end.is_err())?.err()
    }
}
