//! Anthropic's Messages API.

use std::borrow::Cow;

use chat::contracts::{EndOfAnswer, Question, Turn};
use chat::types::MessageRole;
use reqwest::header::{HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dialect::{Dialect, Heard};
use crate::events::Event;
use crate::faults;
use crate::settings::Key;

/// The version of the API that this speaks.
const VERSION: &str = "2023-06-01";
/// The most tokens of an answer where nobody says otherwise: the API wants a number, and every
/// model there takes this one.
const MAX_TOKENS: u32 = 4_096;
/// What stands in for a person who did not begin: the API wants one to, while a session may begin
/// with a greeting, or have lost its beginning since it did not fit. To leave the model's first
/// words out as well would take away what the next ones answer.
const OPENING: &str = "…";
/// What stands between turns of one role that are made one, since the API wants roles to alternate.
const BETWEEN: &str = "\n\n";

/// Anthropic's dialect.
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn home(&self) -> &'static str {
        "https://api.anthropic.com"
    }

    fn path(&self) -> &'static [&'static str] {
        &["v1", "messages"]
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn max_output_tokens(&self) -> Option<u32> {
        Some(MAX_TOKENS)
    }

    fn headers(&self, key: Option<&Key>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        if let Some(key) = key {
            let mut value = HeaderValue::try_from(key.as_str())?;
            value.set_sensitive(true);
            headers.insert("x-api-key", value);
        }
        Ok(headers)
    }

    fn question(
        &self,
        question: &Question,
        temperature: Option<f32>,
        _plain: bool,
    ) -> serde_json::Result<Vec<u8>> {
        let (system, messages) = arrange(&question.system, &question.messages);
        serde_json::to_vec(&Request {
            model: &question.model,
            max_tokens: question.max_output_tokens.unwrap_or(MAX_TOKENS),
            system,
            messages,
            stream: true,
            temperature,
        })
    }

    fn event(&self, event: &Event, heard: &mut Heard) {
        match serde_json::from_str(&event.data) {
            Ok(said) => take(said, heard),
            Err(_) => heard.fail(faults::unreadable()),
        }
    }

    /// This API always streams when it is asked to; what else comes is an error or not its own.
    fn whole(&self, body: &[u8], heard: &mut Heard) {
        match serde_json::from_slice(body) {
            Ok(Said::Error { error }) => heard.fail(faults::of_error(&error)),
            _ => heard.fail(faults::unreadable()),
        }
    }
}

/// Makes of the turns what the API takes: what the system says apart, and a person's and the
/// model's turns in alternation, a person's first.
fn arrange<'a>(system: &'a str, turns: &'a [Turn]) -> (String, Vec<Message<'a>>) {
    let mut system = Cow::Borrowed(system);
    let mut messages: Vec<Message> = Vec::new();
    for turn in turns {
        if turn.role == MessageRole::System {
            append(&mut system, &turn.text);
            continue;
        }
        if messages.is_empty() && turn.role != MessageRole::User {
            messages.push(Message::new(MessageRole::User, OPENING));
        }
        match messages.last_mut() {
            Some(last) if last.role == turn.role.as_str() => append(&mut last.content, &turn.text),
            _ => messages.push(Message::new(turn.role, &turn.text)),
        }
    }
    if messages.is_empty() {
        messages.push(Message::new(MessageRole::User, OPENING));
    }
    (system.into_owned(), messages)
}

fn append<'a>(text: &mut Cow<'a, str>, more: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else {
        let text = text.to_mut();
        text.push_str(BETWEEN);
        text.push_str(more);
    }
}

fn take(said: Said, heard: &mut Heard) {
    match said {
        Said::MessageStart { message } => message.usage.unwrap_or_default().tell(heard),
        Said::ContentBlockDelta { delta } => {
            heard.reasoning(delta.thinking);
            heard.text(delta.text);
        }
        Said::MessageDelta { delta, usage } => {
            usage.unwrap_or_default().tell(heard);
            match delta.stop_reason.as_deref() {
                None => {}
                Some("max_tokens" | "model_context_window_exceeded") => {
                    heard.end(Ok(EndOfAnswer::Length));
                }
                Some("refusal") => heard.end(Err(faults::filtered())),
                Some(_) => heard.end(Ok(EndOfAnswer::Complete)),
            }
        }
        Said::MessageStop => heard.close(),
        Said::Error { error } => heard.fail(faults::of_error(&error)),
        Said::Other => {}
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

impl<'a> Message<'a> {
    fn new(role: MessageRole, content: &'a str) -> Self {
        Self {
            role: role.as_str(),
            content: Cow::Borrowed(content),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    MessageStart {
        #[serde(default)]
        message: Start,
    },
    ContentBlockDelta {
        #[serde(default)]
        delta: Delta,
    },
    MessageDelta {
        #[serde(default)]
        delta: Stop,
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        #[serde(default)]
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct Start {
    usage: Option<Usage>,
}

#[derive(Default, Deserialize)]
struct Delta {
    text: Option<String>,
    thinking: Option<String>,
}

#[derive(Default, Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Usage {
    /// What is written to the cache or read from it is not in `input_tokens`, but was read.
    fn tell(self, heard: &mut Heard) {
        let cached = [
            self.cache_creation_input_tokens,
            self.cache_read_input_tokens,
        ];
        let cached = cached.into_iter().flatten().fold(0, u64::saturating_add);
        let input = self
            .input_tokens
            .map(|tokens| tokens.saturating_add(cached));
        heard.usage(input, self.output_tokens);
    }
}

#[cfg(test)]
mod tests;
