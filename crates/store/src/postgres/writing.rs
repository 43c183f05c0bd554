//! Writing replies: who may, what is appended, and the one way in which one ends.

use chat::contracts::{Append, Claim, Claimed, Finish, Finished, Kept, Stopped};
use chat::limits;
use chat::types::{Cuid, Delta, Event, FinishReason, NumberedEvent, SessionKey, Timestamp};

use super::connection::{Answer, Connection};
use super::failure::Result;
use super::feed::{self, Numbers};
use super::nodes::clock;
use super::replies::{self, ask_to_stop, is_in, open_replies};
use super::value::{Query, query};
use super::{events, sessions, usage};
use crate::rows::{Columns, Found, cuid, found, number, reply_columns, session};
use crate::rules::{self, End, Stopping, Turn, holds, numbered, stopping, turn};
use crate::saved;

/// Appends that one transaction takes; more of them are parted.
const APPENDS_TOGETHER: usize = 64;
/// Transactions that appends are parted into at most.
const GROUPS: usize = 4;

/// The reply whose turn it is, with its row locked, and whether its lease is over.
const NEXT: &str = concat!(
    "SELECT ",
    reply_columns!(),
    ", coalesce(lease_until <= ",
    clock!("$3"),
    ", TRUE) ",
    open_replies!(),
    " LIMIT 1 FOR NO KEY UPDATE"
);

/// Takes the owner's lock, and numbers of the feed, if something is open. Mostly nothing is: it is
/// asked after each reply whether another one waits, and that writes nothing.
const LOCK_IF_OPEN: &str = concat!(
    "INSERT INTO feed (owner, last, swept) SELECT $1, $3, 0 WHERE EXISTS (SELECT 1 ",
    open_replies!(),
    ") ON CONFLICT (owner) DO UPDATE SET last = feed.last + excluded.last RETURNING last"
);

pub(super) async fn claim(
    db: &mut Connection,
    owner: &Cuid,
    session_number: i64,
    now: Timestamp,
    clock: Option<Timestamp>,
) -> Result<Claimed> {
    let key = SessionKey::Number(session_number);
    let [lock, next, found_session] = db
        .begin([
            // One for the reply, and one for its message.
            query!(LOCK_IF_OPEN, owner, session_number, 2_i64),
            query!(NEXT, owner, session_number, clock),
            sessions::by_key(owner, &key),
        ])
        .await?;
    let next = next.first(|row| Ok((found(row)?, row.flag(23)?)))?;
    let session = found_session.first(session)?;
    let (Some((next, lease_is_over)), Some(session)) = (next, session) else {
        return Ok(Claimed::Nothing);
    };
    if lock.rows.is_empty() {
        // It was begun in this moment, and is claimed by whoever did that.
        return Ok(Claimed::Nothing);
    }
    let mut numbers = Numbers::taken(&lock, 2)?;
    match turn(&next, lease_is_over) {
        Turn::Leave => Ok(Claimed::Nothing),
        Turn::End(end_wanted) => {
            let [at, deltas] = db.ask_all(last_of(owner, &next.reply.id)).await?;
            let last = Last::read(&at, &deltas)?;
            let (events, writes) = end(owner, &next, end_wanted, last, &mut numbers, now)?;
            db.commit(writes).await?;
            let reply = next.reply.id;
            Ok(Claimed::Ended { reply, events })
        }
        Turn::Take(attempt, fresh) => {
            let events = take(db, owner, &next, attempt, fresh, &mut numbers, clock).await?;
            let work = rules::work(next, session, attempt, events);
            Ok(Claimed::Work(Box::new(work)))
        }
    }
}

/// Lets an attempt begin, with its first events.
async fn take(
    db: &mut Connection,
    owner: &Cuid,
    found: &Found,
    attempt: u32,
    fresh: Vec<Event>,
    numbers: &mut Numbers,
    clock: Option<Timestamp>,
) -> Result<Vec<NumberedEvent>> {
    let next = db.ask(events::next(owner, &found.reply.id)).await?;
    let events = numbered(next.one(|row| number(row, 0))?, fresh);
    let writes = vec![
        query!(
            concat!(
                "UPDATE reply SET status = 'running', attempt = $3, lease_until = ",
                clock!("$4"),
                " + $5, changed = $6 WHERE owner = $1 AND id = $2"
            ),
            owner,
            &found.reply.id,
            attempt,
            clock,
            limits::LEASE.as_millis() as i64,
            numbers.next()
        ),
        query!(
            "UPDATE message SET status = 'running', changed = $4
             WHERE owner = $1 AND session = $2 AND seq = $3",
            owner,
            found.session,
            found.message_seq,
            numbers.next()
        ),
        events::insert(owner, (found.session, found.message_seq), events.iter())?,
    ];
    db.commit(writes).await?;
    Ok(events)
}

/// An append, and its place among those that came together.
pub(super) type Placed<'a> = (usize, &'a Append);

