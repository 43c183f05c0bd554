//! What a front end sends, as it is on the wire.

use std::fmt;

use chat::limits;
use chat::types::{
    ExternalId, MessageText, ModelName, ModelOptions, Part, ReplyOptions, SystemMessage,
    ToolOutput, WhenBusy,
};
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::extract::present;
use crate::fault::Fault;
use crate::schema;
use crate::tools::{Function, bounded, call_id, tools, written};

/// A message to be answered, and how. What a front end sends besides is ignored.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    /// The chat: the CUID of one, or what the client calls it. One that is not known yet is made.
    #[schemars(length(min = 1, max = limits::EXTERNAL_ID_CHARS), regex(pattern = schema::NOT_BLANK))]
    id: String,
    /// The conversation as the client has it. Only the last message is taken; from those before it, no
    /// more than which one it follows if it is an edit.
    #[serde(deserialize_with = "last_in_full")]
    pub(super) messages: Vec<Message>,
    /// What the user did; sent a message if left out.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Trigger")]
    trigger: Option<Trigger>,
    /// The message that is edited, or whose other version is wanted.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "String")]
    pub(super) message_id: Option<String>,
    /// Who is to answer; the chat's model if left out.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::MODEL_NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    model: Option<String>,
    /// What happens if the chat has an answer that has not ended.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "String", extend("enum" = ["queue", "reject", "interrupt"], "default" = "queue"))]
    when_busy: Option<String>,
    /// What the model is told besides the chat's system message, for this answer alone.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        with = "String",
        length(max = limits::SYSTEM_MESSAGE_CHARS),
        regex(pattern = schema::NO_NUL)
    )]
    instructions: Option<String>,
    /// Functions of the client's that the model may call.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<Function>", extend("maxItems" = limits::TOOLS))]
    tools: Option<Vec<Function>>,
}

/// What the user did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Trigger {
    /// Sent the last message.
    #[default]
    SubmitMessage,
    /// Asked for another answer to it.
    RegenerateMessage,
}

/// A message as a front end keeps it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) id: String,
    #[schemars(extend("enum" = ["system", "user", "assistant"]))]
    pub(super) role: String,
    /// `{"type": "text", "text": …}`; of an answer those of the kind `tool-<name>` with an output.
    #[serde(default)]
    #[schemars(extend("items" = { "type": "object", "required": ["type"] }))]
    pub(super) parts: Vec<Value>,
}

/// Reads messages, and keeps the parts of the last one alone: front ends send all of a conversation.
fn last_in_full<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Message>, D::Error> {
    struct LastInFull;

    impl<'de> Visitor<'de> for LastInFull {
        type Value = Vec<Message>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of messages")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Message>, A::Error> {
            let mut messages: Vec<Message> = Vec::new();
            while let Some(message) = list.next_element()? {
                if let Some(before) = messages.last_mut() {
                    before.parts = Vec::new();
                }
                messages.push(message);
            }
            Ok(messages)
        }
    }

    deserializer.deserialize_seq(LastInFull)
}

impl Request {
    pub(super) fn name(&self) -> Result<ExternalId, Fault> {
        ExternalId::parse(&self.id).map_err(|error| Fault::invalid("id", error))
    }

    pub(super) fn trigger(&self) -> Trigger {
        self.trigger.unwrap_or_default()
    }

    pub(super) fn model(&self) -> Result<Option<ModelName>, Fault> {
        let model = self.model.as_deref().map(ModelName::parse);
        model
            .transpose()
            .map_err(|error| Fault::invalid("model", error))
    }

    pub(super) fn when_busy(&self) -> Result<WhenBusy, Fault> {
        let when_busy = self.when_busy.as_deref().map(WhenBusy::parse);
        let when_busy = when_busy.transpose();
        let when_busy = when_busy.map_err(|error| Fault::invalid("whenBusy", error))?;
        Ok(when_busy.unwrap_or_default())
    }

    pub(super) fn options(&self) -> Result<ReplyOptions, Fault> {
        let instructions = self.instructions.as_deref().map(SystemMessage::parse);
        let instructions = instructions.transpose();
        Ok(ReplyOptions {
            instructions: instructions.map_err(|error| Fault::invalid("instructions", error))?,
            model: bounded(
                ModelOptions {
                    tools: tools(self.tools.iter().flatten(), "tools", "")?,
                    ..ModelOptions::default()
                },
                |field| field,
            )?,
            ..ReplyOptions::default()
        })
    }

    pub(super) fn example() -> Self {
        Self {
            id: "my-first-chat".into(),
            messages: vec![Message {
                id: "msg-1".into(),
                role: "user".into(),
                parts: vec![json!({ "type": "text", "text": "What is a monad?" })],
            }],
            trigger: Some(Trigger::SubmitMessage),
            message_id: None,
            model: None,
            when_busy: None,
            instructions: None,
            tools: None,
        }
    }
}

impl Message {
    /// What a user says. `place` is that of the message in the request.
    pub(super) fn texts(&self, place: &str) -> Result<Vec<Part>, Fault> {
        let mut texts = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let place = format!("{place}.parts[{at}]");
            match part["type"].as_str() {
                Some("text") => {
                    let text = MessageText::parse(string(part, "text", &place)?);
                    let text = text.map_err(|error| Fault::invalid(place + ".text", error))?;
                    texts.push(Part::Text(text.as_str().to_owned()));
                }
                Some("file") => {
                    return Err(Fault::invalid(place, "is a file, and files are not taken"));
                }
                // Data of the application's own, and what else no model is told.
                _ => {}
            }
        }
        if texts.is_empty() {
            return Err(Fault::invalid(format!("{place}.parts"), "have no text"));
        }
        Ok(texts)
    }

    /// What came of the tools that the last step of an answer called; with the place of each.
    pub(super) fn outputs(&self, place: &str) -> Result<Vec<(ToolOutput, String)>, Fault> {
        let mut outputs = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let place = format!("{place}.parts[{at}]");
            let kind = part["type"].as_str().unwrap_or_default();
            if kind == "step-start" {
                outputs.clear();
            }
            if kind != "dynamic-tool" && !kind.starts_with("tool-") {
                continue;
            }
            let output = match (part["state"].as_str(), &part["output"]) {
                (Some("output-error"), _) => written(
                    string(part, "errorText", &place)?,
                    &format!("{place}.errorText"),
                ),
                (Some("output-available"), Value::String(text)) => {
                    written(text, &format!("{place}.output"))
                }
                // JSON has no way to write what JavaScript calls undefined.
                (Some("output-available"), Value::Null) => Ok(String::new()),
                (Some("output-available"), other) => {
                    written(&other.to_string(), &format!("{place}.output"))
                }
                _ => continue,
            };
            let (call, output) = (string(part, "toolCallId", &place)?, output?);
            let call = call_id(call, &format!("{place}.toolCallId"))?;
            outputs.push((ToolOutput { call, output }, place));
        }
        Ok(outputs)
    }
}

/// A field of a part that has to be a text.
fn string<'a>(part: &'a Value, name: &str, place: &str) -> Result<&'a str, Fault> {
    let missing = || Fault::invalid(format!("{place}.{name}"), "must be a text");
    part[name].as_str().ok_or_else(missing)
}

#[cfg(test)]
mod tests;
