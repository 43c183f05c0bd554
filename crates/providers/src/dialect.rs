//! What differs from one provider's API to another's: how one asks, and how one reads the answer.

use chat::contracts::{Question, Turn};
use chat::types::{Part, ToolCall, ToolOutput};
use reqwest::header::{HeaderMap, InvalidHeaderValue};

use crate::events::Event;
use crate::heard::Heard;
use crate::settings::Key;

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
    fn question(&self, question: &Question, plain: bool) -> serde_json::Result<Vec<u8>>;

    /// Reads an event of an answer.
    fn event(&self, event: &Event, heard: &mut Heard);

    /// Reads an answer that came as one JSON document, since the server does not stream.
    fn whole(&self, body: &[u8], heard: &mut Heard);
}

/// The calls of tools in a turn.
pub(crate) fn calls(turn: &Turn) -> impl Iterator<Item = &ToolCall> {
    turn.content.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    })
}

/// The outputs of tools in a turn.
pub(crate) fn outputs(turn: &Turn) -> impl Iterator<Item = &ToolOutput> {
    turn.content.iter().filter_map(|part| match part {
        Part::ToolOutput(output) => Some(output),
        _ => None,
    })
}
