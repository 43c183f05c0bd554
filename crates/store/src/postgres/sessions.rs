use chat::contracts::{Changed, Deleted, InSession};
use chat::types::{
    Cuid, ExternalId, Head, NewSession, Once, Page, PageSize, Precondition, Search, Session,
    SessionChange, SessionFilter, SessionKey, SessionKind, SessionPosition, SessionStatus,
    Timestamp, Title,
};

use super::connection::Connection;
use super::failure::Result;
use super::feed::Numbers as FeedNumbers;
use super::numbers::Numbers;
use super::value::{Query, query};
use super::{feed, idempotency, messages, usage};
use crate::appending::is_within;
use crate::options::write_metadata;
use crate::rows::{cuid, session, session_columns};
use crate::rules::{changed, session_made};

/// Looks for a session.
pub(super) fn by_key<'a>(owner: &'a Cuid, key: &'a SessionKey) -> Query<'a> {
    match key {
        SessionKey::Number(number) => query!(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM session WHERE owner = $1 AND number = $2"
            ),
            owner,
            *number
        ),
        SessionKey::Cuid(id) => query!(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM session WHERE owner = $1 AND id = $2"
            ),
            owner,
            id
        ),
    }
}

/// Looks for the session that its owner's clients call so; without a name for it, for nothing.
fn called<'a>(owner: &'a Cuid, id: Option<&'a ExternalId>) -> Query<'a> {
    query!(
        concat!(
            "SELECT ",
            session_columns!(),
            " FROM session WHERE owner = $1 AND external_id = $2"
        ),
        owner,
        id.map(ExternalId::as_str)
    )
}

/// Looks for the session that a new reply is to be in.
pub(super) fn wanted<'a>(owner: &'a Cuid, session: &'a InSession) -> Query<'a> {
    match session {
        InSession::Existing(key) => by_key(owner, key),
        InSession::New(new) => called(owner, new.external_id.as_ref()),
    }
}

pub(super) async fn find_called(
    db: &Connection,
    owner: &Cuid,
    id: &ExternalId,
) -> Result<Option<Session>> {
    db.ask(called(owner, Some(id))).await?.first(session)
}

pub(super) async fn find(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
) -> Result<Option<Session>> {
    let found = db.ask(by_key(owner, key)).await?;
    found.first(session)
}

pub(super) async fn list(
    db: &Connection,
    owner: &Cuid,
    filter: &SessionFilter,
    after: Option<SessionPosition>,
    size: PageSize,
) -> Result<Page<Session, SessionPosition>> {
    let after = after.unwrap_or(SessionPosition {
        updated_at: Timestamp(i64::MAX),
        number: i64::MAX,
    });
    let (time, number, more) = (after.updated_at, after.number, size.get() + 1);
    let listed = if let SessionFilter {
        status: None,
        kind: None,
        title: None,
    } = filter
    {
        db.ask(query!(LIST, owner, time, number, more)).await?
    } else {
        let status = filter.status.map(SessionStatus::as_str);
        let kind = filter.kind.map(SessionKind::as_str);
        let title = filter.title.as_ref().map(Search::as_str);
        let list = query!(
            FILTERED_LIST,
            owner,
            time,
            number,
            more,
            status,
            kind,
            title
        );
        db.ask(list).await?
    };
    let items = listed.all(session)?;
    Ok(Page::cut(items, size, Session::position))
}

const LIST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM session WHERE owner = $1 AND (updated_at, number) < ($2, $3)
      ORDER BY updated_at DESC, number DESC LIMIT $4"
);

/// The inner query is answered by the index alone, however many rows the filter skips.
const FILTERED_LIST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM (SELECT number AS listed FROM session
            WHERE owner = $1 AND (updated_at, number) < ($2, $3)
              AND ($5 IS NULL OR status = $5) AND ($6 IS NULL OR kind = $6)
              AND ($7 IS NULL OR strpos(folded_title, $7) > 0)
            ORDER BY updated_at DESC, number DESC LIMIT $4) AS page
      JOIN session ON session.owner = $1 AND session.number = page.listed
      ORDER BY session.updated_at DESC, session.number DESC"
);

