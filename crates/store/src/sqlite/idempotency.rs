//! What was done under an idempotency key, kept in the same transaction as the change.

use chat::contracts::StoreError;
use chat::limits;
use chat::types::{Cuid, Once, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::writer::failure;
use crate::rows;
use crate::rules::remembered;
use crate::saved::Outcome;

/// Does `change` and remembers what came of it, or finds what came of it the first time.
pub(super) fn once<T: Outcome>(
    db: &Connection,
    owner: &Cuid,
    once: Option<&Once>,
    now: Timestamp,
    change: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let Some(once) = once else { return change() };
    if let Some(text) = find(db, owner, once, now)? {
        return T::again(&text);
    }
    let outcome = change()?;
    if let Some(text) = outcome.save() {
        save(db, owner, once, now, &text, outcome.session())?;
    }
    Ok(outcome)
}

/// The outcome that is kept under a key, if there is one.
pub(super) fn find(
    db: &Connection,
    owner: &Cuid,
    once: &Once,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let kept = db
        .prepare_cached(
            "SELECT request, outcome FROM idempotency
             WHERE owner = ?1 AND key = ?2 AND expires_at > ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_row((owner.as_str(), once.key.as_str(), now.0), |row| {
                    Ok((rows::hash(row, 0)?, row.get(1)?))
                })
                .optional()
        })
        .map_err(failure)?;
    remembered(once, kept)
}

/// Keeps an outcome under a key.
pub(super) fn save(
    db: &Connection,
    owner: &Cuid,
    once: &Once,
    now: Timestamp,
    outcome: &str,
    session: Option<i64>,
) -> Result<(), StoreError> {
    let until = now.after(once.tries.kept());
    db.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (owner, key, request, outcome, session, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .and_then(|mut statement| {
        let key = once.key.as_str();
        let owner = owner.as_str();
        statement.execute((owner, key, once.request, outcome, session, until.0))
    })
    .map_err(failure)?;
    Ok(())
}

/// Forgets what was answered about a session that is being deleted; the keys stay used.
pub(super) fn forget(db: &Connection, owner: &Cuid, session: i64) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE idempotency SET outcome = NULL, session = NULL WHERE owner = ?1 AND session = ?2",
    )
    .and_then(|mut statement| statement.execute((owner.as_str(), session)))
    .map(drop)
    .map_err(failure)
}

/// Deletes keys that are past their time.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    db.execute(
        "DELETE FROM idempotency WHERE (owner, key) IN
           (SELECT owner, key FROM idempotency WHERE expires_at <= ?1 LIMIT ?2)",
        (now.0, limits::SWEEP_ROWS),
    )
    .map_err(failure)
}
