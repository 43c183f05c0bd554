use async_trait::async_trait;

use super::outcomes::{
    AccountChanged, Admission, Append, Appended, Begun, Changed, Changes, Claimed, Deleted, Finish,
    Finished, Kept, NewReply, Registered, Stopped, TokenMade,
};
use crate::types::{
    Account, AccountChange, AccountUsage, Branch, Credentials, Cuid, Email, ExternalId, Message,
    MessageView, ModelName, Name, NewAccount, NewMessage, NewSession, NewToken, Node,
    NumberedEvent, Once, Page, PageSize, Precondition, Reply, SeenNode, Session, SessionChange,
    SessionFilter, SessionKey, SessionPosition, Span, StoredToken, Timestamp, Title, Token,
    TokenUsage, UsageReport,
};

/// Where everything is kept.
///
/// Each method is one transaction; when one that changes something returns `Ok`, the change is on
/// disk. The time and the identifiers come in as arguments; a store that nodes share goes by its own
/// clock in what they have to agree on: leases, and which node is alive.
///
/// A method with `once` remembers what it did under that key, in the same transaction, and gives the
/// same outcome again for the same request; for another request it fails with
/// [`StoreError::KeyReused`]. What changed nothing is not remembered. With [`Tries::First`] it looks for
/// nothing under the key, and remembers the new in place of what is there; see
/// [`Tries`] for how long.
#[async_trait]
pub trait Store: Send + Sync {
    /// What keeps it: `sqlite` or `postgresql`.
    fn database(&self) -> &'static str;

    /// How many writes are waiting.
    fn writes_waiting(&self) -> usize;

    /// Reads a row, to see that it can be done.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether there is any account.
    async fn has_accounts(&self) -> Result<bool, StoreError>;

    /// Makes an account. The key of `once` is known per e-mail address.
    async fn create_account(
        &self,
        account: NewAccount,
        admission: Admission,
        once: Option<Once>,
    ) -> Result<Registered, StoreError>;

    /// The account of an e-mail address.
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError>;

    /// Accounts by e-mail address, beginning behind `after`.
    async fn accounts(
        &self,
        after: Option<&Email>,
        size: PageSize,
    ) -> Result<Page<Account, Email>, StoreError>;

    /// Gives an account another name, or none; `false` if there is no such account.
    async fn set_name(&self, account: Cuid, name: Option<Name>) -> Result<bool, StoreError>;

    /// Replaces the hash of an account's password and deletes its tokens from sign-ins, but for the one
    /// to `keep`; `false`, and nothing done, if there is no such account, or it has no such token.
    async fn set_password(
        &self,
        account: Cuid,
        hash: String,
        keep: Option<Cuid>,
    ) -> Result<bool, StoreError>;

    /// Changes an account, at the wish of an administrator who then still has to be one, or of the
    /// operator. One that is disabled again stays disabled since when it was.
    async fn change_account(
        &self,
        admin: Option<Cuid>,
        account: Cuid,
        change: AccountChange,
        now: Timestamp,
    ) -> Result<AccountChanged, StoreError>;

    /// Makes a token. Beyond [`TOKENS_PER_KIND`](crate::limits::TOKENS_PER_KIND) a sign-in replaces
    /// its owner's oldest one, and a personal token is refused.
    async fn create_token(
        &self,
        token: NewToken,
        once: Option<Once>,
    ) -> Result<TokenMade, StoreError>;

    /// The token of that identifier, and whose it is.
    async fn token(&self, id: &Cuid) -> Result<Option<StoredToken>, StoreError>;

    /// An account's tokens, the newest first.
    async fn tokens(&self, owner: &Cuid) -> Result<Vec<Token>, StoreError>;