pub(super) async fn list_made(
    db: &Connection,
    owner: &Cuid,
    after: Option<i64>,
    size: PageSize,
) -> Result<Page<Session, i64>> {
    let list = query!(
        concat!(
            "SELECT ",
            session_columns!(),
            " FROM session WHERE owner = $1 AND number < $2 ORDER BY number DESC LIMIT $3"
        ),
        owner,
        after.unwrap_or(i64::MAX),
        size.get() + 1
    );
    let items = db.ask(list).await?.all(session)?;
    Ok(Page::cut(items, size, |session| session.number))
}

pub(super) async fn create(
    db: &mut Connection,
    numbers: &Numbers,
    new: &NewSession,
    once: Option<&Once>,
) -> Result<Session> {
    let made = session_made(new, numbers.next(db).await?);
    if once.is_none() && made.external_id.is_none() {
        db.write(insert(INSERT_AND_COUNT, &made, 1)?).await?;
        return Ok(made);
    }
    let (owner, now) = (&new.owner, new.created_at);
    let [lock, kept, taken] = db
        .begin([
            feed::lock(owner, 1),
            idempotency::find(owner, once, now),
            called(owner, made.external_id.as_ref()),
        ])
        .await?;
    let there = match idempotency::again(&kept, once)? {
        Some(again) => Some(again),
        None => taken.first(session)?,
    };
    if let Some(there) = there {
        numbers.take_back(made.number).await;
        return Ok(there);
    }
    let changed = FeedNumbers::taken(&lock, 1)?.next();
    let mut writes = vec![insert(INSERT, &made, changed)?];
    writes.extend(idempotency::save(owner, once, now, &made));
    db.commit(writes).await?;
    Ok(made)
}

macro_rules! insert_session {
    ($changed:literal) => {
        concat!(
            "INSERT INTO session (owner, number, id, title, kind, status, system_message, version,
               created_at, updated_at, named, external_id, metadata, folded_title, changed)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, ",
            $changed
        )
    };
}
pub(super) const INSERT: &str = insert_session!("$15");
/// Takes the number of the feed in the same statement, which then is a transaction by itself.
const INSERT_AND_COUNT: &str = concat!(
    "WITH counted AS (
       INSERT INTO feed (owner, last, swept) VALUES ($1, $15, 0)
       ON CONFLICT (owner) DO UPDATE SET last = feed.last + excluded.last RETURNING last
     ) ",
    insert_session!("counted.last FROM counted")
);

/// Writes a session.
pub(super) fn insert<'a>(
    sql: &'static str,
    session: &'a Session,
    changed: i64,
) -> Result<Query<'a>> {
    Ok(query!(
        sql,
        &session.owner,
        session.number,
        &session.id,
        session.title.as_str(),
        session.kind.as_str(),
        session.status.as_str(),
        session.system_message.as_str(),
        session.version,
        session.created_at,
        session.updated_at,
        session.named,
        session.external_id.as_ref().map(ExternalId::as_str),
        write_metadata(&session.metadata)?,
        session.title.folded(),
        changed
    ))
}

