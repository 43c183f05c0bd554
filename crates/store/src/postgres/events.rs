//! The rows of a reply's events.

use std::borrow::Cow;

use chat::limits;
use chat::types::{Cuid, Delta, Event, NumberedEvent};

use super::connection::{Answer, Connection};
use super::failure::{Failure, Result};
use super::value::{Query, query};
use super::{messages, replies};
use crate::rows::{Columns, Found, blank_delta, cuid, delta_kinds, found, message_columns, number};
use crate::saved::{self, Damage};

/// A reply's events from that number on; all of them, once its deltas are folded.
pub(super) async fn list(
    db: &mut Connection,
    owner: &Cuid,
    reply: &Cuid,
    from: i64,
) -> Result<Option<Vec<NumberedEvent>>> {
    // What is read together has to be of one moment: folding moves deltas from one table to another.
    let [replied, rows, prompt, becomes] = db
        .ask_of_one_moment([
            replies::by_id(owner, reply),
            query!(LIST, owner, reply, from, limits::EVENTS_READ),
            query!(PROMPT, owner, reply, from),
            query!(BECOMES, owner, reply),
        ])
        .await?;
    let Some(found) = replied.first(found)? else {
        return Ok(None);
    };
    let prompt = messages::first(&prompt)?;
    let events = rows.all(|row| {
        let (kind, data) = kind_and_data(row)?;
        Ok(NumberedEvent {
            number: number(row, 0)?,
            event: saved::read_event(kind, data, &found, prompt.as_ref())?,
        })
    })?;
    Ok(Some(match (&found.folded, messages::first(&becomes)?) {
        (Some(folded), Some(message)) => saved::with_folded(events, &message, folded, from),
        _ => events,
    }))
}

/// Picks a reply's events: in the order of their key, and so only as many as are read.
macro_rules! events_of_reply {
    ($events:expr) => {
        concat!(
            "FROM reply CROSS JOIN LATERAL (
               SELECT number, kind, data FROM reply_event
               WHERE owner = reply.owner AND session = reply.session AND message = reply.message ",
            $events,
            ") AS event WHERE reply.owner = $1 AND reply.id = $2"
        )
    };
}

const LIST: &str = concat!(
    "SELECT event.number, event.kind, event.data ",
    events_of_reply!(
        "AND number >= $3 ORDER BY number LIMIT CASE WHEN reply.folded IS NULL THEN $4 END"
    )
);

/// The first event tells of the prompt.
const PROMPT: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM reply JOIN message ON message.owner = reply.owner AND message.id = reply.prompt_id
      WHERE reply.owner = $1 AND reply.id = $2 AND $3 <= 0"
);

const BECOMES: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM reply JOIN message ON message.owner = reply.owner AND message.id = reply.message_id
      WHERE reply.owner = $1 AND reply.id = $2 AND reply.folded IS NOT NULL"
);

fn kind_and_data<R: Columns<Error = Failure>>(row: &R) -> Result<(&str, &str)> {
    let (kind, data) = (row.text(1)?, row.text(2)?);
    Ok(kind.zip(data).ok_or(Damage::new("an event is NULL"))?)
}

/// The number of the last event of each of these replies that are there.
pub(super) async fn positions(
    db: &Connection,
    replies: &[(Cuid, Cuid)],
) -> Result<Vec<(Cuid, Cuid, i64)>> {
    let owners: Vec<_> = replies.iter().map(|(owner, _)| owner.as_str()).collect();
    let ids: Vec<_> = replies.iter().map(|(_, reply)| reply.as_str()).collect();
    let last = db.ask(query!(
        "SELECT reply.owner, reply.id, last.number
         FROM unnest($1::text[], $2::text[]) AS asked (owner, id)
         JOIN reply ON reply.owner = asked.owner AND reply.id = asked.id
         CROSS JOIN LATERAL (
           SELECT number FROM reply_event AS event
           WHERE event.owner = reply.owner AND event.session = reply.session
             AND event.message = reply.message ORDER BY number DESC LIMIT 1
         ) AS last",
        owners,
        ids
    ));
    last.await?
        .all(|row| Ok((cuid(row, 0)?, cuid(row, 1)?, number(row, 2)?)))
}

