//! Writing replies: who may, what is appended, and the one way in which one ends.

use chat::contracts::{Append, Claim, Claimed, Finish, Finished, Kept, Stopped, StoreError, Work};
use chat::limits;
use chat::types::{
    Cuid, Delta, Ending, Event, FinishReason, NumberedEvent, Reply, ReplyError, ReplyErrorKind,
    ReplyStatus, SessionKey, Timestamp, TokenUsage, fold,
};
use rusqlite::{Connection, Result};

use super::columns::cuid;
use super::replies::{Found, ask_to_stop, find, find_in, open};
use super::writer::failure;
use super::{events, feed, messages, sessions, usage};

pub(super) fn claim(
    db: &Connection,
    owner: &Cuid,
    session: i64,
    now: Timestamp,
) -> std::result::Result<Claimed, StoreError> {
    let next = open(db, owner, session).map_err(failure)?;
    let Some(next) = next.into_iter().next() else {
        return Ok(Claimed::Nothing);
    };
    if next.reply.status == ReplyStatus::Running {
        if next.lease_until.is_some_and(|until| until > now) {
            return Ok(Claimed::Nothing);
        }
        if let Some(ending) = end_of_stranded(&next) {
            let reply = next.reply.id.clone();
            let events = end(db, owner, &next, End::of(ending), now)?;
            return Ok(Claimed::Ended { reply, events });
        }
    }
    let key = SessionKey::Number(session);
    let Some(session) = sessions::find(db, owner, &key).map_err(failure)? else {
        return Ok(Claimed::Nothing);
    };
    let attempt = next.reply.attempt + 1;
    set_running(db, owner, &next, attempt, now).map_err(failure)?;
    let mut fresh = Vec::with_capacity(2);
    if attempt > 1 {
        fresh.push(Event::Reset { attempt });
    }
    fresh.push(Event::Started {
        attempt,
        model: next.reply.model.clone(),
    });
    let events = events::append(db, owner, &next, fresh)?;
    Ok(Claimed::Work(Box::new(Work {
        reply: Reply {
            status: ReplyStatus::Running,
            attempt,
            ..next.reply
        },
        session,
        prompt_seq: next.prompt_seq,
        message_seq: next.message_seq,
        events,
    })))
}

/// How a reply ends whose writer is gone, if it is not tried again.
fn end_of_stranded(found: &Found) -> Option<Ending> {
    if let Some(reason) = found.stop {
        return Some(Ending {
            status: ReplyStatus::Stopped,
            reason,
            error: None,
        });
    }
    (found.reply.attempt >= limits::REPLY_ATTEMPTS).then(|| Ending {
        status: ReplyStatus::Failed,
        reason: FinishReason::Error,
        error: Some(ReplyError {
            kind: ReplyErrorKind::Interrupted,
            message: format!(
                "the server broke off {} times while this was being written",
                found.reply.attempt
            ),
            retry_after: None,
        }),
    })
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
    if append.renew {
        let until = now.after(limits::LEASE);
        let renewed = db
            .prepare_cached(
                "UPDATE reply SET lease_until = ?5
                 WHERE owner = ?1 AND id = ?2 AND status = 'running' AND attempt = ?3
                   AND lease_until > ?4",
            )
            .and_then(|mut statement| {
                statement.execute((owner.as_str(), reply.as_str(), attempt, now.0, until.0))
            })
            .map_err(failure)?;
        if renewed == 0 {
            return Ok(Kept::Fenced);
        }
    }
    for event in append.events.iter() {
        let (kind, data) = events::write(&event.event)?;
        let written = db
            .prepare_cached(
                "INSERT INTO reply_event (owner, session, message, number, kind, data)
                 SELECT owner, session, message, ?3, ?4, ?5 FROM reply
                 WHERE owner = ?1 AND id = ?2 AND status = 'running' AND attempt = ?6
                   AND lease_until > ?7
                 ON CONFLICT DO NOTHING",
            )
            .and_then(|mut statement| {
                statement.execute((
                    owner.as_str(),
                    reply.as_str(),
                    event.number,
                    kind,
                    data,
                    attempt,
                    now.0,
                ))
            })
            .map_err(failure)?;
        if written == 0 {
            return Ok(Kept::Fenced);
        }
    }
    Ok(Kept::Yes)
}

