use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat::Error;

/// Why a request was refused: by the product, or before it got there.
///
/// As a response it is still without a shape: [`observe`](crate::observe) gives it the one of the
/// dialect that was spoken.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The product refused.
    Chat(Error),
    /// A part of the request is not what it should be.
    Invalid {
        /// The part: a field of the body, a parameter, a header.
        field: String,
        /// What is wrong with it; reads on after its name.
        reason: String,
    },
    /// The body has more bytes than are read.
    TooLarge {
        /// How many are.
        limit: usize,
    },
    /// It may be a page from elsewhere that asks, with a browser's cookie.
    OtherSite,
    /// There is nothing at this path.
    UnknownPath,
    /// The path is known, with other methods.
    MethodNotAllowed,
    /// The request took too long.
    TimedOut,
}

impl Fault {
    pub(crate) fn invalid(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: reason.to_string(),
        }
    }

    /// The status of the answer, in every dialect.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::OtherSite => StatusCode::FORBIDDEN,
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Chat(error) => match error {
                Error::Unauthenticated | Error::WrongPassword => StatusCode::UNAUTHORIZED,
                Error::AlreadyExpired
                | Error::SpanTooLong
                | Error::NoSuchHead
                | Error::NoSuchBranch
                | Error::NoSuchParent { .. }
                | Error::NoSuchCall { .. }
                | Error::NoSuchPrompt
                | Error::UnknownModel => StatusCode::BAD_REQUEST,
                Error::RegistrationClosed | Error::NoGuests | Error::NotAdmin => {
                    StatusCode::FORBIDDEN
                }
                Error::NotFound => StatusCode::NOT_FOUND,
                Error::EmailTaken
                | Error::OwnAccount
                | Error::TooManyTokens
                | Error::StillRunning
                | Error::SessionBusy
                | Error::QueueFull
                | Error::DeletedSince => StatusCode::CONFLICT,
                Error::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
                Error::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
                Error::TooManyFailures { .. } | Error::TooManyRequests { .. } => {
                    StatusCode::TOO_MANY_REQUESTS
                }
                Error::ReplyFailed(_) => StatusCode::BAD_GATEWAY,
                Error::StillWriting => StatusCode::GATEWAY_TIMEOUT,
                Error::Busy | Error::NoModels | Error::Unavailable(_) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// After which time it is worth trying again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Chat(
                Error::TooManyFailures { retry_after } | Error::TooManyRequests { retry_after },
            ) => Some(*retry_after),
            Self::Chat(Error::ReplyFailed(error)) => error.retry_after,
            Self::Chat(
                Error::StillRunning | Error::SessionBusy | Error::Busy | Error::Unavailable(_),
            )
            | Self::TimedOut => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// What a client reads. What went wrong inside is for the log alone.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Invalid { field, reason } => format!("{field} {reason}"),
            Self::TooLarge { limit } => format!("the body is larger than {limit} bytes"),
            Self::OtherSite => {
                "a request with a cookie must come from this server's own page".into()
            }
            Self::UnknownPath => "there is nothing at this path".into(),
            Self::MethodNotAllowed => "this path does not take this method".into(),
            Self::TimedOut => "the request took too long".into(),
            Self::Chat(Error::Internal(_)) => "internal server error".into(),
            Self::Chat(Error::Unavailable(_)) => {
                "the server can't use its database at the moment".into()
            }
            Self::Chat(error) => error.to_string(),
        }
    }

    /// What the log holds.
    pub(crate) fn inside(&self) -> String {
        match self {
            Self::Chat(error) => error.to_string(),
            other => other.message(),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Chat(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
