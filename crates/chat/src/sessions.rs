//! Sessions: create, find, list, change, delete.

use std::sync::Arc;

use crate::chat::Chat;
use crate::contracts::{Changed, Deleted};
use crate::error::Error;
use crate::types::{
    Caller, ExternalId, Head, Metadata, NewSession, Once, Page, PageSize, Precondition, Session,
    SessionChange, SessionFilter, SessionKey, SessionKind, SessionPosition, SystemMessage,
    Timestamp, Title,
};
use crate::watch::Feed;

/// What somebody wants of a session.
#[derive(Clone, Debug)]
pub struct SessionDraft {
    /// What it is called; `None` until a model, or somebody, gives it a title.
    pub title: Option<Title>,
    /// What it is about.
    pub kind: SessionKind,
    /// What a model is told before the first message.
    pub system_message: SystemMessage,
    /// What the client calls it.
    pub external_id: Option<ExternalId>,
    /// What the client notes with it.
    pub metadata: Metadata,
}

impl Default for SessionDraft {
    fn default() -> Self {
        Self {
            title: None,
            kind: SessionKind::Text,
            system_message: SystemMessage::default(),
            external_id: None,
            metadata: Metadata::default(),
        }
    }
}

impl Chat {
    /// Makes a session. Errors: [`Error::KeyReused`], [`Error::StillRunning`].
    pub async fn create_session(
        &self,
        caller: &Caller,
        draft: SessionDraft,
        once: Option<Once>,
    ) -> Result<Session, Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        let now = self.clock.now();
        let session = self.new_session(caller, draft, now);
        let session = self.store.create_session(session, once).await?;
        self.engine.changed(caller.id());
        Ok(session)
    }

    /// A session that is about to be made, under an identifier of its own.
    pub(crate) fn new_session(
        &self,
        caller: &Caller,
        draft: SessionDraft,
        now: Timestamp,
    ) -> NewSession {
        NewSession {
            id: self.mint(now),
            owner: caller.id().clone(),
            named: draft.title.is_some(),
            title: draft.title.unwrap_or_else(Title::of_the_unnamed),
            kind: draft.kind,
            system_message: draft.system_message,
            external_id: draft.external_id,
            metadata: draft.metadata,
            created_at: now,
        }
    }

    /// One of the caller's sessions. Errors: [`Error::NotFound`].
    pub async fn session(&self, caller: &Caller, key: &SessionKey) -> Result<Session, Error> {
        let session = self.store.session(caller.id(), key).await?;
        session.ok_or(Error::NotFound)
    }

    /// The session that the caller's clients call so. Errors: [`Error::NotFound`].
    pub async fn session_called(&self, caller: &Caller, id: &ExternalId) -> Result<Session, Error> {
        let session = self.store.session_called(caller.id(), id).await?;
        session.ok_or(Error::NotFound)
    }

    /// The caller's sessions, the newest change first, beginning behind `after`.
    pub async fn sessions(
        &self,
        caller: &Caller,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, Error> {
        let owner = caller.id();
        Ok(self.store.sessions(owner, filter, after, size).await?)
    }

    /// The caller's sessions, those made last first, beginning behind the one of the number `after`.
    pub async fn sessions_made(
        &self,
        caller: &Caller,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<Session, i64>, Error> {
        Ok(self.store.sessions_made(caller.id(), after, size).await?)
    }

    /// Changes one of the caller's sessions.
    ///
    /// Errors: [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::NoSuchHead`],
    /// [`Error::NoSuchBranch`], [`Error::UnknownModel`], [`Error::KeyReused`], [`Error::StillRunning`].
    pub async fn change_session(
        &self,
        caller: &Caller,
        key: SessionKey,
        change: SessionChange,
        precondition: Precondition,
        once: Option<Once>,
    ) -> Result<Session, Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        if let Some(Some(model)) = &change.model
            && self.engine.models.find(model).is_none()
        {
            return Err(Error::UnknownModel);
        }
        let no_such_message = match &change.head {
            Some(Head::Behind(_)) => Error::NoSuchBranch,
            _ => Error::NoSuchHead,
        };
        let owner = caller.id().clone();
        let now = self.clock.now();
        let changed = self
            .store
            .change_session(owner, key, change, precondition, now, once)
            .await?;
        match changed {
            Changed::Done(session) => {
                self.engine.changed(caller.id());
                Ok(session)
            }
            Changed::Missing => Err(Error::NotFound),
            Changed::Stale => Err(Error::PreconditionFailed),
            Changed::NoSuchMessage => Err(no_such_message),
        }
    }

    /// Deletes one of the caller's sessions, with everything in it.
    ///
    /// Errors: as [`Chat::change_session`].
    pub async fn delete_session(
        &self,
        caller: &Caller,
        key: SessionKey,
        precondition: Precondition,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        let (engine, owner) = (self.engine.clone(), caller.id().clone());
        let deleting = async move {
            let now = engine.clock.now();
            let session = engine.store.session(&owner, &key).await?;
            let open = engine.store.open_replies(&owner, &key).await?;
            let deleted = engine
                .store
                .delete_session(owner.clone(), key, precondition, now, once);
            let deleted = deleted.await?;
            if let (Deleted::Done, Some(session)) = (deleted, session) {
                // Their rows are gone: whoever writes or watches one finds that out now.
                for reply in open.unwrap_or_default() {
                    engine.stop(&owner, session.number, &reply.id);
                    engine.publish(&owner, &reply.id, Arc::new([]));
                }
                engine.changed(&owner);
            }
            Ok(deleted)
        };
        match self.engine.see_through(deleting).await? {
            Deleted::Done => Ok(()),
            Deleted::Missing => Err(Error::NotFound),
            Deleted::Stale => Err(Error::PreconditionFailed),
        }
    }

    /// What changes for the caller, behind a cursor or from now on, on all devices.
    ///
    /// Errors: [`Error::Busy`] with [`STREAMS`](crate::limits::STREAMS) open.
    pub fn watch_changes(&self, caller: &Caller, after: Option<i64>) -> Result<Feed, Error> {
        Feed::new(&self.engine, caller, after)
    }
}
