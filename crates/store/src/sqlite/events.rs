//! The rows of a reply's events.

use chat::contracts::StoreError;
use chat::limits;
use chat::types::{
    Cuid, Delta, Ending, Event, FinishReason, Folded, NumberedEvent, ReplyError, ReplyErrorKind,
    ReplyStatus, Run, TokenUsage, unfold,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::replies::Found;
use super::writer::failure;
use super::{messages, replies};

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
    let mut events = db
        .prepare_cached(
            "SELECT number, kind, data FROM reply_event
             WHERE owner = ?1 AND session = ?2 AND message = ?3 AND number >= ?4
             ORDER BY number LIMIT ?5",
        )?
        .query_map(
            (owner.as_str(), found.session, found.message_seq, from, most),
            |row| read(db, owner, &found, row),
        )?
        .collect::<Result<Vec<_>>>()?;
    if let Some(folded) = &found.folded
        && let Some(message) = messages::find(db, owner, &found.reply.message)?
    {
        events.extend(unfold(&message.content, folded, from));
        events.sort_by_key(|event| event.number);
    }
    moment.commit()?;
    Ok(Some(events))
}

fn read(db: &Connection, owner: &Cuid, found: &Found, row: &Row<'_>) -> Result<NumberedEvent> {
    let data = row.get_ref(2)?.as_str()?;
    let event = match row.get_ref(1)?.as_str()? {
        "text" => Event::Delta(Delta::Text(data.to_owned())),
        "reasoning" => Event::Delta(Delta::Reasoning(data.to_owned())),
        "accepted" => Event::Accepted {
            reply: Box::new(found.reply.as_accepted()),
            prompt: Box::new(
                messages::find(db, owner, &found.reply.prompt)?
                    .ok_or(Error::QueryReturnedNoRows)?,
            ),
        },
        "started" => Event::Started {
            attempt: json(data)?,
            model: found.reply.model.clone(),
        },
        "reset" => Event::Reset {
            attempt: json(data)?,
        },
        "usage" => {
            let (input_tokens, output_tokens) = json(data)?;
            Event::Usage(TokenUsage {
                input_tokens,
                output_tokens,
            })
        }
        _ => {
            let saved: SavedEnding = json(data)?;
            Event::Finished(saved.read().ok_or_else(|| damaged("no such word"))?)
        }
    };
    Ok(NumberedEvent {
        number: row.get(0)?,
        event,
    })
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

/// Appends events behind those that are there.
pub(super) fn append(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    events: Vec<Event>,
) -> std::result::Result<Vec<NumberedEvent>, StoreError> {
    let next = next(db, owner, found).map_err(failure)?;
    let numbered = (next..).zip(events);
    let numbered: Vec<_> = numbered
        .map(|(number, event)| NumberedEvent { number, event })
        .collect();
    for event in &numbered {
        let (kind, data) = write(&event.event)?;
        db.prepare_cached(
            "INSERT INTO reply_event (owner, session, message, number, kind, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut statement| {
            let (session, message) = (found.session, found.message_seq);
            statement.execute((owner.as_str(), session, message, event.number, kind, data))
        })
        .map_err(failure)?;
    }
    Ok(numbered)
}

/// An event's kind and data, as its row holds them.
pub(super) fn write(
    event: &Event,
) -> std::result::Result<(&'static str, std::borrow::Cow<'_, str>), StoreError> {
    let json = match event {
        Event::Delta(Delta::Text(text)) => return Ok(("text", text.into())),
        Event::Delta(Delta::Reasoning(text)) => return Ok(("reasoning", text.into())),
        // The rows of the reply and of its prompt tell what was accepted.
        Event::Accepted { .. } => return Ok(("accepted", "".into())),
        Event::Started { attempt, .. } | Event::Reset { attempt } => serde_json::to_string(attempt),
        Event::Usage(usage) => serde_json::to_string(&(usage.input_tokens, usage.output_tokens)),
        Event::Finished(ending) => serde_json::to_string(&SavedEnding::of(ending)),
    };
    let kind = match event {
        Event::Started { .. } => "started",
        Event::Reset { .. } => "reset",
        Event::Usage(_) => "usage",
        _ => "finished",
    };
    let json = json.map_err(|error| StoreError::Internal(Box::new(error)))?;
    Ok((kind, json.into()))
}

/// Which events are deltas of a reply's last attempt.
macro_rules! of_last_attempt {
    () => {
        "owner = ?1 AND session = ?2 AND message = ?3 AND kind IN ('text', 'reasoning')
         AND number > (SELECT max(number) FROM reply_event
                       WHERE owner = ?1 AND session = ?2 AND message = ?3
                         AND kind IN ('accepted', 'started'))"
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
        let text = row.get(2)?;
        let delta = match row.get_ref(1)?.as_str()? {
            "text" => Delta::Text(text),
            _ => Delta::Reasoning(text),
        };
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

#[derive(Serialize, Deserialize)]
struct SavedEnding {
    status: String,
    reason: String,
    error: Option<(String, String, Option<u64>)>,
}

impl SavedEnding {
    fn of(ending: &Ending) -> Self {
        Self {
            status: ending.status.as_str().to_owned(),
            reason: ending.reason.as_str().to_owned(),
            error: ending.error.as_ref().map(|error| {
                let wait = error.retry_after.map(|wait| wait.as_millis() as u64);
                (error.kind.as_str().to_owned(), error.message.clone(), wait)
            }),
        }
    }

    fn read(self) -> Option<Ending> {
        let error = match self.error {
            Some((kind, message, wait)) => Some(ReplyError {
                kind: ReplyErrorKind::parse(&kind).ok()?,
                message,
                retry_after: wait.map(std::time::Duration::from_millis),
            }),
            None => None,
        };
        Some(Ending {
            status: ReplyStatus::parse(&self.status).ok()?,
            reason: FinishReason::parse(&self.reason).ok()?,
            error,
        })
    }
}

pub(super) fn write_folded(folded: &Folded) -> std::result::Result<String, StoreError> {
    let runs = folded.0.iter().map(|run| (run.first, &run.lengths));
    serde_json::to_string(&runs.collect::<Vec<_>>())
        .map_err(|error| StoreError::Internal(Box::new(error)))
}

pub(super) fn read_folded(row: &Row<'_>, at: usize) -> Result<Option<Folded>> {
    let Some(text) = row.get_ref(at)?.as_str_or_null()? else {
        return Ok(None);
    };
    let runs: Vec<(i64, Vec<usize>)> = json(text)?;
    let runs = runs
        .into_iter()
        .map(|(first, lengths)| Run { first, lengths });
    Ok(Some(Folded(runs.collect())))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(damaged)
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
