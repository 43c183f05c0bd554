//! Responses: create, find, cancel, delete, and what went in.

mod frames;
mod request;
mod shown;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response;
use chat::types::{Caller, Cuid, Once, PageSize, Parent, Reply, SessionKey};
use chat::{Chat, Error, PromptDraft, ReplyDraft, SessionDraft, Unkept, WantedSession};
use schemars::JsonSchema;
use serde::Deserialize;

use super::conversations::Deleted;
use super::events::{Events, streamed};
use super::ids::{self, ResponseInPath};
use super::items::walk::{ItemQuery, Walk};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, Params};
use crate::fault::Fault;
use frames::Frames;
use request::{Place, Wanted, no_previous};
use shown::{Told, output};

pub(super) use request::NewResponse;
pub(super) use shown::Response;

/// The field that names the response that another one follows.
pub(super) const PREVIOUS: &str = "previous_response_id";

/// How many messages are read at first to find the one that a prompt follows: mostly the next one.
const STEPS: u32 = 4;

/// A kept reply, as its caller reaches it.
struct Kept<'a> {
    chat: &'a Chat,
    caller: &'a Caller,
    session: SessionKey,
    reply: Reply,
}

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<NewResponse>,
) -> Result<response::Response, Fault> {
    let (wanted, once) = (change.body.parse()?, change.terms.once);
    if !wanted.store && !matches!(wanted.place, Place::Conversation(_)) {
        return pass_on(&chat, &caller, wanted, once).await;
    }
    let (stream, background) = (wanted.stream, wanted.background);
    let kept = begin(&chat, &caller, wanted, once).await?;
    if stream {
        kept.stream(None).await
    } else if background {
        let reply = kept.reply.as_accepted();
        Kept { reply, ..kept }.show().await
    } else {
        kept.wait().await?.show().await
    }
}

/// Begins a reply that is kept.
async fn begin<'a>(
    chat: &'a Chat,
    caller: &'a Caller,
    mut wanted: Wanted,
    once: Option<Once>,
) -> Result<Kept<'a>, Fault> {
    let session = match wanted.place {
        Place::New => WantedSession::New(SessionDraft {
            title: wanted.input.title(),
            ..SessionDraft::default()
        }),
        Place::Conversation(id) => WantedSession::Existing(SessionKey::Cuid(id)),
        Place::After(id) => {
            let (previous, session) = previous(chat, caller, &id).await?;
            if let Some(first) = wanted.input.messages.first_mut() {
                first.parent = Parent::Message(previous.message);
            }
            WantedSession::Existing(session)
        }
    };
    let fields = wanted.input.fields;
    let draft = ReplyDraft {
        session,
        prompt: PromptDraft::New(wanted.input.messages),
        model: wanted.model,
        when_busy: wanted.when_busy,
        options: wanted.options,
        hidden: !wanted.store,
    };
    let begun = chat.begin_reply(caller, draft, once).await;
    let reply = begun.map_err(|error| match error {
        Error::NoSuchCall { at } => fields.no_such_call(at),
        other => Fault::Chat(other),
    })?;
    Ok(Kept {
        chat,
        caller,
        session: SessionKey::Cuid(reply.session.clone()),
        reply,
    })
}

/// The response that another one is to follow, and its session.
async fn previous(chat: &Chat, caller: &Caller, id: &Cuid) -> Result<(Reply, SessionKey), Fault> {
    chat.find_reply(caller, id)
        .await
        .map_err(|error| match error {
            Error::NotFound => no_previous(),
            other => Fault::Chat(other),
        })
}

/// Answers without keeping anything.
async fn pass_on(
    chat: &Chat,
    caller: &Caller,
    wanted: Wanted,
    once: Option<Once>,
) -> Result<response::Response, Fault> {
    let (after, previous, input) = match wanted.place {
        Place::After(id) => {
            let (reply, session) = previous(chat, caller, &id).await?;
            (Some((session, reply.message)), Some(id), wanted.input)
        }
        _ => (None, None, wanted.input.on_their_own()?),
    };
    let unkept = Unkept {
        after,
        messages: input.messages,
        model: wanted.model,
        options: wanted.options,
    };
    let passing = chat.answer_unkept(caller, unkept, once).await?;
    let mut events = Events::from(passing);
    if wanted.stream {
        let told = Told {
            reply: events.accepted().await?.0,
            previous,
            is_kept: false,
        };
        return Ok(stream(events, told, None));
    }
    let whole = events.whole().await?;
    if let Some(error) = whole.ending.error {
        return Err(Error::ReplyFailed(error).into());
    }
    let output = output(&whole.reply.message, whole.content, &whole.ending, 1);
    let told = Told {
        reply: whole.reply,
        previous,
        is_kept: false,
    };
    let state = shown::State::ended(whole.ending, output, whole.usage);
    Ok(json(StatusCode::OK, &Response::new(&told, &state)))
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ResponseInPath(id): ResponseInPath,
    Params(query): Params<FindQuery>,
) -> Result<response::Response, Fault> {
    let kept = Kept::find(&chat, &caller, &id).await?;
    match (query.stream.unwrap_or_default(), query.starting_after) {
        (true, after) => kept.stream(after).await,
        (false, Some(_)) => Err(Fault::invalid("starting_after", "needs stream")),
        (false, None) => kept.show().await,
    }
}

