//! What replies are asked for with, in every dialect: tools, numbers, metadata. Each refusal names the
//! field, which is handed in.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use chat::limits;
use chat::types::{CallId, Metadata, ModelOptions, Tool, ToolChoice, ToolName, ToolText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::schema;

/// A function that a model may call.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Function {
    #[schemars(regex(pattern = schema::TOOL_NAME))]
    pub(crate) name: String,
    /// What it is for, in words for a model.
    #[schemars(length(max = limits::MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
    pub(crate) description: Option<String>,
    /// The JSON Schema of its arguments.
    pub(crate) parameters: Option<Map<String, Value>>,
    /// Whether a model has to keep to the schema to the letter; its provider decides if left out.
    pub(crate) strict: Option<bool>,
}

/// Reads the functions in a list; each stands `within` its item, which may be nothing or `.function`.
pub(crate) fn tools<'a>(
    functions: impl Iterator<Item = &'a Function>,
    field: &str,
    within: &str,
) -> Result<Vec<Tool>, Fault> {
    let mut tools: Vec<Tool> = Vec::new();
    for (at, function) in functions.enumerate() {
        if at == limits::TOOLS {
            let reason = format!("has more than {} items", limits::TOOLS);
            return Err(Fault::invalid(field, reason));
        }
        let place = format!("{field}[{at}]{within}");
        let tool = function.parse(&place)?;
        if tools.iter().any(|other| other.name == tool.name) {
            return Err(Fault::invalid(format!("{place}.name"), "is there twice"));
        }
        tools.push(tool);
    }
    Ok(tools)
}

impl Function {
    fn parse(&self, place: &str) -> Result<Tool, Fault> {
        let description = self.description.as_deref();
        let description = description.map(|text| written(text, &format!("{place}.description")));
        Ok(Tool {
            name: tool_name(&self.name, &format!("{place}.name"))?,
            description: description.transpose()?,
            parameters: self
                .parameters
                .clone()
                .map(|it| Value::Object(it).to_string()),
            strict: self.strict,
        })
    }
}

/// Sees to it that what is wanted of one reply is not too much to be kept with it: its tools, and further
/// fields. `named` is what the dialect calls one of these.
pub(crate) fn bounded(
    options: ModelOptions,
    named: fn(&str) -> &str,
) -> Result<ModelOptions, Fault> {
    let tools = options.tools.iter().map(bytes).sum::<usize>();
    let further = options.further.as_deref().unwrap_or("{}");
    if tools + further.len() <= limits::OPTIONS_BYTES {
        return Ok(options);
    }
    let fields: Map<String, Value> = serde_json::from_str(further).unwrap_or_default();
    let sizes = fields
        .iter()
        .map(|(name, value)| (value.to_string().len(), named(name)));
    let largest = sizes.chain([(tools, "tools")]).max();
    let most = limits::OPTIONS_BYTES;
    let reason = format!("is too long: all that is wanted of one reply may have {most} bytes");
    Err(Fault::invalid(
        largest.map_or("tools", |(_, name)| name),
        reason,
    ))
}

fn bytes(tool: &Tool) -> usize {
    let texts = [&tool.description, &tool.parameters].into_iter().flatten();
    tool.name.as_str().len() + texts.map(String::len).sum::<usize>()
}

/// What a choice may be: one of these tools, or any of them if it needs one.
pub(crate) fn chosen(choice: ToolChoice, tools: &[Tool], field: &str) -> Result<ToolChoice, Fault> {
    match &choice {
        ToolChoice::Required if tools.is_empty() => Err(Fault::invalid(field, "needs tools")),
        ToolChoice::Tool(name) if !tools.iter().any(|tool| tool.name == *name) => {
            Err(Fault::invalid(field, "names none of the tools"))
        }
        _ => Ok(choice),
    }
}

/// Reads the name of a tool.
pub(crate) fn tool_name(text: &str, field: &str) -> Result<ToolName, Fault> {
    ToolName::parse(text).map_err(|error| Fault::invalid(field, error))
}

/// Reads what a call of a tool is known by.
pub(crate) fn call_id(text: &str, field: &str) -> Result<String, Fault> {
    let id = CallId::parse(text).map_err(|error| Fault::invalid(field, error))?;
    Ok(id.as_str().to_owned())
}

/// Reads the arguments of a call, or its output; may be empty.
pub(crate) fn written(text: &str, field: &str) -> Result<String, Fault> {
    let text = ToolText::parse(text).map_err(|error| Fault::invalid(field, error))?;
    Ok(text.as_str().to_owned())
}

/// Sees to it that a number lies in a range.
pub(crate) fn within<T: PartialOrd + Display>(
    number: Option<T>,
    range: RangeInclusive<T>,
    field: &str,
) -> Result<Option<T>, Fault> {
    if number
        .as_ref()
        .is_some_and(|number| !range.contains(number))
    {
        let reason = format!("must be {} to {}", range.start(), range.end());
        return Err(Fault::invalid(field, reason));
    }
    Ok(number)
}

/// Pairs that a client notes with something.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(extend(
    "maxProperties" = limits::METADATA_PAIRS,
    "propertyNames" = {
        "minLength": 1,
        "maxLength": limits::METADATA_KEY_CHARS,
        "pattern": schema::NO_NUL,
    },
    "additionalProperties" = {
        "type": "string",
        "maxLength": limits::METADATA_VALUE_CHARS,
        "pattern": schema::NO_NUL,
    },
))]
pub(crate) struct Pairs(pub(crate) BTreeMap<String, String>);

impl Pairs {
    pub(crate) fn parse(self, field: &str) -> Result<Metadata, Fault> {
        Metadata::new(self.0).map_err(|error| Fault::invalid(field, error))
    }
}

#[cfg(test)]
mod tests;
