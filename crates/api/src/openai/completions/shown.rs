//! A chat completion: whole, or chunk by chunk.

use axum::response::sse;
use chat::Error;
use chat::types::{
    Delta, Ending, Event, FinishReason, NumberedEvent, Part, Reply, ReplyErrorKind, TokenUsage,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::fault::Fault;
use crate::openai::{error, ids};
use crate::sse::data;
use crate::time::seconds;

/// The whole answer.
#[derive(Serialize, JsonSchema)]
pub(in crate::openai) struct Completion {
    id: String,
    #[schemars(extend("const" = "chat.completion"))]
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    model: String,
    choices: [Answer; 1],
    usage: Option<Usage>,
    service_tier: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Answer {
    index: u32,
    message: Message,
    logprobs: Option<()>,
    #[schemars(extend("enum" = ["stop", "length", "tool_calls", "content_filter"]))]
    finish_reason: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Message {
    #[schemars(extend("const" = "assistant"))]
    role: &'static str,
    /// Null if it says nothing.
    content: Option<String>,
    refusal: Option<String>,
    /// What the model thought before, where it tells. Not in OpenAI's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
}

/// A call of a function, or a piece of one.
#[derive(Serialize, JsonSchema)]
struct Call {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Called,
}

#[derive(Serialize, JsonSchema)]
struct Called {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

/// What an answer cost, in tokens. Of what kind they were is not known.
#[derive(Clone, Copy, Serialize, JsonSchema)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl From<TokenUsage> for Usage {
    fn from(usage: TokenUsage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            completion_tokens: usage.output_tokens,
            total_tokens: usage.input_tokens + usage.output_tokens,
        }
    }
}

/// Why an answer ended, or how it failed. A filter that cuts an answer short is a reason; one that refuses
/// the question is an error.
fn finish(ending: &Ending, has_said: bool) -> Result<&'static str, Error> {
    match (&ending.error, ending.reason) {
        (Some(error), _) if has_said && error.kind == ReplyErrorKind::ContentFilter => {
            Ok("content_filter")
        }
        (Some(error), _) => Err(Error::ReplyFailed(error.clone())),
        (None, FinishReason::Length) => Ok("length"),
        (None, FinishReason::ToolCalls) => Ok("tool_calls"),
        // OpenAI's API knows of nobody who stops an answer.
        (None, _) => Ok("stop"),
    }
}

impl Completion {
    /// An answer that has ended so, as its parts have it.
    pub(super) fn new(
        reply: &Reply,
        parts: Vec<Part>,
        usage: Option<TokenUsage>,
        ending: &Ending,
    ) -> Result<Self, Error> {
        let finish_reason = finish(ending, !parts.is_empty())?;
        let (mut content, mut reasoning) = (None, None);
        let mut tool_calls = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => content.get_or_insert_with(String::new).push_str(&text),
                Part::Reasoning(text) => reasoning.get_or_insert_with(String::new).push_str(&text),
                Part::ToolCall(call) => tool_calls.push(Call {
                    index: None,
                    id: Some(call.id),
                    r#type: Some("function"),
                    function: Called {
                        name: Some(call.name),
                        arguments: call.arguments,
                    },
                }),
                Part::ToolOutput(_) | Part::Removed => {}
            }
        }
        Ok(Self {
            id: ids::completion(&reply.id),
            object: "chat.completion",
            created: seconds(reply.created_at),
            model: reply.model.to_string(),
            choices: [Answer {
                index: 0,
                message: Message {
                    role: "assistant",
                    content,
                    refusal: None,
                    reasoning_content: reasoning,
                    annotations: [],
                    tool_calls,
                },
                logprobs: None,
                finish_reason,
            }],
            usage: usage.map(Usage::from),
            service_tier: "default",
        })
    }
}

/// Makes chunks of the events of a reply, which come in order from the first one on.
pub(super) struct Chunks {
    id: String,
    created: i64,
    model: String,
    include_usage: bool,
    usage: Option<Usage>,
    /// The attempt whose deltas come now.
    attempt: u32,
    /// The first one whose deltas are not known to be void.
    shown_from: u32,
    /// How many calls have begun.
    calls: usize,
    has_begun: bool,
    has_said: bool,
    has_ended: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    service_tier: &'static str,
    choices: &'a [Choice<'a>],
    /// Null in all but the last one, for those who want it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Default, Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Piece<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Piece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call; 1]>,
}

