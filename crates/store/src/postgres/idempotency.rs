//! What was done under an idempotency key, kept in the same transaction as the change.

use chat::limits;
use chat::types::{Cuid, Once, Timestamp};

use super::connection::{Answer, Connection};
use super::failure::Result;
use super::value::{Query, query};
use crate::rows::{Columns, hash};
use crate::rules::remembered;
use crate::saved::Outcome;

/// Looks for what is kept under a key; without one, for nothing. Stands behind the owner's lock.
pub(super) fn find<'a>(owner: &'a Cuid, once: Option<&'a Once>, now: Timestamp) -> Query<'a> {
    query!(
        "SELECT request, outcome FROM idempotency
         WHERE owner = $1 AND key = $2 AND expires_at > $3",
        owner,
        once.map(|once| once.key.as_str()),
        now
    )
}

/// The text that [`find`] has found, if the same was asked for.
pub(super) fn found(answer: &Answer, once: Option<&Once>) -> Result<Option<String>> {
    let Some(once) = once else { return Ok(None) };
    let row = answer.first(|row| Ok((hash(row, 0)?, row.text(1)?.map(str::to_owned))))?;
    Ok(remembered(once, row)?)
}

/// As [`found`], as the outcome that it is.
pub(super) fn again<T: Outcome>(answer: &Answer, once: Option<&Once>) -> Result<Option<T>> {
    let text = found(answer, once)?;
    let again = text.map(|text| T::again(&text));
    Ok(again.transpose()?)
}

/// Keeps an outcome under a key, if there is a key and something was changed.
pub(super) fn save<'a>(
    owner: &'a Cuid,
    once: Option<&'a Once>,
    now: Timestamp,
    outcome: &impl Outcome,
) -> Option<Query<'a>> {
    save_text(owner, once, now, outcome.save()?, outcome.session())
}

/// As [`save`], of an outcome that is a text of its own.
pub(super) fn save_text<'a>(
    owner: &'a Cuid,
    once: Option<&'a Once>,
    now: Timestamp,
    outcome: String,
    session: Option<i64>,
) -> Option<Query<'a>> {
    let once = once?;
    Some(query!(
        "INSERT INTO idempotency (owner, key, request, outcome, session, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (owner, key) DO UPDATE SET request = excluded.request,
           outcome = excluded.outcome, session = excluded.session,
           expires_at = excluded.expires_at",
        owner,
        once.key.as_str(),
        &once.request,
        outcome,
        session,
        now.after(once.tries.kept())
    ))
}

/// Forgets what was answered about a session that is being deleted; the keys stay used.
pub(super) fn forget(owner: &Cuid, session: i64) -> Query<'_> {
    query!(
        "UPDATE idempotency SET outcome = NULL, session = NULL WHERE owner = $1 AND session = $2",
        owner,
        session
    )
}

/// Deletes keys that are past their time.
pub(super) async fn sweep(db: &mut Connection, now: Timestamp) -> Result<u64> {
    let sweep = db.write(query!(
        "DELETE FROM idempotency WHERE (owner, key) IN
           (SELECT owner, key FROM idempotency WHERE expires_at <= $1
            ORDER BY expires_at LIMIT $2)",
        now,
        limits::SWEEP_ROWS
    ));
    Ok(sweep.await?.count)
}
