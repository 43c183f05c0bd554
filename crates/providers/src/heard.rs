//! What has been heard of an answer.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::mem;

use chat::contracts::{EndOfAnswer, Piece, Question};
use chat::limits;
use chat::types::{Delta, TokenUsage};

use crate::dialect;
use crate::faults::{self, Fault};

/// Tokens that a provider can claim; more would fit into no database and no client's number.
const TOKENS_MOST: u64 = 1 << 53;
/// The arguments of a call that has none: what reads them expects JSON.
const NO_ARGUMENTS: &str = "{}";

/// What has been heard of an answer.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pieces: VecDeque<Piece>,
    usage: TokenUsage,
    end: Option<Result<EndOfAnswer, Fault>>,
    begun: bool,
    closed: bool,
    /// What calls of tools are known by, those in the question among them.
    call_ids: HashSet<String>,
    /// The call that is being written.
    call: Option<Call>,
    /// The index of the newest call, if its provider counts them.
    call_index: Option<u64>,
    /// Whether the model has called a tool.
    called: bool,
}

/// A call that is being written.
#[derive(Debug)]
struct Call {
    /// What its provider knows it by; may be empty.
    id: String,
    has_arguments: bool,
}

/// A piece of a call of a tool, as a provider sends it: the first one has the name.
#[derive(Debug, Default)]
pub(crate) struct CallPiece {
    /// Which call it belongs to.
    pub index: Option<u64>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub arguments: Option<String>,
}

impl Heard {
    /// Nothing yet, of the answer to this question.
    pub fn of(question: &Question) -> Self {
        let calls = question.messages.iter().flat_map(dialect::calls);
        Self {
            call_ids: calls.map(|call| call.id.clone()).collect(),
            ..Self::default()
        }
    }

    /// The model said something, maybe nothing.
    pub fn text(&mut self, text: Option<String>) {
        self.say(text, Delta::Text);
    }

    /// The model thought something, maybe nothing.
    pub fn reasoning(&mut self, text: Option<String>) {
        self.say(text, Delta::Reasoning);
    }

    fn say(&mut self, text: Option<String>, kind: fn(String) -> Delta) {
        let text = readable(text);
        if !text.is_empty() {
            self.end_call();
            self.push(kind(text));
        }
    }

    /// The model wrote a piece of a call, maybe an empty one. Calls come one after the other: whatever
    /// else comes ends a call, and a piece for one that has ended can't be read.
    ///
    /// Not every server counts its calls, and some give all of them the same index. So a name begins a
    /// call, unless it comes again with the same id.
    pub fn call(&mut self, piece: CallPiece) {
        let [id, name, arguments] = [piece.id, piece.name, piece.arguments].map(readable);
        if name.is_empty() && arguments.is_empty() {
            return;
        }
        let order = match (piece.index, self.call_index) {
            (Some(index), Some(newest)) => index.cmp(&newest),
            _ => Ordering::Equal,
        };
        let is_same = |call: &Call| name.is_empty() || (!id.is_empty() && id == call.id);
        if order != Ordering::Equal || !self.call.as_ref().is_some_and(is_same) {
            if order == Ordering::Less || name.is_empty() {
                return self.fail(faults::unreadable());
            }
            self.begin_call(id, name);
        }
        self.call_index = piece.index.or(self.call_index);
        if let Some(call) = self.call.as_mut().filter(|_| !arguments.is_empty()) {
            call.has_arguments = true;
            self.push(Delta::Arguments(arguments));
        }
    }

    fn begin_call(&mut self, id: String, name: String) {
        self.end_call();
        self.called = true;
        let known_by = self.new_call_id(&id);
        self.push(Delta::ToolCall { id: known_by, name });
        self.call = Some(Call {
            id,
            has_arguments: false,
        });
    }

    /// What a call is known by: what its provider says, or else something of ours. Some say nothing,
    /// and some the name of the tool each time.
    fn new_call_id(&mut self, id: &str) -> String {
        let fits = !id.trim().is_empty() && id.chars().count() <= limits::CALL_ID_CHARS;
        let own = (self.call_ids.len() + 1..).map(|number| format!("call_{number}"));
        let mut ids = fits.then(|| id.to_owned()).into_iter().chain(own);
        let id = ids.find(|id| !self.call_ids.contains(id));
        let id = id.unwrap_or_default();
        self.call_ids.insert(id.clone());
        id
    }

    fn end_call(&mut self) {
        if self.call.take().is_some_and(|call| !call.has_arguments) {
            self.push(Delta::Arguments(NO_ARGUMENTS.to_owned()));
        }
    }

    fn push(&mut self, delta: Delta) {
        self.begun = true;
        self.pieces.push_back(Piece::Delta(delta));
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
        self.close_with(Ok(EndOfAnswer::Complete));
    }

    /// Something went wrong, and nothing more comes. An answer that had ended is still complete.
    pub fn fail(&mut self, fault: Fault) {
        self.close_with(Err(fault));
    }

    fn close_with(&mut self, end: Result<EndOfAnswer, Fault>) {
        self.end(end);
        // Otherwise a call may have been cut off before its arguments.
        if self.end == Some(Ok(EndOfAnswer::Complete)) {
            self.end_call();
        }
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

    /// How it ended; once. Who has called tools and is not cut off waits for their outputs, whatever
    /// reason the provider gives.
    pub fn take_end(&mut self) -> Option<Result<EndOfAnswer, Fault>> {
        let end = self.end.take()?;
        Some(match end {
            Ok(EndOfAnswer::Complete) if self.called => Ok(EndOfAnswer::ToolCalls),
            end => end,
        })
    }

    /// What went wrong before the model wrote anything.
    pub fn take_early_fault(&mut self) -> Option<Fault> {
        if self.begun {
            return None;
        }
        self.end.take_if(|end| end.is_err())?.err()
    }
}

/// A text as it can be kept: no database's text can keep U+0000, and no reader misses it.
fn readable(text: Option<String>) -> String {
    let mut text = text.unwrap_or_default();
    if text.contains('\0') {
        text.retain(|c| c != '\0');
    }
    text
}
