//! Texts and JSON that columns hold, for both databases. What is written here is read by every
//! later version.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use chat::contracts::{Changed, Deleted, StoreError, TokenMade};
use chat::types::{
    Cuid, Delta, Ending, Event, ExternalId, FinishReason, Folded, Message, Metadata, ModelName,
    Name, NumberedEvent, Part, ReplyError, ReplyErrorKind, ReplyStatus, Run, Session, SessionKind,
    SessionStatus, SystemMessage, Timestamp, Title, Token, TokenUsage, ToolCall, ToolOutput, fold,
    unfold,
};
use serde::{Deserialize, Serialize};

use crate::rows::{Found, token_kind};

/// A stored text that can't be read.
#[derive(Debug)]
pub(crate) struct Damage(Cow<'static, str>);

impl Damage {
    pub(crate) fn new(what: &'static str) -> Self {
        Self(what.into())
    }
}

impl Error for Damage {}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for Damage {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string().into())
    }
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Internal(Box::new(damage))
    }
}

/// Something that a retry with the same idempotency key is given again.
pub(crate) trait Outcome: Sized {
    /// The outcome as text, if it is one that changed something.
    fn save(&self) -> Option<String>;
    /// The number of the session that the text tells about.
    fn session(&self) -> Option<i64> {
        None
    }
    /// Reads what [`Outcome::save`] wrote.
    fn load(text: &str) -> Option<Self>;

    /// As [`Outcome::load`], of a text that must be one.
    fn again(text: &str) -> Result<Self, StoreError> {
        Self::load(text).ok_or_else(|| Damage::new("a stored outcome is damaged").into())
    }
}

#[derive(Serialize, Deserialize)]
struct SavedSession {
    number: i64,
    id: String,
    owner: String,
    title: String,
    kind: String,
    status: String,
    system_message: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
    // Older outcomes have none of these.
    #[serde(default = "was_named")]
    named: bool,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    head: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

/// Before models gave titles every session had one of its owner's.
fn was_named() -> bool {
    true
}

impl Outcome for Session {
    fn save(&self) -> Option<String> {
        let saved = SavedSession {
            number: self.number,
            id: self.id.to_string(),
            owner: self.owner.to_string(),
            title: self.title.to_string(),
            kind: self.kind.as_str().to_owned(),
            status: self.status.as_str().to_owned(),
            system_message: self.system_message.to_string(),
            version: self.version,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            named: self.named,
            model: self.model.as_ref().map(ToString::to_string),
            head: self.head.as_ref().map(ToString::to_string),
            external_id: self.external_id.as_ref().map(ToString::to_string),
            metadata: self.metadata.pairs().clone(),
        };
        serde_json::to_string(&saved).ok()
    }

    fn session(&self) -> Option<i64> {
        Some(self.number)
    }

    fn load(text: &str) -> Option<Self> {
        let saved: SavedSession = serde_json::from_str(text).ok()?;
        Some(Self {
            number: saved.number,
            id: Cuid::parse(&saved.id).ok()?,
            owner: Cuid::parse(&saved.owner).ok()?,
            title: Title::parse(&saved.title).ok()?,
            kind: SessionKind::parse(&saved.kind).ok()?,
            status: SessionStatus::parse(&saved.status).ok()?,
            system_message: SystemMessage::parse(&saved.system_message).ok()?,
            version: saved.version,
            created_at: Timestamp(saved.created_at),
            updated_at: Timestamp(saved.updated_at),
            named: saved.named,
            model: saved.model.and_then(|name| ModelName::parse(&name).ok()),
            head: saved.head.and_then(|id| Cuid::parse(&id).ok()),
            external_id: saved.external_id.and_then(|id| ExternalId::parse(&id).ok()),
            metadata: Metadata::new(saved.metadata).ok()?,
        })
    }
}

impl Outcome for Changed {
    fn save(&self) -> Option<String> {
        match self {
            Self::Done(session) => session.save(),
            Self::Missing | Self::Stale | Self::NoSuchMessage => None,
        }
    }

    fn session(&self) -> Option<i64> {
        match self {
            Self::Done(session) => session.session(),
            Self::Missing | Self::Stale | Self::NoSuchMessage => None,
        }
    }

