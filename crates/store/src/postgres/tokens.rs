use chat::contracts::TokenMade;
use chat::limits;
use chat::types::{Cuid, Name, NewToken, Once, StoredToken, Timestamp, Token};

use super::connection::Connection;
use super::failure::Result;
use super::value::query;
use super::{feed, idempotency};
use crate::rows::{account_columns, cuid, number, stored_token, token, token_columns};
use crate::rules::{Room, room_for_token, token_made};
use crate::saved::Revoked;

pub(super) async fn find(db: &Connection, id: &Cuid) -> Result<Option<StoredToken>> {
    let found = db.ask(query!(
        concat!(
            "SELECT ",
            token_columns!(),
            ", token.hash, ",
            account_columns!(),
            " FROM token JOIN account ON account.id = token.owner WHERE token.id = $1"
        ),
        id
    ));
    found.await?.first(stored_token)
}

pub(super) async fn list(db: &Connection, owner: &Cuid) -> Result<Vec<Token>> {
    let listed = db.ask(query!(
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM token WHERE owner = $1 ORDER BY id DESC"
        ),
        owner
    ));
    listed.await?.all(token)
}

/// Those of the tokens that still let somebody in.
pub(super) async fn good(db: &Connection, ids: &[Cuid], now: Timestamp) -> Result<Vec<Cuid>> {
    let ids: Vec<_> = ids.iter().map(Cuid::as_str).collect();
    let good = db.ask(query!(
        "SELECT token.id FROM token JOIN account ON account.id = token.owner
         WHERE token.id = ANY ($1) AND account.disabled_at IS NULL
           AND (token.expires_at IS NULL OR token.expires_at > $2)",
        ids,
        now
    ));
    good.await?.all(|row| cuid(row, 0))
}

pub(super) async fn create(
    db: &mut Connection,
    new: &NewToken,
    once: Option<&Once>,
) -> Result<TokenMade> {
    let (owner, kind, now) = (&new.owner, new.kind.as_str(), new.created_at);
    let [_, kept, count] = db
        .begin([
            feed::lock(owner, 0),
            idempotency::find(owner, once, now),
            query!(
                "SELECT count(*) FROM token WHERE owner = $1 AND kind = $2",
                owner,
                kind
            ),
        ])
        .await?;
    if let Some(made) = idempotency::again(&kept, once)? {
        return Ok(made);
    }
    let mut writes = Vec::with_capacity(3);
    match room_for_token(new.kind, count.one(|row| number(row, 0))?) {
        Room::Full => return Ok(TokenMade::TooMany),
        Room::Free => {}
        Room::InsteadOfOldest => writes.push(query!(
            "DELETE FROM token WHERE owner = $1 AND id IN
               (SELECT id FROM token WHERE owner = $1 AND kind = $2 ORDER BY id LIMIT 1)",
            owner,
            kind
        )),
    }
    writes.push(query!(
        "INSERT INTO token (id, owner, kind, name, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &new.id,
        owner,
        kind,
        new.name.as_ref().map(Name::as_str),
        &new.hash,
        now,
        new.expires_at
    ));
    let made = token_made(new);
    writes.extend(idempotency::save(owner, once, now, &made));
    db.commit(writes).await?;
    Ok(made)
}

pub(super) async fn revoke(
    db: &mut Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
    once: Option<&Once>,
) -> Result<bool> {
    let [_, kept] = db
        .begin([feed::lock(owner, 0), idempotency::find(owner, once, now)])
        .await?;
    if let Some(Revoked(revoked)) = idempotency::again(&kept, once)? {
        return Ok(revoked);
    }
    let revoke = query!("DELETE FROM token WHERE owner = $1 AND id = $2", owner, id);
    let revoked = Revoked(db.ask(revoke).await?.count == 1);
    let save = idempotency::save(owner, once, now, &revoked);
    db.commit(save.into_iter().collect()).await?;
    Ok(revoked.0)
}

pub(super) async fn touch(
    db: &mut Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
) -> Result<()> {
    let touch = query!(
        "UPDATE token SET last_used_at = $3 WHERE owner = $1 AND id = $2",
        owner,
        id,
        now
    );
    db.write(touch).await.map(drop)
}

/// Deletes tokens that are past their time.
pub(super) async fn sweep(db: &mut Connection, now: Timestamp) -> Result<u64> {
    let sweep = db.write(query!(
        "DELETE FROM token WHERE id IN
           (SELECT id FROM token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        limits::SWEEP_ROWS
    ));
    Ok(sweep.await?.count)
}
