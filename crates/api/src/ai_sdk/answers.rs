use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::Event as Frame;
use axum::response::{IntoResponse, Response};
use chat::types::{Caller, Event, Message, Reply, SessionKey};
use chat::{Chat, Error, ReplyDraft, SessionDraft, WantedSession, Watch};
use futures_util::{TryStreamExt, stream};

use super::chunks::Frames;
use super::prompt::{Answer, Wanted};
use super::request::Request;
use super::turns::Here;
use crate::auth::Auth;
use crate::extract::{Change, NamedInPath};
use crate::fault::Fault;
use crate::sse;

/// What tells a front end that it gets a stream of this kind.
const PROTOCOL: HeaderName = HeaderName::from_static("x-vercel-ai-ui-message-stream");

pub(super) async fn send(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<Request>,
) -> Result<Response, Fault> {
    let request = change.body;
    let name = request.name()?;
    let here = Here::find(&chat, &caller, &name).await?;
    let Wanted { turn, answer } = Wanted::by(&request, here.as_ref()).await?;
    let key = here.map(|here| here.key);
    let reply = match answer {
        Answer::Known(reply) => {
            let key = key.ok_or(Error::NotFound)?;
            chat.reply(&caller, &key, &reply).await?
        }
        Answer::To(prompt) => {
            let new = || {
                WantedSession::New(SessionDraft {
                    external_id: Some(name),
                    ..SessionDraft::default()
                })
            };
            let draft = ReplyDraft {
                session: key.map_or_else(new, WantedSession::Existing),
                prompt,
                model: request.model()?,
                when_busy: request.when_busy()?,
                options: request.options()?,
                hidden: false,
            };
            chat.begin_reply(&caller, draft, change.terms.once).await?
        }
    };
    let frames = Frames::of(&reply, &turn);
    watched(&chat, &caller, &reply, frames).await
}

/// A chat that has nothing to resume gets no stream; and nor does one that is not there, since a front
/// end asks so for a chat that it has only just made up.
pub(super) async fn resume(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    NamedInPath(name): NamedInPath,
) -> Result<Response, Fault> {
    let in_progress = match Here::find(&chat, &caller, &name).await? {
        Some(here) => here.in_progress().await?,
        None => None,
    };
    let Some((turn, reply)) = in_progress else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let is_before = |step: &&Message| step.id != reply.message;
    let before: Vec<Message> = turn.iter().take_while(is_before).cloned().collect();
    let frames = Frames::of(&reply, &before).with_steps_before(&before);
    watched(&chat, &caller, &reply, frames).await
}

pub(super) async fn stop(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    NamedInPath(name): NamedInPath,
) -> Result<Response, Fault> {
    let here = Here::find(&chat, &caller, &name).await?;
    let here = here.ok_or(Error::NotFound)?;
    let open = chat.open_replies(&caller, &here.key).await?;
    // The last one first: else those that wait would begin.
    for reply in open.iter().rev() {
        chat.stop_reply(&caller, &here.key, &reply.id).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A reply from its first event on. If it can't be watched to its end the connection breaks: a stream
/// that merely ended would be taken for a whole answer.
async fn watched(
    chat: &Chat,
    caller: &Caller,
    reply: &Reply,
    frames: Frames,
) -> Result<Response, Fault> {
    let key = SessionKey::Cuid(reply.session.clone());
    let watch = chat.watch_reply(caller, &key, &reply.id, 0).await?;
    let written = stream::try_unfold(Some((watch, frames)), async |state| {
        let Some((watch, frames)) = state else {
            return Ok(None);
        };
        written(watch, frames).await.map(Some)
    });
    let written = written.map_ok(|frames| stream::iter(frames.into_iter().map(Ok::<_, Error>)));
    let mut response = sse::breakable(written.try_flatten());
    let version = HeaderValue::from_static("v1");
    response.headers_mut().insert(PROTOCOL, version);
    Ok(response)
}

/// What the next event becomes, and what is needed to go on behind it.
async fn written(
    mut watch: Watch,
    mut frames: Frames,
) -> Result<(Vec<Frame>, Option<(Watch, Frames)>), Error> {
    let event = watch.next().await.inspect_err(|error| {
        tracing::error!(%error, "a reply can't be watched");
    });
    let event = event?.ok_or(Error::StillWriting)?;
    let mut written: Vec<Frame> = frames.push(&event).iter().map(sse::data).collect();
    if matches!(event.event, Event::Finished(_)) {
        written.push(Frame::default().data("[DONE]"));
        return Ok((written, None));
    }
    Ok((written, Some((watch, frames))))
}

/// How a stream begins.
pub(super) const STREAM: &str = "data: {\"type\":\"start\",\"messageId\":\"clqb6q2rl0006v3k8h5t2u8nb\",…}\n\n\
    data: {\"type\":\"start-step\"}\n\n\
    data: {\"type\":\"text-start\",\"id\":\"0-2\"}\n\n\
    data: {\"type\":\"text-delta\",\"id\":\"0-2\",\"delta\":\"This \"}\n\n…\n\ndata: [DONE]\n\n";
