//! What somebody wants of one reply, beyond its prompt.

use std::collections::BTreeMap;

use super::{SystemMessage, Tool, ToolChoice};
use crate::limits;

/// What somebody wants of one reply, beyond its prompt. Kept with it, since any node may write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyOptions {
    /// What the model is told before the first message, after the session's own system message; for
    /// this reply alone.
    pub instructions: Option<SystemMessage>,
    /// What its client notes with it.
    pub metadata: Metadata,
    /// What its model is asked for.
    pub model: ModelOptions,
}

/// What a model is asked for, beyond an answer; `None` for its provider's own idea.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelOptions {
    /// How freely it writes, from 0 to 2. A finite number.
    pub temperature: Option<f64>,
    /// The share of the likeliest tokens that it picks from, from 0 to 1. A finite number.
    pub top_p: Option<f64>,
    /// The most tokens that it may write; at least 1.
    pub max_output_tokens: Option<u32>,
    /// What it may call.
    pub tools: Vec<Tool>,
    /// Whether it does.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may make several calls in one answer.
    pub parallel_tool_calls: Option<bool>,
    /// Further fields of the Chat Completions API, as the text of a JSON object; other providers take of
    /// them what they have too.
    pub further: Option<String>,
}

/// No number in it is NaN.
impl Eq for ModelOptions {}

/// Pairs that a client notes with something: at most [`METADATA_PAIRS`](limits::METADATA_PAIRS).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

/// Why pairs were refused; reads on after the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Too many pairs.
    #[error("has more than {} pairs", limits::METADATA_PAIRS)]
    TooMany,
    /// An empty key, or a long one.
    #[error(
        "has a key that is not 1 to {} characters long",
        limits::METADATA_KEY_CHARS
    )]
    Key,
    /// A long value.
    #[error("has a value of more than {} characters", limits::METADATA_VALUE_CHARS)]
    Value,
    /// Holds U+0000, which no database's text can keep.
    #[error("holds a NUL character")]
    Nul,
}

impl Metadata {
    /// These pairs, if there are not too many and none is too long.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, InvalidMetadata> {
        if pairs.len() > limits::METADATA_PAIRS {
            return Err(InvalidMetadata::TooMany);
        }
        for (key, value) in &pairs {
            if !(1..=limits::METADATA_KEY_CHARS).contains(&key.chars().count()) {
                return Err(InvalidMetadata::Key);
            }
            if value.chars().count() > limits::METADATA_VALUE_CHARS {
                return Err(InvalidMetadata::Value);
            }
            if key.contains('\0') || value.contains('\0') {
                return Err(InvalidMetadata::Nul);
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, by key.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}
