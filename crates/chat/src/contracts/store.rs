use async_trait::async_trait;

use crate::types::{
    Account, Credentials, Cuid, Email, NewAccount, NewSession, NewToken, Once, Page, PageSize,
    Precondition, Session, SessionChange, SessionFilter, SessionKey, SessionPosition, StoredToken,
    Timestamp, Token,
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

    /// Deletes idempotency keys and tokens that are past their time, at most
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
