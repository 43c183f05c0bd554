//! The store on PostgreSQL, for as many nodes as there are: a pool of connections, and verbs that
//! are short transactions.
//!
//! The owner's row in `feed` is the lock of what the owner has: each transaction that changes
//! something of an owner's takes it first. So an owner's changes happen one behind the other, are
//! seen in the order of their numbers, and each statement behind the lock sees all earlier ones.
//! Only appending events does without: it locks the rows of its replies.

mod accounts;
mod address;
mod columns;
mod connection;
mod copy;
mod dial;
mod events;
mod failure;
mod feed;
mod idempotency;
mod messages;
mod migrations;
mod nodes;
mod notify;
mod numbers;
mod open;
mod pool;
mod replies;
mod sessions;
mod tokens;
mod turns;
mod usage;
mod value;
mod writing;

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
    TokenUsage, Tries, UsageReport,
};
use futures_util::future::try_join_all;
use tokio::sync::Semaphore;

pub use address::{Address, InvalidAddress};
pub(crate) use copy::Idle;
pub use dial::TlsError;
pub(crate) use failure::describe;
pub use notify::Notify;

use crate::LeaseClock;
use failure::Twice;
use numbers::Numbers;
use pool::{Pool, call};
use turns::Turns;

/// A store on PostgreSQL.
pub struct Postgres {
    pool: Arc<Pool>,
    turns: Turns,
    numbers: Numbers,
    lease_clock: LeaseClock,
    /// Places for notes of a token's use; who finds none leaves it.
    touching: Arc<Semaphore>,
}

impl Postgres {
    /// What time it is for leases; `None` lets the database say.
    fn clock(&self, now: Timestamp) -> Option<Timestamp> {
        match self.lease_clock {
            LeaseClock::Database => None,
            LeaseClock::Arguments => Some(now),
        }
    }
}

/// Whether a change may be made again that nobody has heard of: with a key the second one finds
/// what the first one did, if it looks.
fn twice(once: Option<&Once>) -> Twice {
    match once {
        Some(once) if once.tries != Tries::First => Twice::Safe,
        _ => Twice::Unsafe,
    }
}

