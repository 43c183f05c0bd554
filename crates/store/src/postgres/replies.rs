use chat::contracts::{Begun, InSession, Interrupted, NewReply, StoreError};
use chat::types::{Cuid, FinishReason, ModelName, Once, Reply, Session, SessionKey};

use super::connection::Connection;
use super::failure::Result;
use super::feed::{self, Numbers as FeedNumbers};
use super::numbers::Numbers;
use super::value::{Query, query};
use super::{idempotency, messages, sessions, writing};
use crate::appending::{Answer, answer, named_by, new_of};
use crate::options::write_options;
use crate::rows::{Found, found, reply_columns, session};
use crate::rules::{Stopping, admit, begun_before, session_made, stopping};
use crate::saved::Damage;

/// Looks for a reply.
pub(super) fn by_id<'a>(owner: &'a Cuid, id: &'a Cuid) -> Query<'a> {
    query!(
        concat!(
            "SELECT ",
            reply_columns!(),
            " FROM reply WHERE owner = $1 AND id = $2"
        ),
        owner,
        id
    )
}

/// As [`by_id`], and locks its row until the transaction ends: nobody appends to it meanwhile.
pub(super) fn locked<'a>(owner: &'a Cuid, id: &'a Cuid) -> Query<'a> {
    query!(
        concat!(
            "SELECT ",
            reply_columns!(),
            " FROM reply WHERE owner = $1 AND id = $2 FOR NO KEY UPDATE"
        ),
        owner,
        id
    )
}

/// Looks for the replies of a session that have not ended: the running one, then by how long they
/// have waited.
macro_rules! open_replies {
    () => {
        "FROM reply WHERE owner = $1 AND session = $2 AND status IN ('queued', 'running')
         ORDER BY status = 'queued', message"
    };
}
pub(super) use open_replies;

pub(super) fn open(owner: &Cuid, session: i64) -> Query<'_> {
    query!(
        concat!("SELECT ", reply_columns!(), " ", open_replies!()),
        owner,
        session
    )
}

pub(super) async fn find(db: &Connection, owner: &Cuid, id: &Cuid) -> Result<Option<Found>> {
    db.ask(by_id(owner, id)).await?.first(found)
}

/// The reply of that identifier, if it is in that session.
pub(super) async fn find_in(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
) -> Result<Option<Found>> {
    let found = find(db, owner, id).await?;
    Ok(found.filter(|found| is_in(found, key)))
}

/// Whether a reply is in that session.
pub(super) fn is_in(found: &Found, key: &SessionKey) -> bool {
    match key {
        SessionKey::Number(number) => found.session == *number,
        SessionKey::Cuid(id) => found.reply.session == *id,
    }
}

pub(super) async fn list_open(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
) -> Result<Option<Vec<Reply>>> {
    let Some(session) = sessions::find(db, owner, key).await? else {
        return Ok(None);
    };
    let open = db.ask(open(owner, session.number)).await?;
    open.all(|row| Ok(found(row)?.reply)).map(Some)
}

pub(super) async fn begin(
    db: &mut Connection,
    numbers: &Numbers,
    new: &NewReply,
    once: Option<&Once>,
) -> Result<Begun> {
    let InSession::New(session) = &new.session else {
        return begin_in(db, None, new, once).await;
    };
    let made = session_made(session, numbers.next(db).await?);
    let number = made.number;
    let begun = begin_in(db, Some(made), new, once).await?;
    if !matches!(begun, Begun::Done { session, .. } if session == number) {
        numbers.take_back(number).await;
    }
    Ok(begun)
}

