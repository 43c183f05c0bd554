//! The parts of messages: texts, calls of tools, and what came of them.

use std::fmt;

use chat::limits;
use chat::types::{MessageRole, MessageText, Part, ToolCall, ToolOutput};
use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::fault::Fault;
use crate::schema;
use crate::tools::{call_id, tool_name, written};

/// What a new message says: a text, or parts.
#[derive(Serialize, JsonSchema)]
#[schemars(untagged)]
#[serde(untagged)]
pub(super) enum Content {
    Text(
        #[schemars(length(min = 1, max = limits::MESSAGE_CHARS), regex(pattern = schema::NOT_BLANK))]
         String,
    ),
    #[schemars(extend("minItems" = 1))]
    Parts(Vec<NewPart>),
}

/// A part of a new message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub(super) enum NewPart {
    /// What is said.
    Text {
        #[schemars(length(min = 1, max = limits::MESSAGE_CHARS), regex(pattern = schema::NOT_BLANK))]
        text: String,
    },
    /// What a model thought before it said it.
    Reasoning {
        #[schemars(length(min = 1, max = limits::MESSAGE_CHARS), regex(pattern = schema::NOT_BLANK))]
        text: String,
    },
    /// A model wants a tool to be called.
    ToolCall {
        #[schemars(length(min = 1, max = limits::CALL_ID_CHARS), regex(pattern = schema::NOT_BLANK))]
        id: String,
        #[schemars(regex(pattern = schema::TOOL_NAME))]
        name: String,
        /// Mostly JSON, as the model wrote it.
        #[schemars(length(max = limits::MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
        arguments: String,
    },
    /// What came of a call.
    ToolOutput(NewOutput),
}

/// What came of a call of a tool.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOutput {
    /// The call's `id`.
    #[schemars(length(min = 1, max = limits::CALL_ID_CHARS), regex(pattern = schema::NOT_BLANK))]
    call_id: String,
    #[schemars(length(max = limits::MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
    output: String,
}

// An untagged derive would not tell which part is at fault.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, or a list of parts such as {\"type\": \"text\", \"text\": \"…\"}",
                )
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl Content {
    /// Reads what somebody in that role says.
    pub(super) fn parse(&self, role: MessageRole, field: &str) -> Result<Vec<Part>, Fault> {
        let sayable = |part: Part, field: &str| {
            let reason = || format!("is not what a message of the role {} holds", role.as_str());
            let may = role.may_say(&part).then_some(part);
            may.ok_or_else(|| Fault::invalid(field, reason()))
        };
        match self {
            Self::Text(content) => Ok(vec![sayable(Part::Text(text(content, field)?), field)?]),
            Self::Parts(parts) if parts.is_empty() => Err(Fault::invalid(field, "is empty")),
            Self::Parts(parts) => {
                let parts = parts.iter().enumerate().map(|(at, part)| {
                    let field = format!("{field}[{at}]");
                    sayable(part.parse(&field)?, &field)
                });
                parts.collect()
            }
        }
    }
}

impl NewPart {
    fn parse(&self, place: &str) -> Result<Part, Fault> {
        let place_of = |field| format!("{place}.{field}");
        Ok(match self {
            Self::Text { text: said } => Part::Text(text(said, &place_of("text"))?),
            Self::Reasoning { text: thought } => Part::Reasoning(text(thought, &place_of("text"))?),
            Self::ToolCall {
                id,
                name,
                arguments,
            } => Part::ToolCall(ToolCall {
                id: call_id(id, &place_of("id"))?,
                name: tool_name(name, &place_of("name"))?.to_string(),
                arguments: written(arguments, &place_of("arguments"))?,
            }),
            Self::ToolOutput(output) => output.parse(place)?,
        })
    }
}

impl NewOutput {
    pub(super) fn parse(&self, place: &str) -> Result<Part, Fault> {
        Ok(Part::ToolOutput(ToolOutput {
            call: call_id(&self.call_id, &format!("{place}.callId"))?,
            output: written(&self.output, &format!("{place}.output"))?,
        }))
    }
}

/// Reads a text that says something.
pub(super) fn text(text: &str, field: &str) -> Result<String, Fault> {
    let text = MessageText::parse(text).map_err(|error| Fault::invalid(field, error))?;
    Ok(text.to_string())
}

/// The refusal of outputs of calls that nobody made.
pub(super) fn no_such_call(field: impl Into<String>) -> Fault {
    let reason = "has a callId that is no call of the message that it follows";
    Fault::invalid(field, reason)
}

/// A part of a message.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub(super) enum ShownPart<'a> {
    /// What is said.
    Text { text: &'a str },
    /// What a model thought before it said it.
    Reasoning { text: &'a str },
    /// A model wants a tool to be called.
    ToolCall {
        id: &'a str,
        name: &'a str,
        /// Mostly JSON, as the model wrote it.
        arguments: &'a str,
    },
    /// What came of a call.
    ToolOutput {
        /// The call's `id`.
        call_id: &'a str,
        output: &'a str,
    },
    /// Somebody removed what stood here.
    Removed,
}

impl<'a> From<&'a Part> for ShownPart<'a> {
    fn from(part: &'a Part) -> Self {
        match part {
            Part::Text(text) => Self::Text { text },
            Part::Reasoning(text) => Self::Reasoning { text },
            Part::ToolCall(call) => Self::ToolCall {
                id: &call.id,
                name: &call.name,
                arguments: &call.arguments,
            },
            Part::ToolOutput(output) => Self::ToolOutput {
                call_id: &output.call,
                output: &output.output,
            },
            Part::Removed => Self::Removed,
        }
    }
}

#[cfg(test)]
mod tests;
