use std::time::Duration;

use chat::contracts::{Begun, Interrupted, NewReply, Prompt, StoreError};
use chat::limits;
use chat::types::{
    Cuid, FinishReason, Folded, MessageRole, ModelName, NewMessage, Once, Parent, Reply,
    ReplyError, ReplyErrorKind, ReplyStatus, Session, SessionKey, Timestamp, WhenBusy,
};
use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::columns::{cuid, optional, parsed, time};
use super::messages::{self, Place};
use super::writer::failure;
use super::{events, feed, idempotency, sessions, writing};

/// A reply with what only its row tells.
pub(super) struct Found {
    pub(super) reply: Reply,
    pub(super) session: i64,
    pub(super) prompt_seq: i64,
    pub(super) message_seq: i64,
    pub(super) lease_until: Option<Timestamp>,
    pub(super) stop: Option<FinishReason>,
    pub(super) folded: Option<Folded>,
}

/// For [`found`].
macro_rules! columns {
    () => {
        "id, session_id, prompt_id, message_id, status, attempt, model, input_tokens, \
         output_tokens, left_out, error_kind, error_message, error_retry_after, created_at, \
         finished_at, session, prompt, message, lease_until, stop, folded"
    };
}

fn found(row: &Row<'_>) -> Result<Found> {
    let error = match optional(row, 10, ReplyErrorKind::parse)? {
        Some(kind) => Some(ReplyError {
            kind,
            message: row.get(11)?,
            retry_after: row.get::<_, Option<u64>>(12)?.map(Duration::from_millis),
        }),
        None => None,
    };
    Ok(Found {
        reply: Reply {
            id: cuid(row, 0)?,
            session: cuid(row, 1)?,
            prompt: cuid(row, 2)?,
            message: cuid(row, 3)?,
            status: parsed(row, 4, ReplyStatus::parse)?,
            attempt: row.get(5)?,
            model: parsed(row, 6, ModelName::parse)?,
            usage: messages::usage(row, 7)?,
            left_out: row.get(9)?,
            error,
            created_at: time(row, 13)?,
            finished_at: row.get::<_, Option<i64>>(14)?.map(Timestamp),
        },
        session: row.get(15)?,
        prompt_seq: row.get(16)?,
        message_seq: row.get(17)?,
        lease_until: row.get::<_, Option<i64>>(18)?.map(Timestamp),
        stop: optional(row, 19, FinishReason::parse)?,
        folded: events::read_folded(row, 20)?,
    })
}

pub(super) fn find(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Found>> {
    db.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM reply WHERE owner = ?1 AND id = ?2"
    ))?
    .query_row((owner.as_str(), id.as_str()), found)
    .optional()
}

/// The reply of that identifier, if it is in that session.
pub(super) fn find_in(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
) -> Result<Option<Found>> {
    let found = find(db, owner, id)?;
    Ok(found.filter(|found| match key {
        SessionKey::Number(number) => found.session == *number,
        SessionKey::Cuid(id) => found.reply.session == *id,
    }))
}

/// The replies of a session that have not ended: the running one, then by how long they have waited.
pub(super) fn open(db: &Connection, owner: &Cuid, session: i64) -> Result<Vec<Found>> {
    db.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        // Without the hint all replies that the owner ever had would be looked at.
        " FROM reply INDEXED BY reply_open
          WHERE owner = ?1 AND session = ?2 AND status IN ('queued', 'running')
          ORDER BY status = 'queued', message"
    ))?
    .query_map((owner.as_str(), session), found)?
    .collect()
}

pub(super) fn begin(
    db: &Connection,
    new: &NewReply,
    once: Option<&Once>,
) -> std::result::Result<Begun, StoreError> {
    if let Some(once) = once
        && let Some(id) = idempotency::find(db, &new.owner, once, new.created_at)?
    {
        return begun_before(db, &new.owner, &id);
    }
    let session = sessions::find(db, &new.owner, &new.session).map_err(failure)?;
    let Some(session) = session else {
        return Ok(Begun::Missing);
    };
    let Some(model) = &new.model else {
        return Ok(Begun::NoModel);
    };
    let open = open(db, &new.owner, session.number).map_err(failure)?;
    let running = open
        .first()
        .filter(|one| one.reply.status == ReplyStatus::Running);
    let queued = open.len() - usize::from(running.is_some());
    if new.when_busy == WhenBusy::Reject && !open.is_empty() {
        return Ok(Begun::Busy);
    }
    // One that need not wait is queued too, until it is claimed.
    if queued >= limits::REPLIES_QUEUED {
        return Ok(Begun::QueueFull);
    }
    let prompt = match prompt(db, &session, new)? {
        Ok(prompt) => prompt,
        Err(refused) => return Ok(refused),
    };
    let reply = insert(db, &session, new, model, &prompt)?;
    let interrupted = match open.first() {
        Some(first) if new.when_busy == WhenBusy::Interrupt => {
            Some(interrupt(db, &new.owner, first, new.created_at)?)
        }
        _ => None,
    };
    if let Some(once) = once {
        let number = Some(session.number);
        let id = reply.id.as_str();
        idempotency::save(db, &new.owner, once, new.created_at, id, number)?;
    }
    Ok(Begun::Done {
        reply,
        session: session.number,
        interrupted,
    })
}

