//! The Chat Completions API: OpenAI's, and that of most servers that one runs oneself. Each of them
//! has its own idea of it, so what is missing or unknown is no fault.

use chat::contracts::{EndOfAnswer, Question, Turn};
use chat::types::{MessageRole, ToolChoice};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dialect::{self, Dialect};
use crate::events::Event;
use crate::faults;
use crate::heard::{CallPiece, Heard};
use crate::settings::Key;

/// What no further field of a question may be, since it is ours to say, or to leave out.
const OUR_FIELDS: [&str; 11] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
];

/// OpenAI's dialect.
pub(crate) struct OpenAiCompatible;

impl Dialect for OpenAiCompatible {
    fn home(&self) -> &'static str {
        "https://api.openai.com/v1"
    }

    fn path(&self) -> &'static [&'static str] {
        &["chat", "completions"]
    }

    fn needs_key(&self) -> bool {
        false
    }

    fn max_output_tokens(&self) -> Option<u32> {
        None
    }

    fn headers(&self, key: Option<&Key>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.as_str()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn question(&self, question: &Question, plain: bool) -> serde_json::Result<Vec<u8>> {
        let options = &question.options;
        let system = (!question.system.is_empty())
            .then(|| Message::saying(MessageRole::System, question.system.clone()));
        let turns = question.messages.iter().flat_map(messages);
        let limit = options.max_output_tokens;
        let renamed = has_renamed_limit(&question.model);
        let tools = options.tools.iter().map(Tool::new);
        // What says how tools are called is refused where there are none.
        let has_tools = !options.tools.is_empty();
        let choice = options.tool_choice.as_ref().filter(|_| has_tools);
        let further = options.further.as_deref().unwrap_or("{}");
        let mut further: Map<String, Value> = serde_json::from_str(further)?;
        further.retain(|field, _| !OUR_FIELDS.contains(&field.as_str()));
        serde_json::to_vec(&Request {
            model: &question.model,
            messages: system.into_iter().chain(turns).collect(),
            stream: true,
            stream_options: (!plain).then_some(StreamOptions {
                include_usage: true,
            }),
            max_tokens: limit.filter(|_| !renamed),
            max_completion_tokens: limit.filter(|_| renamed),
            temperature: options.temperature,
            top_p: options.top_p,
            tools: tools.collect::<Result<_, _>>()?,
            tool_choice: choice.map(wish),
            parallel_tool_calls: options.parallel_tool_calls.filter(|_| has_tools),
            further,
        })
    }

    fn event(&self, event: &Event, heard: &mut Heard) {
        let data = event.data.trim();
        if data == "[DONE]" {
            heard.close();
        } else if event.name == "error" {
            let error = serde_json::from_str(data).unwrap_or_default();
            heard.fail(faults::of_error(inner_error(&error)));
        } else if !data.is_empty() {
            match serde_json::from_str(data) {
                Ok(chunk) => take(chunk, heard),
                Err(_) => heard.fail(faults::unreadable()),
            }
        }
    }

    fn whole(&self, body: &[u8], heard: &mut Heard) {
        match serde_json::from_slice::<Chunk>(body) {
            Ok(chunk) => take(chunk, heard),
            Err(_) => heard.fail(faults::unreadable()),
        }
        if heard.has_begun() {
            heard.close();
        } else {
            heard.fail(faults::unreadable());
        }
    }
}

/// OpenAI's reasoning models refuse `max_tokens` and have `max_completion_tokens` in its place; no
/// other server has to know that one.
fn has_renamed_limit(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5"]
        .iter()
        .any(|family| model.starts_with(family))
}

/// The messages that a turn is: each output of a tool is one of its own.
fn messages(turn: &Turn) -> Vec<Message<'_>> {
    let outputs = dialect::outputs(turn).map(|output| Message {
        tool_call_id: Some(&output.call),
        ..Message::saying(turn.role, output.output.clone())
    });
    if turn.role == MessageRole::Tool {
        return outputs.collect();
    }
    let calls = dialect::calls(turn).map(|call| Call {
        id: &call.id,
        kind: "function",
        function: CalledFunction {
            name: &call.name,
            arguments: &call.arguments,
        },
    });
    let mut message = Message::saying(turn.role, turn.text());
    message.tool_calls = calls.collect();
    // Who only calls tools says nothing, which is not the same as an empty text to every server.
    let says = |text: &String| !text.is_empty() || message.tool_calls.is_empty();
    message.content = message.content.filter(says);
    vec![message]
}

/// Whether a model calls tools, and which.
fn wish(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => {
            json!({"type": "function", "function": {"name": name.as_str()}})
        }
    }
}

/// An error is the value of `error`, or that itself.
fn inner_error(value: &Value) -> &Value {
    value.get("error").unwrap_or(value)
}

fn take(chunk: Chunk, heard: &mut Heard) {
    if let Some(error) = chunk.error {
        return heard.fail(faults::of_error(&error));
    }
    let choice = chunk.choices.and_then(|choices| choices.into_iter().next());
    let finish = choice.and_then(|choice| {
        let is_whole = choice.delta.is_none();
        let said = choice.delta.or(choice.message).unwrap_or_default();
        heard.reasoning(said.reasoning_content.or(said.reasoning));
        heard.text(said.content);
        for (place, call) in (0..).zip(said.tool_calls.unwrap_or_default()) {
            let function = call.function.unwrap_or_default();
            heard.call(CallPiece {
                index: if is_whole { Some(place) } else { call.index },
                id: call.id,
                name: function.name,
                arguments: function.arguments.and_then(json_text),
            });
        }
        choice.finish_reason
    });
    if let Some(usage) = chunk.usage {
        heard.usage(usage.prompt_tokens, usage.completion_tokens);
    }
    match finish.as_deref() {
        None | Some("") => {}
        Some("length") => heard.end(Ok(EndOfAnswer::Length)),
        Some("content_filter") => heard.end(Err(faults::filtered())),
        Some(_) => heard.end(Ok(EndOfAnswer::Complete)),
    }
}

/// Arguments are a text that holds JSON, or that JSON itself.
fn json_text(arguments: Value) -> Option<String> {
    match arguments {
        Value::Null => None,
        Value::String(text) => Some(text),
        json => Some(json.to_string()),
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(flatten)]
    further: Map<String, Value>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl Message<'_> {
    fn saying(role: MessageRole, text: String) -> Self {
        Self {
            role: role.as_str(),
            content: Some(text),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> Tool<'a> {
    fn new(tool: &'a chat::types::Tool) -> serde_json::Result<Self> {
        let parameters = tool.parameters.as_deref().map(serde_json::from_str);
        Ok(Self {
            kind: "function",
            function: Function {
                name: tool.name.as_str(),
                description: tool.description.as_deref(),
                parameters: parameters.transpose()?,
                strict: tool.strict,
            },
        })
    }
}

/// A piece of a streamed answer, or the whole of one that is not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Said>,
    message: Option<Said>,
    finish_reason: Option<String>,
}

/// What a model thinks has two names; some servers send both, with the same text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Vec<SaidCall>>,
}

/// A piece of a call, or the whole of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidCall {
    index: Option<u64>,
    id: Option<String>,
    function: Option<SaidFunction>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidFunction {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

#[cfg(test)]
mod tests;
