//! What Anthropic's API is asked.

use std::collections::BTreeSet;

use chat::contracts::{Question, Turn};
use chat::types::{MessageRole, ModelOptions, ToolCall, ToolChoice};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::MAX_TOKENS;
use crate::dialect;

/// What stands in for a person who did not begin: the API wants one to, while a session may begin
/// with a greeting, or have lost its beginning since it did not fit. To leave the model's first
/// words out as well would take away what the next ones answer.
const OPENING: &str = "…";
/// What stands between turns of one role that are made one, since the API wants roles to alternate.
const BETWEEN: &str = "\n\n";
const USER: &str = "user";
const ASSISTANT: &str = "assistant";

/// A question, as the API takes it.
///
/// Errors: what should be JSON in it is none.
pub(super) fn of(question: &Question) -> serde_json::Result<Request<'_>> {
    let options = &question.options;
    let (system, messages) = arrange(&question.system, &question.messages);
    let mut tools: Vec<Tool> = options
        .tools
        .iter()
        .map(Tool::new)
        .collect::<Result<_, _>>()?;
    let mut tool_choice = choice(options).filter(|_| !tools.is_empty());
    if tools.is_empty() {
        // The API refuses calls of tools that it is told nothing of, so those of before are named.
        let calls = question.messages.iter().flat_map(dialect::calls);
        let names: BTreeSet<String> = calls.map(|call| fitting(&call.name)).collect();
        tool_choice = (!names.is_empty()).then_some(Choice::of("none"));
        tools = names.into_iter().map(Tool::named).collect();
    }
    Ok(Request {
        model: &question.model,
        max_tokens: options.max_output_tokens.unwrap_or(MAX_TOKENS),
        system,
        messages,
        stream: true,
        // Up to 2 is usual elsewhere.
        temperature: options.temperature.map(|freely| freely.clamp(0.0, 1.0)),
        // The newer models refuse both.
        top_p: options.top_p.filter(|_| options.temperature.is_none()),
        stop_sequences: stops(options)?,
        tools,
        tool_choice,
    })
}

/// Makes of the turns what the API takes: what the system says apart, and a person's and the
/// model's turns in alternation, a person's first. The outputs of tools are a person's.
fn arrange<'a>(system: &str, turns: &'a [Turn]) -> (String, Vec<Message<'a>>) {
    let mut system = system.to_owned();
    let mut messages: Vec<Message> = Vec::new();
    for turn in turns {
        let role = match turn.role {
            MessageRole::System => {
                append(&mut system, &turn.text());
                continue;
            }
            MessageRole::Assistant => ASSISTANT,
            MessageRole::User | MessageRole::Tool => USER,
        };
        if messages.is_empty() && role != USER {
            messages.push(Message::opening());
        }
        match messages.last_mut() {
            Some(last) if last.role == role => last.extend(blocks(turn)),
            _ => messages.push(Message {
                role,
                content: blocks(turn).collect(),
            }),
        }
    }
    if messages.is_empty() {
        messages.push(Message::opening());
    }
    (system, messages)
}

/// What a turn says: its text, then its calls or outputs.
fn blocks(turn: &Turn) -> impl Iterator<Item = Block<'_>> {
    let text = Some(turn.text()).filter(|text| !text.is_empty());
    let text = text.map(|text| Block::Text { text });
    let calls = dialect::calls(turn).map(|call| Block::ToolUse {
        id: fitting(&call.id),
        name: fitting(&call.name),
        input: input(call),
    });
    let outputs = dialect::outputs(turn).map(|output| Block::ToolResult {
        tool_use_id: fitting(&output.call),
        content: &output.output,
    });
    text.into_iter().chain(calls).chain(outputs)
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str(BETWEEN);
    }
    text.push_str(more);
}

/// An id or a name with the characters that the API takes; those of other providers have more.
fn fitting(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}

/// The arguments of a call, which have to be an object here; what a model wrote may be none.
fn input(call: &ToolCall) -> Map<String, Value> {
    serde_json::from_str(&call.arguments).unwrap_or_default()
}

/// Whether the model calls tools, and which; `None` for the API's own idea.
fn choice(options: &ModelOptions) -> Option<Choice<'_>> {
    let one_by_one = options.parallel_tool_calls == Some(false);
    let choice = match &options.tool_choice {
        None if !one_by_one => return None,
        Some(ToolChoice::None) => return Some(Choice::of("none")),
        None | Some(ToolChoice::Auto) => Choice::of("auto"),
        Some(ToolChoice::Required) => Choice::of("any"),
        Some(ToolChoice::Tool(name)) => Choice {
            name: Some(name.as_str()),
            ..Choice::of("tool")
        },
    };
    Some(Choice {
        disable_parallel_tool_use: one_by_one,
        ..choice
    })
}

/// Where the model stops: the one further field of Chat Completions that has its like here.
fn stops(options: &ModelOptions) -> serde_json::Result<Vec<String>> {
    let further = options.further.as_deref().unwrap_or("{}");
    let further: Further = serde_json::from_str(further)?;
    let mut stops = match further.stop {
        None => Vec::new(),
        Some(Stops::One(stop)) => vec![stop],
        Some(Stops::Many(stops)) => stops,
    };
    // White space alone is refused.
    stops.retain(|stop| !stop.trim().is_empty());
    Ok(stops)
}

/// A question as JSON.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    #[serde(serialize_with = "content")]
    content: Vec<Block<'a>>,
}

impl<'a> Message<'a> {
    fn opening() -> Self {
        let text = OPENING.to_owned();
        Self {
            role: USER,
            content: vec![Block::Text { text }],
        }
    }

    fn extend(&mut self, blocks: impl Iterator<Item = Block<'a>>) {
        for block in blocks {
            match (self.content.last_mut(), block) {
                (Some(Block::Text { text }), Block::Text { text: more }) => append(text, &more),
                (_, block) => self.content.push(block),
            }
        }
    }
}

/// What is nothing but a text can be written as that.
fn content<S: Serializer>(blocks: &[Block], serializer: S) -> Result<S::Ok, S::Error> {
    match blocks {
        [Block::Text { text }] => text.serialize(serializer),
        blocks => blocks.serialize(serializer),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Map<String, Value>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "str::is_empty")]
        content: &'a str,
    },
}

#[derive(Serialize)]
struct Tool<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Map<String, Value>,
}

impl<'a> Tool<'a> {
    fn new(tool: &'a chat::types::Tool) -> serde_json::Result<Self> {
        let mut named = Self::named(tool.name.as_str().to_owned());
        named.description = tool.description.as_deref();
        let schema = tool
            .parameters
            .as_deref()
            .map(serde_json::from_str::<Map<_, _>>);
        named
            .input_schema
            .extend(schema.transpose()?.unwrap_or_default());
        Ok(named)
    }

    /// A tool of which only the name is known. The API wants to be told that arguments are an object.
    fn named(name: String) -> Self {
        let schema = [("type".to_owned(), Value::from("object"))];
        Self {
            name,
            description: None,
            input_schema: schema.into_iter().collect(),
        }
    }
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

impl Choice<'_> {
    fn of(kind: &'static str) -> Self {
        Self {
            kind,
            name: None,
            disable_parallel_tool_use: false,
        }
    }
}

/// What is read of the further fields.
#[derive(Deserialize)]
struct Further {
    stop: Option<Stops>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stops {
    One(String),
    Many(Vec<String>),
}