/// Parts appends into transactions that may run at the same time: rows are locked in one order, and
/// what is of one owner stays together.
pub(super) fn groups(appends: &[Append]) -> Vec<Vec<Placed<'_>>> {
    let mut sorted: Vec<Placed<'_>> = appends.iter().enumerate().collect();
    sorted.sort_by_key(|(_, one)| (one.claim.owner.as_str(), one.claim.reply.as_str()));
    let full = APPENDS_TOGETHER.max(appends.len().div_ceil(GROUPS));
    let mut groups: Vec<Vec<Placed<'_>>> = Vec::new();
    for of_owner in sorted.chunk_by(|(_, one), (_, next)| one.claim.owner == next.claim.owner) {
        match groups.last_mut().filter(|group| group.len() < full) {
            Some(group) => group.extend(of_owner),
            None => groups.push(of_owner.to_vec()),
        }
    }
    groups
}

pub(super) async fn append(
    db: &mut Connection,
    appends: &[Placed<'_>],
    clock: Option<Timestamp>,
) -> Result<Vec<(usize, Kept)>> {
    let queries = appends
        .iter()
        .map(|(_, one)| append_query(one, clock))
        .collect::<Result<Vec<_>>>()?;
    let answers = db.transact(queries, appends.len()).await?;
    let kept = answers.iter().zip(appends).map(|(answer, (place, one))| {
        let held = answer.first(|row| Ok((row.flag(0)?, number::<_, usize>(row, 1)?)))?;
        let kept = match held {
            Some((stop, written)) if written == one.events.len() => {
                if stop {
                    Kept::ToStop
                } else {
                    Kept::Yes
                }
            }
            _ => Kept::Fenced,
        };
        Ok((*place, kept))
    });
    kept.collect()
}

/// Appends under the lock of the reply's row, which says whether the claim still holds. What is
/// there already, word for word, counts as written.
macro_rules! append {
    ($then:expr) => {
        concat!(
            "WITH held AS (
               SELECT owner, session, message, stop FROM reply
               WHERE owner = $1 AND id = $2 AND status = 'running' AND attempt = $3
               FOR NO KEY UPDATE
             ), written AS (
               INSERT INTO reply_event (owner, session, message, number, kind, data)
               SELECT held.owner, held.session, held.message, new.*
               FROM held CROSS JOIN unnest($4::bigint[], $5::text[], $6::text[]) AS new
               ON CONFLICT (owner, session, message, number) DO UPDATE SET data = reply_event.data
                 WHERE reply_event.kind = excluded.kind AND reply_event.data = excluded.data
               RETURNING 1
             )",
            $then,
            " SELECT stop IS NOT NULL, (SELECT count(*) FROM written) FROM held"
        )
    };
}
const APPEND: &str = append!("");
const APPEND_AND_RENEW: &str = append!(concat!(
    ", renewed AS (
       UPDATE reply SET lease_until = ",
    clock!("$7"),
    " + $8 FROM held WHERE reply.owner = $1 AND reply.id = $2
         AND (SELECT count(*) FROM written) = cardinality($4::bigint[])
     )"
));

fn append_query(append: &Append, clock: Option<Timestamp>) -> Result<Query<'_>> {
    let Claim {
        owner,
        reply,
        attempt,
    } = &append.claim;
    let events = events::Written::of(append.events.iter())?;
    let (numbers, kinds, data) = (events.numbers, events.kinds, events.data);
    if !append.renew {
        return Ok(query!(APPEND, owner, reply, *attempt, numbers, kinds, data));
    }
    let lease = limits::LEASE.as_millis() as i64;
    Ok(query!(
        APPEND_AND_RENEW,
        owner,
        reply,
        *attempt,
        numbers,
        kinds,
        data,
        clock,
        lease
    ))
}

pub(super) async fn finish(db: &mut Connection, finish: &Finish) -> Result<Finished> {
    let (claim, now) = (&finish.claim, finish.now);
    let (owner, reply) = (&claim.owner, &claim.reply);
    let [next, deltas] = last_of(owner, reply);
    let [lock, found_reply, next, deltas] = db
        .begin([
            feed::lock(owner, 2),
            replies::locked(owner, reply),
            next,
            deltas,
        ])
        .await?;
    let found = found_reply.first(found)?;
    let Some(found) = found.filter(|found| holds(found, claim)) else {
        return Ok(Finished::Fenced);
    };
    let wanted = End::wanted(finish.clone(), &found);
    let last = Last::read(&next, &deltas)?;
    let mut numbers = Numbers::taken(&lock, 2)?;
    let (events, writes) = end(owner, &found, wanted, last, &mut numbers, now)?;
    db.commit(writes).await?;
    Ok(Finished::Done(events))
}

