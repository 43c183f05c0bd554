//! Items that come in, and the messages that they become.

use chat::MessageDraft;
use chat::types::{MessageRole, Parent, Part, SystemMessage, Title, ToolCall, ToolOutput};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::openai::text_or::TextOr;
use crate::tools::{call_id, written};

/// An item: a message, whose type may be left out, a call of a function, or its output. Reasoning that is
/// sent back is ignored: no model of this server wants it.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("anyOf" = [
    { "properties": { "type": { "enum": ["message", null] } }, "required": ["role", "content"] },
    { "properties": { "type": { "const": "function_call" } }, "required": ["type", "call_id", "name", "arguments"] },
    { "properties": { "type": { "const": "function_call_output" } }, "required": ["type", "call_id", "output"] },
    { "properties": { "type": { "const": "reasoning" } }, "required": ["type"] },
]))]
pub(in crate::openai) struct NewItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["message", "function_call", "function_call_output", "reasoning", null]))]
    r#type: Option<String>,
    /// Who speaks, in a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["user", "assistant", "system", "developer", null]))]
    role: Option<String>,
    /// What is said, in a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<TextOr<NewContent>>,
    /// What a call of a function is known by: 1 to 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// The function that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it is called with, as the model wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<String>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<TextOr<NewContent>>,
}

/// A part of what is said. Images and files are not taken yet.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(in crate::openai) struct NewContent {
    #[schemars(extend("enum" = ["input_text", "output_text", "text", "refusal"]))]
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

/// Messages that are about to be appended.
#[derive(Default)]
pub(in crate::openai) struct Drafts {
    pub(in crate::openai) messages: Vec<MessageDraft>,
    pub(in crate::openai) fields: Fields,
}

/// The field that each message began with.
#[derive(Default)]
pub(in crate::openai) struct Fields(Vec<String>);

impl Fields {
    /// That nothing makes the call that this message brings an output of.
    pub(in crate::openai) fn no_such_call(&self, at: usize) -> Fault {
        let field = self.0.get(at).map_or("input", String::as_str);
        Fault::invalid(field, "is no call of what comes before")
    }
}

impl Drafts {
    /// One message of a user's.
    pub(in crate::openai) fn prompt(text: &str, field: &str) -> Result<Self, Fault> {
        let mut drafts = Self::default();
        drafts.say(MessageRole::User, said(text, field)?, field)?;
        Ok(drafts)
    }

    /// The messages that items become. Calls, and the text of a model's before them, are one message;
    /// the outputs behind them are another one.
    pub(in crate::openai) fn read(
        items: &[NewItem],
        field: &str,
        most: usize,
    ) -> Result<Self, Fault> {
        if items.len() > most {
            return Err(Fault::invalid(field, format!("has more than {most} items")));
        }
        let mut drafts = Self::default();
        for (at, item) in items.iter().enumerate() {
            drafts.take(item, &format!("{field}[{at}]"))?;
        }
        Ok(drafts)
    }

