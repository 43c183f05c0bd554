use chat::contracts::{Appended, StoreError};
use chat::limits;
use chat::types::{
    Cuid, FinishReason, Message, MessageRole, MessageView, ModelName, NewMessage, Once, Page,
    PageSize, Parent, Part, ReplyStatus, Session, SessionKey, Timestamp, TokenUsage,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};
use serde::{Deserialize, Serialize};

use super::columns::{cuid, optional, parsed, time};
use super::writer::failure;
use super::{feed, idempotency, sessions};

/// For [`message`].
macro_rules! columns {
    () => {
        "message.seq, message.id, message.session_id, message.parent_id, message.role, \
         message.content, message.model, message.input_tokens, message.output_tokens, \
         message.finish_reason, message.status, message.created_at, message.depth, message.reply"
    };
}

fn message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        seq: row.get(0)?,
        id: cuid(row, 1)?,
        session: cuid(row, 2)?,
        parent: optional(row, 3, Cuid::parse)?,
        role: parsed(row, 4, MessageRole::parse)?,
        content: read_parts(row, 5)?,
        model: optional(row, 6, ModelName::parse)?,
        usage: usage(row, 7)?,
        finish_reason: optional(row, 9, FinishReason::parse)?,
        status: parsed(row, 10, ReplyStatus::parse)?,
        created_at: time(row, 11)?,
        depth: row.get(12)?,
        reply: optional(row, 13, Cuid::parse)?,
    })
}

/// Reads two columns of tokens, from column `at` on.
pub(super) fn usage(row: &Row<'_>, at: usize) -> Result<Option<TokenUsage>> {
    let (input, output): (Option<u64>, Option<u64>) = (row.get(at)?, row.get(at + 1)?);
    Ok(input
        .zip(output)
        .map(|(input_tokens, output_tokens)| TokenUsage {
            input_tokens,
            output_tokens,
        }))
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Saved {
    Text { text: String },
    Reasoning { text: String },
}

pub(super) fn write_parts(parts: &[Part]) -> std::result::Result<String, StoreError> {
    let saved = parts.iter().map(|part| match part.clone() {
        Part::Text(text) => Saved::Text { text },
        Part::Reasoning(text) => Saved::Reasoning { text },
    });
    serde_json::to_string(&saved.collect::<Vec<_>>())
        .map_err(|error| StoreError::Internal(Box::new(error)))
}

pub(super) fn read_parts(row: &Row<'_>, at: usize) -> Result<Vec<Part>> {
    let saved: Vec<Saved> = serde_json::from_str(row.get_ref(at)?.as_str()?)
        .map_err(|error| Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))?;
    let parts = saved.into_iter().map(|saved| match saved {
        Saved::Text { text } => Part::Text(text),
        Saved::Reasoning { text } => Part::Reasoning(text),
    });
    Ok(parts.collect())
}

pub(super) fn find(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Message>> {
    db.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM message WHERE owner = ?1 AND id = ?2"
    ))?
    .query_row((owner.as_str(), id.as_str()), message)
    .optional()
}

/// The message of that identifier, if it is in that session.
pub(super) fn find_in(db: &Connection, session: &Session, id: &Cuid) -> Result<Option<Message>> {
    let found = find(db, &session.owner, id)?;
    Ok(found.filter(|message| message.session == session.id))
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
    let rows = statement.query_map((owner.as_str(), session.number, from, more), message)?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let message = row?;
        // The first one is always there, however large it is.
        if items.len() == size.get() as usize || bytes >= limits::PAGE_BYTES {
            let next = Some(message.seq);
            return Ok(Some(Page { items, next }));
        }
        bytes += bytes_of(&message);
        items.push(message);
    }
    Ok(Some(Page { items, next: None }))
}

/// Bytes of what a message says.
pub(super) fn bytes_of(message: &Message) -> usize {
    message.content.iter().map(|part| part.as_str().len()).sum()
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
    columns!(),
    " FROM path CROSS JOIN message
        ON message.owner = ?1 AND message.session = ?2 AND message.seq = path.seq
      ORDER BY path.seq DESC"
);

const TREE: &str = concat!(
    "SELECT ",
    columns!(),
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
    for (new, parent) in new.iter().zip(parents) {
        let parent = parent.or(before).filter(|_| new.parent != Parent::Root);
        let message = insert(db, &session, new, parent.as_ref(), ReplyStatus::Done, now)?;
        before = Some(Place::of(&message));
        messages.push(message);
    }
    if let Some(head) = &before {
        sessions::set_head(db, &session, &head.id, now).map_err(failure)?;
    }
    if let Some(once) = once.filter(|_| !messages.is_empty()) {
        let ids: Vec<_> = messages.iter().map(|message| message.id.as_str()).collect();
        let number = Some(session.number);
        idempotency::save(db, owner, once, now, &ids.join(" "), number)?;
    }
    Ok(Appended::Done(messages))
}

fn appended_before(
    db: &Connection,
    owner: &Cuid,
    ids: &str,
) -> std::result::Result<Appended, StoreError> {
    let mut messages = Vec::new();
    for id in ids.split(' ') {
        let id = Cuid::parse(id).map_err(|error| StoreError::Internal(Box::new(error)))?;
        messages.extend(find(db, owner, &id).map_err(failure)?);
    }
    Ok(Appended::Done(messages))
}

/// Where a message is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) id: Cuid,
    depth: u32,
}

impl Place {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            seq: message.seq,
            id: message.id.clone(),
            depth: message.depth,
        }
    }
}

/// For each message the one that it names as its parent, or, for the first, the head; or which of
/// them names one that the session does not have.
fn parents(
    db: &Connection,
    session: &Session,
    new: &[NewMessage],
) -> Result<std::result::Result<Vec<Option<Place>>, usize>> {
    let mut parents = Vec::with_capacity(new.len());
    for (at, message) in new.iter().enumerate() {
        let parent = match &message.parent {
            Parent::Head if at > 0 => None,
            parent => match place_of(db, session, parent)? {
                Some(place) => place,
                None => return Ok(Err(at)),
            },
        };
        parents.push(parent);
    }
    Ok(Ok(parents))
}

/// Where a parent is; `None` if the session has no such message.
pub(super) fn place_of(
    db: &Connection,
    session: &Session,
    parent: &Parent,
) -> Result<Option<Option<Place>>> {
    let id = match parent {
        Parent::Root => return Ok(Some(None)),
        Parent::Head => match &session.head {
            Some(head) => head,
            None => return Ok(Some(None)),
        },
        Parent::Message(id) => id,
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
    let content = write_parts(&new.content)?;
    let write = || {
        let changed = feed::next(db, &session.owner)?;
        db.prepare_cached(concat!(
            "INSERT INTO message (owner, session, seq, id, session_id, depth, parent, parent_id, role,
               content, model, status, created_at, changed, reply)
             VALUES (?1, ?2,
               1 + coalesce((SELECT max(seq) FROM message WHERE owner = ?1 AND session = ?2), 0),
               ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING ",
            columns!()
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
            message,
        )
    };
    write().map_err(failure)
}
