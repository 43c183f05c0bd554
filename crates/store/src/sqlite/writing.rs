//! Writing replies: who may, what is appended, and the one way in which one ends.

use chat::contracts::{Append, Claim, Claimed, Finish, Finished, Kept, Stopped, StoreError};
use chat::limits;
use chat::types::{Cuid, FinishReason, NumberedEvent, SessionKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result};

use super::replies::{ask_to_stop, find, find_in, open};
use super::writer::failure;
use super::{events, feed, sessions, usage};
use crate::rows::{Found, cuid};
use crate::rules::{self, End, Stopping, Turn, holds, stopping, turn};
use crate::saved;

pub(super) fn claim(
    db: &Connection,
    owner: &Cuid,
    session: i64,
    now: Timestamp,
) -> std::result::Result<Claimed, StoreError> {
    let open = open(db, owner, session).map_err(failure)?;
    let key = SessionKey::Number(session);
    let session = sessions::find(db, owner, &key).map_err(failure)?;
    let (Some(next), Some(session)) = (open.into_iter().next(), session) else {
        return Ok(Claimed::Nothing);
    };
    let lease_is_over = next.lease_until.is_none_or(|until| until <= now);
    match turn(&next, lease_is_over) {
        Turn::Leave => Ok(Claimed::Nothing),
        Turn::End(last) => Ok(Claimed::Ended {
            events: end(db, owner, &next, last, now)?,
            reply: next.reply.id,
        }),
        Turn::Take(attempt, fresh) => {
            set_running(db, owner, &next, attempt, now).map_err(failure)?;
            let events = events::append(db, owner, &next, fresh)?;
            let work = rules::work(next, session, attempt, events);
            Ok(Claimed::Work(Box::new(work)))
        }
    }
}

fn set_running(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    attempt: u32,
    now: Timestamp,
) -> Result<()> {
    let until = now.after(limits::LEASE);
    db.prepare_cached(
        "UPDATE reply SET status = 'running', attempt = ?3, lease_until = ?4, changed = ?5
         WHERE owner = ?1 AND id = ?2",
    )?
    .execute((
        owner.as_str(),
        found.reply.id.as_str(),
        attempt,
        until.0,
        feed::next(db, owner)?,
    ))?;
    db.prepare_cached(
        "UPDATE message SET status = 'running', changed = ?4
         WHERE owner = ?1 AND session = ?2 AND seq = ?3",
    )?
    .execute((
        owner.as_str(),
        found.session,
        found.message_seq,
        feed::next(db, owner)?,
    ))
    .map(drop)
}

pub(super) fn append(
    db: &Connection,
    append: &Append,
    now: Timestamp,
) -> std::result::Result<Kept, StoreError> {
    let Claim {
        owner,
        reply,
        attempt,
    } = &append.claim;
    let held = db
        .prepare_cached(
            "SELECT session, message, stop IS NOT NULL FROM reply
             WHERE owner = ?1 AND id = ?2 AND status = 'running' AND attempt = ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_row((owner.as_str(), reply.as_str(), attempt), |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        });
    let held: Option<(i64, i64, bool)> = held.map_err(failure)?;
    let Some((session, message, stop)) = held else {
        return Ok(Kept::Fenced);
    };
    for event in append.events.iter() {
        if !events::keep(db, owner, (session, message), event)? {
            return Ok(Kept::Fenced);
        }
    }
    if append.renew {
        let until = now.after(limits::LEASE);
        db.prepare_cached("UPDATE reply SET lease_until = ?3 WHERE owner = ?1 AND id = ?2")
            .and_then(|mut statement| statement.execute((owner.as_str(), reply.as_str(), until.0)))
            .map_err(failure)?;
    }
    Ok(if stop { Kept::ToStop } else { Kept::Yes })
}

pub(super) fn finish(db: &Connection, finish: Finish) -> std::result::Result<Finished, StoreError> {
    let (claim, now) = (finish.claim.clone(), finish.now);
    let found = find(db, &claim.owner, &claim.reply).map_err(failure)?;
    let Some(found) = found.filter(|found| holds(found, &claim)) else {
        return Ok(Finished::Fenced);
    };
    let last = End::wanted(finish, &found);
    end(db, &claim.owner, &found, last, now).map(Finished::Done)
}