fn begun_before(db: &Connection, owner: &Cuid, id: &str) -> std::result::Result<Begun, StoreError> {
    let id = Cuid::parse(id).map_err(|error| StoreError::Internal(Box::new(error)))?;
    let found = find(db, owner, &id).map_err(failure)?;
    Ok(found.map_or(Begun::Missing, |found| Begun::Done {
        reply: found.reply,
        session: found.session,
        interrupted: None,
    }))
}

/// Finds or appends what is answered; what is refused comes as an error within.
fn prompt(
    db: &Connection,
    session: &Session,
    new: &NewReply,
) -> std::result::Result<std::result::Result<Place, Begun>, StoreError> {
    match &new.prompt {
        Prompt::Existing(id) => {
            let message = messages::find_in(db, session, id).map_err(failure)?;
            let message = message.filter(|message| message.role == MessageRole::User);
            Ok(message
                .map(|message| Place::of(&message))
                .ok_or(Begun::NoSuchPrompt))
        }
        Prompt::New {
            id,
            parent,
            content,
        } => {
            let place = messages::place_of(db, session, parent).map_err(failure)?;
            let Some(place) = place else {
                return Ok(Err(Begun::NoSuchParent));
            };
            let message = NewMessage {
                id: id.clone(),
                parent: parent.clone(),
                role: MessageRole::User,
                content: content.clone(),
                model: None,
                reply: None,
            };
            let done = ReplyStatus::Done;
            let now = new.created_at;
            let message = messages::insert(db, session, &message, place.as_ref(), done, now)?;
            Ok(Ok(Place::of(&message)))
        }
    }
}

/// Writes the reply, the message that it becomes, and its first event.
fn insert(
    db: &Connection,
    session: &Session,
    new: &NewReply,
    model: &ModelName,
    prompt: &Place,
) -> std::result::Result<Reply, StoreError> {
    let now = new.created_at;
    let message = NewMessage {
        id: new.message.clone(),
        parent: Parent::Message(prompt.id.clone()),
        role: MessageRole::Assistant,
        content: Vec::new(),
        model: Some(model.clone()),
        reply: Some(new.id.clone()),
    };
    let queued = ReplyStatus::Queued;
    let message = messages::insert(db, session, &message, Some(prompt), queued, now)?;
    let write = || {
        sessions::set_head(db, session, &message.id, now)?;
        let changed = feed::next(db, &new.owner)?;
        db.prepare_cached(concat!(
            "INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message,
               message_id, status, attempt, model, left_out, created_at, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?9, 0, ?10, ?11) RETURNING ",
            columns!()
        ))?
        .query_row(
            (
                new.owner.as_str(),
                new.id.as_str(),
                session.number,
                session.id.as_str(),
                prompt.seq,
                prompt.id.as_str(),
                message.seq,
                message.id.as_str(),
                model.as_str(),
                now.0,
                changed,
            ),
            found,
        )
    };
    let found = write().map_err(failure)?;
    db.prepare_cached(
        "INSERT INTO reply_event (owner, session, message, number, kind, data)
         VALUES (?1, ?2, ?3, 0, 'accepted', '')",
    )
    .and_then(|mut statement| statement.execute((new.owner.as_str(), session.number, message.seq)))
    .map_err(failure)?;
    Ok(found.reply)
}

/// Lets the reply whose turn it is make place: one that is still waiting to be claimed ends.
fn interrupt(
    db: &Connection,
    owner: &Cuid,
    first: &Found,
    now: Timestamp,
) -> std::result::Result<Interrupted, StoreError> {
    let reason = FinishReason::Interrupted;
    let ended = if first.reply.status == ReplyStatus::Running {
        ask_to_stop(db, owner, &first.reply.id, reason).map_err(failure)?;
        None
    } else {
        Some(writing::end_waiting(db, owner, first, reason, now)?)
    };
    Ok(Interrupted {
        reply: first.reply.id.clone(),
        ended,
    })
}

pub(super) fn ask_to_stop(
    db: &Connection,
    owner: &Cuid,
    reply: &Cuid,
    why: FinishReason,
) -> Result<()> {
    db.prepare_cached("UPDATE reply SET stop = ?3 WHERE owner = ?1 AND id = ?2 AND stop IS NULL")?
        .execute((owner.as_str(), reply.as_str(), why.as_str()))
        .map(drop)
}
