use std::time::Duration;

use super::{Cuid, InvalidChoice, ModelName, ReplyOptions, Timestamp, TokenUsage};

/// An answer of a model to a message. It belongs to the server: it goes on whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its identifier.
    pub id: Cuid,
    /// The CUID of the session that it belongs to.
    pub session: Cuid,
    /// The message that it answers.
    pub prompt: Cuid,
    /// The message that it becomes.
    pub message: Cuid,
    /// How far it is.
    pub status: ReplyStatus,
    /// How often a model was asked; 0 while it is queued.
    pub attempt: u32,
    /// Which model.
    pub model: ModelName,
    /// What was wanted of it beyond an answer.
    pub options: ReplyOptions,
    /// Whether it is to be had by its identifier alone; one that was removed, or was not to be kept, is
    /// only seen in its session.
    pub hidden: bool,
    /// What it cost, as far as its provider has told.
    pub usage: Option<TokenUsage>,
    /// Messages of the active path that did not fit into the model's window, and were left out.
    pub left_out: u32,
    /// What went wrong, if something did.
    pub error: Option<ReplyError>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Reply {
    /// The reply as it was when it was accepted.
    #[must_use]
    pub fn as_accepted(&self) -> Self {
        Self {
            status: ReplyStatus::Queued,
            attempt: 0,
            usage: None,
            left_out: 0,
            error: None,
            finished_at: None,
            ..self.clone()
        }
    }
}

/// How far a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStatus {
    /// It waits for its turn.
    Queued,
    /// A model is writing it.
    Running,
    /// It is complete.
    Done,
    /// It was stopped; what was there is kept.
    Stopped,
    /// It went wrong; what was there is kept.
    Failed,
}

impl ReplyStatus {
    /// The status's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Reads a status's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "queued" => Ok(Self::Queued),
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "stopped" => Ok(Self::Stopped),
            "failed" => Ok(Self::Failed),
            _ => Err(InvalidChoice("queued, running, done, stopped, failed")),
        }
    }

    /// Whether it is an end.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had said everything.
    Stop,
    /// The model, or the reply, reached the most that it may write.
    Length,
    /// The model wants tools to be called; their outputs continue the session.
    ToolCalls,
    /// Somebody stopped it.
    Stopped,
    /// Another prompt took its place.
    Interrupted,
    /// Something went wrong.
    Error,
}

impl FinishReason {
    /// The reason's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
        }
    }

    /// Reads a reason's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "stop" => Ok(Self::Stop),
            "length" => Ok(Self::Length),
            "tool_calls" => Ok(Self::ToolCalls),
            "stopped" => Ok(Self::Stopped),
            "interrupted" => Ok(Self::Interrupted),
            "error" => Ok(Self::Error),
            _ => Err(InvalidChoice(
                "stop, length, tool_calls, stopped, interrupted, error",
            )),
        }
    }
}

/// What went wrong with a reply, in words of ours: what a provider wrote never gets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyError {
    /// What a program may act upon.
    pub kind: ReplyErrorKind,
    /// What a person reads.
    pub message: String,
    /// After which time it is worth trying again, if the provider said so.
    pub retry_after: Option<Duration>,
}

impl ReplyError {
    /// The provider ended its answer in the middle.
    pub(crate) fn broken_off() -> Self {
        Self {
            kind: ReplyErrorKind::Network,
            message: "the provider broke off".into(),
            retry_after: None,
        }
    }
}

/// What kind of thing went wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyErrorKind {
    /// The provider refused the server's key.
    Auth,
    /// The provider has had too many requests.
    RateLimit,
    /// The messages do not fit into the model's window.
    ContextTooLong,
    /// The provider refused what was said.
    ContentFilter,
    /// The provider could not be reached, went silent, or broke off.
    Network,
    /// The provider answered something that is no answer.
    Provider,
    /// The model is not, or no longer, among those of this server.
    Model,
    /// The server broke off, more often than it tries again.
    Interrupted,
}

impl ReplyErrorKind {
    /// The kind's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFilter => "content_filter",
            Self::Network => "network",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads a kind's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "auth" => Ok(Self::Auth),
            "rate_limit" => Ok(Self::RateLimit),
            "context_too_long" => Ok(Self::ContextTooLong),
            "content_filter" => Ok(Self::ContentFilter),
            "network" => Ok(Self::Network),
            "provider" => Ok(Self::Provider),
            "model" => Ok(Self::Model),
            "interrupted" => Ok(Self::Interrupted),
            _ => Err(InvalidChoice(
                "auth, rate_limit, context_too_long, content_filter, network, provider, model, \
                 interrupted",
            )),
        }
    }
}

/// What happens when a session has a reply that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// The new one waits for its turn.
    #[default]
    Queue,
    /// The new one is refused.
    Reject,
    /// The running one is stopped, and what is there of it is kept.
    Interrupt,
}

impl WhenBusy {
    /// The choice's name, on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
            Self::Interrupt => "interrupt",
        }
    }

    /// Reads a choice's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "queue" => Ok(Self::Queue),
            "reject" => Ok(Self::Reject),
            "interrupt" => Ok(Self::Interrupt),
            _ => Err(InvalidChoice("queue, reject, interrupt")),
        }
    }
}
