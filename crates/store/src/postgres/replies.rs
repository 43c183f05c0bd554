use chat::contracts::{Begun, Interrupted, NewReply, Prompt};
use chat::types::{
    Cuid, FinishReason, Message, ModelName, Once, Reply, ReplyStatus, Session, SessionKey,
};

use super::connection::Connection;
use super::failure::Result;
use super::feed::{self, Numbers};
use super::messages::Made;
use super::value::{Query, query};
use super::{idempotency, messages, sessions, writing};
use crate::rows::{Found, found, number, reply_columns, session};
use crate::rules::{
    self, Follows, Place, Stopping, admit, empty_answer, follows, is_prompt, message_made,
    stopping, within,
};
use crate::saved::{self, Damage};

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

/// The reply of that identifier, if it is in that session.
pub(super) async fn find_in(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
) -> Result<Option<Found>> {
    let found = db.ask(by_id(owner, id)).await?.first(found)?;
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
    new: &NewReply,
    once: Option<&Once>,
) -> Result<Begun> {
    let (owner, now) = (&new.owner, new.created_at);
    let [lock, kept, found_session] = db
        .begin([
            feed::lock(owner, 0),
            idempotency::find(owner, once, now),
            sessions::by_key(owner, &new.session),
        ])
        .await?;
    if let Some(id) = idempotency::found(&kept, once)? {
        return begun_before(db, owner, &id).await;
    }
    let Some(session) = found_session.first(session)? else {
        return Ok(Begun::Missing);
    };
    let Some(model) = &new.model else {
        return Ok(Begun::NoModel);
    };
    let [open, named, last] = db
        .ask_all([
            open(owner, session.number),
            messages::by_id(owner, named(&session, new)),
            messages::last_seq(owner, session.number),
        ])
        .await?;
    let open = open.all(found)?;
    let place = match admit(&open, new.when_busy) {
        Ok(place) => place,
        Err(refused) => return Ok(*refused),
    };
    let named = within(&session, messages::first(&named)?);
    let last = last.first(|row| number(row, 0))?.unwrap_or(0);
    let made = match made(&session, new, model, named, last) {
        Ok(made) => made,
        Err(refused) => return Ok(*refused),
    };
    let mut numbers = Numbers::taken(&lock, 0)?;
    let mut writes = insert(&session, new, model, &made, &mut numbers)?;
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

async fn begun_before(db: &Connection, owner: &Cuid, id: &str) -> Result<Begun> {
    let mut begun = Begun::Missing;
    for id in saved::read_ids(id)? {
        let kept = db.ask(by_id(owner, &id)).await?;
        if let Some(found) = kept.first(found)? {
            begun = Begun::Done {
                reply: found.reply,
                session: found.session,
                interrupted: None,
            };
        }
    }
    Ok(begun)
}

/// The message that is named as what is answered, or as what the prompt follows.
fn named<'a>(session: &'a Session, new: &'a NewReply) -> Option<&'a Cuid> {
    match &new.prompt {
        Prompt::Existing(id) => Some(id),
        Prompt::New { parent, .. } => match follows(session, parent, 0) {
            Follows::Message(id) => Some(id),
            Follows::Nothing | Follows::Before => None,
        },
    }
}

/// What a new reply comes with.
struct Answer {
    /// The prompt, if it is new, and the empty message that the reply becomes.
    messages: Vec<Made>,
    prompt: Place,
    message: Place,
}

/// The messages of a new reply as they will be, given the message that it names, if that is there,
/// and the last place of the session.
fn made(
    session: &Session,
    new: &NewReply,
    model: &ModelName,
    named: Option<Message>,
    last: i64,
) -> std::result::Result<Answer, Box<Begun>> {
    let (mut messages, now) = (Vec::with_capacity(2), new.created_at);
    let prompt = match &new.prompt {
        Prompt::Existing(_) => {
            let prompt = named
                .filter(is_prompt)
                .ok_or(Box::new(Begun::NoSuchPrompt))?;
            Place::of(&prompt)
        }
        Prompt::New {
            id,
            parent,
            content,
        } => {
            let parent_place = named.as_ref().map(Place::of);
            let follows = follows(session, parent, 0);
            if matches!(follows, Follows::Message(_)) && parent_place.is_none() {
                return Err(Box::new(Begun::NoSuchParent));
            }
            let prompt = rules::prompt(id, parent, content);
            let done = ReplyStatus::Done;
            let seq = last + 1;
            let prompt = message_made(session, seq, &prompt, parent_place.as_ref(), done, now);
            let place = Place::of(&prompt);
            messages.push((prompt, parent_place.map(|parent| parent.seq)));
            place
        }
    };
    let seq = last + 1 + messages.len() as i64;
    let answer = empty_answer(new, model, &prompt);
    let queued = ReplyStatus::Queued;
    let answer = message_made(session, seq, &answer, Some(&prompt), queued, now);
    let message = Place::of(&answer);
    messages.push((answer, Some(prompt.seq)));
    Ok(Answer {
        messages,
        prompt,
        message,
    })
}

/// Writes the reply, which is what the first statement answers, its messages, and its first event.
fn insert<'a>(
    session: &'a Session,
    new: &'a NewReply,
    model: &'a ModelName,
    answer: &'a Answer,
    numbers: &mut Numbers,
) -> Result<Vec<Query<'a>>> {
    let Answer {
        messages,
        prompt,
        message,
    } = answer;
    let reply = query!(
        concat!(
            "INSERT INTO reply (owner, id, session, session_id, prompt, prompt_id, message,
               message_id, status, attempt, model, left_out, created_at, changed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', 0, $9, 0, $10, $11) RETURNING ",
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
        numbers.next()
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
        sessions::set_head(session, &message.id, new.created_at, numbers.next()),
    ])
}

/// Lets an open reply make place for a new one: one that is still waiting to be claimed ends. With
/// the statements that do it.
async fn interrupt<'a>(
    db: &Connection,
    new: &'a NewReply,
    first: &'a Found,
    numbers: &mut Numbers,
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
