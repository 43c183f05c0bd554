//! Anthropic's Messages API.

use chat::contracts::{EndOfAnswer, Question};
use reqwest::header::{HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::Dialect;
use crate::events::Event;
use crate::faults;
use crate::heard::{CallPiece, Heard};
use crate::settings::Key;

mod request;

/// The version of the API that this speaks.
const VERSION: &str = "2023-06-01";
/// The most tokens of an answer where nobody says otherwise: the API wants a number, and every
/// model there takes this one.
const MAX_TOKENS: u32 = 4_096;

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

    fn question(&self, question: &Question, _plain: bool) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&request::of(question)?)
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

fn take(said: Said, heard: &mut Heard) {
    match said {
        Said::MessageStart { message } => message.usage.unwrap_or_default().tell(heard),
        Said::ContentBlockStart {
            index,
            content_block: Block::ToolUse { id, name },
        } => heard.call(CallPiece {
            index,
            id,
            name,
            arguments: None,
        }),
        Said::ContentBlockDelta { index, delta } => {
            heard.reasoning(delta.thinking);
            heard.text(delta.text);
            heard.call(CallPiece {
                index,
                arguments: delta.partial_json,
                ..CallPiece::default()
            });
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
        Said::ContentBlockStart { .. } | Said::Other => {}
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    MessageStart {
        #[serde(default)]
        message: Start,
    },
    ContentBlockStart {
        index: Option<u64>,
        #[serde(default)]
        content_block: Block,
    },
    ContentBlockDelta {
        index: Option<u64>,
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
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    ToolUse {
        id: Option<String>,
        name: Option<String>,
    },
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct Delta {
    text: Option<String>,
    thinking: Option<String>,
    partial_json: Option<String>,
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