    fn load(text: &str) -> Option<Self> {
        Session::load(text).map(Self::Done)
    }
}

impl Outcome for Deleted {
    fn save(&self) -> Option<String> {
        (*self == Self::Done).then(String::new)
    }

    fn load(_: &str) -> Option<Self> {
        Some(Self::Done)
    }
}

/// Whether a token was there to be revoked.
pub(crate) struct Revoked(pub(crate) bool);

impl Outcome for Revoked {
    fn save(&self) -> Option<String> {
        self.0.then(String::new)
    }

    fn load(_: &str) -> Option<Self> {
        Some(Self(true))
    }
}

#[derive(Serialize, Deserialize)]
struct SavedToken {
    id: String,
    kind: String,
    name: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    sealed: Option<Vec<u8>>,
}

impl Outcome for TokenMade {
    fn save(&self) -> Option<String> {
        let Self::Made { token, sealed } = self else {
            return None;
        };
        let saved = SavedToken {
            id: token.id.to_string(),
            kind: token.kind.as_str().to_owned(),
            name: token.name.as_ref().map(ToString::to_string),
            created_at: token.created_at.0,
            expires_at: token.expires_at.map(|at| at.0),
            sealed: sealed.clone(),
        };
        serde_json::to_string(&saved).ok()
    }

    fn load(text: &str) -> Option<Self> {
        let saved: SavedToken = serde_json::from_str(text).ok()?;
        let token = Token {
            id: Cuid::parse(&saved.id).ok()?,
            kind: token_kind(&saved.kind).ok()?,
            name: saved.name.map(|name| Name::parse(&name)).transpose().ok()?,
            created_at: Timestamp(saved.created_at),
            expires_at: saved.expires_at.map(Timestamp),
            last_used_at: None,
        };
        Some(Self::Made {
            token,
            sealed: saved.sealed,
        })
    }
}

/// What is kept of messages that were appended: their rows tell the rest. Of a reply that was begun
/// it is its identifier.
pub(crate) fn write_ids<'a>(ids: impl Iterator<Item = &'a Cuid>) -> String {
    ids.map(Cuid::as_str).collect::<Vec<_>>().join(" ")
}

/// Reads what [`write_ids`] wrote.
pub(crate) fn read_ids(text: &str) -> Result<Vec<Cuid>, StoreError> {
    let ids = text.split(' ').map(Cuid::parse);
    ids.collect::<Result<_, _>>()
        .map_err(|error| StoreError::Internal(Box::new(error)))
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SavedPart {
    Text {
        text: String,
    },
    Reasoning {
        text: String,
    },
    ToolCall {
        id: String,
        name: String,
        arguments: String,
    },
    ToolOutput {
        call: String,
        output: String,
    },
    Removed,
}

/// A message's content.
pub(crate) fn write_parts(parts: &[Part]) -> Result<String, StoreError> {
    let saved = parts.iter().map(|part| match part.clone() {
        Part::Text(text) => SavedPart::Text { text },
        Part::Reasoning(text) => SavedPart::Reasoning { text },
        Part::ToolCall(call) => SavedPart::ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
        },
        Part::ToolOutput(output) => SavedPart::ToolOutput {
            call: output.call,
            output: output.output,
        },
        Part::Removed => SavedPart::Removed,
    });
    write_json(&saved.collect::<Vec<_>>())
}

/// Reads what [`write_parts`] wrote.
pub(crate) fn read_parts(text: &str) -> Result<Vec<Part>, Damage> {
    let saved: Vec<SavedPart> = serde_json::from_str(text)?;
    let parts = saved.into_iter().map(|saved| match saved {
        SavedPart::Text { text } => Part::Text(text),
        SavedPart::Reasoning { text } => Part::Reasoning(text),
        SavedPart::ToolCall {
            id,
            name,
            arguments,
        } => Part::ToolCall(ToolCall {
            id,
            name,
            arguments,
        }),
        SavedPart::ToolOutput { call, output } => Part::ToolOutput(ToolOutput { call, output }),
        SavedPart::Removed => Part::Removed,
    });
    Ok(parts.collect())
}