/// Events as columns.
pub(super) struct Written<'a> {
    pub(super) numbers: Vec<i64>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) data: Vec<Cow<'a, str>>,
}

impl<'a> Written<'a> {
    pub(super) fn of(events: impl Iterator<Item = &'a NumberedEvent>) -> Result<Self> {
        let (numbers, kinds, data) = (Vec::new(), Vec::new(), Vec::new());
        let mut written = Self {
            numbers,
            kinds,
            data,
        };
        for event in events {
            let (kind, data) = saved::write_event(&event.event)?;
            written.numbers.push(event.number);
            written.kinds.push(kind);
            written.data.push(data);
        }
        Ok(written)
    }
}

/// Writes events of the reply that becomes that message of that session.
pub(super) fn insert<'a, 'b>(
    owner: &'a Cuid,
    (session, message): (i64, i64),
    events: impl Iterator<Item = &'b NumberedEvent>,
) -> Result<Query<'a>> {
    let Written {
        numbers,
        kinds,
        data,
    } = Written::of(events)?;
    Ok(query!(
        "INSERT INTO reply_event (owner, session, message, number, kind, data)
         SELECT $1, $2, $3, new.* FROM unnest($4::bigint[], $5::text[], $6::text[]) AS new",
        owner,
        session,
        message,
        numbers,
        kinds,
        data.into_iter().map(Cow::into_owned).collect::<Vec<_>>()
    ))
}

/// Looks for the number of the next event of a reply. Stands behind the lock of its row.
pub(super) fn next<'a>(owner: &'a Cuid, reply: &'a Cuid) -> Query<'a> {
    query!(
        concat!(
            "SELECT event.number + 1 ",
            events_of_reply!("ORDER BY number DESC LIMIT 1")
        ),
        owner,
        reply
    )
}

/// Looks for the deltas of a reply's last attempt, which lie behind the event that began it. Stands
/// behind the lock of its row.
pub(super) fn last_deltas<'a>(owner: &'a Cuid, reply: &'a Cuid) -> Query<'a> {
    query!(
        concat!(
            "WITH begun AS (
               SELECT event.number ",
            events_of_reply!("AND kind IN ('accepted', 'started') ORDER BY number DESC LIMIT 1"),
            ") SELECT event.number, event.kind, event.data ",
            events_of_reply!(concat!(
                "AND number > (SELECT number FROM begun) AND kind IN (",
                delta_kinds!(),
                ") ORDER BY number"
            ))
        ),
        owner,
        reply
    )
}

/// The deltas that [`last_deltas`] has found, with their numbers.
pub(super) fn deltas(answer: &Answer) -> Result<Vec<(i64, Delta)>> {
    answer.all(|row| {
        let (kind, data) = kind_and_data(row)?;
        Ok((number(row, 0)?, saved::read_delta(kind, data)?))
    })
}

/// Deletes a reply's deltas from number `first` on: its message keeps them from now on.
pub(super) fn forget_deltas<'a>(owner: &'a Cuid, found: &Found, first: i64) -> Query<'a> {
    query!(
        concat!(
            "DELETE FROM reply_event
             WHERE owner = $1 AND session = $2 AND message = $3 AND number >= $4 AND kind IN (",
            delta_kinds!(),
            ")"
        ),
        owner,
        found.session,
        found.message_seq,
        first
    )
}

/// Blanks the deltas that are left of a reply that has ended, those of earlier attempts; their numbers
/// stay.
pub(super) fn blank_deltas(owner: &Cuid, (session, message): (i64, i64)) -> Query<'_> {
    query!(
        concat!(
            "UPDATE reply_event SET data = ",
            blank_delta!(),
            " WHERE owner = $1 AND session = $2 AND message = $3 AND kind IN (",
            delta_kinds!(),
            ")"
        ),
        owner,
        session,
        message
    )
}

/// Whether an event is a delta, which its reply's message keeps once that has ended.
pub(super) fn delta(event: &NumberedEvent) -> Option<(i64, Delta)> {
    match &event.event {
        Event::Delta(delta) => Some((event.number, delta.clone())),
        _ => None,
    }
}
