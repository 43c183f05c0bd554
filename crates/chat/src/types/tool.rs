//! Tools: functions of a client's that a model may call. The server passes them on, and runs none.

use super::ToolName;

/// A function that a model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What it is called.
    pub name: ToolName,
    /// What it is for, in words for a model.
    pub description: Option<String>,
    /// The JSON Schema of its arguments, as JSON text; `None` for a function without any.
    pub parameters: Option<String>,
    /// Whether a model has to keep to the schema to the letter; `None` for its provider's own idea.
    pub strict: Option<bool>,
}

/// Whether a model calls tools, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// Not at all.
    None,
    /// One at least.
    Required,
    /// This one.
    Tool(ToolName),
}

/// A model's wish that a tool be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What its output names it by.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, as the model wrote them: mostly JSON.
    pub arguments: String,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// The [`ToolCall::id`] of the call.
    pub call: String,
    /// What the tool answered; may be empty.
    pub output: String,
}
