use std::ops::Range;

use chat::contracts::{Appended, StoreError};
use chat::limits;
use chat::types::{
    Branch, Cuid, Message, MessageView, ModelName, NewMessage, Once, Page, PageSize, Session,
    SessionKey, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{events, feed, idempotency, sessions};
use crate::appending::{Made, above, is_within, made, named, without_parts};
use crate::rows::{self, cuid, message_columns};
use crate::rules::{self, page_of_messages};
use crate::saved;

pub(super) fn find(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Message>> {
    db.prepare_cached(concat!(
        "SELECT ",
        message_columns!(),
        " FROM message WHERE owner = ?1 AND id = ?2"
    ))?
    .query_row((owner.as_str(), id.as_str()), |row| rows::message(row))
    .optional()
}

/// The message of that identifier, if it is in that session.
pub(super) fn find_in(db: &Connection, session: &Session, id: &Cuid) -> Result<Option<Message>> {
    let found = find(db, &session.owner, id)?;
    Ok(found.filter(|message| is_within(session, message)))
}

pub(super) fn list(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    view: MessageView,
    from: Option<i64>,
    size: PageSize,
) -> Result<Option<Page<Message, i64>>> {
    let Some(session) = sessions::find(db, owner, key)? else {
        return Ok(None);
    };
    let from = match (from, view, &session.head) {
        (Some(from), _, _) => from,
        (None, MessageView::Tree, _) => i64::MAX,
        (None, MessageView::Path, Some(head)) => match find(db, owner, head)? {
            Some(head) => head.seq,
            None => 0,
        },
        (None, MessageView::Path, None) => 0,
    };
    let query = match view {
        MessageView::Path => PATH,
        MessageView::Tree => TREE,
    };
    let more = size.get() + 1;
    let mut statement = db.prepare_cached(query)?;
    let rows = statement.query_map((owner.as_str(), session.number, from, more), |row| {
        rows::message(row)
    })?;
    page_of_messages(rows, size).map(Some)
}

/// Each step finds one row by its key, so a page costs what it holds. A parent has a lower place.
const PATH: &str = concat!(
    "WITH RECURSIVE path (seq, parent, steps) AS (
       SELECT seq, parent, 1 FROM message WHERE owner = ?1 AND session = ?2 AND seq = ?3
       UNION ALL
       SELECT above.seq, above.parent, path.steps + 1
       FROM path CROSS JOIN message AS above
         ON above.owner = ?1 AND above.session = ?2 AND above.seq = path.parent
       WHERE path.steps < ?4
     )
     SELECT ",
    message_columns!(),
    " FROM path CROSS JOIN message
        ON message.owner = ?1 AND message.session = ?2 AND message.seq = path.seq
      ORDER BY path.seq DESC"
);

const TREE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message WHERE owner = ?1 AND session = ?2 AND seq <= ?3
      ORDER BY seq DESC LIMIT ?4"
);

pub(super) fn branches(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
) -> Result<Option<Vec<Branch>>> {
    let Some(session) = sessions::find(db, owner, key)? else {
        return Ok(None);
    };
    let values = (owner.as_str(), session.number, limits::BRANCHES_LISTED);
    let branching = db
        .prepare_cached(BRANCHING)?
        .query_map(values, |row| rows::branching(row))?
        .collect::<Result<_>>()?;
    Ok(Some(rules::branches(branching)))
}

/// Answered by the index of what follows what, in its order: a window over it would first copy all of it.
const BRANCHING: &str = "SELECT message.parent_id, message.id FROM
       (SELECT parent FROM message WHERE owner = ?1 AND session = ?2
        GROUP BY parent HAVING count(*) > 1) AS parting
       CROSS JOIN message
         ON message.owner = ?1 AND message.session = ?2
           AND message.parent IS NOT DISTINCT FROM parting.parent
     ORDER BY message.seq DESC LIMIT ?3";

/// The newest message behind one, or that one itself.
pub(super) fn newest_behind(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Cuid>> {
    db.prepare_cached(NEWEST_BEHIND)?
        .query_row(
            (owner.as_str(), id.as_str(), limits::MESSAGES_BEHIND),
            |row| cuid(row, 0),
        )
        .optional()
}

/// Answered by the index of what follows what, too.
const NEWEST_BEHIND: &str = "WITH RECURSIVE behind (session, seq, id) AS (
       SELECT session, seq, id FROM message WHERE owner = ?1 AND id = ?2
       UNION ALL
       SELECT next.session, next.seq, next.id FROM behind CROSS JOIN message AS next
         ON next.owner = ?1 AND next.session = behind.session AND next.parent = behind.seq
     )
     SELECT id FROM (SELECT seq, id FROM behind LIMIT ?3) AS found ORDER BY seq DESC LIMIT 1";

