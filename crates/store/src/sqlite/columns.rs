//! Between columns and the product's types. A stored value that its type refuses is damage.

use chat::types::{Account, Cuid, Email, Role, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Error, Row};

/// The columns of an account, for [`account`].
macro_rules! account_columns {
    () => {
        "account.id, account.email, account.name, account.role, account.disabled_at, \
         account.created_at"
    };
}
pub(super) use account_columns;

/// Reads what [`account_columns`] names, from column `at` on.
pub(super) fn account(row: &Row<'_>, at: usize) -> rusqlite::Result<Account> {
    Ok(Account {
        id: cuid(row, at)?,
        email: parsed(row, at + 1, Email::parse)?,
        name: optional(row, at + 2, chat::types::Name::parse)?,
        role: parsed(row, at + 3, role)?,
        disabled_at: row.get::<_, Option<i64>>(at + 4)?.map(Timestamp),
        created_at: time(row, at + 5)?,
    })
}

fn role(text: &str) -> Result<Role, UnknownWord> {
    match text {
        "admin" => Ok(Role::Admin),
        "user" => Ok(Role::User),
        _ => Err(UnknownWord),
    }
}

/// A word that the schema does not allow.
#[derive(Debug)]
pub(super) struct UnknownWord;

impl std::error::Error for UnknownWord {}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("is a word that the schema does not allow")
    }
}

pub(super) fn cuid(row: &Row<'_>, at: usize) -> rusqlite::Result<Cuid> {
    parsed(row, at, Cuid::parse)
}

pub(super) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    row.get(at).map(Timestamp)
}

/// Reads a text column with a type's own parser.
pub(super) fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    at: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    parse(row.get_ref(at)?.as_str()?).map_err(|error| damaged(at, error))
}

/// As [`parsed`], for a column that may be NULL.
pub(super) fn optional<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    at: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(at)?.as_str_or_null()?;
    text.map(parse)
        .transpose()
        .map_err(|error| damaged(at, error))
}

fn damaged(at: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
