//! The rows of a reply's events.

use chat::contracts::StoreError;
use chat::limits;
use chat::types::{Cuid, Delta, Event, Message, NumberedEvent};
use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::writer::failure;
use super::{messages, replies};
use crate::rows::{Columns, Found, blank_delta, delta_kinds};
use crate::rules::numbered;
use crate::saved;

/// A reply's events from that number on; all of them, once its deltas are folded.
pub(super) fn list(
    db: &Connection,
    owner: &Cuid,
    reply: &Cuid,
    from: i64,
) -> Result<Option<Vec<NumberedEvent>>> {
    // What is read together has to be of one moment: folding moves deltas from one table to another.
    let moment = db.unchecked_transaction()?;
    let Some(found) = replies::find(db, owner, reply)? else {
        return Ok(None);
    };
    let most = if found.folded.is_some() {
        -1
    } else {
        i64::from(limits::EVENTS_READ)
    };
    // The first event tells of the prompt.
    let prompt = match from {
        ..=0 => messages::find(db, owner, &found.reply.prompt)?,
        _ => None,
    };
    let mut events = db
        .prepare_cached(
            "SELECT number, kind, data FROM reply_event
             WHERE owner = ?1 AND session = ?2 AND message = ?3 AND number >= ?4
             ORDER BY number LIMIT ?5",
        )?
        .query_map(
            (owner.as_str(), found.session, found.message_seq, from, most),
            |row| event(row, &found, prompt.as_ref()),
        )?
        .collect::<Result<Vec<_>>>()?;
    if let Some(folded) = &found.folded
        && let Some(message) = messages::find(db, owner, &found.reply.message)?
    {
        events = saved::with_folded(events, &message, folded, from);
    }
    moment.commit()?;
    Ok(Some(events))
}

fn event(row: &Row<'_>, found: &Found, prompt: Option<&Message>) -> Result<NumberedEvent> {
    let (kind, data) = (text(row, 1)?, text(row, 2)?);
    let event = saved::read_event(kind, data, found, prompt);
    Ok(NumberedEvent {
        number: row.get(0)?,
        event: event.map_err(|damage| Row::damaged(2, damage))?,
    })
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<&'a str> {
    Ok(row.get_ref(at)?.as_str()?)
}

/// The number of the next event of a reply.
fn next(db: &Connection, owner: &Cuid, found: &Found) -> Result<i64> {
    db.prepare_cached(
        "SELECT 1 + coalesce(max(number), -1) FROM reply_event
         WHERE owner = ?1 AND session = ?2 AND message = ?3",
    )?
    .query_row((owner.as_str(), found.session, found.message_seq), |row| {
        row.get(0)
    })
}

/// The number of the last event of each of these replies that are there.
pub(super) fn positions(
    db: &Connection,
    replies: &[(Cuid, Cuid)],
) -> Result<Vec<(Cuid, Cuid, i64)>> {
    let moment = db.unchecked_transaction()?;
    let mut statement = moment.prepare_cached(
        "SELECT (SELECT max(number) FROM reply_event AS event
                 WHERE event.owner = reply.owner AND event.session = reply.session
                   AND event.message = reply.message)
         FROM reply WHERE reply.owner = ?1 AND reply.id = ?2",
    )?;
    let mut positions = Vec::with_capacity(replies.len());
    for (owner, reply) in replies {
        let ids = (owner.as_str(), reply.as_str());
        let last = statement.query_row(ids, |row| row.get(0)).optional()?;
        positions.extend(last.map(|last| (owner.clone(), reply.clone(), last)));
    }
    Ok(positions)
}

/// Appends events behind those that are there.
pub(super) fn append(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    events: Vec<Event>,
) -> std::result::Result<Vec<NumberedEvent>, StoreError> {
    let next = next(db, owner, found).map_err(failure)?;
    let numbered = numbered(next, events);
    let reply = (found.session, found.message_seq);
    for event in &numbered {
        keep(db, owner, reply, event)?;
    }
    Ok(numbered)
}

/// Writes an event of the reply that becomes that message of that session; `false` if another one
/// has its number.
pub(super) fn keep(
    db: &Connection,
    owner: &Cuid,
    (session, message): (i64, i64),
    event: &NumberedEvent,
) -> std::result::Result<bool, StoreError> {
    let (kind, data) = saved::write_event(&event.event)?;
    db.prepare_cached(
        "INSERT INTO reply_event (owner, session, message, number, kind, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (owner, session, message, number) DO UPDATE SET data = reply_event.data
           WHERE reply_event.kind = excluded.kind AND reply_event.data = excluded.data",
    )
    .and_then(|mut statement| {
        statement.execute((owner.as_str(), session, message, event.number, kind, data))
    })
    .map(|rows| rows == 1)
    .map_err(failure)
}

/// Which events are deltas of a reply's last attempt.
macro_rules! of_last_attempt {
    () => {
        concat!(
            "owner = ?1 AND session = ?2 AND message = ?3 AND kind IN (",
            delta_kinds!(),
            ") AND number > (SELECT max(number) FROM reply_event
                             WHERE owner = ?1 AND session = ?2 AND message = ?3
                               AND kind IN ('accepted', 'started'))"
        )
    };
}
/// The deltas of a reply's last attempt, with their numbers.
pub(super) fn last_deltas(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
) -> Result<Vec<(i64, Delta)>> {
    db.prepare_cached(concat!(
        "SELECT number, kind, data FROM reply_event WHERE ",
        of_last_attempt!(),
        " ORDER BY number"
    ))?
    .query_map((owner.as_str(), found.session, found.message_seq), |row| {
        let delta = saved::read_delta(text(row, 1)?, text(row, 2)?);
        let delta = delta.map_err(|damage| Row::damaged(2, damage))?;
        Ok((row.get(0)?, delta))
    })?
    .collect()
}

/// Deletes what [`last_deltas`] finds.
pub(super) fn forget_last_deltas(db: &Connection, owner: &Cuid, found: &Found) -> Result<()> {
    db.prepare_cached(concat!(
        "DELETE FROM reply_event WHERE ",
        of_last_attempt!()
    ))?
    .execute((owner.as_str(), found.session, found.message_seq))
    .map(drop)
}

/// Blanks the deltas that are left of a reply that has ended, those of earlier attempts; their numbers
/// stay.
pub(super) fn blank_deltas(
    db: &Connection,
    owner: &Cuid,
    (session, message): (i64, i64),
) -> Result<()> {
    db.prepare_cached(concat!(
        "UPDATE reply_event SET data = ",
        blank_delta!(),
        " WHERE owner = ?1 AND session = ?2 AND message = ?3 AND kind IN (",
        delta_kinds!(),
        ")"
    ))?
    .execute((owner.as_str(), session, message))
    .map(drop)
}
