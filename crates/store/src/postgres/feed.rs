//! The feed: what has changed for an owner, in the order of the changes; and the lock of what the
//! owner has.

use chat::contracts::{Change, Changes, Fresh};
use chat::limits;
use chat::types::{Cuid, Timestamp};
use tokio_postgres::Row;

use super::connection::{Answer, Connection};
use super::failure::Result;
use super::value::{Query, query};
use crate::rows::{
    cuid, found, message, message_columns, number, parsed, reply_columns, session, session_columns,
};
use crate::rules::{PageBytes, before, behind};
use crate::saved::Damage;

/// Takes the lock of what an owner has until the transaction ends, and `count` numbers of the feed.
pub(super) fn lock(owner: &Cuid, count: usize) -> Query<'_> {
    let sql = concat!(
        "INSERT INTO feed (owner, last, swept) VALUES ($1, $2, 0) ",
        "ON CONFLICT (owner) DO UPDATE SET last = feed.last + excluded.last RETURNING last"
    );
    query!(sql, owner, count as i64)
}

/// Numbers of a feed; the last one that is used has to be the last that was taken.
pub(super) struct Numbers(i64);

impl Numbers {
    /// The last `count` of those that [`lock`] took.
    pub(super) fn taken(lock: &Answer, count: usize) -> Result<Self> {
        let last: i64 = lock.one(|row| number(row, 0))?;
        Ok(Self(last - count as i64))
    }

    pub(super) fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }

    /// Takes what was used beyond what [`lock`] took.
    pub(super) fn keep<'a>(&self, owner: &'a Cuid) -> Query<'a> {
        query!("UPDATE feed SET last = $2 WHERE owner = $1", owner, self.0)
    }
}

/// Keeps it known that a session was deleted.
pub(super) fn note_deletion<'a>(
    owner: &'a Cuid,
    number: i64,
    session: &'a Cuid,
    now: Timestamp,
) -> Query<'a> {
    query!(
        "INSERT INTO deleted_session (owner, changed, id, deleted_at) VALUES ($1, $2, $3, $4)",
        owner,
        number,
        session,
        now
    )
}

pub(super) async fn changes(
    db: &mut Connection,
    owner: &Cuid,
    after: Option<i64>,
) -> Result<Changes> {
    // What is read together has to be of one moment: a sweep in between would hide a deletion.
    let [feed, listed] = db
        .begin_moment([
            query!("SELECT last, swept FROM feed WHERE owner = $1", owner),
            query!(CHANGED, owner, after, limits::EVENTS_READ),
        ])
        .await?;
    let known = feed.first(|row| Ok((number(row, 0)?, number(row, 1)?)))?;
    let (last, swept) = known.unwrap_or((0, 0));
    if let Err(reset) = behind(after, last, swept) {
        return Ok(reset);
    }
    let mut listed = listed.all(Listed::read)?;
    let mut bytes = PageBytes::default();
    let fits = listed.iter().position(|one| {
        let spent = bytes.are_spent();
        bytes.spend_stored(one.bytes);
        spent
    });
    listed.truncate(fits.unwrap_or(listed.len()));
    fresh(db, owner, listed).await.map(Changes::These)
}

/// Something that has changed.
struct Listed {
    number: i64,
    kind: char,
    id: Cuid,
    /// Of what it says, if it is a message.
    bytes: usize,
}

impl Listed {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            number: number(row, 0)?,
            kind: parsed(row, 1, |text| {
                text.chars().next().ok_or(Damage::new("is empty"))
            })?,
            id: cuid(row, 2)?,
            bytes: number(row, 3)?,
        })
    }
}