pub(super) async fn stop(
    db: &mut Connection,
    owner: &Cuid,
    key: &SessionKey,
    reply: &Cuid,
    now: Timestamp,
) -> Result<Option<Stopped>> {
    let [next, deltas] = last_of(owner, reply);
    let [lock, found_reply, next, deltas] = db
        .begin([
            feed::lock(owner, 0),
            replies::locked(owner, reply),
            next,
            deltas,
        ])
        .await?;
    let found = found_reply.first(found)?;
    let Some(found) = found.filter(|found| is_in(found, key)) else {
        return Ok(None);
    };
    let reason = FinishReason::Stopped;
    Ok(Some(match stopping(&found, reason) {
        Stopping::End(wanted) => {
            let last = Last::read(&next, &deltas)?;
            let mut numbers = Numbers::taken(&lock, 0)?;
            let (events, mut writes) = end(owner, &found, wanted, last, &mut numbers, now)?;
            writes.push(numbers.keep(owner));
            db.commit(writes).await?;
            Stopped::Ended(events)
        }
        Stopping::Ask => {
            db.commit(vec![ask_to_stop(owner, reply, reason)]).await?;
            Stopped::Asked(found.session)
        }
        Stopping::Nothing => Stopped::Before,
    }))
}

/// Looks for what [`Last`] reads.
pub(super) fn last_of<'a>(owner: &'a Cuid, reply: &'a Cuid) -> [Query<'a>; 2] {
    [
        events::next(owner, reply),
        events::last_deltas(owner, reply),
    ]
}

/// What has been written of a reply that is to end.
pub(super) struct Last {
    /// The number of its next event.
    next: i64,
    /// The deltas of its last attempt.
    deltas: Vec<(i64, Delta)>,
}

impl Last {
    pub(super) fn read(next: &Answer, deltas: &Answer) -> Result<Self> {
        Ok(Self {
            next: next.one(|row| number(row, 0))?,
            deltas: events::deltas(deltas)?,
        })
    }
}

/// Ends a reply: the one way in which that happens. Takes two numbers of the feed; gives the last
/// events, and the statements that do it.
pub(super) fn end<'a>(
    owner: &'a Cuid,
    found: &'a Found,
    end: End,
    last: Last,
    numbers: &mut Numbers,
    now: Timestamp,
) -> Result<(Vec<NumberedEvent>, Vec<Query<'a>>)> {
    let events = numbered(last.next, end.events());
    let mut deltas = last.deltas;
    let first = deltas.first().map(|(number, _)| *number);
    deltas.extend(events.iter().filter_map(events::delta));
    let (content, folded) = saved::write_deltas(deltas)?;
    let (reply, usage) = (&found.reply.id, end.usage);
    let input_tokens = usage.map(|usage| usage.input_tokens as i64);
    let output_tokens = usage.map(|usage| usage.output_tokens as i64);
    let error = end.ending.error;
    let forget = first.map(|first| events::forget_deltas(owner, found, first));
    let mut writes: Vec<_> = forget.into_iter().collect();
    writes.extend([
        query!(
            "UPDATE reply SET status = $3, lease_until = NULL, input_tokens = $4,
               output_tokens = $5, left_out = coalesce($6, left_out), error_kind = $7,
               error_message = $8, error_retry_after = $9, folded = $10, finished_at = $11,
               changed = $12
             WHERE owner = $1 AND id = $2",
            owner,
            reply,
            end.ending.status.as_str(),
            input_tokens,
            output_tokens,
            end.left_out,
            error.as_ref().map(|error| error.kind.as_str()),
            error.as_ref().map(|error| error.message.clone()),
            error.and_then(|error| Some(error.retry_after?.as_millis() as i64)),
            folded,
            now,
            numbers.next()
        ),
        query!(
            "UPDATE message SET status = $4, content = $5, input_tokens = $6, output_tokens = $7,
               finish_reason = $8, changed = $9
             WHERE owner = $1 AND session = $2 AND seq = $3",
            owner,
            found.session,
            found.message_seq,
            end.ending.status.as_str(),
            content,
            input_tokens,
            output_tokens,
            end.ending.reason.as_str(),
            numbers.next()
        ),
    ]);
    if let Some(usage) = usage {
        let model = &found.reply.model;
        let session = Some(found.session);
        writes.push(usage::note(owner, session, reply, model, usage, now));
    }
    let of = (found.session, found.message_seq);
    let rows = events.iter().filter(|event| events::delta(event).is_none());
    writes.push(events::insert(owner, of, rows)?);
    Ok((events, writes))
}

pub(super) async fn stranded(
    db: &Connection,
    clock: Option<Timestamp>,
    most: u32,
) -> Result<Vec<(Cuid, i64)>> {
    let stranded = db.ask(query!(STRANDED, clock, most));
    stranded
        .await?
        .all(|row| Ok((cuid(row, 0)?, number(row, 1)?)))
}

/// A session has one running reply at most.
const STRANDED: &str = concat!(
    "SELECT owner, session FROM (
       SELECT owner, session, 0 AS turn, lease_until AS since FROM reply
       WHERE status = 'running' AND lease_until <= ",
    clock!("$1"),
    " UNION ALL
       SELECT owner, session, 1, min(created_at) FROM reply
       WHERE status = 'queued' AND NOT EXISTS
         (SELECT 1 FROM reply AS other
          WHERE other.owner = reply.owner AND other.session = reply.session
            AND other.status = 'running')
       GROUP BY owner, session
     ) AS stranded ORDER BY turn, since LIMIT $2"
);