    /// Deletes a token; `false` if the account has no such token.
    async fn revoke_token(
        &self,
        owner: Cuid,
        id: Cuid,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<bool, StoreError>;

    /// Notes that a token was used, some time soon, or not at all if the store has much to do:
    /// reading must not wait for a write.
    fn touch_token(&self, owner: Cuid, id: Cuid, now: Timestamp);

    /// Makes a session and gives it its number, or gives the one that has its external identifier.
    async fn create_session(
        &self,
        session: NewSession,
        once: Option<Once>,
    ) -> Result<Session, StoreError>;

    /// A session.
    async fn session(&self, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>, StoreError>;

    /// The session that its owner's clients call so.
    async fn session_called(
        &self,
        owner: &Cuid,
        id: &ExternalId,
    ) -> Result<Option<Session>, StoreError>;

    /// Sessions, the newest change first, beginning behind `after`.
    async fn sessions(
        &self,
        owner: &Cuid,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, StoreError>;

    /// Sessions, those made last first, beginning behind the one of the number `after`.
    async fn sessions_made(
        &self,
        owner: &Cuid,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<Session, i64>, StoreError>;

    /// Changes a session if `precondition` holds.
    async fn change_session(
        &self,
        owner: Cuid,
        key: SessionKey,
        change: SessionChange,
        precondition: Precondition,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Changed, StoreError>;

    /// Deletes a session, with everything in it, if `precondition` holds.
    async fn delete_session(
        &self,
        owner: Cuid,
        key: SessionKey,
        precondition: Precondition,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Deleted, StoreError>;

    /// Gives a session a title unless somebody has given it one; `false` if nothing was done.
    async fn name_session(
        &self,
        owner: Cuid,
        session: i64,
        title: Title,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Appends messages to a session, and lets its active path end at the last of them.
    async fn append_messages(
        &self,
        owner: Cuid,
        key: SessionKey,
        messages: Vec<NewMessage>,
        now: Timestamp,
        once: Option<Once>,
    ) -> Result<Appended, StoreError>;

    /// A session's messages, the newest first, beginning with the one at the place `from`; `None`
    /// if there is no such session. Costs what the page costs, however long the session is.
    async fn messages(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        view: MessageView,
        from: Option<i64>,
        size: PageSize,
    ) -> Result<Option<Page<Message, i64>>, StoreError>;

    /// Where the session's paths part: at most
    /// [`BRANCHES_LISTED`](crate::limits::BRANCHES_LISTED) messages, the newest. `None` if there is no
    /// such session.
    async fn branches(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Branch>>, StoreError>;

    /// A message of a session.
    async fn message(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        id: &Cuid,
    ) -> Result<Option<Message>, StoreError>;

    /// Removes parts of a message that has ended: [`Part::Removed`](crate::types::Part::Removed)
    /// stands in the place of each, and what earlier attempts at it had written is gone, too. The
    /// message as it is then; `None` if the session has no such message. One that has not ended stays as it is, and so do parts that it does not have.
    async fn remove_parts(
        &self,
        owner: Cuid,
        key: SessionKey,
        message: Cuid,
        parts: std::ops::Range<usize>,
    ) -> Result<Option<Message>, StoreError>;

    /// Accepts a reply: makes its session if it is a new one, writes its prompt, an empty message for
    /// it to become, the reply and its first event, and lets the active path end there.
    async fn begin_reply(&self, reply: NewReply, once: Option<Once>) -> Result<Begun, StoreError>;

    /// Takes the reply whose turn it is in a session: one that is running and whose lease is over,
    /// else, if none is running, the one that has waited longest.
    ///
    /// A reply that was running begins a new attempt, or ends, if it was to be stopped or has had
    /// [`REPLY_ATTEMPTS`](crate::limits::REPLY_ATTEMPTS).
    async fn claim_reply(
        &self,
        owner: Cuid,
        session: i64,
        now: Timestamp,
    ) -> Result<Claimed, StoreError>;

    /// Appends events to replies, each only while its attempt is the newest one, and each by
    /// itself; says for each in the same order whether it was kept. One that is there already, word
    /// for word, counts as kept, so that what may have been committed can be tried again.
    ///
    /// A lease that is over is renewed if nobody has taken the reply meanwhile.
    async fn append_events(
        &self,
        appends: Vec<Append>,
        now: Timestamp,
    ) -> Result<Vec<Kept>, StoreError>;

    /// Ends a reply, if the attempt is the newest one: appends the last events, makes its message of
    /// the deltas of its last attempt, and notes what it cost.
    async fn finish_reply(&self, finish: Finish) -> Result<Finished, StoreError>;

    /// Stops a reply: ends it if it is queued, or notes that it is to end if it is running; `None`
    /// if the session has no such reply.
    async fn stop_reply(
        &self,
        owner: Cuid,
        key: SessionKey,
        reply: Cuid,
        now: Timestamp,
    ) -> Result<Option<Stopped>, StoreError>;

    /// A reply, by its identifier alone; with the number of its session.
    async fn find_reply(
        &self,
        owner: &Cuid,
        reply: &Cuid,
    ) -> Result<Option<(Reply, i64)>, StoreError>;

    /// Hides a reply, see [`Reply::hidden`]; `false` if there is none, or it was hidden already.
    async fn hide_reply(&self, owner: Cuid, reply: Cuid) -> Result<bool, StoreError>;

    /// A reply of a session.
    async fn reply(
        &self,
        owner: &Cuid,
        key: &SessionKey,
        reply: &Cuid,
    ) -> Result<Option<Reply>, StoreError>;

    /// A session's replies that have not ended, the next one first; `None` if there is no such
    /// session.
    async fn open_replies(
        &self,
        owner: &Cuid,
        key: &SessionKey,
    ) -> Result<Option<Vec<Reply>>, StoreError>;

    /// A reply's events from that number on; at least the next
    /// [`EVENTS_READ`](crate::limits::EVENTS_READ), if there are as many. `None` if there is no
    /// such reply.
    async fn events(
        &self,
        owner: &Cuid,
        reply: &Cuid,
        from: i64,
    ) -> Result<Option<Vec<NumberedEvent>>, StoreError>;

    /// Sessions in which a reply waits that nobody writes: first those with a running one whose
    /// lease is over, then those with a queued one where none is running. At most that many; whose
    /// they are, and their numbers.
    async fn stranded(&self, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>, StoreError>;

    /// Notes what an answer of a model cost that is no reply; it may belong to no session.
    async fn note_usage(
        &self,
        owner: Cuid,
        session: Option<i64>,
        id: Cuid,
        model: ModelName,
        usage: TokenUsage,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What models have cost in a span of time.
    async fn usage(&self, owner: &Cuid, span: Span) -> Result<UsageReport, StoreError>;

    /// What models have cost in a span of time, day by day, for the
    /// [`USAGE_ACCOUNTS`](crate::limits::USAGE_ACCOUNTS) accounts with the most tokens, these first.
    async fn usage_of_all(&self, span: Span) -> Result<Vec<AccountUsage>, StoreError>;

    /// What has changed behind a cursor, in order, at most
    /// [`EVENTS_READ`](crate::limits::EVENTS_READ) changes.
    async fn changes(&self, owner: &Cuid, after: Option<i64>) -> Result<Changes, StoreError>;

    /// The cursor behind the last change of each of these owners; without those who have none.
    async fn feed_positions(&self, owners: &[Cuid]) -> Result<Vec<(Cuid, i64)>, StoreError>;

    /// The number of the last event of each of these replies, by owner and reply; without those
    /// that are gone.
    async fn reply_positions(
        &self,
        replies: &[(Cuid, Cuid)],
    ) -> Result<Vec<(Cuid, Cuid, i64)>, StoreError>;

    /// Which of these tokens are good: neither revoked nor expired, and their accounts not disabled.
    async fn good_tokens(&self, ids: &[Cuid], now: Timestamp) -> Result<Vec<Cuid>, StoreError>;

    /// Notes that a node is alive, and what it does.
    async fn note_node(&self, node: Node, now: Timestamp) -> Result<(), StoreError>;

    /// The nodes that have been heard of within [`NODE_KEPT`](crate::limits::NODE_KEPT), those that
    /// have run longest first.
    async fn nodes(&self, now: Timestamp) -> Result<Vec<SeenNode>, StoreError>;

    /// Forgets a node that has ended.
    async fn forget_node(&self, id: Cuid) -> Result<(), StoreError>;

    /// Deletes nodes, idempotency keys, tokens and notes of deletions that are past their time, at most
    /// [`SWEEP_ROWS`](crate::limits::SWEEP_ROWS) of each; returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError>;
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// What was done under the idempotency key has been deleted since.
    #[error("what this idempotency key made has been deleted")]
    Gone,
    /// It can't be used at the moment: the disk is full or faulty, or another program holds it.
    #[error("the database can't be used: {0}")]
    Unavailable(String),
    /// Something that should not happen.
    #[error(transparent)]
    Internal(Box<dyn std::error::Error + Send + Sync>),
}
