use std::time::Duration;

use crate::contracts::StoreError;

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
