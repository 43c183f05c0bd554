use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chat::types::{self, Event, NumberedEvent};
use chat::{Chat, Error, Watch};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::envelope::{Envelope, envelope};
use super::messages::{Message, Usage};
use super::new_reply::NewReply;
use super::parts::no_such_call;
use crate::answer::{at, json};
use crate::auth::Auth;
use crate::extract::{Change, Params, ReplyInPath, SessionInPath};
use crate::fault::Fault;
use crate::time::Time;
use crate::{limits, schema, sse};

pub(super) async fn begin(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    Params(query): Params<BeginQuery>,
    change: Change<NewReply>,
) -> Result<Response, Fault> {
    let wait = query.parse()?;
    let stream = change.body.stream.unwrap_or_default();
    let draft = change.body.parse(key.clone())?;
    let reply = chat.begin_reply(&caller, draft, change.terms.once);
    let reply = reply.await.map_err(|error| match error {
        Error::NoSuchCall { .. } => no_such_call("toolOutputs"),
        other => Fault::Chat(other),
    });
    let mut reply = reply?.as_accepted();
    if stream {
        return Ok(events_of(
            chat.watch_reply(&caller, &key, &reply.id, 0).await?,
        ));
    }
    if let Some(wait) = wait {
        reply = chat.wait_for_reply(&caller, &key, &reply.id, wait).await?;
    }
    let path = format!("/api/v1/chat/{}/replies/{}", reply.session, reply.id);
    let shown = Reply::from(&reply);
    Ok(if reply.status.is_end() {
        at(&path, json(StatusCode::OK, &ended(shown)))
    } else {
        at(&path, json(StatusCode::ACCEPTED, &accepted(shown)))
    })
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
) -> Result<Response, Fault> {
    let open = chat.open_replies(&caller, &key).await?;
    let replies = open.iter().map(Reply::from).collect();
    Ok(json(StatusCode::OK, &listed(Replies { replies })))
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ReplyInPath(key, id): ReplyInPath,
) -> Result<Response, Fault> {
    let reply = chat.reply(&caller, &key, &id).await?;
    Ok(json(StatusCode::OK, &shown(Reply::from(&reply))))
}

pub(super) async fn events(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ReplyInPath(key, id): ReplyInPath,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let after = sse::after(&headers, query.after.as_deref())?;
    let from = after.map_or(0, |after| after.saturating_add(1));
    let watch = chat.watch_reply(&caller, &key, &id, from).await?;
    Ok(events_of(watch))
}

pub(super) async fn stop(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ReplyInPath(key, id): ReplyInPath,
) -> Result<Response, Fault> {
    let reply = chat.stop_reply(&caller, &key, &id).await?;
    Ok(json(StatusCode::OK, &stopped(Reply::from(&reply))))
}

/// A reply's events as they are committed.
fn events_of(watch: Watch) -> Response {
    sse::answer(stream::unfold(watch, async |mut watch| {
        match watch.next().await {
            Ok(event) => event.map(|event| (Ok(written(&event)), watch)),
            Err(error) => {
                // The client comes back for the rest.
                tracing::error!(%error, "a reply can't be watched");
                None
            }
        }
    }))
}

/// An event as docs/streaming.md has it.
fn written(NumberedEvent { number, event }: &NumberedEvent) -> axum::response::sse::Event {
    let (kind, data) = match event {
        Event::Accepted { reply, prompt } => {
            let (reply, message) = (Reply::from(&**reply), Message::from(&**prompt));
            ("accepted", json!({ "reply": reply, "message": message }))
        }
        Event::Started { attempt, model } => {
            let model = model.as_str();
            ("started", json!({ "attempt": attempt, "model": model }))
        }
        Event::Delta(types::Delta::Text(text)) => ("delta", json!({ "text": text })),
        Event::Delta(types::Delta::Reasoning(text)) => ("delta", json!({ "reasoning": text })),
        Event::Delta(types::Delta::ToolCall { id, name }) => {
            ("delta", json!({ "toolCall": { "id": id, "name": name } }))
        }
        Event::Delta(types::Delta::Arguments(text)) => ("delta", json!({ "arguments": text })),
        Event::Reset { attempt } => ("reset", json!({ "attempt": attempt })),
        Event::Usage(usage) => ("usage", json!(Usage::from(*usage))),
        Event::Finished(ending) => {
            let (status, reason) = (ending.status.as_str(), ending.reason.as_str());
            let mut data = json!({ "status": status, "reason": reason });
            if let Some(error) = &ending.error {
                data["error"] = json!(ReplyError::from(error));
            }
            ("finished", data)
        }
    };
    sse::event(*number, kind, &data)
}

