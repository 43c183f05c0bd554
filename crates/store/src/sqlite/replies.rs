use chat::contracts::{Begun, InSession, Interrupted, NewReply, StoreError};
use chat::types::{Cuid, FinishReason, ModelName, Once, Reply, Session, SessionKey};
use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::failure;
use super::{feed, idempotency, messages, sessions, writing};
use crate::appending::{Answer, answer, named_by, new_of};
use crate::options::write_options;
use crate::rows::{self, Found, reply_columns};
use crate::rules::{Stopping, admit, begun_before, stopping};

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
        let id = Cuid::parse(&id).map_err(|error| StoreError::Internal(Box::new(error)))?;
        let kept = find(db, &new.owner, &id).map_err(failure)?;
        if let Some(begun) = begun_before(once, kept, new.created_at) {
            return Ok(begun);
        }
    }
    let found = match &new.session {
        InSession::Existing(key) => sessions::find(db, &new.owner, key),
        InSession::New(new) => sessions::called(db, &new.owner, new.external_id.as_ref()),
    };
    let (session, is_new) = match (found.map_err(failure)?, &new.session) {
        (Some(session), _) => (session, false),
        (None, InSession::New(new)) => (sessions::made(db, new)?, true),
        (None, InSession::Existing(_)) => return Ok(Begun::Missing),
    };
    let Some(model) = &new.model else {
        return Ok(Begun::NoModel);
    };
    let open = open(db, &new.owner, session.number).map_err(failure)?;
    let place = match admit(&open, new.when_busy) {
        Ok(place) => place,
        Err(refused) => return Ok(*refused),
    };
    let named = named_by(&session, &new.prompt);
    let there = messages::there(db, &new.owner, named, new_of(&new.prompt)).map_err(failure)?;
    let last = messages::last_seq(db, &session).map_err(failure)?;
    let answer = match answer(&session, new, model, &there, last) {
        Ok(answer) => answer,
        Err(refused) => return Ok(*refused),
    };
    if is_new {
        sessions::insert(db, &session)?;
    }
    let reply = insert(db, &session, new, model, &answer)?;
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

/// Writes the reply, its messages, and its first event.
fn insert(
    db: &Connection,
    session: &Session,
    new: &NewReply,
    model: &ModelName,
    answer: &Answer,
) -> std::result::Result<Reply, StoreError> {
    for made in &answer.messages {
        messages::insert(db, session, made)?;
    }
    let (prompt, message) = (&answer.prompt, &answer.message);
    let options = write_options(&new.options)?;
    let write = || {
        sessions::set_head(db, session, &message.id, new.created_at)?;
        let changed = feed::next(db, &new.owner)?;
        let found = db
            .prepare_cached(concat!(
                "INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message,
                   message_id, status, attempt, model, left_out, created_at, changed, options,
                   hidden)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?9, 0, ?10, ?11, ?12, ?13)
                 RETURNING ",
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
                    new.created_at.0,
                    changed,
                    options,
                    new.hidden,
                ),
                |row| rows::found(row),
            )?;
        db.prepare_cached(
            "INSERT INTO reply_event (owner, session, message, number, kind, data)
             VALUES (?1, ?2, ?3, 0, 'accepted', '')",
        )?
        .execute((new.owner.as_str(), session.number, message.seq))?;
        Ok(found.reply)
    };
    write().map_err(failure)
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

pub(super) fn hide(db: &Connection, owner: &Cuid, reply: &Cuid) -> Result<bool> {
    let hidden = db
        .prepare_cached("UPDATE reply SET hidden = 1 WHERE owner = ?1 AND id = ?2 AND hidden = 0")?
        .execute((owner.as_str(), reply.as_str()))?;
    Ok(hidden > 0)
}