pub(super) fn stop(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    reply: &Cuid,
    now: Timestamp,
) -> std::result::Result<Option<Stopped>, StoreError> {
    let Some(found) = find_in(db, owner, key, reply).map_err(failure)? else {
        return Ok(None);
    };
    let reason = FinishReason::Stopped;
    Ok(Some(match stopping(&found, reason) {
        Stopping::End(last) => Stopped::Ended(end(db, owner, &found, last, now)?),
        Stopping::Ask => {
            ask_to_stop(db, owner, reply, reason).map_err(failure)?;
            Stopped::Asked(found.session)
        }
        Stopping::Nothing => Stopped::Before,
    }))
}

/// Ends a reply: the one way in which that happens.
pub(super) fn end(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    end: End,
    now: Timestamp,
) -> std::result::Result<Vec<NumberedEvent>, StoreError> {
    let last = events::append(db, owner, found, end.events())?;
    let deltas = events::last_deltas(db, owner, found).map_err(failure)?;
    events::forget_last_deltas(db, owner, found).map_err(failure)?;
    let (content, folded) = saved::write_deltas(deltas)?;
    let End {
        usage,
        left_out,
        ending,
        ..
    } = end;
    let reply = &found.reply.id;
    let write = || {
        let error = ending.error.as_ref();
        db.prepare_cached(
            "UPDATE reply SET status = ?3, lease_until = NULL, input_tokens = ?4,
               output_tokens = ?5, left_out = coalesce(?6, left_out), error_kind = ?7,
               error_message = ?8, error_retry_after = ?9, folded = ?10, finished_at = ?11,
               changed = ?12
             WHERE owner = ?1 AND id = ?2",
        )?
        .execute((
            owner.as_str(),
            reply.as_str(),
            ending.status.as_str(),
            usage.map(|usage| usage.input_tokens),
            usage.map(|usage| usage.output_tokens),
            left_out,
            error.map(|error| error.kind.as_str()),
            error.map(|error| error.message.as_str()),
            error.and_then(|error| Some(error.retry_after?.as_millis() as u64)),
            folded,
            now.0,
            feed::next(db, owner)?,
        ))?;
        db.prepare_cached(
            "UPDATE message SET status = ?4, content = ?5, input_tokens = ?6, output_tokens = ?7,
               finish_reason = ?8, changed = ?9
             WHERE owner = ?1 AND session = ?2 AND seq = ?3",
        )?
        .execute((
            owner.as_str(),
            found.session,
            found.message_seq,
            ending.status.as_str(),
            content,
            usage.map(|usage| usage.input_tokens),
            usage.map(|usage| usage.output_tokens),
            ending.reason.as_str(),
            feed::next(db, owner)?,
        ))?;
        match usage {
            Some(usage) => usage::note(
                db,
                owner,
                Some(found.session),
                reply,
                &found.reply.model,
                usage,
                now,
            ),
            None => Ok(()),
        }
    };
    write().map_err(failure)?;
    Ok(last)
}

/// The columns are those of the index alone; identifiers grow with time.
pub(super) fn stranded(db: &Connection, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>> {
    db.prepare_cached(
        "SELECT owner, session FROM reply INDEXED BY reply_open
         WHERE status IN ('queued', 'running')
           AND ((status = 'running' AND lease_until <= ?1)
             OR (status = 'queued' AND NOT EXISTS
                  (SELECT 1 FROM reply AS other INDEXED BY reply_open
                   WHERE other.owner = reply.owner AND other.session = reply.session
                     AND other.status IN ('queued', 'running') AND other.status = 'running')))
         GROUP BY owner, session ORDER BY min(status = 'queued'), min(lease_until), min(id)
         LIMIT ?2",
    )?
    .query_map((now.0, most), |row| Ok((cuid(row, 0)?, row.get(1)?)))?
    .collect()
}

/// Ends all leases: whoever held one is gone.
pub(super) fn end_leases(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE reply INDEXED BY reply_open SET lease_until = 0
         WHERE status IN ('queued', 'running') AND status = 'running'",
        [],
    )
    .map(drop)
}
