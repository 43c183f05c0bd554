//! What can go wrong, and what it means: to the product, to the connection, and to the next try.

use std::error::Error;
use std::io;

use chat::contracts::StoreError;
use tokio_postgres::Error as Postgres;

use super::connection::Stage;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a call on a connection did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// PostgreSQL, or the way to it.
    Postgres(Postgres),
    /// A column holds what its type refuses.
    Damaged(usize, Box<dyn Error + Send + Sync>),
    /// An answer of the store's own.
    Store(StoreError),
    /// The connection was given up.
    Lost,
    /// The call's time is over.
    Late,
}

impl From<Postgres> for Failure {
    fn from(error: Postgres) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::saved::Damage> for Failure {
    fn from(damage: crate::saved::Damage) -> Self {
        Self::Store(damage.into())
    }
}

/// Whether a change that may have been made can be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twice {
    /// It has an idempotency key, or making it twice is making it once.
    Safe,
    /// It would be made twice.
    Unsafe,
}

impl Failure {
    /// Whether a new try may succeed and can do no harm.
    pub(super) fn is_worth_another_try(&self, stage: Stage, twice: Twice) -> bool {
        match self.kind() {
            // It did nothing.
            Kind::Collision => true,
            Kind::Away => stage != Stage::Committing || twice == Twice::Safe,
            Kind::Unavailable | Kind::Other => false,
        }
    }

    /// Whether the connection is of no use any more.
    pub(super) fn spoils_the_connection(&self) -> bool {
        matches!(self.kind(), Kind::Away)
    }

    fn kind(&self) -> Kind {
        let Self::Postgres(error) = self else {
            return match self {
                Self::Lost | Self::Late => Kind::Away,
                _ => Kind::Other,
            };
        };
        let Some(code) = error.code() else {
            let broken = error.source().is_some_and(<dyn Error>::is::<io::Error>);
            return if error.is_closed() || broken {
                Kind::Away
            } else {
                Kind::Other
            };
        };
        match (code.code(), code.code().get(..2)) {
            ("40001" | "40P01", _) => Kind::Collision,
            // Shut down, crashed or starting; a standby; too many connections; ended because this
            // node was silent in a transaction.
            ("57P01" | "57P02" | "57P03" | "25006" | "53300" | "25P03", _) | (_, Some("08")) => {
                Kind::Away
            }
            (_, Some("28" | "3D" | "53" | "57" | "58")) => Kind::Unavailable,
            _ => Kind::Other,
        }
    }
}

enum Kind {
    /// Two transactions got in each other's way.
    Collision,
    /// The server or the way to it is gone, for now.
    Away,
    /// The server is there and can't do it: it refuses this user, is full, or was too slow.
    Unavailable,
    Other,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let unavailable = !matches!(failure.kind(), Kind::Other);
        match failure {
            Failure::Store(error) => error,
            Failure::Damaged(at, why) => {
                Self::Internal(format!("column {at} of an answer is damaged: {why}").into())
            }
            Failure::Postgres(error) if unavailable => Self::Unavailable(describe(&error)),
            Failure::Postgres(error) => Self::Internal(describe(&error).into()),
            Failure::Late => Self::Unavailable("the database did not answer in time".into()),
            Failure::Lost => Self::Unavailable("the connection was lost".into()),
        }
    }
}

/// What PostgreSQL says about it, without the detail, which may hold what people wrote.
pub(crate) fn describe(error: &Postgres) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
