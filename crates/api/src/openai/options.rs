//! What both ways to ask a model have in common.

use chat::types::{ModelName, Tool, ToolChoice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text_or::TextOr;
use crate::fault::Fault;
use crate::schema;
use crate::tools::{chosen, tool_name, within};

/// Fields of a chat completion that are handed on as they came, to providers that know them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Further {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verbosity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<TextOr<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frequency_penalty: Option<f64>,
}

impl Further {
    /// The fields as a reply keeps them; `None` without any.
    pub(super) fn write(self) -> Result<Option<String>, Fault> {
        within(self.presence_penalty, -2.0..=2.0, "presence_penalty")?;
        within(self.frequency_penalty, -2.0..=2.0, "frequency_penalty")?;
        if self == Self::default() {
            return Ok(None);
        }
        let text = serde_json::to_string(&self);
        text.map(Some)
            .map_err(|error| Fault::invalid("body", error))
    }

    /// Reads what a reply keeps; what another dialect has put there is ignored.
    pub(super) fn read(text: Option<&str>) -> Self {
        let fields = text.and_then(|text| serde_json::from_str(text).ok());
        fields.unwrap_or_default()
    }
}

/// Whether a model calls tools: a word, or the tool.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "it is neither one of the words auto, none and required nor a function"
)]
pub(super) enum Choice {
    Word(Word),
    /// As the Responses API has it.
    Flat {
        r#type: Function,
        #[schemars(regex(pattern = schema::TOOL_NAME))]
        name: String,
    },
    /// As the Chat Completions API has it.
    Nested {
        r#type: Function,
        function: Named,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    Auto,
    None,
    Required,
}

/// The one kind of tool that there is: one of the client's.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    Function,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Named {
    #[schemars(regex(pattern = schema::TOOL_NAME))]
    name: String,
}

impl Choice {
    pub(super) fn parse(&self, tools: &[Tool]) -> Result<ToolChoice, Fault> {
        let choice = match self {
            Self::Word(Word::Auto) => ToolChoice::Auto,
            Self::Word(Word::None) => ToolChoice::None,
            Self::Word(Word::Required) => ToolChoice::Required,
            Self::Flat { name, .. } => ToolChoice::Tool(tool_name(name, "tool_choice.name")?),
            Self::Nested { function, .. } => {
                ToolChoice::Tool(tool_name(&function.name, "tool_choice.function.name")?)
            }
        };
        chosen(choice, tools, "tool_choice")
    }

    /// What was chosen, as the Responses API has it; the model's own idea if nothing was.
    pub(super) fn shown(choice: Option<&ToolChoice>) -> Self {
        match choice {
            None | Some(ToolChoice::Auto) => Self::Word(Word::Auto),
            Some(ToolChoice::None) => Self::Word(Word::None),
            Some(ToolChoice::Required) => Self::Word(Word::Required),
            Some(ToolChoice::Tool(name)) => Self::Flat {
                r#type: Function::Function,
                name: name.to_string(),
            },
        }
    }
}

/// Reads the name of a model.
pub(super) fn model(name: Option<&str>) -> Result<Option<ModelName>, Fault> {
    let name = name.map(ModelName::parse).transpose();
    name.map_err(|error| Fault::invalid("model", error))
}

/// Refuses tools of other kinds, which the provider would have to run.
pub(super) fn only_a_function(kind: &str, place: &str) -> Result<(), Fault> {
    if kind == "function" {
        return Ok(());
    }
    let reason = format!("{kind} is not supported: only function is");
    Err(Fault::invalid(format!("{place}.type"), reason))
}
