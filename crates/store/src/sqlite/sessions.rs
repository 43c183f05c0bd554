use chat::contracts::{Changed, Deleted, StoreError};
use chat::types::{
    Cuid, ExternalId, Head, ModelName, NewSession, Once, Page, PageSize, Precondition, Search,
    Session, SessionChange, SessionFilter, SessionKey, SessionKind, SessionPosition, SessionStatus,
    Timestamp, Title,
};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{feed, idempotency, messages, usage};
use crate::options::write_metadata;
use crate::rows::{self, session_columns};
use crate::rules;
use crate::saved::Outcome;

pub(super) fn find(db: &Connection, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>> {
    let owner = owner.as_str();
    match key {
        SessionKey::Number(number) => db
            .prepare_cached(concat!(
                "SELECT ",
                session_columns!(),
                " FROM session WHERE owner = ?1 AND number = ?2"
            ))?
            .query_row((owner, number), |row| rows::session(row)),
        SessionKey::Cuid(id) => db
            .prepare_cached(concat!(
                "SELECT ",
                session_columns!(),
                " FROM session WHERE owner = ?1 AND id = ?2"
            ))?
            .query_row((owner, id.as_str()), |row| rows::session(row)),
    }
    .optional()
}

/// The session that its owner's clients call so; without a name for it, none.
pub(super) fn called(
    db: &Connection,
    owner: &Cuid,
    id: Option<&ExternalId>,
) -> Result<Option<Session>> {
    db.prepare_cached(concat!(
        "SELECT ",
        session_columns!(),
        " FROM session WHERE owner = ?1 AND external_id = ?2"
    ))?
    .query_row((owner.as_str(), id.map(ExternalId::as_str)), |row| {
        rows::session(row)
    })
    .optional()
}

pub(super) fn list(
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
    let (owner, time, number) = (owner.as_str(), after.updated_at.0, after.number);
    let more = size.get() + 1;
    let items = if let SessionFilter {
        status: None,
        kind: None,
        title: None,
    } = filter
    {
        db.prepare_cached(LIST)?
            .query_map((owner, time, number, more), |row| rows::session(row))?
            .collect::<Result<Vec<_>>>()?
    } else {
        let status = filter.status.map(SessionStatus::as_str);
        let kind = filter.kind.map(SessionKind::as_str);
        let title = filter.title.as_ref().map(Search::as_str);
        let values = (owner, time, number, more, status, kind, title);
        db.prepare_cached(FILTERED_LIST)?
            .query_map(values, |row| rows::session(row))?
            .collect::<Result<Vec<_>>>()?
    };
    Ok(Page::cut(items, size, Session::position))
}

const LIST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM session WHERE owner = ?1 AND (updated_at, number) < (?2, ?3)
      ORDER BY updated_at DESC, number DESC LIMIT ?4"
);

/// The inner query is answered by the index alone, however many rows the filter skips. Without a
/// filter that detour costs a quarter more than it saves.
const FILTERED_LIST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM (SELECT number AS listed FROM session
            WHERE owner = ?1 AND (updated_at, number) < (?2, ?3)
              AND (?5 IS NULL OR status = ?5) AND (?6 IS NULL OR kind = ?6)
              AND (?7 IS NULL OR instr(folded_title, ?7) > 0)
            ORDER BY updated_at DESC, number DESC LIMIT ?4)
      CROSS JOIN session ON owner = ?1 AND number = listed
      ORDER BY updated_at DESC, number DESC"
);

pub(super) fn list_made(
    db: &Connection,
    owner: &Cuid,
    after: Option<i64>,
    size: PageSize,
) -> Result<Page<Session, i64>> {
    let (after, more) = (after.unwrap_or(i64::MAX), size.get() + 1);
    let items = db
        .prepare_cached(concat!(
            "SELECT ",
            session_columns!(),
            " FROM session WHERE owner = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
        ))?
        .query_map((owner.as_str(), after, more), |row| rows::session(row))?
        .collect::<Result<Vec<_>>>()?;
    Ok(Page::cut(items, size, |session| session.number))
}

pub(super) fn create(
    db: &Connection,
    new: &NewSession,
    once: Option<&Once>,
) -> std::result::Result<Session, StoreError> {
    let (owner, now) = (&new.owner, new.created_at);
    if let Some(once) = once
        && let Some(text) = idempotency::find(db, owner, once, now)?
    {
        return Session::again(&text);
    }
    if let Some(taken) = called(db, owner, new.external_id.as_ref()).map_err(failure)? {
        return Ok(taken);
    }
    let session = made(db, new)?;
    insert(db, &session)?;
    if let (Some(once), Some(text)) = (once, session.save()) {
        idempotency::save(db, owner, once, now, &text, Some(session.number))?;
    }
    Ok(session)
}

/// A session as it will be.
pub(super) fn made(db: &Connection, new: &NewSession) -> std::result::Result<Session, StoreError> {
    let number = db
        .prepare_cached("SELECT next FROM id_block WHERE name = 'session'")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(failure)?;
    Ok(rules::session_made(new, number))
}

