//! The feed: what has changed for an owner, in the order of the changes.

use chat::contracts::{Change, Changes, Fresh, StoreError};
use chat::limits;
use chat::types::{Cuid, SessionKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{messages, replies, sessions};
use crate::rows::cuid;
use crate::rules::{PageBytes, before, behind};

/// Gives out the owner's next number. Every row that a change writes takes one.
pub(super) fn next(db: &Connection, owner: &Cuid) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO feed (owner, last, swept) VALUES (?1, 1, 0)
         ON CONFLICT (owner) DO UPDATE SET last = last + 1 RETURNING last",
    )?
    .query_row([owner.as_str()], |row| row.get(0))
}

/// Keeps it known that a session was deleted.
pub(super) fn note_deletion(
    db: &Connection,
    owner: &Cuid,
    session: &Cuid,
    now: Timestamp,
) -> Result<()> {
    let number = next(db, owner)?;
    db.prepare_cached(
        "INSERT INTO deleted_session (owner, changed, id, deleted_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((owner.as_str(), number, session.as_str(), now.0))
    .map(drop)
}

pub(super) fn changes(db: &Connection, owner: &Cuid, after: Option<i64>) -> Result<Changes> {
    // What is read together has to be of one moment: a sweep in between would hide a deletion.
    let moment = db.unchecked_transaction()?;
    let (last, swept) = db
        .prepare_cached("SELECT last, swept FROM feed WHERE owner = ?1")?
        .query_row([owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, 0));
    let after = match behind(after, last, swept) {
        Ok(after) => after,
        Err(reset) => return Ok(reset),
    };
    let found = db
        .prepare_cached(
            "SELECT changed, 's', id, number FROM session WHERE owner = ?1 AND changed > ?2
             UNION ALL
             SELECT changed, 'm', id, 0 FROM message WHERE owner = ?1 AND changed > ?2
             UNION ALL
             SELECT changed, 'r', id, 0 FROM reply WHERE owner = ?1 AND changed > ?2
             UNION ALL
             SELECT changed, 'd', id, 0 FROM deleted_session WHERE owner = ?1 AND changed > ?2
             ORDER BY changed LIMIT ?3",
        )?
        .query_map((owner.as_str(), after, limits::EVENTS_READ), |row| {
            Ok((row.get(0)?, row.get(1)?, cuid(row, 2)?, row.get(3)?))
        })?
        .collect::<Result<Vec<(i64, String, Cuid, i64)>>>()?;
    let (mut fresh, mut bytes) = (Vec::new(), PageBytes::default());
    for (number, kind, id, session) in found {
        if bytes.are_spent() {
            break;
        }
        let change = match kind.as_str() {
            "s" => sessions::find(db, owner, &SessionKey::Number(session))?.map(Change::Session),
            "m" => messages::find(db, owner, &id)?.map(Change::Message),
            "r" => replies::find(db, owner, &id)?.map(|found| Change::Reply(found.reply)),
            _ => Some(Change::Deleted(id)),
        };
        if let Some(Change::Message(message)) = &change {
            bytes.spend(message);
        }
        fresh.extend(change.map(|change| Fresh { number, change }));
    }
    moment.commit()?;
    Ok(Changes::These(fresh))
}

/// The last number of each of these owners that has been given out.
pub(super) fn positions(db: &Connection, owners: &[Cuid]) -> Result<Vec<(Cuid, i64)>> {
    let moment = db.unchecked_transaction()?;
    let mut statement = moment.prepare_cached("SELECT last FROM feed WHERE owner = ?1")?;
    let mut positions = Vec::with_capacity(owners.len());
    for owner in owners {
        let last = statement.query_row([owner.as_str()], |row| row.get(0));
        positions.extend(last.optional()?.map(|last| (owner.clone(), last)));
    }
    Ok(positions)
}

/// Deletes notes of deletions that are past their time.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> std::result::Result<usize, StoreError> {
    let before = before(now, limits::DELETIONS_KEPT).0;
    let deleted = db
        .prepare(
            "DELETE FROM deleted_session WHERE (owner, changed) IN
               (SELECT owner, changed FROM deleted_session WHERE deleted_at <= ?1 LIMIT ?2)
             RETURNING owner, changed",
        )
        .and_then(|mut statement| {
            statement
                .query_map((before, limits::SWEEP_ROWS), |row| {
                    Ok((cuid(row, 0)?, row.get(1)?))
                })?
                .collect::<Result<Vec<(Cuid, i64)>>>()
        })
        .map_err(failure)?;
    for (owner, number) in &deleted {
        db.prepare_cached("UPDATE feed SET swept = max(swept, ?2) WHERE owner = ?1")
            .and_then(|mut statement| statement.execute((owner.as_str(), number)))
            .map_err(failure)?;
    }
    Ok(deleted.len())
}