    fn take(&mut self, item: &NewItem, place: &str) -> Result<(), Fault> {
        let field = |name| format!("{place}.{name}");
        let call = || {
            let id = required(item.call_id.as_deref(), &field("call_id"))?;
            call_id(id, &field("call_id"))
        };
        match item.r#type.as_deref() {
            None | Some("message") => {
                let (role, content) = (field("role"), field("content"));
                let role = self::role(required(item.role.as_deref(), &role)?, &role)?;
                let texts = required(item.content.as_ref(), &content)?.texts(&content)?;
                self.say(role, texts, &content)
            }
            Some("function_call") => {
                let (name, arguments) = (field("name"), field("arguments"));
                let call = ToolCall {
                    id: call()?,
                    name: call_id(required(item.name.as_deref(), &name)?, &name)?,
                    arguments: written(
                        required(item.arguments.as_deref(), &arguments)?,
                        &arguments,
                    )?,
                };
                self.call(call, place);
                Ok(())
            }
            Some("function_call_output") => {
                let (call, field) = (call()?, field("output"));
                let texts = required(item.output.as_ref(), &field)?.texts(&field)?;
                let output = texts.concat();
                self.output(ToolOutput { call, output }, &format!("{place}.call_id"));
                Ok(())
            }
            Some("reasoning") => Ok(()),
            Some("item_reference") => Err(Fault::invalid(
                field("type"),
                "item_reference is not supported: name a conversation or a previous response",
            )),
            Some(_) => Err(Fault::invalid(
                field("type"),
                "must be one of: message, function_call, function_call_output, reasoning",
            )),
        }
    }

    /// Takes in what somebody says. A model, and whoever sets things up, may say nothing: that is left out.
    pub(in crate::openai) fn say(
        &mut self,
        role: MessageRole,
        texts: Vec<String>,
        field: &str,
    ) -> Result<(), Fault> {
        let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if role == MessageRole::User && texts.iter().all(|text| text.trim().is_empty()) {
            return Err(Fault::invalid(field, "is blank"));
        }
        let parts = texts.into_iter().map(Part::Text);
        match self.messages.last_mut() {
            // A model that has called something and goes on is still in the same turn.
            Some(last) if role == MessageRole::Assistant && is_calling(last) => {
                last.content.extend(parts);
            }
            _ => self.begin(role, parts.collect(), field),
        }
        Ok(())
    }

    /// Takes in a call: the model's text before it belongs to the same message.
    pub(in crate::openai) fn call(&mut self, call: ToolCall, field: &str) {
        let part = Part::ToolCall(call);
        match self.messages.last_mut() {
            Some(last) if last.role == MessageRole::Assistant => last.content.push(part),
            _ => self.begin(MessageRole::Assistant, vec![part], field),
        }
    }

    /// Takes in the output of a call.
    pub(in crate::openai) fn output(&mut self, output: ToolOutput, field: &str) {
        let part = Part::ToolOutput(output);
        match self.messages.last_mut() {
            Some(last) if last.role == MessageRole::Tool => last.content.push(part),
            _ => self.begin(MessageRole::Tool, vec![part], field),
        }
    }

    fn begin(&mut self, role: MessageRole, content: Vec<Part>, field: &str) {
        if content.is_empty() {
            return;
        }
        self.messages.push(MessageDraft {
            parent: Parent::Head,
            role,
            content,
            model: None,
        });
        self.fields.0.push(field.to_owned());
    }

    /// The messages, of which there must be one.
    pub(in crate::openai) fn some(self, field: &str) -> Result<Self, Fault> {
        if self.messages.is_empty() {
            return Err(Fault::invalid(field, "says nothing"));
        }
        Ok(self)
    }

    /// What a session is called that begins with them: after what a user says last. To ask a model for
    /// the name of what a script asks would double its calls.
    pub(in crate::openai) fn title(&self) -> Option<Title> {
        let mut messages = self.messages.iter().rev();
        let last = messages.find(|message| message.role == MessageRole::User)?;
        Title::of_text(&text(last))
    }

    /// Takes out the system messages that come first. The last message stays, whoever says it.
    pub(in crate::openai) fn take_system_message(&mut self) -> Result<SystemMessage, Fault> {
        let before_last = self
            .messages
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        let leading = before_last
            .iter()
            .take_while(|message| message.role == MessageRole::System);
        let texts: Vec<_> = leading.map(text).collect();
        self.messages.drain(..texts.len());
        let fields: Vec<_> = self.fields.0.drain(..texts.len()).collect();
        let system = SystemMessage::parse(&texts.join("\n\n"));
        let field = || fields.into_iter().next().unwrap_or_default();
        system.map_err(|error| Fault::invalid(field(), error))
    }

    /// Sees to it that each output follows its call, where nothing came before that could make it.
    pub(in crate::openai) fn on_their_own(self) -> Result<Self, Fault> {
        let mut before: Option<&MessageDraft> = None;
        for (at, message) in self.messages.iter().enumerate() {
            let is_called = |output: &Part| {
                let Part::ToolOutput(output) = output else {
                    return true;
                };
                let calls = before.iter().flat_map(|before| &before.content);
                let mut calls = calls.filter_map(|part| match part {
                    Part::ToolCall(call) => Some(&call.id),
                    _ => None,
                });
                calls.any(|call| *call == output.call)
            };
            if !message.content.iter().all(is_called) {
                return Err(self.fields.no_such_call(at));
            }
            before = Some(message);
        }
        Ok(self)
    }
}

fn text(message: &MessageDraft) -> String {
    message.content.iter().map(Part::as_str).collect()
}

fn is_calling(message: &MessageDraft) -> bool {
    let mut parts = message.content.iter();
    parts.any(|part| matches!(part, Part::ToolCall(_)))
}

/// Reads who speaks; `developer` is what newer models call `system`.
fn role(text: &str, field: &str) -> Result<MessageRole, Fault> {
    match text {
        "user" => Ok(MessageRole::User),
        "assistant" => Ok(MessageRole::Assistant),
        "system" | "developer" => Ok(MessageRole::System),
        _ => Err(Fault::invalid(
            field,
            "must be one of: user, assistant, system, developer",
        )),
    }
}

/// The field's value, which must be there.
pub(in crate::openai) fn required<T>(value: Option<T>, field: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::invalid(field, "is required"))
}

fn said(text: &str, field: &str) -> Result<Vec<String>, Fault> {
    Ok(vec![written(text, field)?])
}

impl TextOr<NewContent> {
    /// The texts that are said.
    pub(in crate::openai) fn texts(&self, field: &str) -> Result<Vec<String>, Fault> {
        match self {
            Self::Text(text) => said(text, field),
            Self::List(parts) => {
                let parts = parts.iter().enumerate();
                parts
                    .map(|(at, part)| part.text(&format!("{field}[{at}]")))
                    .collect()
            }
        }
    }
}

impl NewContent {
    fn text(&self, place: &str) -> Result<String, Fault> {
        let (name, text) = match self.r#type.as_str() {
            "input_text" | "output_text" | "text" => ("text", self.text.as_deref()),
            "refusal" => ("refusal", self.refusal.as_deref()),
            other => {
                let reason = format!("{other} is not supported: only texts are");
                return Err(Fault::invalid(format!("{place}.type"), reason));
            }
        };
        let field = format!("{place}.{name}");
        written(required(text, &field)?, &field)
    }
}

impl NewItem {
    pub(in crate::openai) fn example() -> Self {
        Self {
            role: Some("user".into()),
            content: Some(TextOr::Text("What is a monad?".into())),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
