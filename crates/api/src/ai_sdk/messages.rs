use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::{
    FinishReason, Message, MessageRole, ModelName, PageSize, Part, Timestamp, TokenUsage,
};
use chat::{Chat, Error, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chunks::{is_step, is_whole};
use super::turns::{Here, Path};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{NamedInPath, Params};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    NamedInPath(name): NamedInPath,
    Params(query): Params<MessageQuery>,
) -> Result<Response, Fault> {
    let size = query.size()?;
    let here = Here::find(&chat, &caller, &name).await?;
    let here = here.ok_or(Error::NotFound)?;
    let turns = turns(query.path(&here).await?, size).await?;
    let messages = turns.iter().rev().filter_map(|turn| UiMessage::of(turn));
    Ok(json(StatusCode::OK, &messages.collect::<Vec<_>>()))
}

/// Turns from the newest to the oldest, as many as fit onto a page.
async fn turns(mut path: Path<'_>, size: PageSize) -> Result<Vec<Vec<Message>>, Error> {
    let (mut turns, mut bytes) = (Vec::new(), 0);
    while turns.len() < size.get() as usize
        && bytes < limits::PAGE_BYTES
        && let Some(turn) = path.turn().await?
    {
        let parts = turn.iter().flat_map(|message| &message.content);
        bytes += parts.map(|part| part.as_str().len()).sum::<usize>();
        turns.push(turn);
    }
    Ok(turns)
}

/// Which messages are listed.
#[derive(Deserialize, JsonSchema)]
pub(super) struct MessageQuery {
    /// How many at most; the newest ones.
    #[schemars(with = "u32", range(min = 1, max = limits::PAGE_ITEMS), extend("default" = limits::PAGE_ITEMS))]
    limit: Option<u32>,
    /// Only those before this one: the first of the list that comes behind.
    #[schemars(with = "String", regex(pattern = schema::CUID))]
    before: Option<String>,
}

impl MessageQuery {
    fn size(&self) -> Result<PageSize, Fault> {
        let size = PageSize::new(self.limit.unwrap_or(limits::PAGE_ITEMS));
        size.map_err(|error| Fault::invalid("limit", error))
    }

    /// The way up from where the list ends. The turn that is being written is not in it, nor what comes
    /// behind: a stream that resumes brings all of that turn, and old front ends would have it twice.
    async fn path<'a>(&self, here: &'a Here<'_>) -> Result<Path<'a>, Fault> {
        let last = if let Some(id) = &self.before {
            let message = here.message(id).await?;
            let missing = || Fault::invalid("before", "is no message of this chat");
            Some(message.ok_or_else(missing)?)
        } else {
            let in_progress = here.in_progress().await?;
            in_progress.and_then(|(turn, _)| turn.into_iter().next())
        };
        Ok(match last {
            Some(last) => here.above(&last).await?,
            None => here.path(),
        })
    }
}

/// A message as front ends keep it: an answer has the parts of all its steps.
#[derive(Serialize, JsonSchema)]
pub(super) struct UiMessage<'a> {
    /// That of its first step.
    id: &'a str,
    #[schemars(extend("enum" = ["system", "user", "assistant"]))]
    role: &'static str,
    metadata: Metadata,
    parts: Vec<UiPart<'a>>,
}

/// What there is to know about a message besides what it says. Of an answer with several steps model,
/// usage and reason are the last one's.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    created_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    model: Option<String>,
    /// `stop`, `length`, `tool-calls`, `stopped`, `interrupted` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Usage")]
    usage: Option<Usage>,
}

/// What a model's answer cost, in tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

impl Metadata {
    /// What is known of an answer from its beginning.
    pub(super) fn of_beginning(created_at: Timestamp, model: &ModelName) -> Self {
        Self {
            created_at: Some(Time(created_at)),
            model: Some(model.as_str().to_owned()),
            ..Self::default()
        }
    }

    /// What is known once an answer has ended.
    pub(super) fn of_end(reason: FinishReason, usage: Option<TokenUsage>) -> Self {
        Self {
            finish_reason: Some(reason.as_str().replace('_', "-")),
            usage: usage.map(|usage| Usage {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
            }),
            ..Self::default()
        }
    }
}

