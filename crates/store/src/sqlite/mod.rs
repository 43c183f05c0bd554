//! The store on SQLite: a writer thread that commits many operations together, and readers that
//! never wait for it.

mod accounts;
mod columns;
mod copy;
mod events;
mod feed;
mod idempotency;
mod messages;
mod migrations;
mod nodes;
mod open;
mod readers;
mod replies;
mod sessions;
mod tokens;
mod usage;
mod writer;
mod writing;

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use chat::contracts::{
    AccountChanged, Admission, Append, Appended, Begun, Changed, Changes, Claimed, Deleted, Finish,
    Finished, Kept, NewReply, Registered, Stopped, Store, StoreError, TokenMade,
};
use chat::types::{
    Account, AccountChange, AccountUsage, Branch, Credentials, Cuid, Email, ExternalId, Message,
    MessageView, ModelName, Name, NewAccount, NewMessage, NewSession, NewToken, Node,
    NumberedEvent, Once, Page, PageSize, Precondition, Reply, SeenNode, Session, SessionChange,
    SessionFilter, SessionKey, SessionPosition, Span, StoredToken, Timestamp, Title, Token,
    TokenUsage, UsageReport,
};

pub(crate) use copy::Idle;
pub(crate) use open::SQLITE_AT_LEAST;
use readers::Readers;
use writer::{Writer, failure};

/// A store on SQLite.
pub struct Sqlite {
    writer: Writer,
    readers: Arc<Readers>,
    /// Held while this process serves; the system lets go of it when the process ends.
    _lock: Option<File>,
}

