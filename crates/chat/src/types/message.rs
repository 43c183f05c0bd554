use super::{
    Cuid, FinishReason, InvalidChoice, ModelName, ReplyStatus, Timestamp, TokenUsage, ToolCall,
    ToolOutput,
};

/// A message of a session. Once it has ended it never changes, but that parts of it may be removed: an
/// edit is a sibling of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identifier.
    pub id: Cuid,
    /// The CUID of the session that it belongs to.
    pub session: Cuid,
    /// Its place in the session, from 1, in the order in which messages were accepted.
    pub seq: i64,
    /// How many messages lead to it from the first one, itself among them.
    pub depth: u32,
    /// The message that it follows; `None` for a first one.
    pub parent: Option<Cuid>,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said, in order. Empty while a reply is being written.
    pub content: Vec<Part>,
    /// The model that wrote it.
    pub model: Option<ModelName>,
    /// What it cost.
    pub usage: Option<TokenUsage>,
    /// Why it ended; for a model's message.
    pub finish_reason: Option<FinishReason>,
    /// The reply that it is; `None` for what was not written by a model of this server.
    pub reply: Option<Cuid>,
    /// Whether it is complete; a model's message has the status of its reply.
    pub status: ReplyStatus,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Message {
    /// All that it says, without reasoning and tools.
    pub fn text(&self) -> String {
        Part::texts(&self.content)
    }

    /// The calls of tools that it makes.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The outputs of tools that it brings.
    pub fn tool_outputs(&self) -> impl Iterator<Item = &ToolOutput> {
        self.content.iter().filter_map(|part| match part {
            Part::ToolOutput(output) => Some(output),
            _ => None,
        })
    }
}

/// Messages that follow the same one, or that all follow none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What they follow.
    pub parent: Option<Cuid>,
    /// The messages, two at least, the oldest first.
    pub messages: Vec<Cuid>,
}

/// A part of a message. Files will be a further kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is said.
    Text(String),
    /// What a model thought before it said it.
    Reasoning(String),
    /// A model wants a tool to be called.
    ToolCall(ToolCall),
    /// What came of that; in a message of [`MessageRole::Tool`] only.
    ToolOutput(ToolOutput),
    /// Somebody removed what stood here.
    Removed,
}

impl Part {
    /// What all of them say together, without reasoning and tools.
    pub(crate) fn texts(parts: &[Self]) -> String {
        let texts = parts.iter().filter_map(|part| match part {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// What was written: the text, the arguments of a call, its output.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Reasoning(text) => text,
            Self::ToolCall(call) => &call.arguments,
            Self::ToolOutput(output) => &output.output,
            Self::Removed => "",
        }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRole {
    /// Whoever set the conversation up.
    System,
    /// A person, or a program in their place.
    User,
    /// A model.
    Assistant,
    /// Whoever runs the tools that a model calls.
    Tool,
}

impl MessageRole {
    /// The role's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Whether somebody in this role says such a thing.
    pub fn may_say(self, part: &Part) -> bool {
        match part {
            Part::Text(_) => self != Self::Tool,
            Part::Reasoning(_) | Part::ToolCall(_) => self == Self::Assistant,
            Part::ToolOutput(_) => self == Self::Tool,
            Part::Removed => false,
        }
    }

    /// Reads a role's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "system" => Ok(Self::System),
            "user" => Ok(Self::User),
            "assistant" => Ok(Self::Assistant),
            "tool" => Ok(Self::Tool),
            _ => Err(InvalidChoice("system, user, assistant, tool")),
        }
    }
}

/// A message that is about to be appended.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its identifier.
    pub id: Cuid,
    /// What it follows.
    pub parent: Parent,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said.
    pub content: Vec<Part>,
    /// The model that wrote it, if one did.
    pub model: Option<ModelName>,
    /// See [`Message::reply`].
    pub reply: Option<Cuid>,
}

/// What a new message follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The last message of the active path; among messages that are appended together, the one
    /// before.
    Head,
    /// Nothing: it begins a branch of its own.
    Root,
    /// That message.
    Message(Cuid),
}

/// Which of a session's messages are listed, from the newest to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageView {
    /// The active path: the head, its parent, and so on.
    Path,
    /// All, on every branch, by their place in the session.
    Tree,
}