pub(super) fn finish(db: &Connection, finish: Finish) -> std::result::Result<Finished, StoreError> {
    let Finish {
        claim,
        deltas,
        usage,
        left_out,
        mut ending,
        now,
    } = finish;
    let found = find(db, &claim.owner, &claim.reply).map_err(failure)?;
    let held = found.filter(|found| {
        found.reply.status == ReplyStatus::Running
            && found.reply.attempt == claim.attempt
            && found.lease_until.is_some_and(|until| until > now)
    });
    let Some(found) = held else {
        return Ok(Finished::Fenced);
    };
    if let Some(stop) = found.stop.filter(|_| ending.status == ReplyStatus::Stopped) {
        ending.reason = stop;
    }
    let last = End {
        deltas,
        usage,
        left_out: Some(left_out),
        ending,
    };
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
    Ok(Some(match found.reply.status {
        ReplyStatus::Queued => {
            let reason = FinishReason::Stopped;
            Stopped::Ended(end_waiting(db, owner, &found, reason, now)?)
        }
        ReplyStatus::Running => {
            ask_to_stop(db, owner, reply, FinishReason::Stopped).map_err(failure)?;
            Stopped::Asked(found.session)
        }
        _ => Stopped::Before,
    }))
}

/// Ends a reply that nobody has begun to write.
pub(super) fn end_waiting(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    reason: FinishReason,
    now: Timestamp,
) -> std::result::Result<Vec<NumberedEvent>, StoreError> {
    let ending = Ending {
        status: ReplyStatus::Stopped,
        reason,
        error: None,
    };
    end(db, owner, found, End::of(ending), now)
}

/// The last of a reply.
struct End {
    deltas: Vec<Delta>,
    usage: Option<TokenUsage>,
    left_out: Option<u32>,
    ending: Ending,
}

impl End {
    /// An end that nothing comes before.
    fn of(ending: Ending) -> Self {
        Self {
            deltas: Vec::new(),
            usage: None,
            left_out: None,
            ending,
        }
    }
}

/// Ends a reply: the one way in which that happens.
fn end(
    db: &Connection,
    owner: &Cuid,
    found: &Found,
    end: End,
    now: Timestamp,
) -> std::result::Result<Vec<NumberedEvent>, StoreError> {
    let End {
        deltas,
        usage,
        left_out,
        ending,
    } = end;
    let mut last: Vec<_> = deltas.into_iter().map(Event::Delta).collect();
    let reply = &found.reply.id;
    last.extend(usage.map(Event::Usage));
    last.push(Event::Finished(ending.clone()));
    let last = events::append(db, owner, found, last)?;
    let deltas = events::last_deltas(db, owner, found).map_err(failure)?;
    let (parts, folded) = fold(deltas);
    events::forget_last_deltas(db, owner, found).map_err(failure)?;
    let parts = messages::write_parts(&parts)?;
    let folded = events::write_folded(&folded)?;
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
            parts,
            usage.map(|usage| usage.input_tokens),
            usage.map(|usage| usage.output_tokens),
            ending.reason.as_str(),
            feed::next(db, owner)?,
        ))?;
        match usage {
            Some(usage) => usage::note(
                db,
                owner,
                found.session,
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

pub(super) fn stranded(db: &Connection, now: Timestamp, most: u32) -> Result<Vec<(Cuid, i64)>> {
    db.prepare_cached(
        "SELECT DISTINCT owner, session FROM reply INDEXED BY reply_open
         WHERE status IN ('queued', 'running')
           AND ((status = 'running' AND lease_until <= ?1)
             OR (status = 'queued' AND NOT EXISTS
                  (SELECT 1 FROM reply AS other INDEXED BY reply_open
                   WHERE other.owner = reply.owner AND other.session = reply.session
                     AND other.status IN ('queued', 'running') AND other.status = 'running')))
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
