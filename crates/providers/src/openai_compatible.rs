//! The Chat Completions API: OpenAI's, and that of most servers that one runs oneself. Each of them
//! has its own idea of it, so what is missing or unknown is no fault.

use chat::contracts::{EndOfAnswer, Question};
use chat::types::MessageRole;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dialect::{Dialect, Heard};
use crate::events::Event;
use crate::faults;
use crate::settings::Key;

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

    fn question(
        &self,
        question: &Question,
        temperature: Option<f32>,
        plain: bool,
    ) -> serde_json::Result<Vec<u8>> {
        let system = (!question.system.is_empty()).then_some(Message {
            role: MessageRole::System.as_str(),
            content: &question.system,
        });
        let turns = question.messages.iter().map(|turn| Message {
            role: turn.role.as_str(),
            content: &turn.text,
        });
        let limit = question.max_output_tokens;
        let renamed = has_renamed_limit(&question.model);
        serde_json::to_vec(&Request {
            model: &question.model,
            messages: system.into_iter().chain(turns).collect(),
            stream: true,
            stream_options: (!plain).then_some(StreamOptions {
                include_usage: true,
            }),
            max_tokens: limit.filter(|_| !renamed),
            max_completion_tokens: limit.filter(|_| renamed),
            temperature,
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
        let said = choice.delta.or(choice.message).unwrap_or_default();
        heard.reasoning(said.reasoning_content.or(said.reasoning));
        heard.text(said.content);
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
    temperature: Option<f32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
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
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

#[cfg(test)]
mod tests;
