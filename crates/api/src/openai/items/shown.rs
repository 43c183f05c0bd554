use std::ops::Range;

use chat::types::{Cuid, FinishReason, Message, MessageRole, Part, ReplyStatus, ToolCall};
use schemars::JsonSchema;
use serde::Serialize;

use crate::openai::ids::{ItemId, ItemKind};

pub(in crate::openai) const COMPLETED: &str = "completed";
pub(in crate::openai) const INCOMPLETE: &str = "incomplete";
pub(in crate::openai) const IN_PROGRESS: &str = "in_progress";

/// What was said, thought, called or brought; a message of ours has one or more.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::openai) enum Item {
    Message {
        id: String,
        #[schemars(extend("enum" = ["in_progress", "completed", "incomplete"]))]
        status: &'static str,
        #[schemars(extend("enum" = ["system", "user", "assistant"]))]
        role: &'static str,
        content: Vec<Content>,
    },
    Reasoning {
        id: String,
        summary: [(); 0],
        content: Vec<Content>,
        #[schemars(extend("enum" = ["in_progress", "completed", "incomplete"]))]
        status: &'static str,
    },
    FunctionCall {
        id: String,
        #[schemars(extend("enum" = ["in_progress", "completed", "incomplete"]))]
        status: &'static str,
        call_id: String,
        name: String,
        arguments: String,
    },
    FunctionCallOutput {
        id: String,
        #[schemars(extend("enum" = ["in_progress", "completed", "incomplete"]))]
        status: &'static str,
        call_id: String,
        output: String,
    },
}

/// A part of a message, or of reasoning.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type")]
pub(in crate::openai) enum Content {
    #[serde(rename = "input_text")]
    Input { text: String },
    #[serde(rename = "output_text")]
    Output {
        text: String,
        annotations: [(); 0],
        logprobs: [(); 0],
    },
    #[serde(rename = "reasoning_text")]
    Reasoning { text: String },
}

impl Content {
    /// What somebody in that role says.
    pub(in crate::openai) fn said(role: MessageRole, text: String) -> Self {
        if role == MessageRole::Assistant {
            Self::Output {
                text,
                annotations: [],
                logprobs: [],
            }
        } else {
            Self::Input { text }
        }
    }
}

impl Item {
    pub(in crate::openai) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. }
            | Self::Reasoning { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::FunctionCallOutput { id, .. } => id,
        }
    }

    fn set_status(&mut self, to: &'static str) {
        match self {
            Self::Message { status, .. }
            | Self::Reasoning { status, .. }
            | Self::FunctionCall { status, .. }
            | Self::FunctionCallOutput { status, .. } => *status = to,
        }
    }

    pub(in crate::openai) fn message(
        id: String,
        status: &'static str,
        role: MessageRole,
        content: Vec<Content>,
    ) -> Self {
        let role = role.as_str();
        Self::Message {
            id,
            status,
            role,
            content,
        }
    }

    pub(in crate::openai) fn reasoning(
        id: String,
        status: &'static str,
        content: Vec<Content>,
    ) -> Self {
        Self::Reasoning {
            id,
            summary: [],
            content,
            status,
        }
    }

    pub(in crate::openai) fn call(id: String, status: &'static str, call: ToolCall) -> Self {
        Self::FunctionCall {
            id,
            status,
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
        }
    }

    pub(in crate::openai) fn example() -> Self {
        Self::message(
            "msg_clqb6q2rl0004v3k8c7d1p0wz".into(),
            COMPLETED,
            MessageRole::User,
            vec![Content::said(MessageRole::User, "What is a monad?".into())],
        )
    }
}

/// An item, and the parts of its message that it is made of.
pub(in crate::openai) struct Placed {
    pub(in crate::openai) item: Item,
    pub(in crate::openai) parts: Range<usize>,
}

/// The items of a message; of one that is still being written, none.
pub(in crate::openai) fn items(message: Message) -> Vec<Placed> {
    if !message.status.is_end() {
        return Vec::new();
    }
    let status = status(message.status, message.finish_reason);
    of_parts(&message.id, message.role, message.content, status, 1)
}

/// How complete something is that ended so.
pub(in crate::openai) fn status(status: ReplyStatus, reason: Option<FinishReason>) -> &'static str {
    if status == ReplyStatus::Done && reason != Some(FinishReason::Length) {
        COMPLETED
    } else {
        INCOMPLETE
    }
}

/// The items of these parts of a message; those that an attempt has written. The last one is as complete
/// as `status` says.
///
/// Texts that follow one another are one item. What was removed is none, and an empty text says nothing.
pub(in crate::openai) fn of_parts(
    message: &Cuid,
    role: MessageRole,
    parts: Vec<Part>,
    status: &'static str,
    attempt: u32,
) -> Vec<Placed> {
    let mut items: Vec<Placed> = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        let Some(kind) = ItemKind::of(&part) else {
            continue;
        };
        if let (Part::Text(text), Some(last)) = (&part, items.last_mut())
            && let (Item::Message { content, .. }, true) = (&mut last.item, last.parts.end == at)
        {
            last.parts.end = at + 1;
            if !text.is_empty() {
                content.push(Content::said(role, text.clone()));
            }
            continue;
        }
        let id = ItemId {
            kind,
            message: message.clone(),
            part: at,
            attempt,
        };
        let id = id.to_string();
        let item = match part {
            Part::Text(text) if text.is_empty() => continue,
            Part::Text(text) => Item::message(id, COMPLETED, role, vec![Content::said(role, text)]),
            Part::Reasoning(text) => {
                Item::reasoning(id, COMPLETED, vec![Content::Reasoning { text }])
            }
            Part::ToolCall(call) => Item::call(id, COMPLETED, call),
            Part::ToolOutput(output) => Item::FunctionCallOutput {
                id,
                status: COMPLETED,
                call_id: output.call,
                output: output.output,
            },
            Part::Removed => continue,
        };
        let parts = at..at + 1;
        items.push(Placed { item, parts });
    }
    if let Some(last) = items.last_mut() {
        last.item.set_status(status);
    }
    items
}
