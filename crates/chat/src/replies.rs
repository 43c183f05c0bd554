//! Replies: begin, find, list, watch, wait, stop; and what they cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::chat::Chat;
use crate::contracts::{Begun, Interrupted, NewReply, Prompt, Stopped};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::models::Model;
use crate::types::{
    Caller, Cuid, Delta, Event, MessageText, ModelName, Once, Parent, Part, Reply, SessionKey,
    Span, UsageReport, WhenBusy,
};
use crate::watch::Watch;

/// A reply that somebody wants.
#[derive(Clone, Debug)]
pub struct ReplyDraft {
    /// What is to be answered.
    pub prompt: PromptDraft,
    /// Who is to write it; `None` for the session's model.
    pub model: Option<ModelName>,
    /// What happens if the session has another one that has not ended.
    pub when_busy: WhenBusy,
}

/// What is to be answered.
#[derive(Clone, Debug)]
pub enum PromptDraft {
    /// Something new.
    New {
        /// What it follows.
        parent: Parent,
        /// What it says.
        text: MessageText,
    },
    /// A person's message that is there already, once more.
    Existing(Cuid),
}

impl Chat {
    /// Accepts a reply, which is on disk then and will be written, whoever watches. With the key
    /// of an earlier one it is that one.
    ///
    /// Errors: [`Error::NotFound`], [`Error::NoSuchParent`], [`Error::NoSuchPrompt`],
    /// [`Error::UnknownModel`], [`Error::NoModels`], [`Error::SessionBusy`], [`Error::QueueFull`],
    /// [`Error::KeyReused`].
    pub async fn begin_reply(
        &self,
        caller: &Caller,
        session: SessionKey,
        draft: ReplyDraft,
        once: Option<Once>,
    ) -> Result<Reply, Error> {
        // A retry is answered whatever models there are now, so the store looks at that first.
        let model = self.model_for(caller, &session, draft.model).await;
        let now = self.clock.now();
        let prompt = match draft.prompt {
            PromptDraft::New { parent, text } => Prompt::New {
                id: self.mint(now),
                parent,
                content: vec![Part::Text(text.as_str().to_owned())],
            },
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
            created_at: now,
        };
        match self.engine.clone().accept(new, once).await? {
            Begun::Done { reply, .. } => Ok(reply),
            Begun::Missing => Err(Error::NotFound),
            Begun::NoSuchParent => Err(Error::NoSuchParent { at: 0 }),
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
        session: &SessionKey,
        named: Option<ModelName>,
    ) -> Result<ModelName, Error> {
        let models = &self.engine.models;
        if let Some(name) = named {
            return match models.find(&name) {
                Some(_) => Ok(name),
                None => Err(Error::UnknownModel),
            };
        }
        // That the session is missing is for the store to say: it knows of retries too.
        let session = self.store.session(caller.id(), session).await?;
        let chosen = session.and_then(|session| session.model);
        let chosen = chosen.filter(|name| models.find(name).is_some());
        let first = || models.all().first().map(|model| model.name.clone());
        chosen.or_else(first).ok_or(Error::NoModels)
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
