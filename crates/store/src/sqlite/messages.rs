use chat::contracts::{Appended, StoreError};
use chat::types::{
    Cuid, Message, MessageView, ModelName, NewMessage, Once, Page, PageSize, ReplyStatus, Session,
    SessionKey, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{feed, idempotency, sessions};
use crate::rows::{self, message_columns};
use crate::rules::{Follows, Place, follows, page_of_messages, within};
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
    Ok(within(session, find(db, &session.owner, id)?))
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
    let parents = match parents(db, &session, new).map_err(failure)? {
        Ok(parents) => parents,
        Err(at) => return Ok(Appended::NoSuchParent(at)),
    };
    let mut before = None;
    let mut messages = Vec::with_capacity(new.len());
    for ((at, new), parent) in new.iter().enumerate().zip(parents) {
        let parent = match follows(&session, &new.parent, at) {
            Follows::Before => before,
            Follows::Nothing | Follows::Message(_) => parent,
        };
        let message = insert(db, &session, new, parent.as_ref(), ReplyStatus::Done, now)?;
        before = Some(Place::of(&message));
        messages.push(message);
    }
    if let Some(head) = &before {
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

/// For each message the one that it follows, as far as that is there already; or which of them names
/// one that the session does not have.
fn parents(
    db: &Connection,
    session: &Session,
    new: &[NewMessage],
) -> Result<std::result::Result<Vec<Option<Place>>, usize>> {
    let mut parents = Vec::with_capacity(new.len());
    for (at, message) in new.iter().enumerate() {
        match place_of(db, session, &follows(session, &message.parent, at))? {
            Some(place) => parents.push(place),
            None => return Ok(Err(at)),
        }
    }
    Ok(Ok(parents))
}

/// Where the message is that another one follows, if it follows one that is there already; `None`
/// if the session has no such message.
pub(super) fn place_of(
    db: &Connection,
    session: &Session,
    follows: &Follows<'_>,
) -> Result<Option<Option<Place>>> {
    let Follows::Message(id) = follows else {
        return Ok(Some(None));
    };
    let found = find_in(db, session, id)?;
    Ok(found.map(|message| Some(Place::of(&message))))
}

pub(super) fn insert(
    db: &Connection,
    session: &Session,
    new: &NewMessage,
    parent: Option<&Place>,
    status: ReplyStatus,
    now: Timestamp,
) -> std::result::Result<Message, StoreError> {
    let content = saved::write_parts(&new.content)?;
    let write = || {
        let changed = feed::next(db, &session.owner)?;
        db.prepare_cached(concat!(
            "INSERT INTO message (owner, session, seq, id, session_id, depth, parent, parent_id, role,
               content, model, status, created_at, changed, reply)
             VALUES (?1, ?2,
               1 + coalesce((SELECT max(seq) FROM message WHERE owner = ?1 AND session = ?2), 0),
               ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING ",
            message_columns!()
        ))?
        .query_row(
            (
                session.owner.as_str(),
                session.number,
                new.id.as_str(),
                session.id.as_str(),
                parent.map_or(1, |parent| parent.depth + 1),
                parent.map(|parent| parent.seq),
                parent.map(|parent| parent.id.as_str()),
                new.role.as_str(),
                content,
                new.model.as_ref().map(ModelName::as_str),
                status.as_str(),
                now.0,
                changed,
                new.reply.as_ref().map(Cuid::as_str),
            ),
            |row| rows::message(row),
        )
    };
    write().map_err(failure)
}
