//! Replies: begin, find, list, watch, wait, stop; and what they cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::chat::Chat;
use crate::contracts::{Begun, InSession, Interrupted, NewReply, Prompt, Stopped};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::messages::MessageDraft;
use crate::models::Model;
use crate::sessions::SessionDraft;
use crate::types::{
    Caller, Cuid, Delta, Event, ModelName, Once, Reply, ReplyOptions, SessionKey, Span,
    UsageReport, WhenBusy,
};
use crate::watch::Watch;

/// A reply that somebody wants.
#[derive(Clone, Debug)]
pub struct ReplyDraft {
    /// In which session.
    pub session: WantedSession,
    /// What is to be answered.
    pub prompt: PromptDraft,
    /// Who is to write it; `None` for the session's model.
    pub model: Option<ModelName>,
    /// What happens if the session has another one that has not ended.
    pub when_busy: WhenBusy,
    /// What is wanted beyond an answer.
    pub options: ReplyOptions,
    /// See [`Reply::hidden`].
    pub hidden: bool,
}

/// The session that somebody wants a reply in.
#[derive(Clone, Debug)]
pub enum WantedSession {
    /// One that is there.
    Existing(SessionKey),
    /// A new one; or the one that the caller's clients call so already.
    New(SessionDraft),
}

/// What is to be answered.
#[derive(Clone, Debug)]
pub enum PromptDraft {
    /// Something new: the last of these messages, one at least; those before it come before it.
    New(Vec<MessageDraft>),
    /// A person's message, or a tool's, that is there already.
    Existing(Cuid),
}

impl Chat {
    /// Accepts a reply, which is on disk then and will be written, whoever watches. With the key
    /// of an earlier one it is that one.
    ///
    /// Errors: [`Error::NotFound`], [`Error::NoSuchParent`], [`Error::NoSuchCall`],
    /// [`Error::NoSuchPrompt`], [`Error::UnknownModel`], [`Error::NoModels`], [`Error::SessionBusy`],
    /// [`Error::QueueFull`], [`Error::KeyReused`].
    pub async fn begin_reply(
        &self,
        caller: &Caller,
        draft: ReplyDraft,
        once: Option<Once>,
    ) -> Result<Reply, Error> {
        // A retry is answered whatever models there are now, so the store looks at that first.
        let model = self.model_for(caller, &draft.session, draft.model).await;
        let now = self.clock.now();
        let session = match draft.session {
            WantedSession::Existing(key) => InSession::Existing(key),
            WantedSession::New(draft) => {
                InSession::New(Box::new(self.new_session(caller, draft, now)))
            }
        };
        let prompt = match draft.prompt {
            PromptDraft::New(messages) => Prompt::New(self.new_messages(messages, now)),
            PromptDraft::Existing(id) => Prompt::Existing(id),
        };
        let new = NewReply {
            id: self.mint(now),
            owner: caller.id().clone(),
            session,
            prompt,
            message: self.mint(now),
            model: model.as_ref().ok().cloned(),
            when_busy: draft.when_busy,
            options: draft.options,
            hidden: draft.hidden,
            created_at: now,
        };
        match self.engine.clone().accept(new, once).await? {
            Begun::Done { reply, .. } => Ok(reply),
            Begun::Missing => Err(Error::NotFound),
            Begun::NoSuchParent(at) => Err(Error::NoSuchParent { at }),
            Begun::NoSuchCall(at) => Err(Error::NoSuchCall { at }),
            Begun::NoSuchPrompt => Err(Error::NoSuchPrompt),
            Begun::NoModel => Err(model.err().unwrap_or(Error::NoModels)),
            Begun::Busy => Err(Error::SessionBusy),
            Begun::QueueFull => Err(Error::QueueFull),
        }
    }

    /// Who writes a reply: the model that is named, the session's, or the server's first one. One
    /// that the session was given and that is gone since is no obstacle.
    async fn model_for(
        &self,
        caller: &Caller,
        session: &WantedSession,
        named: Option<ModelName>,
    ) -> Result<ModelName, Error> {
        let models = &self.engine.models;
        let chosen = match session {
            _ if named.is_some() => None,
            // That the session is missing is for the store to say: it knows of retries too.
            WantedSession::Existing(key) => self.store.session(caller.id(), key).await?,
            WantedSession::New(_) => None,
        };
        let chosen = chosen.and_then(|session| session.model);
        let chosen = chosen.filter(|name| models.find(name).is_some());
        Ok(self.model_named(named.or(chosen))?.name.clone())
    }

    /// The model of that name, or the server's first one.
    pub(crate) fn model_named(&self, name: Option<ModelName>) -> Result<&Model, Error> {
        let models = &self.engine.models;
        match name {
            Some(name) => models.find(&name).ok_or(Error::UnknownModel),
            None => models.all().first().ok_or(Error::NoModels),
        }
    }

    /// The models that replies can be written by, the default one first.
    pub fn models(&self) -> &[Model] {
        self.engine.models.all()
    }

    /// A reply of one of the caller's sessions. Errors: [`Error::NotFound`].
    pub async fn reply(
        &self,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
    ) -> Result<Reply, Error> {
        let reply = self.store.reply(caller.id(), session, id).await?;
        reply.ok_or(Error::NotFound)
    }

    /// One of the caller's replies, wherever it is; with the key of its session. One that is hidden is
    /// not found. Errors: [`Error::NotFound`].
    pub async fn find_reply(
        &self,
        caller: &Caller,
        id: &Cuid,
    ) -> Result<(Reply, SessionKey), Error> {
        let found = self.store.find_reply(caller.id(), id).await?;
        let (reply, session) = found
            .filter(|(reply, _)| !reply.hidden)
            .ok_or(Error::NotFound)?;
        Ok((reply, SessionKey::Number(session)))
    }