/// An event's kind and data, as its row holds them.
pub(crate) fn write_event(event: &Event) -> Result<(&'static str, Cow<'_, str>), StoreError> {
    Ok(match event {
        Event::Delta(Delta::Text(text)) => ("text", text.into()),
        Event::Delta(Delta::Reasoning(text)) => ("reasoning", text.into()),
        Event::Delta(Delta::ToolCall { id, name }) => {
            ("tool_call", write_json(&(id, name))?.into())
        }
        Event::Delta(Delta::Arguments(text)) => ("arguments", text.into()),
        // The rows of the reply and of its prompt tell what was accepted.
        Event::Accepted { .. } => ("accepted", "".into()),
        Event::Started { attempt, .. } => ("started", write_json(attempt)?.into()),
        Event::Reset { attempt } => ("reset", write_json(attempt)?.into()),
        Event::Usage(usage) => {
            let tokens = (usage.input_tokens, usage.output_tokens);
            ("usage", write_json(&tokens)?.into())
        }
        Event::Finished(ending) => ("finished", write_json(&SavedEnding::of(ending))?.into()),
    })
}

/// Reads what [`write_event`] wrote of a reply; its prompt need not be there unless the event is
/// the first one, number 0.
pub(crate) fn read_event(
    kind: &str,
    data: &str,
    found: &Found,
    prompt: Option<&Message>,
) -> Result<Event, Damage> {
    Ok(match kind {
        "accepted" => Event::Accepted {
            reply: Box::new(found.reply.as_accepted()),
            prompt: Box::new(prompt.ok_or(Damage::new("its prompt is gone"))?.clone()),
        },
        "started" => Event::Started {
            attempt: serde_json::from_str(data)?,
            model: found.reply.model.clone(),
        },
        "reset" => Event::Reset {
            attempt: serde_json::from_str(data)?,
        },
        "usage" => {
            let (input_tokens, output_tokens) = serde_json::from_str(data)?;
            Event::Usage(TokenUsage {
                input_tokens,
                output_tokens,
            })
        }
        "finished" => {
            let saved: SavedEnding = serde_json::from_str(data)?;
            Event::Finished(saved.read().ok_or(Damage::new("no such word"))?)
        }
        _ => Event::Delta(read_delta(kind, data)?),
    })
}

/// Reads what [`write_event`] wrote of a delta.
pub(crate) fn read_delta(kind: &str, data: &str) -> Result<Delta, Damage> {
    match kind {
        "text" => Ok(Delta::Text(data.to_owned())),
        "reasoning" => Ok(Delta::Reasoning(data.to_owned())),
        "tool_call" => {
            let (id, name) = serde_json::from_str(data)?;
            Ok(Delta::ToolCall { id, name })
        }
        "arguments" => Ok(Delta::Arguments(data.to_owned())),
        _ => Err(Damage::new("no such kind of event")),
    }
}

/// A reply's events from number `from` on: the rows that are there, and the deltas that its message
/// was made of.
pub(crate) fn with_folded(
    mut rows: Vec<NumberedEvent>,
    message: &Message,
    folded: &Folded,
    from: i64,
) -> Vec<NumberedEvent> {
    rows.extend(unfold(&message.content, folded, from));
    rows.sort_by_key(|event| event.number);
    rows
}

#[derive(Serialize, Deserialize)]
struct SavedEnding {
    status: String,
    reason: String,
    error: Option<(String, String, Option<u64>)>,
}

impl SavedEnding {
    fn of(ending: &Ending) -> Self {
        Self {
            status: ending.status.as_str().to_owned(),
            reason: ending.reason.as_str().to_owned(),
            error: ending.error.as_ref().map(|error| {
                let wait = error.retry_after.map(|wait| wait.as_millis() as u64);
                (error.kind.as_str().to_owned(), error.message.clone(), wait)
            }),
        }
    }

    fn read(self) -> Option<Ending> {
        let error = match self.error {
            Some((kind, message, wait)) => Some(ReplyError {
                kind: ReplyErrorKind::parse(&kind).ok()?,
                message,
                retry_after: wait.map(Duration::from_millis),
            }),
            None => None,
        };
        Some(Ending {
            status: ReplyStatus::parse(&self.status).ok()?,
            reason: FinishReason::parse(&self.reason).ok()?,
            error,
        })
    }
}

