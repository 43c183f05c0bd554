//! The store on SQLite: a writer thread that commits many operations together, and readers that
//! never wait for it.

mod accounts;
mod columns;
mod idempotency;
mod migrations;
mod open;
mod readers;
mod sessions;
mod tokens;
mod writer;

use std::fs::File;

use async_trait::async_trait;
use chat::contracts::{Admission, Changed, Deleted, Registered, Store, StoreError, TokenMade};
use chat::types::{
    Account, Credentials, Cuid, Email, NewAccount, NewSession, NewToken, Once, Page, PageSize,
    Precondition, Session, SessionChange, SessionFilter, SessionKey, SessionPosition, StoredToken,
    Timestamp, Token,
};

pub use open::OpenError;
use readers::Readers;
use writer::Writer;

/// A store on SQLite.
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    /// Held while this process serves; the system lets go of it when the process ends.
    _lock: Option<File>,
}

#[async_trait]
impl Store for Sqlite {
    fn writes_waiting(&self) -> usize {
        self.writer.waiting()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.writer.check()?;
        self.readers.read(|db| accounts::any(db).map(drop))
    }

    async fn has_accounts(&self) -> Result<bool, StoreError> {
        self.readers.read(accounts::any)
    }

    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
        once: Option<Once>,
    ) -> Result<Registered, StoreError> {
        let work = move |db: &_| accounts::create(db, &account, admission, once.as_ref());
        self.writer.write(work).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        self.readers.read(|db| accounts::by_email(db, email))
    }

    async fn accounts(
        &self,
        after: Option<&Email>,
        size: PageSize,
    ) -> Result<Page<Account, Email>, StoreError> {
        self.readers.read(|db| accounts::list(db, after, size))
    }

    async fn set_password(&self, account: Cuid, hash: String) -> Result<bool, StoreError> {
        let work = move |db: &_| accounts::set_password(db, &account, &hash);
        self.writer.write(work).await
    }

    async fn set_disabled(
        &self,
        account: Cuid,
        since: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let work = move |db: &_| accounts::set_disabled(db, &account, since);
        self.writer.write(work).await
    }

    async fn create_token(
        &self,
        token: NewToken,
        once: Option<Once>,
    ) -> Result<TokenMade, StoreError> {
        let work = move |db: &_| tokens::create(db, &token, once.as_ref());
        self.writer.write(work).await
    }

    async fn token(&self, id: &Cuid) -> Result<Option<StoredToken>, StoreError> {
        self.readers.read(|db| tokens::find(db, id))
    }

    async fn tokens(&self, owner: &Cuid) -> Result<Vec<Token>, StoreError> {
        self.readers.read(|db| tokens::list(db, owner))
    }

    async fn revoke_token(
        &self,
        owner: Cuid,
        id: Cuid,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<bool, StoreError> {
        let work = move |db: &_| tokens::revoke(db, &owner, &id, now, once.as_ref());
        self.writer.write(work).await
    }

    fn touch_token(&self, owner: Cuid, id: Cuid, now: Timestamp) {
        self.writer
            .try_write(move |db: &_| tokens::touch(db, &owner, &id, now));
    }

    async fn create_session(
        &self,
        session: NewSession,
        once: Option<Once>,
    ) -> Result<Session, StoreError> {
        let work = move |db: &_| sessions::create(db, &session, once.as_ref());
        self.writer.write(work).await
    }

    async fn session(&self, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        self.readers.read(|db| sessions::find(db, owner, key))
    }

    async fn sessions(
        &self,
        owner: &Cuid,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, StoreError> {
        self.readers
            .read(|db| sessions::list(db, owner, filter, after, size))
    }

    async fn change_session(
        &self,
        owner: Cuid,
        key: SessionKey,
        change: SessionChange,
        precondition: Precondition,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Changed, StoreError> {
        let work = move |db: &_| {
            sessions::change(db, &owner, &key, &change, &precondition, now, once.as_ref())
        };
        self.writer.write(work).await
    }

    async fn delete_session(
        &self,
        owner: Cuid,
        key: SessionKey,
        precondition: Precondition,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Deleted, StoreError> {
        let work =
            move |db: &_| sessions::delete(db, &owner, &key, &precondition, now, once.as_ref());
        self.writer.write(work).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let work = move |db: &_| Ok(idempotency::sweep(db, now)? + tokens::sweep(db, now)?);
        self.writer.write(work).await
    }
}