pub(super) fn accepted(reply: Reply<'_>) -> Envelope<Reply<'_>> {
    envelope(StatusCode::ACCEPTED, "Reply accepted", reply)
}

pub(super) fn ended(reply: Reply<'_>) -> Envelope<Reply<'_>> {
    envelope(StatusCode::OK, "Reply ended", reply)
}

pub(super) fn shown(reply: Reply<'_>) -> Envelope<Reply<'_>> {
    envelope(StatusCode::OK, "Reply retrieved successfully", reply)
}

pub(super) fn stopped(reply: Reply<'_>) -> Envelope<Reply<'_>> {
    envelope(StatusCode::OK, "Reply stopped", reply)
}

pub(super) fn listed(replies: Replies<'_>) -> Envelope<Replies<'_>> {
    envelope(StatusCode::OK, "Replies retrieved successfully", replies)
}

/// The CUID of a reply.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ReplyId(#[schemars(regex(pattern = schema::CUID))] String);

/// The parameters of a new reply.
#[derive(Deserialize, JsonSchema)]
pub(super) struct BeginQuery {
    /// Seconds to wait for the reply's end. Without it the answer comes when the reply is accepted.
    #[schemars(with = "u32", range(min = 1, max = limits::WAIT_SECONDS))]
    wait: Option<u32>,
}

impl BeginQuery {
    fn parse(&self) -> Result<Option<Duration>, Fault> {
        match self.wait {
            None => Ok(None),
            Some(wait) if (1..=limits::WAIT_SECONDS).contains(&wait) => {
                Ok(Some(Duration::from_secs(wait.into())))
            }
            Some(_) => {
                let reason = format!("must be 1 to {}", limits::WAIT_SECONDS);
                Err(Fault::invalid("wait", reason))
            }
        }
    }
}

/// Where a stream begins.
#[derive(Deserialize, JsonSchema)]
pub(super) struct EventQuery {
    /// The number of the last event that is known; `Last-Event-ID` says the same.
    #[schemars(with = "String", regex(pattern = "^[0-9]{1,18}$"))]
    pub(super) after: Option<String>,
}

/// A reply as this dialect shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply<'a> {
    id: &'a str,
    chat_id: &'a str,
    /// The message that it answers.
    prompt_message_id: &'a str,
    /// The message that it becomes.
    message_id: &'a str,
    #[schemars(extend("enum" = ["queued", "running", "done", "stopped", "failed"]))]
    status: &'static str,
    /// How often the model was asked.
    attempt: u32,
    model: &'a str,
    usage: Option<Usage>,
    /// Messages of the chat that did not fit into the model's window, and were left out.
    left_out: u32,
    error: Option<ReplyError<'a>>,
    created_at: Time,
    finished_at: Option<Time>,
}

/// What went wrong with a reply.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReplyError<'a> {
    #[schemars(extend("enum" = [
        "auth", "rate_limit", "context_too_long", "content_filter", "network", "provider", "model",
        "interrupted"
    ]))]
    kind: &'static str,
    message: &'a str,
    /// Seconds after which it is worth trying again.
    retry_after: Option<u64>,
}

impl<'a> From<&'a types::ReplyError> for ReplyError<'a> {
    fn from(error: &'a types::ReplyError) -> Self {
        Self {
            kind: error.kind.as_str(),
            message: &error.message,
            retry_after: error
                .retry_after
                .map(|wait| wait.as_millis().div_ceil(1_000) as u64),
        }
    }
}

impl<'a> From<&'a types::Reply> for Reply<'a> {
    fn from(reply: &'a types::Reply) -> Self {
        Self {
            id: reply.id.as_str(),
            chat_id: reply.session.as_str(),
            prompt_message_id: reply.prompt.as_str(),
            message_id: reply.message.as_str(),
            status: reply.status.as_str(),
            attempt: reply.attempt,
            model: reply.model.as_str(),
            usage: reply.usage.map(Usage::from),
            left_out: reply.left_out,
            error: reply.error.as_ref().map(ReplyError::from),
            created_at: Time(reply.created_at),
            finished_at: reply.finished_at.map(Time),
        }
    }
}

impl Reply<'_> {
    pub(super) fn example() -> Self {
        Self {
            id: "clqb6q2rl0005v3k8e1r9y3kq",
            chat_id: "clqb6q2rl0003v3k8b2g8n5xd",
            prompt_message_id: "clqb6q2rl0004v3k8c7d1p0wz",
            message_id: "clqb6q2rl0006v3k8h5t2u8nb",
            status: "queued",
            attempt: 0,
            model: "demo",
            usage: None,
            left_out: 0,
            error: None,
            created_at: Time::EXAMPLE,
            finished_at: None,
        }
    }

    pub(super) fn example_stopped() -> Self {
        Self {
            status: "stopped",
            attempt: 1,
            finished_at: Some(Time::EXAMPLE),
            ..Self::example()
        }
    }
}

/// Replies that have not ended, the next one first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Replies<'a> {
    replies: Vec<Reply<'a>>,
}

impl Replies<'_> {
    pub(super) fn example() -> Self {
        Self {
            replies: vec![Reply {
                status: "running",
                attempt: 1,
                ..Reply::example()
            }],
        }
    }
}

/// How a stream of events begins.
pub(super) const STREAM: &str = "id: 0\nevent: accepted\ndata: {\"reply\":{…},\"message\":{…}}\n\n\
    id: 1\nevent: started\ndata: {\"attempt\":1,\"model\":\"demo\"}\n\n\
    id: 2\nevent: delta\ndata: {\"text\":\"This \"}\n\n…";
