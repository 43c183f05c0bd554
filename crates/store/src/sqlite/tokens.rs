use chat::contracts::{StoreError, TokenMade};
use chat::limits;
use chat::types::{Cuid, Name, NewToken, Once, StoredToken, Timestamp, Token};
use rusqlite::{Connection, OptionalExtension, Result};

use super::idempotency;
use super::writer::failure;
use crate::rows::{self, account_columns, token_columns};
use crate::rules::{Room, room_for_token, token_made};
use crate::saved::Revoked;

pub(super) fn find(db: &Connection, id: &Cuid) -> Result<Option<StoredToken>> {
    db.prepare_cached(concat!(
        "SELECT ",
        token_columns!(),
        ", token.hash, ",
        account_columns!(),
        " FROM token JOIN account ON account.id = token.owner WHERE token.id = ?1"
    ))?
    .query_row([id.as_str()], |row| rows::stored_token(row))
    .optional()
}

pub(super) fn list(db: &Connection, owner: &Cuid) -> Result<Vec<Token>> {
    db.prepare_cached(concat!(
        "SELECT ",
        token_columns!(),
        " FROM token WHERE owner = ?1 ORDER BY id DESC"
    ))?
    .query_map([owner.as_str()], |row| rows::token(row))?
    .collect()
}

/// Which of these tokens let somebody in.
pub(super) fn good(db: &Connection, ids: &[Cuid], now: Timestamp) -> Result<Vec<Cuid>> {
    let moment = db.unchecked_transaction()?;
    let mut statement = moment.prepare_cached(
        "SELECT 1 FROM token JOIN account ON account.id = token.owner
         WHERE token.id = ?1 AND coalesce(token.expires_at > ?2, TRUE)
           AND account.disabled_at IS NULL",
    )?;
    let mut good = Vec::with_capacity(ids.len());
    for id in ids {
        if statement.exists((id.as_str(), now.0))? {
            good.push(id.clone());
        }
    }
    Ok(good)
}

pub(super) fn create(
    db: &Connection,
    new: &NewToken,
    once: Option<&Once>,
) -> std::result::Result<TokenMade, StoreError> {
    idempotency::once(db, &new.owner, once, new.created_at, || {
        if !make_room(db, new).map_err(failure)? {
            return Ok(TokenMade::TooMany);
        }
        insert(db, new).map_err(failure)?;
        Ok(token_made(new))
    })
}

/// Whether there is room for one more token of that kind, if need be after the oldest sign-in went.
fn make_room(db: &Connection, new: &NewToken) -> Result<bool> {
    let of = (new.owner.as_str(), new.kind.as_str());
    let count: u32 = db
        .prepare_cached("SELECT count(*) FROM token WHERE owner = ?1 AND kind = ?2")?
        .query_row(of, |row| row.get(0))?;
    match room_for_token(new.kind, count) {
        Room::Free => return Ok(true),
        Room::Full => return Ok(false),
        Room::InsteadOfOldest => {}
    }
    db.prepare_cached(
        "DELETE FROM token WHERE owner = ?1 AND id IN
           (SELECT id FROM token WHERE owner = ?1 AND kind = ?2 ORDER BY id LIMIT 1)",
    )?
    .execute(of)?;
    Ok(true)
}

fn insert(db: &Connection, new: &NewToken) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO token (id, owner, kind, name, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        new.id.as_str(),
        new.owner.as_str(),
        new.kind.as_str(),
        new.name.as_ref().map(Name::as_str),
        new.hash,
        new.created_at.0,
        new.expires_at.map(|at| at.0),
    ))
    .map(drop)
}

pub(super) fn revoke(
    db: &Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<bool, StoreError> {
    let revoked = idempotency::once(db, owner, once, now, || {
        db.prepare_cached("DELETE FROM token WHERE owner = ?1 AND id = ?2")
            .and_then(|mut statement| statement.execute((owner.as_str(), id.as_str())))
            .map(|rows| Revoked(rows == 1))
            .map_err(failure)
    });
    revoked.map(|Revoked(found)| found)
}

pub(super) fn touch(
    db: &Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
) -> std::result::Result<(), StoreError> {
    db.prepare_cached("UPDATE token SET last_used_at = ?3 WHERE owner = ?1 AND id = ?2")
        .and_then(|mut statement| statement.execute((owner.as_str(), id.as_str(), now.0)))
        .map(drop)
        .map_err(failure)
}

/// Deletes tokens that are past their time.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> std::result::Result<usize, StoreError> {
    db.execute(
        "DELETE FROM token WHERE id IN
           (SELECT id FROM token WHERE expires_at <= ?1 LIMIT ?2)",
        (now.0, limits::SWEEP_ROWS),
    )
    .map_err(failure)
}
