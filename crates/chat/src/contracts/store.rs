use async_trait::async_trait;

use crate::types::{
    Account, Credentials, Cuid, Delta, Email, Ending, Message, MessageView, ModelName, NewAccount,
    NewMessage, NewSession, NewToken, NumberedEvent, Once, Page, PageSize, Parent, Part,
    Precondition, Reply, Session, SessionChange, SessionFilter, SessionKey, SessionPosition, Span,
    StoredToken, Timestamp, Title, Token, TokenUsage, UsageReport, WhenBusy,
};

/// Where everything is kept.
///
/// Each method is one transaction; when one that changes something returns `Ok`, the change is on
/// disk. The time and the identifiers come in as arguments. A method with `once` remembers what it
/// did under that key, in the same transaction, and gives the same outcome again for the same
/// request; for another request it fails with [`StoreError::KeyReused`]. What changed nothing is
/// not remembered.
#[async_trait]
pub trait Store: Send + Sync {
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

    /// Replaces the hash of an account's password and deletes its tokens from sign-ins; `false` if there is no such account.
    async fn set_password(&self, account: Cuid, hash: String) -> Result<bool, StoreError>;

    /// Disables an account, or enables it with `None`; `false` if there is no such account.
    async fn set_disabled(
        &self,
        account: Cuid,
        since: Option<Timestamp>,
    ) -> Result<bool, StoreError>;

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

    /// Makes a session and gives it its number.
    async fn create_session(
        &self,
        session: NewSession,
        once: Option<Once>,
    ) -> Result<Session, StoreError>;

    /// A session.
    async fn session(&self, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>, StoreError>;

    /// Sessions, the newest change first, beginning behind `after`.
    async fn sessions(
        &self,
        owner: &Cuid,
        filter: SessionFilter,
        after: Option<SessionPosition>,
        size: PageSize,
    ) -> Result<Page<Session, SessionPosition>, StoreError>;

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

    /// Accepts a reply: writes its prompt, an empty message for it to become, the reply and its
    /// first event, and lets the active path end there.
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

    /// Appends events to replies, each only while its attempt still holds an unexpired lease, and
    /// each by itself; says for each in the same order whether it was kept.
    async fn append_events(
        &self,
        appends: Vec<Append>,
        now: Timestamp,
    ) -> Result<Vec<Kept>, StoreError>;

    /// Ends a reply, if the attempt still holds an unexpired lease: appends the last events, makes
    /// its message of the deltas of its last attempt, and notes what it cost.
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

    /// Sessions in which a reply waits that nobody writes: a running one whose lease is over, or a
    /// queued one where none is running. At most that many; whose they are, and their numbers.
    async fn stranded(&self, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>, StoreError>;

    /// Notes what an answer of a model cost that is no reply.
    async fn note_usage(
        &self,
        owner: Cuid,
        session: i64,
        id: Cuid,
        model: ModelName,
        usage: TokenUsage,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What models have cost in a span of time.
    async fn usage(&self, owner: &Cuid, span: Span) -> Result<UsageReport, StoreError>;

    /// What has changed behind a cursor, in order, at most
    /// [`EVENTS_READ`](crate::limits::EVENTS_READ) changes.
    async fn changes(&self, owner: &Cuid, after: Option<i64>) -> Result<Changes, StoreError>;

    /// Deletes idempotency keys, tokens and notes of deletions that are past their time, at most
    /// [`SWEEP_ROWS`](crate::limits::SWEEP_ROWS) of each; returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError>;
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever comes first.
    FirstOnly,
    /// Anybody.
    Anybody,
}

/// What became of a wish for an account.
#[derive(Clone, Debug)]
pub enum Registered {
    /// It was made.
    Made(Account),
    /// It had been made with the same key before; its password is still to be compared.
    Again(Credentials),
    /// Somebody has that e-mail address.
    EmailTaken,
    /// There is an account, and only the first one was free.
    Closed,
}

/// What became of a wish for a token.
#[derive(Clone, Debug)]
pub enum TokenMade {
    /// It was made, now or before; with what was sealed when it was made.
    Made {
        /// The token.
        token: Token,
        /// [`NewToken::sealed`].
        sealed: Option<Vec<u8>>,
    },
    /// Its owner has as many as allowed.
    TooMany,
}

/// What became of a change to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made: the session as it is now.
    Done(Session),
    /// The owner has no such session.
    Missing,
    /// The precondition did not hold.
    Stale,
    /// The session has no such message to end its active path at.
    NoSuchMessage,
}

/// What became of a wish to delete a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Done,
    /// The owner has no such session.
    Missing,
    /// The precondition did not hold.
    Stale,
}

/// What became of messages that were to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They were; as they are now.
    Done(Vec<Message>),
    /// The owner has no such session.
    Missing,
    /// The session has no message that one of them is to follow.
    NoSuchParent,
}