/// Reads which deltas a message was made of, as [`write_deltas`] wrote it.
pub(crate) fn read_folded(text: &str) -> Result<Folded, Damage> {
    let runs: Vec<(i64, Vec<usize>)> = serde_json::from_str(text)?;
    let runs = runs
        .into_iter()
        .map(|(first, lengths)| Run { first, lengths });
    Ok(Folded(runs.collect()))
}

/// What a message and its reply keep of the deltas of the last attempt: the message's content, and
/// which deltas it was made of.
pub(crate) fn write_deltas(deltas: Vec<(i64, Delta)>) -> Result<(String, String), StoreError> {
    let (parts, folded) = fold(deltas);
    let runs = folded.0.iter().map(|run| (run.first, &run.lengths));
    Ok((write_parts(&parts)?, write_json(&runs.collect::<Vec<_>>())?))
}

/// A value as JSON.
pub(crate) fn write_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(Box::new(error)))
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef".map(char::from);
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs.map(|digit| digits[usize::from(digit)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Databases hold these, so they stay as they are.
    #[test]
    fn texts_are_written_as_they_always_were() {
        let parts = [
            Part::Text("a\"".into()),
            Part::Reasoning("b".into()),
            Part::ToolCall(ToolCall {
                id: "c".into(),
                name: "d".into(),
                arguments: "{}".into(),
            }),
            Part::ToolOutput(ToolOutput {
                call: "c".into(),
                output: "e".into(),
            }),
            Part::Removed,
        ];
        let content = r#"[{"type":"text","text":"a\""},{"type":"reasoning","text":"b"},{"type":"tool_call","id":"c","name":"d","arguments":"{}"},{"type":"tool_output","call":"c","output":"e"},{"type":"removed"}]"#;
        assert_eq!(write_parts(&parts).unwrap(), content);
        assert_eq!(read_parts(content).unwrap(), parts);
        let deltas =
            [(2, "é"), (3, "b"), (7, "c")].map(|(at, text)| (at, Delta::Text(text.into())));
        let (content, folded) = write_deltas(deltas.into()).unwrap();
        assert_eq!(
            content,
            r#"[{"type":"text","text":"éb"},{"type":"text","text":"c"}]"#
        );
        assert_eq!(folded, "[[2,[2,1]],[7,[1]]]");
        let model = ModelName::parse("m").unwrap();
        let call = Delta::ToolCall {
            id: "c\"1".into(),
            name: "look_up".into(),
        };
        let failed = Ending {
            status: ReplyStatus::Failed,
            reason: FinishReason::Error,
            error: Some(ReplyError {
                kind: ReplyErrorKind::RateLimit,
                message: "too much".into(),
                retry_after: Some(Duration::from_millis(1_500)),
            }),
        };
        let usage = TokenUsage {
            input_tokens: 1,
            output_tokens: 2,
        };
        let ended =
            r#"{"status":"failed","reason":"error","error":["rate_limit","too much",1500]}"#;
        for (event, kind, data) in [
            (Event::Started { attempt: 1, model }, "started", "1"),
            (Event::Reset { attempt: 2 }, "reset", "2"),
            (Event::Usage(usage), "usage", "[1,2]"),
            (Event::Finished(failed), "finished", ended),
            (Event::Delta(Delta::Reasoning("b".into())), "reasoning", "b"),
            (Event::Delta(call), "tool_call", r#"["c\"1","look_up"]"#),
            (
                Event::Delta(Delta::Arguments("{\"".into())),
                "arguments",
                "{\"",
            ),
        ] {
            assert_eq!(write_event(&event).unwrap(), (kind, data.into()));
            if let Event::Delta(delta) = event {
                assert_eq!(read_delta(kind, data).unwrap(), delta);
            }
        }
        let token = TokenMade::Made {
            token: Token {
                id: Cuid::parse("cold00001").unwrap(),
                kind: chat::types::TokenKind::SignIn,
                name: None,
                created_at: Timestamp(1),
                expires_at: Some(Timestamp(2)),
                last_used_at: None,
            },
            sealed: Some(vec![7]),
        };
        let saved = r#"{"id":"cold00001","kind":"sign-in","name":null,"created_at":1,"expires_at":2,"sealed":[7]}"#;
        assert_eq!(token.save().as_deref(), Some(saved));
    }
}