/// Accepts a reply, in a session that is made for it unless the one that is wanted is there.
async fn begin_in(
    db: &mut Connection,
    made: Option<Session>,
    new: &NewReply,
    once: Option<&Once>,
) -> Result<Begun> {
    let (owner, now) = (&new.owner, new.created_at);
    let [lock, kept, found_session] = db
        .begin([
            feed::lock(owner, 0),
            idempotency::find(owner, once, now),
            sessions::wanted(owner, &new.session),
        ])
        .await?;
    if let Some(once) = once
        && let Some(id) = idempotency::found(&kept, Some(once))?
    {
        let id = Cuid::parse(&id).map_err(|error| StoreError::Internal(Box::new(error)))?;
        if let Some(begun) = begun_before(once, find(db, owner, &id).await?, now) {
            return Ok(begun);
        }
    }
    let found_session = found_session.first(session)?;
    let is_new = found_session.is_none();
    let Some(session) = found_session.or(made) else {
        return Ok(Begun::Missing);
    };
    let Some(model) = &new.model else {
        return Ok(Begun::NoModel);
    };
    let [open, named, last] = db
        .ask_all([
            open(owner, session.number),
            messages::by_ids(owner, named_by(&session, &new.prompt)),
            messages::last_seq(owner, session.number),
        ])
        .await?;
    let open = open.all(found)?;
    let place = match admit(&open, new.when_busy) {
        Ok(place) => place,
        Err(refused) => return Ok(*refused),
    };
    let there = messages::with_above(db, owner, &named, new_of(&new.prompt)).await?;
    let answer = match answer(&session, new, model, &there, messages::last(&last)?) {
        Ok(answer) => answer,
        Err(refused) => return Ok(*refused),
    };
    let mut numbers = FeedNumbers::taken(&lock, 0)?;
    let mut writes = insert(&session, new, model, &answer, &mut numbers)?;
    if is_new {
        writes.push(sessions::insert(
            sessions::INSERT,
            &session,
            numbers.next(),
        )?);
    }
    let head = &answer.message.id;
    writes.push(sessions::set_head(&session, head, now, numbers.next()));
    let interrupted = match place {
        Some(first) => {
            let (interrupted, ending) = interrupt(db, new, first, &mut numbers).await?;
            writes.extend(ending);
            Some(interrupted)
        }
        None => None,
    };
    writes.push(numbers.keep(owner));
    let (id, of) = (new.id.to_string(), Some(session.number));
    writes.extend(idempotency::save_text(owner, once, now, id, of));
    let [reply, ..] = &db.commit(writes).await?[..] else {
        return Err(Damage::new("a reply is missing").into());
    };
    Ok(Begun::Done {
        reply: reply.one(found)?.reply,
        session: session.number,
        interrupted,
    })
}

/// Writes the reply, which is what the first statement answers, its messages, and its first event.
fn insert<'a>(
    session: &'a Session,
    new: &'a NewReply,
    model: &'a ModelName,
    answer: &'a Answer,
    numbers: &mut FeedNumbers,
) -> Result<Vec<Query<'a>>> {
    let Answer {
        messages,
        prompt,
        message,
    } = answer;
    let reply = query!(
        concat!(
            "INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message,
               message_id, status, attempt, model, left_out, created_at, changed, options, hidden)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', 0, $9, 0, $10, $11, $12, $13)
             RETURNING ",
            reply_columns!()
        ),
        &new.owner,
        &new.id,
        session.number,
        &session.id,
        prompt.seq,
        &prompt.id,
        message.seq,
        &message.id,
        model.as_str(),
        new.created_at,
        numbers.next(),
        write_options(&new.options)?,
        new.hidden
    );
    let accepted = query!(
        "INSERT INTO reply_event (owner, session, message, number, kind, data)
         VALUES ($1, $2, $3, 0, 'accepted', '')",
        &new.owner,
        session.number,
        message.seq
    );
    Ok(vec![
        reply,
        accepted,
        messages::insert(session, messages, numbers)?,
    ])
}

/// Lets an open reply make place for a new one: one that is still waiting to be claimed ends. With
/// the statements that do it.
async fn interrupt<'a>(
    db: &Connection,
    new: &'a NewReply,
    first: &'a Found,
    numbers: &mut FeedNumbers,
) -> Result<(Interrupted, Vec<Query<'a>>)> {
    let reason = FinishReason::Interrupted;
    let owner = &new.owner;
    let (ended, writes) = match stopping(first, reason) {
        Stopping::End(end) => {
            let [next, deltas] = db.ask_all(writing::last_of(owner, &first.reply.id)).await?;
            let last = writing::Last::read(&next, &deltas)?;
            let (events, writes) = writing::end(owner, first, end, last, numbers, new.created_at)?;
            (Some(events), writes)
        }
        Stopping::Ask | Stopping::Nothing => {
            (None, vec![ask_to_stop(owner, &first.reply.id, reason)])
        }
    };
    let reply = first.reply.id.clone();
    Ok((Interrupted { reply, ended }, writes))
}

pub(super) fn ask_to_stop<'a>(owner: &'a Cuid, reply: &'a Cuid, why: FinishReason) -> Query<'a> {
    query!(
        "UPDATE reply SET stop = $3 WHERE owner = $1 AND id = $2 AND stop IS NULL",
        owner,
        reply,
        why.as_str()
    )
}

pub(super) async fn hide(db: &mut Connection, owner: &Cuid, reply: &Cuid) -> Result<bool> {
    let hide = query!(
        "UPDATE reply SET hidden = TRUE WHERE owner = $1 AND id = $2 AND NOT hidden",
        owner,
        reply
    );
    let done = db.transact(vec![feed::lock(owner, 0), hide], 1).await?;
    Ok(done.last().is_some_and(|hidden| hidden.count > 0))
}