const CHANGED: &str = "SELECT changed, kind, id, bytes FROM (
    (SELECT changed, 's' AS kind, id, 0::bigint AS bytes FROM session
     WHERE owner = $1 AND changed > $2 ORDER BY changed LIMIT $3)
    UNION ALL
    (SELECT changed, 'm', id, octet_length(content) FROM message
     WHERE owner = $1 AND changed > $2 ORDER BY changed LIMIT $3)
    UNION ALL
    (SELECT changed, 'r', id, 0 FROM reply
     WHERE owner = $1 AND changed > $2 ORDER BY changed LIMIT $3)
    UNION ALL
    (SELECT changed, 'd', id, 0 FROM deleted_session
     WHERE owner = $1 AND changed > $2 ORDER BY changed LIMIT $3)
  ) AS listed ORDER BY changed LIMIT $3";

/// What has changed, as it is now.
async fn fresh(db: &Connection, owner: &Cuid, listed: Vec<Listed>) -> Result<Vec<Fresh>> {
    let ids = |kind| {
        let of_kind = listed.iter().filter(move |one| one.kind == kind);
        of_kind.map(|one| one.id.as_str()).collect::<Vec<_>>()
    };
    let [sessions, messages, replies] = db
        .ask_all([
            query!(SESSIONS, owner, ids('s')),
            query!(MESSAGES, owner, ids('m')),
            query!(REPLIES, owner, ids('r')),
        ])
        .await?;
    let mut fresh = sessions.all(|row| Ok((number(row, 15)?, Change::Session(session(row)?))))?;
    fresh.extend(messages.all(|row| Ok((number(row, 14)?, Change::Message(message(row)?))))?);
    fresh.extend(replies.all(|row| Ok((number(row, 23)?, Change::Reply(found(row)?.reply))))?);
    let deleted = listed.into_iter().filter(|one| one.kind == 'd');
    fresh.extend(deleted.map(|one| (one.number, Change::Deleted(one.id))));
    fresh.sort_by_key(|(number, _)| *number);
    let fresh = fresh.into_iter();
    Ok(fresh
        .map(|(number, change)| Fresh { number, change })
        .collect())
}

const SESSIONS: &str = concat!(
    "SELECT ",
    session_columns!(),
    ", changed FROM session WHERE owner = $1 AND id = ANY ($2)"
);
const MESSAGES: &str = concat!(
    "SELECT ",
    message_columns!(),
    ", changed FROM message WHERE owner = $1 AND id = ANY ($2)"
);
const REPLIES: &str = concat!(
    "SELECT ",
    reply_columns!(),
    ", changed FROM reply WHERE owner = $1 AND id = ANY ($2)"
);

/// The last number of each of these owners that has been given out.
pub(super) async fn positions(db: &Connection, owners: &[Cuid]) -> Result<Vec<(Cuid, i64)>> {
    let owners: Vec<_> = owners.iter().map(Cuid::as_str).collect();
    let last = db.ask(query!(
        "SELECT owner, last FROM feed WHERE owner = ANY ($1)",
        owners
    ));
    last.await?.all(|row| Ok((cuid(row, 0)?, number(row, 1)?)))
}

/// Owners with notes of deletions that are past their time, and the last of those.
pub(super) async fn past(db: &Connection, now: Timestamp) -> Result<Vec<(Cuid, i64)>> {
    let past = db.ask(query!(
        "SELECT owner, max(changed) FROM
           (SELECT owner, changed FROM deleted_session WHERE deleted_at <= $1
            ORDER BY deleted_at LIMIT $2) AS past
         GROUP BY owner ORDER BY owner",
        before(now, limits::DELETIONS_KEPT),
        limits::SWEEP_ROWS
    ));
    past.await?.all(|row| Ok((cuid(row, 0)?, number(row, 1)?)))
}

/// Deletes an owner's notes of deletions up to a number.
pub(super) async fn forget(db: &mut Connection, owner: &Cuid, up_to: i64) -> Result<u64> {
    let forget = vec![
        query!(
            "UPDATE feed SET swept = greatest(swept, $2) WHERE owner = $1",
            owner,
            up_to
        ),
        query!(
            "DELETE FROM deleted_session WHERE owner = $1 AND changed <= $2",
            owner,
            up_to
        ),
    ];
    let done = db.transact(forget, 1).await?;
    Ok(done.last().map_or(0, |deleted| deleted.count))
}
