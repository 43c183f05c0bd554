use chat::contracts::Appended;
use chat::limits;
use chat::types::{
    Cuid, Message, MessageView, ModelName, NewMessage, Once, Page, PageSize, ReplyStatus, Session,
    SessionKey, Timestamp,
};

use super::connection::{Answer, Connection};
use super::failure::Result;
use super::feed::{self, Numbers};
use super::value::{Query, query};
use super::{idempotency, sessions};
use crate::rows::{Columns, message, message_columns, number, session};
use crate::rules::{Follows, Place, follows, message_made, page_of_messages, within};
use crate::saved;

/// Looks for a message; without an identifier, for nothing.
pub(super) fn by_id<'a>(owner: &'a Cuid, id: Option<&'a Cuid>) -> Query<'a> {
    query!(
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM message WHERE owner = $1 AND id = $2"
        ),
        owner,
        id
    )
}

/// Looks for messages.
fn by_ids<'a>(owner: &'a Cuid, ids: Vec<&'a str>) -> Query<'a> {
    query!(
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM message WHERE owner = $1 AND id = ANY ($2)"
        ),
        owner,
        ids
    )
}

/// The message that [`by_id`] has found.
pub(super) fn first(answer: &Answer) -> Result<Option<Message>> {
    answer.first(message)
}

/// Looks for the highest place in a session.
pub(super) fn last_seq(owner: &Cuid, session: i64) -> Query<'_> {
    query!(
        "SELECT seq FROM message WHERE owner = $1 AND session = $2 ORDER BY seq DESC LIMIT 1",
        owner,
        session
    )
}

pub(super) async fn list(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    view: MessageView,
    from: Option<i64>,
    size: PageSize,
) -> Result<Option<Page<Message, i64>>> {
    let Some(session) = sessions::find(db, owner, key).await? else {
        return Ok(None);
    };
    let (number, more) = (session.number, size.get() + 1);
    let bytes = limits::PAGE_BYTES as i64;
    let listed = match view {
        MessageView::Path => {
            let head = session.head.as_ref();
            db.ask(query!(PATH, owner, number, from, more, bytes, head))
        }
        MessageView::Tree => {
            let from = from.unwrap_or(i64::MAX);
            db.ask(query!(TREE, owner, number, from, more, bytes))
        }
    };
    let listed = listed.await?;
    let mut page = page_of_messages(listed.rows.iter().map(message), size)?;
    if page.next.is_none() {
        page.next = listed.first(|row| row.int(14))?.flatten();
    }
    Ok(Some(page))
}

/// The messages whose places `listed` has, without those that are beyond the bytes of a page; with
/// the first place beyond them. A page's rows would otherwise be as large as its messages may be.
macro_rules! page_of {
    ($listed:literal) => {
        concat!(
            $listed,
            ", measured AS (
               SELECT listed.seq, sum(listed.bytes) OVER (ORDER BY listed.seq DESC) - listed.bytes
                 AS before FROM listed
             )
             SELECT ",
            message_columns!(),
            ", (SELECT max(seq) FROM measured WHERE before >= $5) FROM measured
               CROSS JOIN LATERAL (
                 SELECT * FROM message
                 WHERE owner = $1 AND session = $2 AND message.seq = measured.seq OFFSET 0
               ) AS message
             WHERE measured.before < $5 ORDER BY measured.seq DESC"
        )
    };
}

/// Each step finds one row by its key, so a page costs what it holds. A parent has a lower place.
const PATH: &str = page_of!(
    "WITH RECURSIVE listed (seq, parent, bytes, steps) AS (
       SELECT seq, parent, octet_length(content)::bigint, 1 FROM message
       WHERE owner = $1 AND session = $2 AND seq = coalesce($3,
         (SELECT seq FROM message WHERE owner = $1 AND session = $2 AND id = $6))
       UNION ALL
       SELECT above.seq, above.parent, above.bytes, listed.steps + 1
       FROM listed CROSS JOIN LATERAL (
         SELECT seq, parent, octet_length(content)::bigint AS bytes FROM message
         WHERE owner = $1 AND session = $2 AND seq = listed.parent OFFSET 0
       ) AS above
       WHERE listed.steps < $4
     )"
);

const TREE: &str = page_of!(
    "WITH listed (seq, bytes) AS (
       SELECT seq, octet_length(content)::bigint FROM message
       WHERE owner = $1 AND session = $2 AND seq <= $3 ORDER BY seq DESC LIMIT $4
     )"
);

