use std::time::Duration;

use crate::contracts::StoreError;
use crate::types::ReplyError;

/// What can go wrong, in the product's own words; each dialect says it in its own way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or none that is good.
    #[error("the token is missing, unknown, expired or revoked")]
    Unauthenticated,
    /// E-mail address and password do not belong together.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    /// Only the first account may be registered.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The caller is no administrator.
    #[error("only for administrators")]
    NotAdmin,
    /// The account is the caller's own.
    #[error("administrators can't change their own account's role, nor disable it")]
    OwnAccount,
    /// The report would span too much.
    #[error("from and to touch more than {} days (UTC)", crate::limits::USAGE_DAYS)]
    SpanTooLong,
    /// Nothing of that name belongs to the caller.
    #[error("not found")]
    NotFound,
    /// Somebody has that e-mail address.
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    /// The account has as many personal tokens as it may have.
    #[error(
        "the account has {} personal tokens; revoke one first",
        crate::limits::TOKENS_PER_KIND
    )]
    TooManyTokens,
    /// What a retry asks for was done and has been deleted since.
    #[error("what this Idempotency-Key made has been deleted")]
    DeletedSince,
    /// The token would be refused from the start.
    #[error("the token's expiry lies in the past")]
    AlreadyExpired,
    /// The session has no such message to end its active path at.
    #[error("head is no message of this chat")]
    NoSuchHead,
    /// The session has no such message to lead its active path through.
    #[error("branch is no message of this chat")]
    NoSuchBranch,
    /// The session has no message that a new one is to follow.
    #[error("parentId is no message of this chat")]
    NoSuchParent {
        /// The new one's place among those that came together.
        at: usize,
    },
    /// Nothing that a message follows makes the call that it brings an output of, or that call has one.
    #[error("callId is no open call of the message that this one follows")]
    NoSuchCall {
        /// The message's place among those that came together.
        at: usize,
    },
    /// The session has no such message of a person's or a tool's to reply to.
    #[error("parentId is no message of a user or a tool in this chat")]
    NoSuchPrompt,
    /// The server has no model of that name.
    #[error("model is none of this server's models")]
    UnknownModel,
    /// The server has no models at all.
    #[error("this server has no models")]
    NoModels,
    /// The session has a reply that has not ended, and the request did not want to wait for it.
    #[error("a reply is being written in this chat")]
    SessionBusy,
    /// As many replies wait in the session as may.
    #[error(
        "{} replies are waiting in this chat; stop one of them first",
        crate::limits::REPLIES_QUEUED
    )]
    QueueFull,
    /// Guests are not let in here.
    #[error("guests are not let in")]
    NoGuests,
    /// Too many requests came from one address.
    #[error("too many requests")]
    TooManyRequests {
        /// When the next one is allowed.
        retry_after: Duration,
    },
    /// A model's provider failed.
    #[error("{}", .0.message)]
    ReplyFailed(ReplyError),
    /// The reply has not ended within the time that the request may take.
    #[error("the reply is still being written")]
    StillWriting,
    /// The thing was changed since the caller read it.
    #[error("it has changed since it was read")]
    PreconditionFailed,
    /// The first request with the same idempotency key is still running.
    #[error("a request with this Idempotency-Key is still running")]
    StillRunning,
    /// The idempotency key belongs to another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// Too many sign-ins failed.
    #[error("too many failed sign-ins")]
    TooManyFailures {
        /// When the next one is allowed.
        retry_after: Duration,
    },
    /// The server has more to do than it can keep waiting.
    #[error("the server is busy")]
    Busy,
    /// The database can't be used at the moment; the text is for the log.
    #[error("the database can't be used: {0}")]
    Unavailable(String),
    /// Something that should not happen; its text is for the log, not for a client.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyReused => Self::KeyReused,
            StoreError::Gone => Self::DeletedSince,
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Internal(source) => Self::Internal(source.to_string()),
        }
    }
}
