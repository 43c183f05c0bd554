use std::collections::BTreeMap;

use chat::types::{
    Cuid, Ending, FinishReason, Message, MessageRole, Part, Reply, ReplyError, ReplyErrorKind,
    ReplyStatus, SystemMessage, TokenUsage, Tool,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::request::shown_format;
use crate::openai::ids;
use crate::openai::items::shown::{
    COMPLETED, Content, IN_PROGRESS, INCOMPLETE, Item, of_parts, status,
};
use crate::openai::options::{Choice, Further};
use crate::time::{Time, seconds};

/// What is told of a reply, besides how far it is. All of it is known when it is accepted.
pub(super) struct Told {
    pub(super) reply: Reply,
    /// The response that its input follows.
    pub(super) previous: Option<Cuid>,
    /// Whether it is kept, be it in its session alone.
    pub(super) is_kept: bool,
}

/// How far a reply is.
pub(super) struct State {
    pub(super) status: &'static str,
    pub(super) error: Option<ReplyError>,
    pub(super) output: Vec<Item>,
    pub(super) usage: Option<TokenUsage>,
    /// Seconds since 1970.
    pub(super) completed_at: Option<i64>,
}

impl State {
    /// That of a reply that has not ended.
    pub(super) fn open(status: &'static str) -> Self {
        Self {
            status,
            error: None,
            output: Vec::new(),
            usage: None,
            completed_at: None,
        }
    }

    /// That of a reply as it is kept, and of the message that it becomes.
    pub(super) fn of(reply: &Reply, message: Message) -> Self {
        match reply.status {
            ReplyStatus::Queued => Self::open("queued"),
            ReplyStatus::Running => Self::open(IN_PROGRESS),
            ended => {
                let reason = message.finish_reason.unwrap_or(FinishReason::Error);
                let ending = Ending {
                    status: ended,
                    reason,
                    error: reply.error.clone(),
                };
                let output = output(&message.id, message.content, &ending, reply.attempt);
                let state = Self::ended(ending, output, reply.usage);
                Self {
                    completed_at: reply
                        .finished_at
                        .map(seconds)
                        .filter(|_| state.status == COMPLETED),
                    ..state
                }
            }
        }
    }

    /// That of a reply that has ended.
    pub(super) fn ended(ending: Ending, output: Vec<Item>, usage: Option<TokenUsage>) -> Self {
        let status = match ending.status {
            ReplyStatus::Failed => "failed",
            ReplyStatus::Stopped => "cancelled",
            _ if ending.reason == FinishReason::Length => INCOMPLETE,
            _ => COMPLETED,
        };
        Self {
            status,
            error: ending.error,
            output,
            usage,
            completed_at: None,
        }
    }
}

/// The items that a reply's message holds.
pub(super) fn output(
    message: &Cuid,
    content: Vec<Part>,
    ending: &Ending,
    attempt: u32,
) -> Vec<Item> {
    let status = status(ending.status, Some(ending.reason));
    let items = of_parts(message, MessageRole::Assistant, content, status, attempt);
    items.into_iter().map(|placed| placed.item).collect()
}

/// A reply as this dialect shows it. What is not known, or not supported, is null or what OpenAI's API
/// takes where nothing is said.
#[derive(Serialize, JsonSchema)]
pub(in crate::openai) struct Response<'a> {
    id: String,
    #[schemars(extend("const" = "response"))]
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    /// Seconds since 1970; null in a stream, and in a response that is not kept.
    completed_at: Option<i64>,
    #[schemars(extend("enum" = ["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"]))]
    status: &'static str,
    /// Whether it goes on without its client: that of each response that is kept does.
    background: bool,
    error: Option<Failure<'a>>,
    incomplete_details: Option<Incomplete>,
    instructions: Option<&'a str>,
    max_output_tokens: Option<u32>,
    max_tool_calls: Option<u32>,
    model: &'a str,
    /// Empty until the response has ended.
    output: Vec<Item>,
    parallel_tool_calls: bool,
    /// The response that the input follows, however the request has named it.
    previous_response_id: Option<String>,
    /// The conversation that it belongs to: each one that is kept belongs to one.
    conversation: Option<Reference>,
    reasoning: Reasoning,
    store: bool,
    temperature: f64,
    text: Value,
    tool_choice: Choice,
    tools: Vec<Value>,
    top_p: f64,
    /// The oldest messages that do not fit into the model's window are left out.
    #[schemars(extend("const" = "auto"))]
    truncation: &'static str,
    usage: Option<Usage>,
    metadata: &'a BTreeMap<String, String>,
    service_tier: &'static str,
    top_logprobs: u32,
    presence_penalty: f64,
    frequency_penalty: f64,
    prompt_cache_key: Option<&'static str>,
    safety_identifier: Option<&'static str>,
    user: Option<&'static str>,
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
struct Failure<'a> {
    #[schemars(extend("enum" = ["server_error", "rate_limit_exceeded", "invalid_prompt"]))]
    code: &'static str,
    message: &'a str,
}

