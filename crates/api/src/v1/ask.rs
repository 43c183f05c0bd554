//! A question and its whole answer in one request, as simple front ends want it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::response::sse::Event as Frame;
use chat::types::{Delta, Event, MessageRole, MessageText, Parent, Part, ReplyOptions, WhenBusy};
use chat::{Chat, Error, MessageDraft, PromptDraft, ReplyDraft, WantedSession, Watch};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::envelope::{Envelope, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, present, session_key};
use crate::fault::Fault;
use crate::{schema, sse};

pub(super) async fn logged_in(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<Question>,
) -> Result<Response, Fault> {
    let Question {
        prompt,
        chat_id,
        stream,
    } = change.body;
    let key = session_key(&chat_id.to_string(), "chatId")?;
    let draft = ReplyDraft {
        session: WantedSession::Existing(key.clone()),
        prompt: PromptDraft::New(vec![MessageDraft {
            parent: Parent::Head,
            role: MessageRole::User,
            content: vec![Part::Text(text(&prompt)?.to_string())],
            model: None,
        }]),
        model: None,
        when_busy: WhenBusy::Queue,
        options: ReplyOptions::default(),
        hidden: false,
    };
    let reply = chat.begin_reply(&caller, draft, change.terms.once);
    let reply = reply.await?;
    if stream.unwrap_or_default() {
        let watch = chat.watch_reply(&caller, &key, &reply.id, 1).await?;
        return Ok(frames(pieces_of(watch)));
    }
    let answer = chat.answer(&caller, &key, &reply.id).await?;
    Ok(json(StatusCode::OK, &answered(&answer)))
}

pub(super) async fn guest(
    State(chat): State<Arc<Chat>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    change: Change<GuestQuestion>,
) -> Result<Response, Fault> {
    let GuestQuestion { prompt, stream } = change.body;
    let pieces = chat.answer_guest(address.ip(), &text(&prompt)?).await?;
    if stream.unwrap_or_default() {
        return Ok(frames(pieces));
    }
    let answer: String = pieces.try_collect().await?;
    Ok(json(StatusCode::OK, &answered(&answer)))
}

fn text(prompt: &str) -> Result<MessageText, Fault> {
    MessageText::parse(prompt).map_err(|error| Fault::invalid("prompt", error))
}

/// What a reply says, piece by piece. A front end that only appends has no way to forget: when a
/// new attempt begins, what was said ends in an error.
fn pieces_of(watch: Watch) -> impl Stream<Item = Result<String, Error>> + Send {
    stream::unfold(Some(watch), async |watch| {
        let mut watch = watch?;
        loop {
            let failed = match watch.next().await {
                Ok(Some(event)) => match event.event {
                    Event::Delta(Delta::Text(text)) => return Some((Ok(text), Some(watch))),
                    Event::Finished(ending) => Error::ReplyFailed(ending.error?),
                    Event::Reset { .. } => Error::StillWriting,
                    _ => continue,
                },
                Ok(None) => Error::StillWriting,
                Err(error) => error,
            };
            return Some((Err(failed), None));
        }
    })
}

/// Pieces as this dialect streams them; the last line is `data: [DONE]`.
fn frames(pieces: impl Stream<Item = Result<String, Error>> + Send + 'static) -> Response {
    let frames = pieces.map(|piece| {
        let data = match piece {
            Ok(text) => json!({ "response": text }),
            Err(error) => json!({ "error": Fault::Chat(error).message() }),
        };
        Frame::default().data(data.to_string())
    });
    let done = stream::iter([Frame::default().data("[DONE]")]);
    sse::answer(frames.chain(done).map(Ok))
}

pub(super) fn answered(response: &str) -> Envelope<Answer<'_>> {
    let answer = Answer { response };
    envelope(StatusCode::OK, "Message answered successfully", answer)
}

/// A question in a chat.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question {
    #[schemars(length(min = 1, max = chat::limits::MESSAGE_CHARS), regex(pattern = schema::NOT_BLANK))]
    prompt: String,
    /// The chat's CUID, or its number.
    #[schemars(extend("anyOf" = [
        { "type": "string", "pattern": schema::SESSION_KEY },
        { "type": "integer", "minimum": 0 },
    ]))]
    chat_id: ChatId,
    /// Whether the answer comes as it is written.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "bool", extend("default" = false))]
    stream: Option<bool>,
}

/// A question of somebody without an account.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct GuestQuestion {
    #[schemars(length(min = 1, max = chat::limits::MESSAGE_CHARS), regex(pattern = schema::NOT_BLANK))]
    prompt: String,
    /// Whether the answer comes as it is written.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "bool", extend("default" = false))]
    stream: Option<bool>,
}

/// A chat's CUID or its number, as JSON has them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "it is neither a text nor a number")]
enum ChatId {
    Text(String),
    Number(f64),
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            // JSON knows one kind of number; all of ours are exact in it.
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Question {
    pub(super) fn example() -> Self {
        Self {
            prompt: "What is a monad?".into(),
            chat_id: ChatId::Text("clqb6q2rl0003v3k8b2g8n5xd".into()),
            stream: None,
        }
    }
}

impl GuestQuestion {
    pub(super) fn example() -> Self {
        Self {
            prompt: "What is a monad?".into(),
            stream: None,
        }
    }
}

/// A whole answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Answer<'a> {
    response: &'a str,
}

/// How the stream of an answer looks.
pub(super) const STREAM: &str = "data: {\"response\":\"A \"}\n\ndata: {\"response\":\"monad \"}\n\n\
    …\n\ndata: [DONE]\n\n";
