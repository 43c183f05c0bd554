use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;

use crate::types::{Delta, MessageRole, ModelOptions, Part, ReplyError, TokenUsage};

/// Whoever has models: a company's API, a server next door, or the demo.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Asks a model. What it writes comes as it is written; dropping the stream closes the
    /// connection at once.
    ///
    /// Fails before the first piece; what goes wrong later comes in the stream, and ends it. Time
    /// limits and retries are the provider's own. The last piece is [`Piece::End`], or an error.
    async fn ask(&self, question: Question) -> Result<Pieces, ReplyError>;

    /// How many tokens a text has for a model: exact where its tokenizer is known, else an
    /// estimate that is rather too high.
    fn count_tokens(&self, model: &str, text: &str) -> usize;
}

/// What a model writes, as it comes.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Piece, ReplyError>> + Send>>;

/// A piece of a model's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Something that it wrote; not empty.
    Delta(Delta),
    /// What it has cost so far; a later one replaces it.
    Usage(TokenUsage),
    /// It has ended.
    End(EndOfAnswer),
}

/// Why a model ended its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfAnswer {
    /// It had said everything.
    Complete,
    /// It reached the most tokens that it may write.
    Length,
    /// It waits for the outputs of the tools that it called.
    ToolCalls,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The model, as its provider calls it.
    pub model: String,
    /// What it is told before the first message; empty for nothing.
    pub system: String,
    /// The messages, the newest last. At least one.
    pub messages: Vec<Turn>,
    /// What it is asked for beyond an answer.
    pub options: ModelOptions,
}

/// A message, as a model is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who spoke.
    pub role: MessageRole,
    /// What was said: texts, calls, outputs, none of them removed; not empty. Each call is followed by
    /// its output, in the turns of [`MessageRole::Tool`] right behind, and each output follows its call.
    pub content: Vec<Part>,
}

impl Turn {
    /// A turn that only says something.
    pub fn saying(role: MessageRole, text: impl Into<String>) -> Self {
        Self {
            role,
            content: vec![Part::Text(text.into())],
        }
    }

    /// All that it says, without tools.
    pub fn text(&self) -> String {
        Part::texts(&self.content)
    }
}