    /// Hides one of the caller's replies: it is seen in its session alone from then on.
    /// Errors: [`Error::NotFound`].
    pub async fn hide_reply(&self, caller: &Caller, id: &Cuid) -> Result<(), Error> {
        let (owner, reply) = (caller.id().clone(), id.clone());
        let is_hidden = self.store.hide_reply(owner, reply).await?;
        is_hidden.then_some(()).ok_or(Error::NotFound)
    }

    /// The replies of one of the caller's sessions that have not ended, the next one first.
    /// Errors: [`Error::NotFound`].
    pub async fn open_replies(
        &self,
        caller: &Caller,
        session: &SessionKey,
    ) -> Result<Vec<Reply>, Error> {
        let open = self.store.open_replies(caller.id(), session).await?;
        open.ok_or(Error::NotFound)
    }

    /// A reply's events from that number on, up to its end.
    ///
    /// Errors: [`Error::NotFound`], [`Error::Busy`] with [`STREAMS`](limits::STREAMS) open.
    pub async fn watch_reply(
        &self,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
        from: i64,
    ) -> Result<Watch, Error> {
        self.reply(caller, session, id).await?;
        Watch::new(&self.engine, caller, session, id, from)
    }

    /// A reply once it has ended, or as it is when that takes longer than `most`.
    /// Errors: [`Error::NotFound`].
    pub async fn wait_for_reply(
        &self,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
        most: Duration,
    ) -> Result<Reply, Error> {
        let mut watch = self.watch_reply(caller, session, id, 1).await?;
        // Whatever ends it: what counts is the reply as it then is.
        let _ = timeout(most, async {
            while let Ok(Some(event)) = watch.next().await {
                if matches!(event.event, Event::Finished(_)) {
                    break;
                }
            }
        })
        .await;
        self.reply(caller, session, id).await
    }

    /// What a reply says, once it has ended.
    ///
    /// Errors: [`Error::NotFound`], [`Error::ReplyFailed`], [`Error::StillWriting`] when that takes
    /// longer than [`ANSWER_TIME`](limits::ANSWER_TIME).
    pub async fn answer(
        &self,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
    ) -> Result<String, Error> {
        let mut watch = self.watch_reply(caller, session, id, 1).await?;
        let reading = async {
            let mut text = String::new();
            while let Some(event) = watch.next().await? {
                match event.event {
                    Event::Delta(Delta::Text(delta)) => text.push_str(&delta),
                    Event::Reset { .. } => text.clear(),
                    Event::Finished(ending) => {
                        return match ending.error {
                            Some(error) => Err(Error::ReplyFailed(error)),
                            None => Ok(text),
                        };
                    }
                    _ => {}
                }
            }
            Err(Error::StillWriting)
        };
        timeout(limits::ANSWER_TIME, reading)
            .await
            .unwrap_or(Err(Error::StillWriting))
    }

    /// Stops a reply, and gives it as it is then: ended, unless that takes longer than
    /// [`STOP_TIME`](limits::STOP_TIME). What was there of it is kept; one that has ended stays as
    /// it is. Errors: [`Error::NotFound`].
    pub async fn stop_reply(
        &self,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
    ) -> Result<Reply, Error> {
        let stopped = self.engine.clone().stop_one(caller, session, id);
        match stopped.await? {
            None => Err(Error::NotFound),
            Some(Stopped::Before | Stopped::Ended(_)) => self.reply(caller, session, id).await,
            Some(Stopped::Asked(_)) => {
                self.wait_for_reply(caller, session, id, limits::STOP_TIME)
                    .await
            }
        }
    }

    /// What models have cost the caller in a span of time.
    pub async fn usage(&self, caller: &Caller, span: Span) -> Result<UsageReport, Error> {
        Ok(self.store.usage(caller.id(), span).await?)
    }
}

impl Engine {
    /// Accepts a reply and sees to it that it is written.
    async fn accept(self: Arc<Self>, new: NewReply, once: Option<Once>) -> Result<Begun, Error> {
        let (engine, owner) = (self.clone(), new.owner.clone());
        let accepting = async move {
            let begun = engine.store.begin_reply(new, once).await?;
            if let Begun::Done {
                session,
                interrupted,
                ..
            } = &begun
            {
                if let Some(Interrupted { reply, ended }) = interrupted {
                    match ended {
                        Some(events) => engine.publish(&owner, reply, events.clone().into()),
                        None => engine.stop(&owner, *session, reply),
                    }
                }
                engine.changed(&owner);
                engine.wake(&owner, *session);
            }
            Ok(begun)
        };
        self.see_through(accepting).await
    }

    /// Stops a reply and tells whoever writes or watches it.
    async fn stop_one(
        self: Arc<Self>,
        caller: &Caller,
        session: &SessionKey,
        id: &Cuid,
    ) -> Result<Option<Stopped>, Error> {
        let (engine, owner) = (self.clone(), caller.id().clone());
        let (session, id) = (session.clone(), id.clone());
        let stopping = async move {
            let now = engine.clock.now();
            let stopped = engine
                .store
                .stop_reply(owner.clone(), session, id.clone(), now)
                .await?;
            match &stopped {
                Some(Stopped::Asked(number)) => engine.stop(&owner, *number, &id),
                Some(Stopped::Ended(events)) => {
                    engine.publish(&owner, &id, events.clone().into());
                    engine.changed(&owner);
                }
                Some(Stopped::Before) | None => {}
            }
            Ok(stopped)
        };
        self.see_through(stopping).await
    }
}