/// A reply that is about to be accepted.
#[derive(Clone, Debug)]
pub struct NewReply {
    /// Its identifier.
    pub id: Cuid,
    /// Whose it is.
    pub owner: Cuid,
    /// The session.
    pub session: SessionKey,
    /// What it answers.
    pub prompt: Prompt,
    /// The identifier of the message that it becomes.
    pub message: Cuid,
    /// Who writes it.
    pub model: ModelName,
    /// What happens if the session has another one.
    pub when_busy: WhenBusy,
    /// Now.
    pub created_at: Timestamp,
}

/// What a reply answers.
#[derive(Clone, Debug)]
pub enum Prompt {
    /// A new message.
    New {
        /// Its identifier.
        id: Cuid,
        /// What it follows.
        parent: Parent,
        /// What it says.
        content: Vec<Part>,
    },
    /// A person's message that is there already.
    Existing(Cuid),
}

/// What became of a wish for a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is looked at once; a box would cost more"
)]
pub enum Begun {
    /// It was accepted, now or before with the same key.
    Done {
        /// The reply.
        reply: Reply,
        /// The number of its session.
        session: i64,
        /// The running reply that is to end for it.
        interrupted: Option<Cuid>,
    },
    /// The owner has no such session.
    Missing,
    /// The session has no message that the prompt is to follow.
    NoSuchParent,
    /// The session has no such message of a person's.
    NoSuchPrompt,
    /// The session has a reply that has not ended.
    Busy,
    /// As many replies wait as may.
    QueueFull,
}

/// What became of the wish to take a session's next reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is to be written.
    Work(Box<Work>),
    /// It has ended instead; there may be another one.
    Ended {
        /// The reply.
        reply: Cuid,
        /// Its last events.
        events: Vec<NumberedEvent>,
    },
    /// There is none, or somebody else writes it.
    Nothing,
}

/// A reply to write, and what is needed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The reply, with its attempt: what fences its writer.
    pub reply: Reply,
    /// Its session.
    pub session: Session,
    /// The place of its prompt in the session.
    pub prompt_seq: i64,
    /// The events that were appended, the newest last.
    pub events: Vec<NumberedEvent>,
}

/// The right to write a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub owner: Cuid,
    /// The reply.
    pub reply: Cuid,
    /// The attempt that has the right.
    pub attempt: u32,
}

/// Deltas to append to a reply.
#[derive(Clone, Debug)]
pub struct Append {
    /// The right to do it.
    pub claim: Claim,
    /// The deltas, numbered on from what is there.
    pub events: std::sync::Arc<[NumberedEvent]>,
    /// Whether the lease is renewed.
    pub renew: bool,
}

/// Whether an append was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was.
    Yes,
    /// It was refused: the lease is over, somebody else has the reply, or it is gone.
    Fenced,
}

/// How a reply is to end.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The right to end it.
    pub claim: Claim,
    /// Deltas that have not been appended yet.
    pub deltas: Vec<Delta>,
    /// What it cost.
    pub usage: Option<TokenUsage>,
    /// Messages that were left out of what the model read.
    pub left_out: u32,
    /// How it ends.
    pub ending: Ending,
    /// Now.
    pub now: Timestamp,
}

/// What became of the wish to end a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It has ended; with the events that were appended.
    Done(Vec<NumberedEvent>),
    /// As [`Kept::Fenced`].
    Fenced,
}

/// What became of the wish to stop a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was queued and has ended, with these events.
    Ended(Vec<NumberedEvent>),
    /// It is running, in the session of that number, and is to end.
    Asked(i64),
    /// It had ended before.
    Before,
}

/// What has changed behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These, in order.
    These(Vec<Fresh>),
    /// Nobody can tell any more, or it is a first look: what is known has to be read anew, and the
    /// feed goes on behind this cursor.
    Reset(i64),
}

/// A change, with the cursor behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The cursor.
    pub number: i64,
    /// What is new.
    pub change: Change,
}

/// Something that has changed, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A session is new or has changed.
    Session(Session),
    /// A message is new or has ended.
    Message(Message),
    /// A reply is new, has started, or has ended.
    Reply(Reply),
    /// A session was deleted, with everything in it.
    Deleted(Cuid),
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