/// Why a response is not complete.
#[derive(Serialize, JsonSchema)]
struct Incomplete {
    #[schemars(extend("const" = "max_output_tokens"))]
    reason: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Reference {
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Reasoning {
    effort: Option<String>,
    summary: Option<String>,
}

/// What a response cost, in tokens. Of what kind they were is not known.
#[derive(Serialize, JsonSchema)]
struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize, JsonSchema)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize, JsonSchema)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl<'a> Response<'a> {
    pub(super) fn new(told: &'a Told, state: &'a State) -> Self {
        let (reply, options) = (&told.reply, &told.reply.options);
        let further = Further::read(options.model.further.as_deref());
        let mut text = json!({ "format": shown_format(further.response_format) });
        if let Some(verbosity) = further.verbosity {
            text["verbosity"] = json!(verbosity);
        }
        Self {
            id: ids::response(&reply.id),
            object: "response",
            created_at: seconds(reply.created_at),
            completed_at: state.completed_at,
            status: state.status,
            background: !reply.hidden,
            error: state.error.as_ref().map(Failure::from),
            incomplete_details: (state.status == INCOMPLETE).then_some(Incomplete {
                reason: "max_output_tokens",
            }),
            instructions: options.instructions.as_ref().map(SystemMessage::as_str),
            max_output_tokens: options.model.max_output_tokens,
            max_tool_calls: None,
            model: reply.model.as_str(),
            output: state.output.clone(),
            parallel_tool_calls: options.model.parallel_tool_calls.unwrap_or(true),
            previous_response_id: told.previous.as_ref().map(ids::response),
            conversation: told.is_kept.then(|| Reference {
                id: ids::conversation(&reply.session),
            }),
            reasoning: Reasoning {
                effort: further.reasoning_effort,
                summary: None,
            },
            store: !reply.hidden,
            temperature: options.model.temperature.unwrap_or(1.0),
            text,
            tool_choice: Choice::shown(options.model.tool_choice.as_ref()),
            tools: options.model.tools.iter().map(shown_tool).collect(),
            top_p: options.model.top_p.unwrap_or(1.0),
            truncation: "auto",
            usage: state.usage.map(Usage::from),
            metadata: options.metadata.pairs(),
            service_tier: "default",
            top_logprobs: 0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            prompt_cache_key: None,
            safety_identifier: None,
            user: None,
        }
    }
}

fn shown_tool(tool: &Tool) -> Value {
    let parameters = tool.parameters.as_deref();
    let parameters: Option<Value> = parameters.and_then(|text| serde_json::from_str(text).ok());
    json!({
        "type": "function",
        "name": tool.name.as_str(),
        "description": tool.description,
        "parameters": parameters,
        "strict": tool.strict,
    })
}

impl<'a> From<&'a ReplyError> for Failure<'a> {
    fn from(error: &'a ReplyError) -> Self {
        let code = match error.kind {
            ReplyErrorKind::RateLimit => "rate_limit_exceeded",
            ReplyErrorKind::ContextTooLong | ReplyErrorKind::ContentFilter => "invalid_prompt",
            _ => "server_error",
        };
        let message = &error.message;
        Self { code, message }
    }
}

impl From<TokenUsage> for Usage {
    fn from(usage: TokenUsage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            input_tokens_details: InputDetails {
                cached_tokens: 0,
                cache_write_tokens: 0,
            },
            output_tokens: usage.output_tokens,
            output_tokens_details: OutputDetails {
                reasoning_tokens: 0,
            },
            total_tokens: usage.input_tokens + usage.output_tokens,
        }
    }
}

impl Response<'_> {
    pub(in crate::openai) fn example() -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Self {
            id: "resp_clqb6q2rl0005v3k8e1r9y3kq".into(),
            object: "response",
            created_at: seconds(Time::EXAMPLE.0),
            completed_at: Some(seconds(Time::EXAMPLE.0)),
            status: COMPLETED,
            background: true,
            error: None,
            incomplete_details: None,
            instructions: None,
            max_output_tokens: None,
            max_tool_calls: None,
            model: "demo",
            output: vec![Item::message(
                "msg_clqb6q2rl0006v3k8h5t2u8nb".into(),
                COMPLETED,
                MessageRole::Assistant,
                vec![Content::said(MessageRole::Assistant, "A monad is …".into())],
            )],
            parallel_tool_calls: true,
            previous_response_id: None,
            conversation: Some(Reference {
                id: "conv_clqb6q2rl0003v3k8b2g8n5xd".into(),
            }),
            reasoning: Reasoning {
                effort: None,
                summary: None,
            },
            store: true,
            temperature: 1.0,
            text: json!({ "format": { "type": "text" } }),
            tool_choice: Choice::shown(None),
            tools: Vec::new(),
            top_p: 1.0,
            truncation: "auto",
            usage: Some(Usage::from(TokenUsage {
                input_tokens: 12,
                output_tokens: 40,
            })),
            metadata: &NONE,
            service_tier: "default",
            top_logprobs: 0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            prompt_cache_key: None,
            safety_identifier: None,
            user: None,
        }
    }
}