/// A part of a message.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UiPart<'a> {
    /// `text`, `reasoning`, `step-start`, or `tool-` and the tool's name.
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    text: Option<&'a str>,
    /// `done`; of a tool `input-streaming`, `input-available` or `output-available`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    tool_call_id: Option<&'a str>,
    /// What the tool is called with.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Value>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
}

impl<'a> UiMessage<'a> {
    /// The message that a turn is; `None` if nobody says anything in it.
    pub(super) fn of(turn: &'a [Message]) -> Option<Self> {
        let first = turn
            .iter()
            .find(|message| message.role != MessageRole::Tool)?;
        let last = turn
            .iter()
            .rfind(|message| is_step(message))
            .unwrap_or(first);
        let end = last
            .finish_reason
            .map(|reason| Metadata::of_end(reason, last.usage));
        Some(Self {
            id: first.id.as_str(),
            role: first.role.as_str(),
            metadata: Metadata {
                created_at: Some(Time(first.created_at)),
                model: last.model.as_ref().map(|model| model.as_str().to_owned()),
                ..end.unwrap_or_default()
            },
            parts: (1..)
                .zip(turn)
                .flat_map(|(next, message)| UiPart::all(message, &turn[next..]))
                .collect(),
        })
    }

    pub(super) fn example() -> Self {
        Self {
            id: "clqb6q2rl0004v3k8c7d1p0wz",
            role: "user",
            metadata: Metadata {
                created_at: Some(Time::EXAMPLE),
                ..Metadata::default()
            },
            parts: vec![UiPart::text("text", "What is a monad?")],
        }
    }
}

impl<'a> UiPart<'a> {
    /// The parts of a message, given what is `behind` it in its turn.
    fn all(message: &'a Message, behind: &'a [Message]) -> impl Iterator<Item = Self> {
        let step = is_step(message).then(|| Self {
            r#type: "step-start".into(),
            ..Self::default()
        });
        let is_cut = message
            .finish_reason
            .is_some_and(|reason| !is_whole(reason));
        let last = message.content.len().saturating_sub(1);
        let parts = message.content.iter().enumerate();
        let parts = parts.filter_map(move |(at, part)| match part {
            Part::Text(text) => Some(Self::text("text", text)),
            Part::Reasoning(text) => Some(Self::text("reasoning", text)),
            Part::ToolCall(call) => {
                let output = output_of(&call.id, behind).map(output);
                let is_cut = output.is_none() && is_cut && at == last;
                Some(Self {
                    r#type: format!("tool-{}", call.name),
                    state: Some(match &output {
                        Some(_) => "output-available",
                        None if is_cut => "input-streaming",
                        None => "input-available",
                    }),
                    tool_call_id: Some(&call.id),
                    input: (!is_cut).then(|| input(&call.arguments)),
                    output,
                    ..Self::default()
                })
            }
            Part::ToolOutput(_) | Part::Removed => None,
        });
        step.into_iter().chain(parts)
    }

    fn text(kind: &str, text: &'a str) -> Self {
        Self {
            r#type: kind.into(),
            text: Some(text),
            state: Some("done"),
            ..Self::default()
        }
    }
}

/// What came of a call that a step makes, given what is `behind` that in its turn. Some models use the
/// same identifiers in each step.
pub(super) fn output_of<'a>(call: &str, behind: &'a [Message]) -> Option<&'a str> {
    let next = behind.iter().take_while(|message| !is_step(message));
    let mut outputs = next.flat_map(Message::tool_outputs);
    let output = outputs.find(|output| output.call == call)?;
    Some(&output.output)
}

/// The arguments of a call as a value: what is no JSON is a text, and nothing is no arguments.
pub(super) fn input(arguments: &str) -> Value {
    match arguments.trim() {
        "" => Value::Object(Map::new()),
        _ => output(arguments),
    }
}

/// What came of a call as a value. Only its text is kept, so a text that is JSON comes back as what it
/// says.
pub(super) fn output(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests;
