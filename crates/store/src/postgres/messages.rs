use std::ops::Range;

use chat::contracts::Appended;
use chat::limits;
use chat::types::{
    Branch, Cuid, Message, MessageView, ModelName, NewMessage, Once, Page, PageSize, Session,
    SessionKey, Timestamp,
};

use super::connection::{Answer, Connection};
use super::failure::Result;
use super::feed::{self, Numbers};
use super::value::{Query, query};
use super::{events, idempotency, sessions};
use crate::appending::{Made, above, is_within, made, named, without_parts};
use crate::rows::{Columns, branching, message, message_columns, number, session};
use crate::rules::{self, page_of_messages};
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
pub(super) fn by_ids<'a>(owner: &'a Cuid, ids: impl IntoIterator<Item = &'a Cuid>) -> Query<'a> {
    let ids: Vec<_> = ids.into_iter().map(Cuid::as_str).collect();
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

/// The highest place that [`last_seq`] has found.
pub(super) fn last(answer: &Answer) -> Result<i64> {
    Ok(answer.first(|row| number(row, 0))?.unwrap_or(0))
}

pub(super) async fn find(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
) -> Result<Option<Message>> {
    let [of, found] = db
        .ask_all([sessions::by_key(owner, key), by_id(owner, Some(id))])
        .await?;
    let of = of.first(session)?;
    let found = first(&found)?;
    Ok(found.filter(|found| of.is_some_and(|of| is_within(&of, found))))
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

pub(super) async fn branches(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
) -> Result<Option<Vec<Branch>>> {
    let Some(session) = sessions::find(db, owner, key).await? else {
        return Ok(None);
    };
    let (number, most) = (session.number, limits::BRANCHES_LISTED);
    let found = db.ask(query!(BRANCHING, owner, number, most)).await?;
    Ok(Some(rules::branches(found.all(branching)?)))
}

/// Answered by the index of what follows what.
const BRANCHING: &str = "SELECT parent_id, id FROM
       (SELECT parent_id, id, seq, count(*) OVER (PARTITION BY parent) AS beside
        FROM message WHERE owner = $1 AND session = $2) AS placed
     WHERE beside > 1 ORDER BY seq DESC LIMIT $3";

/// Looks for the newest message behind one, or that one itself; without an identifier, for nothing.
pub(super) fn newest_behind<'a>(owner: &'a Cuid, id: Option<&'a Cuid>) -> Query<'a> {
    query!(NEWEST_BEHIND, owner, id, limits::MESSAGES_BEHIND)
}

/// Answered by the index of what follows what, too.
const NEWEST_BEHIND: &str = "WITH RECURSIVE behind (session, seq, id) AS (
       SELECT session, seq, id FROM message WHERE owner = $1 AND id = $2
       UNION ALL
       SELECT behind.session, next.seq, next.id FROM behind CROSS JOIN LATERAL (
         SELECT seq, id FROM message
         WHERE owner = $1 AND session = behind.session AND parent = behind.seq OFFSET 0
       ) AS next
     )
     SELECT id FROM (SELECT seq, id FROM behind LIMIT $3) AS found ORDER BY seq DESC LIMIT 1";

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
    let [found, last_place] = db
        .ask_all([
            by_ids(owner, named(&session, new)),
            last_seq(owner, session.number),
        ])
        .await?;
    let there = with_above(db, owner, &found, new).await?;
    let messages = match made(&session, new, &there, last(&last_place)?, now) {
        Ok(messages) => messages,
        Err(refused) => return Ok(refused.into()),
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
    let found = db.ask(by_ids(owner, &ids));
    let mut messages = found.await?.all(message)?;
    messages.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    Ok(Appended::Done(messages))
}

/// The messages that [`by_ids`] has found, with those above them that new ones may need, too.
pub(super) async fn with_above(
    db: &Connection,
    owner: &Cuid,
    found: &Answer,
    new: &[NewMessage],
) -> Result<Vec<Message>> {
    let mut there = found.all(message)?;
    let mut wanted = above(&there, new);
    while !wanted.is_empty() {
        let found = db.ask(by_ids(owner, &wanted)).await?.all(message)?;
        wanted = above(&found, new);
        there.extend(found);
    }
    Ok(there)
}

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

pub(super) async fn remove_parts(
    db: &mut Connection,
    owner: &Cuid,
    key: &SessionKey,
    id: &Cuid,
    parts: Range<usize>,
) -> Result<Option<Message>> {
    let [lock, of, found] = db
        .begin([
            feed::lock(owner, 1),
            sessions::by_key(owner, key),
            by_id(owner, Some(id)),
        ])
        .await?;
    let (Some(of), Some(message)) = (of.first(session)?, first(&found)?) else {
        return Ok(None);
    };
    if !is_within(&of, &message) {
        return Ok(None);
    }
    let Some(rest) = without_parts(&message, parts) else {
        return Ok(Some(message));
    };
    let update = query!(
        "UPDATE message SET content = $4, changed = $5
         WHERE owner = $1 AND session = $2 AND seq = $3",
        owner,
        of.number,
        rest.seq,
        saved::write_parts(&rest.content)?,
        Numbers::taken(&lock, 1)?.next()
    );
    let mut writes = vec![update];
    if rest.reply.is_some() {
        writes.push(events::blank_deltas(owner, (of.number, rest.seq)));
    }
    db.commit(writes).await?;
    Ok(Some(rest))
}