pub(super) fn append(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    new: &[NewMessage],
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<Appended, StoreError> {
    let again = match once {
        Some(once) => idempotency::find(db, owner, once, now)?,
        None => None,
    };
    if let Some(ids) = again {
        return appended_before(db, owner, &ids);
    }
    let Some(session) = sessions::find(db, owner, key).map_err(failure)? else {
        return Ok(Appended::Missing);
    };
    let there = there(db, owner, named(&session, new), new).map_err(failure)?;
    let last = last_seq(db, &session).map_err(failure)?;
    let made = match made(&session, new, &there, last, now) {
        Ok(made) => made,
        Err(refused) => return Ok(refused.into()),
    };
    for message in &made {
        insert(db, &session, message)?;
    }
    let messages: Vec<_> = made.into_iter().map(|(message, _)| message).collect();
    if let Some(head) = messages.last() {
        sessions::set_head(db, &session, &head.id, now).map_err(failure)?;
    }
    if let Some(once) = once.filter(|_| !messages.is_empty()) {
        let ids = saved::write_ids(messages.iter().map(|message| &message.id));
        idempotency::save(db, owner, once, now, &ids, Some(session.number))?;
    }
    Ok(Appended::Done(messages))
}

fn appended_before(
    db: &Connection,
    owner: &Cuid,
    ids: &str,
) -> std::result::Result<Appended, StoreError> {
    let mut messages = Vec::new();
    for id in saved::read_ids(ids)? {
        messages.extend(find(db, owner, &id).map_err(failure)?);
    }
    Ok(Appended::Done(messages))
}

/// Those of these messages that are there, with those above them that new ones may need, too.
pub(super) fn there(
    db: &Connection,
    owner: &Cuid,
    named: Vec<&Cuid>,
    new: &[NewMessage],
) -> Result<Vec<Message>> {
    let read = |ids: &[Cuid]| {
        let found = ids.iter().map(|id| find(db, owner, id));
        let found = found.collect::<Result<Vec<_>>>()?;
        Ok::<_, rusqlite::Error>(found.into_iter().flatten().collect::<Vec<_>>())
    };
    let mut there = Vec::new();
    let mut wanted: Vec<_> = named.into_iter().cloned().collect();
    while !wanted.is_empty() {
        let found = read(&wanted)?;
        wanted = above(&found, new);
        there.extend(found);
    }
    Ok(there)
}

/// The highest place in a session.
pub(super) fn last_seq(db: &Connection, session: &Session) -> Result<i64> {
    db.prepare_cached(
        "SELECT coalesce(max(seq), 0) FROM message WHERE owner = ?1 AND session = ?2",
    )?
    .query_row((session.owner.as_str(), session.number), |row| row.get(0))
}

pub(super) fn insert(
    db: &Connection,
    session: &Session,
    (message, parent): &Made,
) -> std::result::Result<(), StoreError> {
    let content = saved::write_parts(&message.content)?;
    let write = || {
        db.prepare_cached(
            "INSERT INTO message (owner, session, seq, id, session_id, depth, parent, parent_id, role,
               content, model, status, created_at, changed, reply)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute((
            session.owner.as_str(),
            session.number,
            message.seq,
            message.id.as_str(),
            session.id.as_str(),
            message.depth,
            parent,
            message.parent.as_ref().map(Cuid::as_str),
            message.role.as_str(),
            content,
            message.model.as_ref().map(ModelName::as_str),
            message.status.as_str(),
            message.created_at.0,
            feed::next(db, &session.owner)?,
            message.reply.as_ref().map(Cuid::as_str),
        ))
        .map(drop)
    };
    write().map_err(failure)
}

pub(super) fn remove_parts(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
    parts: Range<usize>,
) -> std::result::Result<Option<Message>, StoreError> {
    let Some(session) = sessions::find(db, owner, key).map_err(failure)? else {
        return Ok(None);
    };
    let Some(message) = find_in(db, &session, id).map_err(failure)? else {
        return Ok(None);
    };
    let Some(rest) = without_parts(&message, parts) else {
        return Ok(Some(message));
    };
    let content = saved::write_parts(&rest.content)?;
    let write = || {
        db.prepare_cached(
            "UPDATE message SET content = ?4, changed = ?5
             WHERE owner = ?1 AND session = ?2 AND seq = ?3",
        )?
        .execute((
            owner.as_str(),
            session.number,
            rest.seq,
            content,
            feed::next(db, owner)?,
        ))?;
        if rest.reply.is_some() {
            events::blank_deltas(db, owner, (session.number, rest.seq))?;
        }
        Ok(())
    };
    write().map_err(failure)?;
    Ok(Some(rest))
}