#[async_trait]
impl Store for Postgres {
    fn database(&self) -> &'static str {
        "postgresql"
    }

    fn writes_waiting(&self) -> usize {
        self.pool.waiting()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.has_accounts().await.map(drop)
    }

    async fn has_accounts(&self) -> Result<bool, StoreError> {
        call!(self.pool, Twice::Safe, |db| accounts::any(db))
    }

    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
        once: Option<Once>,
    ) -> Result<Registered, StoreError> {
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| {
            accounts::create(db, &account, admission, once)
        })
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        call!(self.pool, Twice::Safe, |db| accounts::by_email(db, email))
    }

    async fn accounts(
        &self,
        after: Option<&Email>,
        size: PageSize,
    ) -> Result<Page<Account, Email>, StoreError> {
        call!(self.pool, Twice::Safe, |db| accounts::list(db, after, size))
    }

    async fn set_name(&self, account: Cuid, name: Option<Name>) -> Result<bool, StoreError> {
        let name = name.as_ref();
        call!(self.pool, Twice::Safe, |db| accounts::set_name(
            db, &account, name
        ))
    }

    async fn set_password(
        &self,
        account: Cuid,
        hash: String,
        keep: Option<Cuid>,
    ) -> Result<bool, StoreError> {
        let _turn = self.turns.of(&account).await?;
        let keep = keep.as_ref();
        call!(self.pool, Twice::Safe, |db| accounts::set_password(
            db, &account, &hash, keep
        ))
    }

    async fn change_account(
        &self,
        admin: Option<Cuid>,
        account: Cuid,
        change: AccountChange,
        now: Timestamp,
    ) -> Result<AccountChanged, StoreError> {
        let admin = admin.as_ref();
        call!(self.pool, Twice::Safe, |db| {
            accounts::change(db, admin, &account, change, now)
        })
    }

    async fn create_token(
        &self,
        token: NewToken,
        once: Option<Once>,
    ) -> Result<TokenMade, StoreError> {
        let _turn = self.turns.of(&token.owner).await?;
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| tokens::create(
            db, &token, once
        ))
    }

    async fn token(&self, id: &Cuid) -> Result<Option<StoredToken>, StoreError> {
        call!(self.pool, Twice::Safe, |db| tokens::find(db, id))
    }

    async fn tokens(&self, owner: &Cuid) -> Result<Vec<Token>, StoreError> {
        call!(self.pool, Twice::Safe, |db| tokens::list(db, owner))
    }

    async fn revoke_token(
        &self,
        owner: Cuid,
        id: Cuid,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<bool, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| tokens::revoke(
            db, &owner, &id, now, once
        ))
    }

    fn touch_token(&self, owner: Cuid, id: Cuid, now: Timestamp) {
        let Ok(place) = self.touching.clone().try_acquire_owned() else {
            return;
        };
        let pool = self.pool.clone();
        tokio::spawn(async move {
            // It is a note, and the next use makes another one.
            let _: Result<(), _> =
                call!(pool, Twice::Safe, |db| tokens::touch(db, &owner, &id, now));
            drop(place);
        });
    }

    async fn create_session(
        &self,
        session: NewSession,
        once: Option<Once>,
    ) -> Result<Session, StoreError> {
        let _turn = self.turns.of(&session.owner).await?;
        let (once, numbers) = (once.as_ref(), &self.numbers);
        call!(self.pool, twice(once), |db| {
            sessions::create(db, numbers, &session, once)
        })
    }

    async fn session(&self, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        call!(self.pool, Twice::Safe, |db| sessions::find(db, owner, key))
    }

    async fn session_called(
        &self,
        owner: &Cuid,
        id: &ExternalId,
    ) -> Result<Option<Session>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            sessions::find_called(db, owner, id)
        })
    }

    async fn sessions(
        &self,
        owner: &Cuid,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            sessions::list(db, owner, &filter, after, size)
        })
    }

    async fn sessions_made(
        &self,
        owner: &Cuid,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<Session, i64>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            sessions::list_made(db, owner, after, size)
        })
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
        let _turn = self.turns.of(&owner).await?;
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| {
            sessions::change(db, &owner, &key, &change, &precondition, now, once)
        })
    }

    async fn delete_session(
        &self,
        owner: Cuid,
        key: SessionKey,
        precondition: Precondition,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Deleted, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| {
            sessions::delete(db, &owner, &key, &precondition, now, once)
        })
    }

    async fn name_session(
        &self,
        owner: Cuid,
        session: i64,
        title: Title,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        call!(self.pool, Twice::Unsafe, |db| {
            sessions::name(db, &owner, session, &title, now)
        })
    }

    async fn append_messages(
        &self,
        owner: Cuid,
        key: SessionKey,
        new: Vec<NewMessage>,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Appended, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        let once = once.as_ref();
        call!(self.pool, twice(once), |db| {
            messages::append(db, &owner, &key, &new, now, once)
        })
    }

    async fn messages(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        view: MessageView,
        from: Option<i64>,
        size: PageSize,
    ) -> Result<Option<Page<Message, i64>>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            messages::list(db, owner, key, view, from, size)
        })
    }

    async fn branches(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Branch>>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            messages::branches(db, owner, key)
        })
    }

    async fn message(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        id: &Cuid,
    ) -> Result<Option<Message>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            messages::find(db, owner, key, id)
        })
    }

    async fn remove_parts(
        &self,
        owner: Cuid,
        key: SessionKey,
        message: Cuid,
        parts: Range<usize>,
    ) -> Result<Option<Message>, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        call!(self.pool, Twice::Safe, |db| {
            messages::remove_parts(db, &owner, &key, &message, parts.clone())
        })
    }

    async fn begin_reply(&self, reply: NewReply, once: Option<Once>) -> Result<Begun, StoreError> {
        let _turn = self.turns.of(&reply.owner).await?;
        let (once, numbers) = (once.as_ref(), &self.numbers);
        call!(self.pool, twice(once), |db| {
            replies::begin(db, numbers, &reply, once)
        })
    }

    async fn claim_reply(
        &self,
        owner: Cuid,
        session: i64,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        let clock = self.clock(now);
        call!(self.pool, Twice::Unsafe, |db| {
            writing::claim(db, &owner, session, now, clock)
        })
    }

    async fn append_events(
        &self,
        appends: Vec<Append>,
        now: Timestamp,
    ) -> Result<Vec<Kept>, StoreError> {
        let clock = self.clock(now);
        let groups = writing::groups(&appends);
        let written = groups.iter().map(|group| async move {
            call!(self.pool, Twice::Safe, |db| {
                writing::append(db, group, clock)
            })
        });
        let written = try_join_all(written).await?;
        let mut kept = vec![Kept::Fenced; appends.len()];
        for (place, one) in written.into_iter().flatten() {
            kept[place] = one;
        }
        Ok(kept)
    }

    async fn finish_reply(&self, finish: Finish) -> Result<Finished, StoreError> {
        let _turn = self.turns.of(&finish.claim.owner).await?;
        call!(self.pool, Twice::Unsafe, |db| {
            writing::finish(db, &finish)
        })
    }

    async fn stop_reply(
        &self,
        owner: Cuid,
        key: SessionKey,
        reply: Cuid,
        now: Timestamp,
    ) -> Result<Option<Stopped>, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        call!(self.pool, Twice::Unsafe, |db| {
            writing::stop(db, &owner, &key, &reply, now)
        })
    }

    async fn find_reply(
        &self,
        owner: &Cuid,
        reply: &Cuid,
    ) -> Result<Option<(Reply, i64)>, StoreError> {
        let found = call!(self.pool, Twice::Safe, |db| replies::find(db, owner, reply));
        Ok(found?.map(|found| (found.reply, found.session)))
    }

    async fn hide_reply(&self, owner: Cuid, reply: Cuid) -> Result<bool, StoreError> {
        let _turn = self.turns.of(&owner).await?;
        call!(self.pool, Twice::Unsafe, |db| replies::hide(
            db, &owner, &reply
        ))
    }

    async fn reply(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        reply: &Cuid,
    ) -> Result<Option<Reply>, StoreError> {
        let found = call!(self.pool, Twice::Safe, |db| {
            replies::find_in(db, owner, key, reply)
        });
        Ok(found?.map(|found| found.reply))
    }

    async fn open_replies(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Reply>>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            replies::list_open(db, owner, key)
        })
    }

    async fn events(
        &self,
        owner: &Cuid,
        reply: &Cuid,
        from: i64,
    ) -> Result<Option<Vec<NumberedEvent>>, StoreError> {
        call!(self.pool, Twice::Safe, |db| {
            events::list(db, owner, reply, from)
        })
    }

    async fn stranded(&self, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>, StoreError> {
        let clock = self.clock(now);
        call!(self.pool, Twice::Safe, |db| {
            writing::stranded(db, clock, most)
        })
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
        let _turn = self.turns.of(&owner).await?;
        call!(self.pool, Twice::Safe, |db| {
            let note = usage::note(&owner, session, &id, &model, usage, now);
            usage::write(db, &owner, note)
        })
    }

    async fn usage(&self, owner: &Cuid, span: Span) -> Result<UsageReport, StoreError> {
        call!(self.pool, Twice::Safe, |db| usage::report(db, owner, span))
    }

    async fn usage_of_all(&self, span: Span) -> Result<Vec<AccountUsage>, StoreError> {
        call!(self.pool, Twice::Safe, |db| usage::of_all(db, span))
    }

    async fn changes(&self, owner: &Cuid, after: Option<i64>) -> Result<Changes, StoreError> {
        call!(self.pool, Twice::Safe, |db| feed::changes(db, owner, after))
    }

    async fn feed_positions(&self, owners: &[Cuid]) -> Result<Vec<(Cuid, i64)>, StoreError> {
        call!(self.pool, Twice::Safe, |db| feed::positions(db, owners))
    }

    async fn reply_positions(
        &self,
        replies: &[(Cuid, Cuid)],
    ) -> Result<Vec<(Cuid, Cuid, i64)>, StoreError> {
        call!(self.pool, Twice::Safe, |db| events::positions(db, replies))
    }

    async fn good_tokens(&self, ids: &[Cuid], now: Timestamp) -> Result<Vec<Cuid>, StoreError> {
        call!(self.pool, Twice::Safe, |db| tokens::good(db, ids, now))
    }

    async fn note_node(&self, node: Node, now: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock(now);
        call!(self.pool, Twice::Safe, |db| nodes::note(db, &node, clock))
    }

    async fn nodes(&self, now: Timestamp) -> Result<Vec<SeenNode>, StoreError> {
        let clock = self.clock(now);
        call!(self.pool, Twice::Safe, |db| nodes::list(db, clock))
    }

    async fn forget_node(&self, id: Cuid) -> Result<(), StoreError> {
        call!(self.pool, Twice::Safe, |db| nodes::forget(db, &id))
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (pool, clock) = (&self.pool, self.clock(now));
        let keys = call!(pool, Twice::Safe, |db| idempotency::sweep(db, now))?;
        let tokens = call!(pool, Twice::Safe, |db| tokens::sweep(db, now))?;
        let nodes = call!(pool, Twice::Safe, |db| nodes::sweep(db, clock))?;
        let mut rows = keys + tokens + nodes;
        // An owner at a time: nobody holds the locks of two.
        for (owner, last) in call!(pool, Twice::Safe, |db| feed::past(db, now))? {
            rows += call!(pool, Twice::Safe, |db| feed::forget(db, &owner, last))?;
        }
        Ok(rows as usize)
    }
}