impl Chunks {
    /// Those of a reply whose attempts before `shown_from` are known to be void.
    pub(super) fn new(reply: &Reply, include_usage: bool, shown_from: u32) -> Self {
        Self {
            id: ids::completion(&reply.id),
            created: seconds(reply.created_at),
            model: reply.model.to_string(),
            include_usage,
            usage: None,
            attempt: 1,
            shown_from,
            calls: 0,
            has_begun: false,
            has_said: false,
            has_ended: false,
        }
    }

    /// The chunks of the next event; `None` after the last ones.
    pub(super) fn push(&mut self, event: &NumberedEvent) -> Option<Vec<sse::Event>> {
        if self.has_ended {
            return None;
        }
        Some(match &event.event {
            Event::Accepted { .. } => Vec::new(),
            Event::Started { .. } => self.begin(),
            Event::Delta(_) if self.attempt < self.shown_from => Vec::new(),
            Event::Delta(delta) => vec![self.write(delta)],
            // A client that only appends has no way to forget.
            Event::Reset { .. } if self.has_said => self.fail(Error::StillWriting),
            Event::Reset { attempt } => {
                self.attempt = *attempt;
                Vec::new()
            }
            Event::Usage(usage) => {
                self.usage = Some(Usage::from(*usage));
                Vec::new()
            }
            Event::Finished(ending) => self.end(ending),
        })
    }

    fn begin(&mut self) -> Vec<sse::Event> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Vec::new();
        }
        vec![self.piece(Piece {
            role: Some("assistant"),
            content: Some(""),
            ..Piece::default()
        })]
    }

    fn write(&mut self, delta: &Delta) -> sse::Event {
        self.has_said = true;
        match delta {
            Delta::Text(text) => self.piece(Piece {
                content: Some(text),
                ..Piece::default()
            }),
            Delta::Reasoning(text) => self.piece(Piece {
                reasoning_content: Some(text),
                ..Piece::default()
            }),
            Delta::ToolCall { id, name } => {
                self.calls += 1;
                self.call(Some((id, name)), "")
            }
            Delta::Arguments(arguments) => self.call(None, arguments),
        }
    }

    /// A piece of the call that has begun last.
    fn call(&self, begun: Option<(&str, &str)>, arguments: &str) -> sse::Event {
        let call = Call {
            index: Some(self.calls.saturating_sub(1)),
            id: begun.map(|(id, _)| id.to_owned()),
            r#type: begun.map(|_| "function"),
            function: Called {
                name: begun.map(|(_, name)| name.to_owned()),
                arguments: arguments.to_owned(),
            },
        };
        self.piece(Piece {
            tool_calls: Some([call]),
            ..Piece::default()
        })
    }

    fn end(&mut self, ending: &Ending) -> Vec<sse::Event> {
        let finish_reason = match finish(ending, self.has_said) {
            Ok(reason) => Some(reason),
            Err(error) => return self.fail(error),
        };
        self.has_ended = true;
        let mut chunks = self.begin();
        let choice = Choice {
            finish_reason,
            ..Choice::default()
        };
        chunks.push(self.chunk(&[choice], None));
        if self.include_usage && self.usage.is_some() {
            chunks.push(self.chunk(&[], self.usage));
        }
        chunks.push(done());
        chunks
    }

    fn fail(&mut self, failed: Error) -> Vec<sse::Event> {
        self.has_ended = true;
        let error = error::body(&Fault::Chat(failed));
        vec![data(&error), done()]
    }

    fn piece(&self, delta: Piece<'_>) -> sse::Event {
        let choice = Choice {
            delta,
            ..Choice::default()
        };
        self.chunk(&[choice], None)
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<Usage>) -> sse::Event {
        data(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            service_tier: "default",
            choices,
            usage: self.include_usage.then_some(usage),
        })
    }
}

fn done() -> sse::Event {
    sse::Event::default().data("[DONE]")
}

impl Completion {
    pub(in crate::openai) fn example() -> Self {
        Self {
            id: "chatcmpl-clqb6q2rl0005v3k8e1r9y3kq".into(),
            object: "chat.completion",
            created: 1_704_067_200,
            model: "demo".into(),
            choices: [Answer {
                index: 0,
                message: Message {
                    role: "assistant",
                    content: Some("A monad is …".into()),
                    refusal: None,
                    reasoning_content: None,
                    annotations: [],
                    tool_calls: Vec::new(),
                },
                logprobs: None,
                finish_reason: "stop",
            }],
            usage: Some(Usage {
                prompt_tokens: 12,
                completion_tokens: 40,
                total_tokens: 52,
            }),
            service_tier: "default",
        }
    }
}

#[cfg(test)]
mod tests;
