//! Sessions: create, find, list, change, delete.

use crate::chat::Chat;
use crate::contracts::{Changed, Deleted};
use crate::error::Error;
use crate::types::{
    Caller, NewSession, Once, Page, PageSize, Precondition, Session, SessionChange, SessionFilter,
    SessionKey, SessionKind, SessionPosition, Title,
};

/// What somebody wants of a session.
#[derive(Clone, Debug)]
pub struct SessionDraft {
    /// What it is called.
    pub title: Title,
    /// What it is about.
    pub kind: SessionKind,
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
        let session = NewSession {
            id: self.mint(now),
            owner: caller.id().clone(),
            title: draft.title,
            kind: draft.kind,
            created_at: now,
        };
        Ok(self.store.create_session(session, once).await?)
    }

    /// One of the caller's sessions. Errors: [`Error::NotFound`].
    pub async fn session(&self, caller: &Caller, key: &SessionKey) -> Result<Session, Error> {
        let session = self.store.session(caller.id(), key).await?;
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

    /// Changes one of the caller's sessions.
    ///
    /// Errors: [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::KeyReused`],
    /// [`Error::StillRunning`].
    pub async fn change_session(
        &self,
        caller: &Caller,
        key: SessionKey,
        change: SessionChange,
        precondition: Precondition,
        once: Option<Once>,
    ) -> Result<Session, Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        let owner = caller.id().clone();
        let now = self.clock.now();
        let changed = self
            .store
            .change_session(owner, key, change, precondition, now, once)
            .await?;
        match changed {
            Changed::Done(session) => Ok(session),
            Changed::Missing => Err(Error::NotFound),
            Changed::Stale => Err(Error::PreconditionFailed),
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
        let owner = caller.id().clone();
        let now = self.clock.now();
        let deleted = self
            .store
            .delete_session(owner, key, precondition, now, once)
            .await?;
        match deleted {
            Deleted::Done => Ok(()),
            Deleted::Missing => Err(Error::NotFound),
            Deleted::Stale => Err(Error::PreconditionFailed),
        }
    }
}
