//! What is to be answered, and how.

use chat::types::{
    MessageRole, Metadata, ModelOptions, Part, ReplyOptions, SessionKey, SystemMessage, ToolChoice,
    WhenBusy,
};
use chat::{MessageDraft, PromptDraft, ReplyDraft, WantedSession, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::messages::{model, parent};
use super::parts::{NewOutput, text};
use crate::extract::{cuid, nullable, present};
use crate::fault::Fault;
use crate::schema;
use crate::tools::{Function, bounded, chosen, tool_name, tools, within};

/// What is to be answered: `prompt` or `toolOutputs`, perhaps with `parentId`, or `parentId` alone; and
/// how.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("anyOf" = [
    { "required": ["prompt"] },
    { "required": ["toolOutputs"] },
    { "required": ["parentId"] },
]))]
pub(super) struct NewReply {
    /// What the user says.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::MESSAGE_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    prompt: Option<String>,
    /// What came of the calls of tools that the message makes that these follow.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<NewOutput>", extend("minItems" = 1))]
    tool_outputs: Option<Vec<NewOutput>>,
    /// With a prompt or outputs: the message that they follow, null for none; the last one of the active
    /// path if left out. Without: the user's message, or the tool's, that is to be answered.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = schema::CUID))]
    parent_id: Option<Option<String>>,
    /// Who is to write it; the session's model if left out.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::MODEL_NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    model: Option<String>,
    /// Whether the answer is the event stream.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool", extend("default" = false))]
    pub(super) stream: Option<bool>,
    /// What happens if the chat has a reply that has not ended.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["queue", "reject", "interrupt"], "default" = "queue"))]
    when_busy: Option<String>,
    /// What the model is told besides the chat's system message, for this reply alone.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(max = limits::SYSTEM_MESSAGE_CHARS),
        regex(pattern = schema::NO_NUL)
    )]
    instructions: Option<String>,
    /// Functions of the client's that the model may call.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Function>", extend("maxItems" = limits::TOOLS))]
    tools: Option<Vec<Function>>,
    /// Whether the model calls them; as it likes if left out.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Choice")]
    tool_choice: Option<Choice>,
    /// How freely the model writes.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 2))]
    temperature: Option<f64>,
    /// The share of the likeliest tokens that the model picks from.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    top_p: Option<f64>,
    /// The most tokens that the model may write.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = u32::MAX))]
    max_output_tokens: Option<u32>,
}

/// Whether a model calls tools: a word, or the tool.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "it is neither one of the words auto, none and required nor {\"name\": \"…\"}"
)]
enum Choice {
    Word(Word),
    Tool {
        #[schemars(regex(pattern = schema::TOOL_NAME))]
        name: String,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    Auto,
    None,
    Required,
}

impl Choice {
    fn parse(&self) -> Result<ToolChoice, Fault> {
        Ok(match self {
            Self::Word(Word::Auto) => ToolChoice::Auto,
            Self::Word(Word::None) => ToolChoice::None,
            Self::Word(Word::Required) => ToolChoice::Required,
            Self::Tool { name } => ToolChoice::Tool(tool_name(name, "toolChoice.name")?),
        })
    }
}

impl NewReply {
    /// Reads what is wanted in that session.
    pub(super) fn parse(&self, session: SessionKey) -> Result<ReplyDraft, Fault> {
        let when_busy = self.when_busy.as_deref().map(WhenBusy::parse);
        let when_busy = when_busy
            .transpose()
            .map_err(|error| Fault::invalid("whenBusy", error))?;
        Ok(ReplyDraft {
            session: WantedSession::Existing(session),
            prompt: self.prompt()?,
            model: model(self.model.as_deref(), "model")?,
            when_busy: when_busy.unwrap_or_default(),
            options: self.options()?,
            hidden: false,
        })
    }

    fn prompt(&self) -> Result<PromptDraft, Fault> {
        let (role, content) = match (&self.prompt, &self.tool_outputs, &self.parent_id) {
            (Some(_), Some(_), _) => {
                return Err(Fault::invalid("toolOutputs", "can't stand beside prompt"));
            }
            (Some(prompt), None, _) => {
                (MessageRole::User, vec![Part::Text(text(prompt, "prompt")?)])
            }
            (None, Some(outputs), _) => (MessageRole::Tool, self::outputs(outputs)?),
            (None, None, Some(Some(id))) => {
                return Ok(PromptDraft::Existing(cuid(id, "parentId")?));
            }
            (None, None, _) => return Err(Fault::invalid("prompt", "is required")),
        };
        Ok(PromptDraft::New(vec![MessageDraft {
            parent: parent(self.parent_id.as_ref(), "parentId")?,
            role,
            content,
            model: None,
        }]))
    }

    fn options(&self) -> Result<ReplyOptions, Fault> {
        let instructions = self.instructions.as_deref().map(SystemMessage::parse);
        let instructions = instructions
            .transpose()
            .map_err(|error| Fault::invalid("instructions", error))?;
        let tools = tools(self.tools.iter().flatten(), "tools", "")?;
        let choice = self.tool_choice.as_ref().map(|choice| {
            let choice = choice.parse()?;
            chosen(choice, &tools, "toolChoice")
        });
        Ok(ReplyOptions {
            instructions,
            metadata: Metadata::default(),
            model: bounded(
                ModelOptions {
                    temperature: within(self.temperature, 0.0..=2.0, "temperature")?,
                    top_p: within(self.top_p, 0.0..=1.0, "topP")?,
                    max_output_tokens: within(
                        self.max_output_tokens,
                        1..=u32::MAX,
                        "maxOutputTokens",
                    )?,
                    tool_choice: choice.transpose()?,
                    tools,
                    ..ModelOptions::default()
                },
                |field| field,
            )?,
        })
    }

    pub(super) fn example() -> Self {
        Self {
            prompt: Some("What is a monad?".into()),
            ..Self::default()
        }
    }
}

fn outputs(outputs: &[NewOutput]) -> Result<Vec<Part>, Fault> {
    if outputs.is_empty() {
        return Err(Fault::invalid("toolOutputs", "is empty"));
    }
    let outputs = outputs.iter().enumerate();
    outputs
        .map(|(at, output)| output.parse(&format!("toolOutputs[{at}]")))
        .collect()
}

#[cfg(test)]
mod tests;