pub(super) async fn change(
    db: &mut Connection,
    owner: &Cuid,
    key: &SessionKey,
    change: &SessionChange,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> Result<Changed> {
    let through = match &change.head {
        Some(Head::Behind(id)) => Some(id),
        _ => None,
    };
    let [lock, kept, found, named, newest] = db
        .begin([
            feed::lock(owner, 1),
            idempotency::find(owner, once, now),
            by_key(owner, key),
            messages::by_id(owner, change.head.as_ref().map(Head::message)),
            messages::newest_behind(owner, through),
        ])
        .await?;
    if let Some(again) = idempotency::again(&kept, once)? {
        return Ok(again);
    }
    let Some(session) = found.first(session)? else {
        return Ok(Changed::Missing);
    };
    if !precondition.allows(session.version) {
        return Ok(Changed::Stale);
    }
    let named = messages::first(&named)?.filter(|named| is_within(&session, named));
    if change.head.is_some() && named.is_none() {
        return Ok(Changed::NoSuchMessage);
    }
    let newest = newest.first(|row| cuid(row, 0))?;
    let head = newest.or(named.map(|named| named.id));
    let session = changed(session, change, head, now);
    let update = query!(
        "UPDATE session SET title = $3, system_message = $4, status = $5, version = $6,
           updated_at = $7, named = $8, model = $9, head = $10, changed = $11, metadata = $12,
           folded_title = $13
         WHERE owner = $1 AND number = $2",
        owner,
        session.number,
        session.title.as_str(),
        session.system_message.as_str(),
        session.status.as_str(),
        session.version,
        session.updated_at,
        session.named,
        session.model.as_ref(),
        session.head.as_ref(),
        FeedNumbers::taken(&lock, 1)?.next(),
        write_metadata(&session.metadata)?,
        session.title.folded()
    );
    let done = Changed::Done(session.clone());
    let mut writes = vec![update];
    writes.extend(idempotency::save(owner, once, now, &done));
    db.commit(writes).await?;
    Ok(done)
}

/// Lets the active path of a session end at a message.
pub(super) fn set_head<'a>(
    session: &'a Session,
    head: &'a Cuid,
    now: Timestamp,
    changed: i64,
) -> Query<'a> {
    query!(
        "UPDATE session SET head = $3, version = version + 1, updated_at = $4, changed = $5
         WHERE owner = $1 AND number = $2",
        &session.owner,
        session.number,
        head,
        now,
        changed
    )
}

pub(super) async fn name(
    db: &mut Connection,
    owner: &Cuid,
    session: i64,
    title: &Title,
    now: Timestamp,
) -> Result<bool> {
    // A session that has a name takes no number.
    let name = query!(
        "WITH counted AS (
           UPDATE feed SET last = last + 1
           WHERE owner = $1 AND EXISTS
             (SELECT 1 FROM session WHERE owner = $1 AND number = $2 AND NOT named)
           RETURNING last
         )
         UPDATE session SET title = $3, named = TRUE, version = version + 1, updated_at = $4,
           changed = counted.last, folded_title = $5
         FROM counted WHERE session.owner = $1 AND session.number = $2 AND NOT session.named",
        owner,
        session,
        title.as_str(),
        now,
        title.folded()
    );
    Ok(db.write(name).await?.count > 0)
}

pub(super) async fn delete(
    db: &mut Connection,
    owner: &Cuid,
    key: &SessionKey,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> Result<Deleted> {
    let [lock, kept, found] = db
        .begin([
            feed::lock(owner, 1),
            idempotency::find(owner, once, now),
            by_key(owner, key),
        ])
        .await?;
    if let Some(again) = idempotency::again(&kept, once)? {
        return Ok(again);
    }
    let Some(session) = found.first(session)? else {
        return Ok(Deleted::Missing);
    };
    if !precondition.allows(session.version) {
        return Ok(Deleted::Stale);
    }
    let number = session.number;
    let mut writes: Vec<_> = EVERYTHING
        .into_iter()
        .map(|table| query!(table, owner, number))
        .collect();
    let changed = FeedNumbers::taken(&lock, 1)?.next();
    writes.extend([
        usage::forget_session(owner, number),
        idempotency::forget(owner, number),
        feed::note_deletion(owner, changed, &session.id, now),
    ]);
    writes.extend(idempotency::save(owner, once, now, &Deleted::Done));
    db.commit(writes).await?;
    Ok(Deleted::Done)
}

/// Deletes a session with everything in it. The replies go first: whoever appends to one holds its
/// row, and what was appended has to be seen by the statement that deletes the events.
const EVERYTHING: [&str; 4] = [
    "DELETE FROM reply WHERE owner = $1 AND session = $2",
    "DELETE FROM reply_event WHERE owner = $1 AND session = $2",
    "DELETE FROM message WHERE owner = $1 AND session = $2",
    "DELETE FROM session WHERE owner = $1 AND number = $2",
];
