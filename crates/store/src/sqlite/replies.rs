use chat::contracts::{Begun, Interrupted, NewReply, Prompt, StoreError};
use chat::types::{Cuid, FinishReason, ModelName, Once, Reply, ReplyStatus, Session, SessionKey};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{feed, idempotency, messages, sessions, writing};
use crate::rows::{self, Found, reply_columns};
use crate::rules::{self, Place, Stopping, admit, empty_answer, follows, is_prompt, stopping};

pub(super) fn find(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Found>> {
    db.prepare_cached(concat!(
        "SELECT ",
        reply_columns!(),
        " FROM reply WHERE owner = ?1 AND id = ?2"
    ))?
    .query_row((owner.as_str(), id.as_str()), |row| rows::found(row))
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
        reply_columns!(),
        // Without the hint all replies that the owner ever had would be looked at.
        " FROM reply INDEXED BY reply_open
          WHERE owner = ?1 AND session = ?2 AND status IN ('queued', 'running')
          ORDER BY status = 'queued', message"
    ))?
    .query_map((owner.as_str(), session), |row| rows::found(row))?
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
    let place = match admit(&open, new.when_busy) {
        Ok(place) => place,
        Err(refused) => return Ok(*refused),
    };
    let prompt = match prompt(db, &session, new)? {
        Ok(prompt) => prompt,
        Err(refused) => return Ok(refused),
    };
    let reply = insert(db, &session, new, model, &prompt)?;
    let interrupted = match place {
        Some(first) => Some(interrupt(db, new, first)?),
        None => None,
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
            let message = message.filter(is_prompt);
            Ok(message
                .map(|message| Place::of(&message))
                .ok_or(Begun::NoSuchPrompt))
        }
        Prompt::New {
            id,
            parent,
            content,
        } => {
            let follows = follows(session, parent, 0);
            let place = messages::place_of(db, session, &follows).map_err(failure)?;
            let Some(place) = place else {
                return Ok(Err(Begun::NoSuchParent));
            };
            let message = rules::prompt(id, parent, content);
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
    let message = empty_answer(new, model, prompt);
    let queued = ReplyStatus::Queued;
    let message = messages::insert(db, session, &message, Some(prompt), queued, now)?;
    let write = || {
        sessions::set_head(db, session, &message.id, now)?;
        let changed = feed::next(db, &new.owner)?;
        db.prepare_cached(concat!(
            "INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message,
               message_id, status, attempt, model, left_out, created_at, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?9, 0, ?10, ?11) RETURNING ",
            reply_columns!()
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
            |row| rows::found(row),
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

/// Lets an open reply make place for a new one: one that is still waiting to be claimed ends.
fn interrupt(
    db: &Connection,
    new: &NewReply,
    first: &Found,
) -> std::result::Result<Interrupted, StoreError> {
    let reason = FinishReason::Interrupted;
    let ended = match stopping(first, reason) {
        Stopping::End(end) => Some(writing::end(db, &new.owner, first, end, new.created_at)?),
        Stopping::Ask | Stopping::Nothing => {
            ask_to_stop(db, &new.owner, &first.reply.id, reason).map_err(failure)?;
            None
        }
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