/// Writes a session, whose number is the next one.
pub(super) fn insert(db: &Connection, session: &Session) -> std::result::Result<(), StoreError> {
    let metadata = write_metadata(&session.metadata)?;
    let write = || {
        db.prepare_cached("UPDATE id_block SET next = ?1 WHERE name = 'session'")?
            .execute([session.number + 1])?;
        db.prepare_cached(
            "INSERT INTO session (owner, number, id, title, kind, status, system_message, version,
               created_at, updated_at, named, changed, external_id, metadata, folded_title)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute((
            session.owner.as_str(),
            session.number,
            session.id.as_str(),
            session.title.as_str(),
            session.kind.as_str(),
            session.status.as_str(),
            session.system_message.as_str(),
            session.version,
            session.created_at.0,
            session.updated_at.0,
            session.named,
            feed::next(db, &session.owner)?,
            session.external_id.as_ref().map(ExternalId::as_str),
            metadata,
            session.title.folded(),
        ))
        .map(drop)
    };
    write().map_err(failure)
}

pub(super) fn change(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    change: &SessionChange,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<Changed, StoreError> {
    idempotency::once(db, owner, once, now, || {
        let Some(session) = find(db, owner, key).map_err(failure)? else {
            return Ok(Changed::Missing);
        };
        if !precondition.allows(session.version) {
            return Ok(Changed::Stale);
        }
        let head = match &change.head {
            Some(head) => match new_head(db, &session, head).map_err(failure)? {
                None => return Ok(Changed::NoSuchMessage),
                found => found,
            },
            None => None,
        };
        let session = rules::changed(session, change, head, now);
        update(db, &session)?;
        Ok(Changed::Done(session))
    })
}

/// The message at which an active path is to end; `None` if the session does not have the one named.
fn new_head(db: &Connection, session: &Session, head: &Head) -> Result<Option<Cuid>> {
    let Some(named) = messages::find_in(db, session, head.message())? else {
        return Ok(None);
    };
    match head {
        Head::At(_) => Ok(Some(named.id)),
        Head::Behind(_) => messages::newest_behind(db, &session.owner, &named.id),
    }
}

/// Lets the active path of a session end at a message.
pub(super) fn set_head(
    db: &Connection,
    session: &Session,
    head: &Cuid,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE session SET head = ?3, version = version + 1, updated_at = ?4, changed = ?5
         WHERE owner = ?1 AND number = ?2",
    )?
    .execute((
        session.owner.as_str(),
        session.number,
        head.as_str(),
        now.0,
        feed::next(db, &session.owner)?,
    ))
    .map(drop)
}

pub(super) fn name(
    db: &Connection,
    owner: &Cuid,
    session: i64,
    title: &Title,
    now: Timestamp,
) -> Result<bool> {
    let named = db
        .prepare_cached(
            "UPDATE session SET title = ?3, named = 1, version = version + 1, updated_at = ?4,
               changed = ?5, folded_title = ?6
             WHERE owner = ?1 AND number = ?2 AND named = 0",
        )?
        .execute((
            owner.as_str(),
            session,
            title.as_str(),
            now.0,
            feed::next(db, owner)?,
            title.folded(),
        ))?;
    Ok(named > 0)
}

fn update(db: &Connection, session: &Session) -> std::result::Result<(), StoreError> {
    let metadata = write_metadata(&session.metadata)?;
    let write = || {
        db.prepare_cached(
            "UPDATE session SET title = ?3, system_message = ?4, status = ?5, version = ?6,
               updated_at = ?7, named = ?8, model = ?9, head = ?10, changed = ?11, metadata = ?12,
               folded_title = ?13
             WHERE owner = ?1 AND number = ?2",
        )?
        .execute((
            session.owner.as_str(),
            session.number,
            session.title.as_str(),
            session.system_message.as_str(),
            session.status.as_str(),
            session.version,
            session.updated_at.0,
            session.named,
            session.model.as_ref().map(ModelName::as_str),
            session.head.as_ref().map(Cuid::as_str),
            feed::next(db, &session.owner)?,
            metadata,
            session.title.folded(),
        ))
        .map(drop)
    };
    write().map_err(failure)
}

pub(super) fn delete(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<Deleted, StoreError> {
    idempotency::once(db, owner, once, now, || {
        let Some(session) = find(db, owner, key).map_err(failure)? else {
            return Ok(Deleted::Missing);
        };
        if !precondition.allows(session.version) {
            return Ok(Deleted::Stale);
        }
        for table in EVERYTHING {
            db.prepare_cached(table)
                .and_then(|mut statement| statement.execute((owner.as_str(), session.number)))
                .map_err(failure)?;
        }
        usage::forget_session(db, owner, session.number).map_err(failure)?;
        idempotency::forget(db, owner, session.number)?;
        feed::note_deletion(db, owner, &session.id, now).map_err(failure)?;
        Ok(Deleted::Done)
    })
}

/// Deletes a session with everything in it.
const EVERYTHING: [&str; 4] = [
    "DELETE FROM reply_event WHERE owner = ?1 AND session = ?2",
    "DELETE FROM reply WHERE owner = ?1 AND session = ?2",
    "DELETE FROM message WHERE owner = ?1 AND session = ?2",
    "DELETE FROM session WHERE owner = ?1 AND number = ?2",
];
