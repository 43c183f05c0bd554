//! Chat completions: the client keeps the conversation, unless it wants the answer to be stored.

mod request;
mod shown;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response;
use chat::types::{Caller, Ending, FinishReason, Once, Reply, SessionKey, WhenBusy};
use chat::{Chat, Error, PromptDraft, ReplyDraft, SessionDraft, Unkept, WantedSession};

use super::events::{Events, streamed};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::Change;
use crate::fault::Fault;
use request::Wanted;
use shown::Chunks;

pub(super) use request::NewCompletion;
pub(super) use shown::Completion;

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<NewCompletion>,
) -> Result<response::Response, Fault> {
    let (wanted, once) = (change.body.parse()?, change.terms.once);
    let (stream, include_usage) = (wanted.stream, wanted.include_usage);
    let (mut events, shown_from) = if wanted.store {
        let reply = begin(&chat, &caller, wanted, once).await?;
        let key = SessionKey::Cuid(reply.session.clone());
        if !stream {
            let completion = whole(&chat, &caller, &key, &reply).await?;
            return Ok(json(StatusCode::OK, &completion));
        }
        let watch = chat.watch_reply(&caller, &key, &reply.id, 0).await?;
        (Events::from(watch), reply.attempt)
    } else {
        let unkept = Unkept {
            after: None,
            messages: wanted.messages.messages,
            model: wanted.model,
            options: wanted.options,
        };
        let passing = chat.answer_unkept(&caller, unkept, once).await?;
        (Events::from(passing), 1)
    };
    if stream {
        let mut chunks = Chunks::new(&events.accepted().await?.0, include_usage, shown_from);
        return Ok(streamed(events, move |event| chunks.push(event)));
    }
    let whole = events.whole().await?;
    let completion = Completion::new(&whole.reply, whole.content, whole.usage, &whole.ending)?;
    Ok(json(StatusCode::OK, &completion))
}

/// Begins a reply in a session of its own, which has all the messages.
async fn begin(
    chat: &Chat,
    caller: &Caller,
    wanted: Wanted,
    once: Option<Once>,
) -> Result<Reply, Fault> {
    let mut said = wanted.messages;
    let draft = ReplyDraft {
        session: WantedSession::New(SessionDraft {
            title: said.title(),
            system_message: said.take_system_message()?,
            metadata: wanted.options.metadata.clone(),
            ..SessionDraft::default()
        }),
        prompt: PromptDraft::New(said.messages),
        model: wanted.model,
        when_busy: WhenBusy::default(),
        options: wanted.options,
        hidden: false,
    };
    Ok(chat.begin_reply(caller, draft, once).await?)
}

/// Waits for the end of a reply that is kept.
async fn whole(
    chat: &Chat,
    caller: &Caller,
    key: &SessionKey,
    reply: &Reply,
) -> Result<Completion, Error> {
    let most = chat::limits::WHOLE_ANSWER_TIME;
    let reply = chat.wait_for_reply(caller, key, &reply.id, most).await?;
    if !reply.status.is_end() {
        return Err(Error::StillWriting);
    }
    let message = chat.message(caller, key, &reply.message).await?;
    let ending = Ending {
        status: reply.status,
        reason: message.finish_reason.unwrap_or(FinishReason::Error),
        error: reply.error.clone(),
    };
    Completion::new(&reply, message.content, reply.usage, &ending)
}

/// How a stream begins.
pub(super) const STREAM: &str = "data: {\"id\":\"chatcmpl-…\",\"object\":\"chat.completion.chunk\",…}\n\n…\n\n\
    data: [DONE]\n\n";
