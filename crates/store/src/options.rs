//! Metadata, and what somebody wants of a reply, as the JSON that columns hold. What is written here
//! is read by every later version.

use std::collections::BTreeMap;

use chat::contracts::StoreError;
use chat::types::{
    Metadata, ModelOptions, ReplyOptions, SystemMessage, Tool, ToolChoice, ToolName,
};
use serde::{Deserialize, Serialize};

use crate::saved::{Damage, write_json};

/// Pairs of metadata.
pub(crate) fn write_metadata(metadata: &Metadata) -> Result<String, StoreError> {
    write_json(metadata.pairs())
}

/// Reads what [`write_metadata`] wrote.
pub(crate) fn read_metadata(text: &str) -> Result<Metadata, Damage> {
    Metadata::new(serde_json::from_str(text)?).map_err(|_| Damage::new("is no metadata"))
}

#[derive(Serialize, Deserialize)]
struct SavedOptions {
    instructions: Option<String>,
    metadata: BTreeMap<String, String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_output_tokens: Option<u32>,
    tools: Vec<SavedTool>,
    tool_choice: Option<SavedChoice>,
    parallel_tool_calls: Option<bool>,
    further: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SavedTool {
    name: String,
    description: Option<String>,
    parameters: Option<String>,
    strict: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SavedChoice {
    Auto,
    None,
    Required,
    Tool(String),
}

/// What somebody wants of a reply; `None` if it is nothing.
pub(crate) fn write_options(options: &ReplyOptions) -> Result<Option<String>, StoreError> {
    if *options == ReplyOptions::default() {
        return Ok(None);
    }
    let model = options.model.clone();
    let tools = model.tools.into_iter().map(|tool| SavedTool {
        name: tool.name.to_string(),
        description: tool.description,
        parameters: tool.parameters,
        strict: tool.strict,
    });
    let saved = SavedOptions {
        instructions: options.instructions.as_ref().map(ToString::to_string),
        metadata: options.metadata.pairs().clone(),
        temperature: model.temperature,
        top_p: model.top_p,
        max_output_tokens: model.max_output_tokens,
        tools: tools.collect(),
        tool_choice: model.tool_choice.map(|choice| match choice {
            ToolChoice::Auto => SavedChoice::Auto,
            ToolChoice::None => SavedChoice::None,
            ToolChoice::Required => SavedChoice::Required,
            ToolChoice::Tool(name) => SavedChoice::Tool(name.to_string()),
        }),
        parallel_tool_calls: model.parallel_tool_calls,
        further: model.further,
    };
    write_json(&saved).map(Some)
}

/// Reads what [`write_options`] wrote.
pub(crate) fn read_options(text: &str) -> Result<ReplyOptions, Damage> {
    let saved: SavedOptions = serde_json::from_str(text)?;
    saved.read().ok_or(Damage::new("are no options of a reply"))
}

impl SavedOptions {
    fn read(self) -> Option<ReplyOptions> {
        let instructions = self.instructions.map(|text| SystemMessage::parse(&text));
        let tools = self.tools.into_iter().map(|tool| {
            Some(Tool {
                name: ToolName::parse(&tool.name).ok()?,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict,
            })
        });
        let tool_choice = match self.tool_choice {
            None => None,
            Some(SavedChoice::Auto) => Some(ToolChoice::Auto),
            Some(SavedChoice::None) => Some(ToolChoice::None),
            Some(SavedChoice::Required) => Some(ToolChoice::Required),
            Some(SavedChoice::Tool(name)) => Some(ToolChoice::Tool(ToolName::parse(&name).ok()?)),
        };
        Some(ReplyOptions {
            instructions: instructions.transpose().ok()?,
            metadata: Metadata::new(self.metadata).ok()?,
            model: ModelOptions {
                temperature: self.temperature,
                top_p: self.top_p,
                max_output_tokens: self.max_output_tokens,
                tools: tools.collect::<Option<_>>()?,
                tool_choice,
                parallel_tool_calls: self.parallel_tool_calls,
                further: self.further,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Databases hold these, so they stay as they are.
    #[test]
    fn options_are_written_as_they_always_were() {
        assert_eq!(write_options(&ReplyOptions::default()).unwrap(), None);
        let name = || ToolName::parse("look_up").unwrap();
        let pairs = [("k".to_owned(), "v\"".to_owned())];
        let options = ReplyOptions {
            instructions: Some(SystemMessage::parse("Be brief.").unwrap()),
            metadata: Metadata::new(pairs.into()).unwrap(),
            model: ModelOptions {
                temperature: Some(0.5),
                top_p: None,
                max_output_tokens: Some(7),
                tools: vec![Tool {
                    name: name(),
                    description: None,
                    parameters: Some("{}".into()),
                    strict: Some(true),
                }],
                tool_choice: Some(ToolChoice::Tool(name())),
                parallel_tool_calls: Some(false),
                further: Some(r#"{"seed":1}"#.into()),
            },
        };
        let expected = r#"{"instructions":"Be brief.","metadata":{"k":"v\""},"temperature":0.5,"top_p":null,"max_output_tokens":7,"tools":[{"name":"look_up","description":null,"parameters":"{}","strict":true}],"tool_choice":{"tool":"look_up"},"parallel_tool_calls":false,"further":"{\"seed\":1}"}"#;
        let written = write_options(&options).unwrap().unwrap();
        assert_eq!(written, expected);
        assert_eq!(read_options(&written).unwrap(), options);
        assert_eq!(write_metadata(&options.metadata).unwrap(), r#"{"k":"v\""}"#);
        for (choice, word) in [
            (ToolChoice::Auto, "auto"),
            (ToolChoice::None, "none"),
            (ToolChoice::Required, "required"),
        ] {
            let mut options = ReplyOptions::default();
            options.model.tool_choice = Some(choice);
            let written = write_options(&options).unwrap().unwrap();
            assert!(written.contains(&format!(r#""tool_choice":"{word}""#)));
            assert_eq!(read_options(&written).unwrap(), options);
        }
    }
}