pub(super) async fn append(
    db: &mut Connection,
    owner: &Cuid,
    key: &SessionKey,
    new: &[NewMessage],
    now: Timestamp,
    once: Option<&Once>,
) -> Result<Appended> {
    // One for each message, and one for the session.
    let changes = new.len() + 1;
    let [lock, kept, found] = db
        .begin([
            feed::lock(owner, changes),
            idempotency::find(owner, once, now),
            sessions::by_key(owner, key),
        ])
        .await?;
    if let Some(ids) = idempotency::found(&kept, once)? {
        return appended_before(db, owner, &ids).await;
    }
    let Some(session) = found.first(session)? else {
        return Ok(Appended::Missing);
    };
    let messages = match made(db, &session, new, now).await? {
        Ok(messages) => messages,
        Err(at) => return Ok(Appended::NoSuchParent(at)),
    };
    let Some(head) = messages.last().map(|(message, _)| message.id.clone()) else {
        return Ok(Appended::Done(Vec::new()));
    };
    let mut numbers = Numbers::taken(&lock, changes)?;
    let ids = saved::write_ids(messages.iter().map(|(message, _)| &message.id));
    let mut writes = vec![
        insert(&session, &messages, &mut numbers)?,
        sessions::set_head(&session, &head, now, numbers.next()),
    ];
    let of = Some(session.number);
    writes.extend(idempotency::save_text(owner, once, now, ids, of));
    db.commit(writes).await?;
    let messages = messages.into_iter().map(|(message, _)| message);
    Ok(Appended::Done(messages.collect()))
}

async fn appended_before(db: &Connection, owner: &Cuid, ids: &str) -> Result<Appended> {
    let ids = saved::read_ids(ids)?;
    let found = db.ask(by_ids(owner, ids.iter().map(Cuid::as_str).collect()));
    let mut messages = found.await?.all(message)?;
    messages.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    Ok(Appended::Done(messages))
}

/// The messages as they will be, with the places of what they follow; or which of them names one
/// that the session does not have.
async fn made(
    db: &Connection,
    session: &Session,
    new: &[NewMessage],
    now: Timestamp,
) -> Result<std::result::Result<Vec<Made>, usize>> {
    let follows = || {
        let numbered = new.iter().enumerate();
        numbered.map(|(at, new)| follows(session, &new.parent, at))
    };
    let named = follows().filter_map(|follows| match follows {
        Follows::Message(id) => Some(id.as_str()),
        Follows::Nothing | Follows::Before => None,
    });
    let [found, last] = db
        .ask_all([
            by_ids(&session.owner, named.collect()),
            last_seq(&session.owner, session.number),
        ])
        .await?;
    let found = found.all(message)?;
    let mut seq = last.first(|row| number(row, 0))?.unwrap_or(0);
    let mut made: Vec<Made> = Vec::with_capacity(new.len());
    for ((at, new), follows) in new.iter().enumerate().zip(follows()) {
        let parent = match follows {
            Follows::Nothing => None,
            Follows::Before => made.last().map(|(before, _)| Place::of(before)),
            Follows::Message(id) => {
                let named = found.iter().find(|message| message.id == *id);
                match within(session, named.cloned()) {
                    Some(message) => Some(Place::of(&message)),
                    None => return Ok(Err(at)),
                }
            }
        };
        seq += 1;
        let done = ReplyStatus::Done;
        let message = message_made(session, seq, new, parent.as_ref(), done, now);
        made.push((message, parent.map(|parent| parent.seq)));
    }
    Ok(Ok(made))
}

/// A message that is about to be written, and the place of what it follows.
pub(super) type Made = (Message, Option<i64>);

/// Writes messages of one session.
pub(super) fn insert<'a>(
    session: &'a Session,
    messages: &'a [Made],
    numbers: &mut Numbers,
) -> Result<Query<'a>> {
    let each = || messages.iter().map(|(message, _)| message);
    let contents = each().map(|message| saved::write_parts(&message.content));
    let contents = contents.collect::<std::result::Result<Vec<_>, _>>()?;
    let ids: Vec<_> = each().map(|message| message.id.as_str()).collect();
    let parent_ids = each().map(|message| message.parent.as_ref().map(Cuid::as_str));
    let models = each().map(|message| message.model.as_ref().map(ModelName::as_str));
    let replies = each().map(|message| message.reply.as_ref().map(Cuid::as_str));
    Ok(query!(
        "INSERT INTO message (owner, session, session_id, created_at, seq, id, depth, parent,
           parent_id, role, content, model, reply, status, changed)
         SELECT $1, $2, $3, $4, new.* FROM unnest($5::bigint[], $6::text[], $7::bigint[],
           $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
           $14::text[], $15::bigint[]) AS new",
        &session.owner,
        session.number,
        &session.id,
        messages[0].0.created_at,
        each().map(|message| message.seq).collect::<Vec<_>>(),
        ids,
        each()
            .map(|message| i64::from(message.depth))
            .collect::<Vec<_>>(),
        messages
            .iter()
            .map(|(_, parent)| *parent)
            .collect::<Vec<_>>(),
        parent_ids.collect::<Vec<_>>(),
        each()
            .map(|message| message.role.as_str())
            .collect::<Vec<_>>(),
        contents,
        models.collect::<Vec<_>>(),
        replies.collect::<Vec<_>>(),
        each()
            .map(|message| message.status.as_str())
            .collect::<Vec<_>>(),
        each().map(|_| numbers.next()).collect::<Vec<_>>()
    ))
}