pub(super) async fn cancel(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ResponseInPath(id): ResponseInPath,
) -> Result<response::Response, Fault> {
    let kept = Kept::find(&chat, &caller, &id).await?;
    let reply = chat.stop_reply(&caller, &kept.session, &id).await?;
    Kept { reply, ..kept }.show().await
}

pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ResponseInPath(id): ResponseInPath,
) -> Result<response::Response, Fault> {
    chat.hide_reply(&caller, &id).await?;
    Ok(json(
        StatusCode::OK,
        &Deleted::new(ids::response(&id), "response"),
    ))
}

/// What a response answers: the messages between the response before it and its own.
pub(super) async fn input_items(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ResponseInPath(id): ResponseInPath,
    Params(query): Params<ItemQuery>,
) -> Result<response::Response, Fault> {
    let listing = query.parse()?;
    let kept = Kept::find(&chat, &caller, &id).await?;
    let prompt = chat
        .message(&caller, &kept.session, &kept.reply.prompt)
        .await?;
    let walk = kept.above(prompt.seq, listing.size, true);
    Ok(json(StatusCode::OK, &walk.page(&listing).await?))
}

impl<'a> Kept<'a> {
    async fn find(chat: &'a Chat, caller: &'a Caller, id: &Cuid) -> Result<Self, Error> {
        let (reply, session) = chat.find_reply(caller, id).await?;
        Ok(Self {
            chat,
            caller,
            session,
            reply,
        })
    }

    /// Waits for the end, which must be a good one.
    async fn wait(self) -> Result<Self, Error> {
        let (chat, most) = (self.chat, chat::limits::WHOLE_ANSWER_TIME);
        let ended = chat.wait_for_reply(self.caller, &self.session, &self.reply.id, most);
        let reply = ended.await?;
        match &reply.error {
            Some(error) => Err(Error::ReplyFailed(error.clone())),
            None if reply.status.is_end() => Ok(Self { reply, ..self }),
            None => Err(Error::StillWriting),
        }
    }

    /// The reply as it is.
    async fn show(self) -> Result<response::Response, Fault> {
        let (chat, id) = (self.chat, &self.reply.message);
        let message = chat.message(self.caller, &self.session, id).await?;
        let told = Told {
            previous: self
                .previous(message.seq, message.depth.saturating_sub(1))
                .await?,
            is_kept: true,
            reply: self.reply,
        };
        let state = shown::State::of(&told.reply, message);
        Ok(json(StatusCode::OK, &Response::new(&told, &state)))
    }

    /// The reply as it is written, behind that frame.
    async fn stream(self, after: Option<u64>) -> Result<response::Response, Fault> {
        let watch = self
            .chat
            .watch_reply(self.caller, &self.session, &self.reply.id, 0);
        let mut events = Events::from(watch.await?);
        let (reply, prompt) = events.accepted().await?;
        let told = Told {
            previous: self.previous(prompt.seq, prompt.depth).await?,
            is_kept: true,
            reply,
        };
        Ok(stream(events, told, after))
    }

    /// The response that the input follows, from that place on up; given how many messages lead to the
    /// prompt, itself among them.
    async fn previous(&self, from: i64, depth: u32) -> Result<Option<Cuid>, Error> {
        if depth <= 1 {
            return Ok(None);
        }
        let size = PageSize::new(STEPS).unwrap_or_default();
        self.above(from, size, false)
            .reply_besides(&self.reply.id)
            .await
    }

    /// A walk from that place on up.
    fn above(&self, from: i64, size: PageSize, within_turn: bool) -> Walk<'_> {
        Walk {
            chat: self.chat,
            caller: self.caller,
            session: &self.session,
            from: Some(from),
            size,
            within_turn,
        }
    }
}

/// Streams a reply from its first event on, without the frames up to that one.
fn stream(events: Events, told: Told, after: Option<u64>) -> response::Response {
    let mut frames = Frames::new(told);
    streamed(events, move |event| {
        let mut new = frames.push(event);
        new.retain(|frame| after.is_none_or(|after| frame.number > after));
        Some(new.into_iter().map(Into::into).collect())
    })
}

/// The parameters of a response.
#[derive(Deserialize, JsonSchema)]
pub(super) struct FindQuery {
    /// Whether the answer is the event stream, from its beginning.
    #[schemars(with = "bool")]
    stream: Option<bool>,
    /// The `sequence_number` of the last event that is known.
    #[schemars(with = "u64")]
    starting_after: Option<u64>,
}

/// How a stream begins.
pub(super) const STREAM: &str = "event: response.created\n\
    data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{…}}\n\n\
    event: response.in_progress\n\
    data: {\"type\":\"response.in_progress\",\"sequence_number\":1,\"response\":{…}}\n\n…";