#[async_trait]
impl Store for Sqlite {
    fn database(&self) -> &'static str {
        "sqlite"
    }

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

    async fn set_name(&self, account: Cuid, name: Option<Name>) -> Result<bool, StoreError> {
        let work = move |db: &_| accounts::set_name(db, &account, name.as_ref());
        self.writer.write(work).await
    }

    async fn set_password(
        &self,
        account: Cuid,
        hash: String,
        keep: Option<Cuid>,
    ) -> Result<bool, StoreError> {
        let work = move |db: &_| accounts::set_password(db, &account, &hash, keep.as_ref());
        self.writer.write(work).await
    }

    async fn change_account(
        &self,
        admin: Option<Cuid>,
        account: Cuid,
        change: AccountChange,
        now: Timestamp,
    ) -> Result<AccountChanged, StoreError> {
        let work = move |db: &_| {
            accounts::change(db, admin.as_ref(), &account, change, now).map_err(failure)
        };
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

    async fn session_called(
        &self,
        owner: &Cuid,
        id: &ExternalId,
    ) -> Result<Option<Session>, StoreError> {
        self.readers
            .read(|db| sessions::called(db, owner, Some(id)))
    }

    async fn sessions(
        &self,
        owner: &Cuid,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, StoreError> {
        self.readers
            .read(|db| sessions::list(db, owner, &filter, after, size))
    }

    async fn sessions_made(
        &self,
        owner: &Cuid,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<Session, i64>, StoreError> {
        self.readers
            .read(|db| sessions::list_made(db, owner, after, size))
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

    async fn name_session(
        &self,
        owner: Cuid,
        session: i64,
        title: Title,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let work = move |db: &_| sessions::name(db, &owner, session, &title, now).map_err(failure);
        self.writer.write(work).await
    }

    async fn append_messages(
        &self,
        owner: Cuid,
        key: SessionKey,
        new: Vec<NewMessage>,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Appended, StoreError> {
        let work = move |db: &_| messages::append(db, &owner, &key, &new, now, once.as_ref());
        self.writer.write(work).await
    }

    async fn messages(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        view: MessageView,
        from: Option<i64>,
        size: PageSize,
    ) -> Result<Option<Page<Message, i64>>, StoreError> {
        self.readers
            .read(|db| messages::list(db, owner, key, view, from, size))
    }

    async fn branches(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Branch>>, StoreError> {
        self.readers.read(|db| messages::branches(db, owner, key))
    }

    async fn message(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        id: &Cuid,
    ) -> Result<Option<Message>, StoreError> {
        self.readers.read(|db| {
            let session = sessions::find(db, owner, key)?;
            session.map_or(Ok(None), |session| messages::find_in(db, &session, id))
        })
    }

    async fn remove_parts(
        &self,
        owner: Cuid,
        key: SessionKey,
        message: Cuid,
        parts: Range<usize>,
    ) -> Result<Option<Message>, StoreError> {
        let work = move |db: &_| messages::remove_parts(db, &owner, &key, &message, parts);
        self.writer.write(work).await
    }

    async fn begin_reply(&self, reply: NewReply, once: Option<Once>) -> Result<Begun, StoreError> {
        let work = move |db: &_| replies::begin(db, &reply, once.as_ref());
        self.writer.write(work).await
    }

    async fn claim_reply(
        &self,
        owner: Cuid,
        session: i64,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let work = move |db: &_| writing::claim(db, &owner, session, now);
        self.writer.write(work).await
    }

    async fn append_events(
        &self,
        appends: Vec<Append>,
        now: Timestamp,
    ) -> Result<Vec<Kept>, StoreError> {
        let work = move |db: &_| {
            let kept = appends
                .iter()
                .map(|append| writing::append(db, append, now));
            kept.collect()
        };
        self.writer.write(work).await
    }

    async fn finish_reply(&self, finish: Finish) -> Result<Finished, StoreError> {
        let work = move |db: &_| writing::finish(db, finish);
        self.writer.write(work).await
    }

    async fn stop_reply(
        &self,
        owner: Cuid,
        key: SessionKey,
        reply: Cuid,
        now: Timestamp,
    ) -> Result<Option<Stopped>, StoreError> {
        let work = move |db: &_| writing::stop(db, &owner, &key, &reply, now);
        self.writer.write(work).await
    }

    async fn find_reply(
        &self,
        owner: &Cuid,
        reply: &Cuid,
    ) -> Result<Option<(Reply, i64)>, StoreError> {
        let found = self.readers.read(|db| replies::find(db, owner, reply))?;
        Ok(found.map(|found| (found.reply, found.session)))
    }

    async fn hide_reply(&self, owner: Cuid, reply: Cuid) -> Result<bool, StoreError> {
        let work = move |db: &_| replies::hide(db, &owner, &reply).map_err(failure);
        self.writer.write(work).await
    }

    async fn reply(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        reply: &Cuid,
    ) -> Result<Option<Reply>, StoreError> {
        let found = self
            .readers
            .read(|db| replies::find_in(db, owner, key, reply))?;
        Ok(found.map(|found| found.reply))
    }

    async fn open_replies(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Reply>>, StoreError> {
        self.readers.read(|db| {
            let Some(session) = sessions::find(db, owner, key)? else {
                return Ok(None);
            };
            let open = replies::open(db, owner, session.number)?;
            Ok(Some(open.into_iter().map(|found| found.reply).collect()))
        })
    }

    async fn events(
        &self,
        owner: &Cuid,
        reply: &Cuid,
        from: i64,
    ) -> Result<Option<Vec<NumberedEvent>>, StoreError> {
        self.readers.read(|db| events::list(db, owner, reply, from))
    }

    async fn stranded(&self, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>, StoreError> {
        self.readers.read(|db| writing::stranded(db, now, most))
    }

    async fn note_usage(
        &self,
        owner: Cuid,
        session: Option<i64>,
        id: Cuid,
        model: ModelName,
        usage: TokenUsage,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let work = move |db: &_| {
            usage::note(db, &owner, session, &id, &model, usage, now).map_err(failure)
        };
        self.writer.write(work).await
    }

    async fn usage(&self, owner: &Cuid, span: Span) -> Result<UsageReport, StoreError> {
        self.readers.read(|db| usage::report(db, owner, span))
    }

    async fn usage_of_all(&self, span: Span) -> Result<Vec<AccountUsage>, StoreError> {
        let report = move |db: &_| usage::of_all(db, span);
        self.readers.read_apart(report).await
    }

    async fn changes(&self, owner: &Cuid, after: Option<i64>) -> Result<Changes, StoreError> {
        self.readers.read(|db| feed::changes(db, owner, after))
    }

    async fn feed_positions(&self, owners: &[Cuid]) -> Result<Vec<(Cuid, i64)>, StoreError> {
        self.readers.read(|db| feed::positions(db, owners))
    }

    async fn reply_positions(
        &self,
        replies: &[(Cuid, Cuid)],
    ) -> Result<Vec<(Cuid, Cuid, i64)>, StoreError> {
        self.readers.read(|db| events::positions(db, replies))
    }

    async fn good_tokens(&self, ids: &[Cuid], now: Timestamp) -> Result<Vec<Cuid>, StoreError> {
        self.readers.read(|db| tokens::good(db, ids, now))
    }

    async fn note_node(&self, node: Node, now: Timestamp) -> Result<(), StoreError> {
        let work = move |db: &_| nodes::note(db, &node, now).map_err(failure);
        self.writer.write(work).await
    }

    async fn nodes(&self, now: Timestamp) -> Result<Vec<SeenNode>, StoreError> {
        self.readers.read(|db| nodes::list(db, now))
    }

    async fn forget_node(&self, id: Cuid) -> Result<(), StoreError> {
        let work = move |db: &_| nodes::forget(db, &id).map_err(failure);
        self.writer.write(work).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let work = move |db: &_| {
            let rows = idempotency::sweep(db, now)? + tokens::sweep(db, now)?;
            Ok(rows + feed::sweep(db, now)? + nodes::sweep(db, now)?)
        };
        self.writer.write(work).await
    }
}
