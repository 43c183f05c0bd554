use chat::contracts::{Changed, Deleted, StoreError};
use chat::types::{
    Cuid, ModelName, NewSession, Once, Page, PageSize, Precondition, Session, SessionChange,
    SessionFilter, SessionKey, SessionKind, SessionPosition, SessionStatus, SystemMessage,
    Timestamp, Title,
};
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::{Deserialize, Serialize};

use super::columns::{cuid, optional, parsed, time};
use super::idempotency::{self, Outcome};
use super::writer::failure;
use super::{feed, messages, usage};

/// For [`session`].
macro_rules! columns {
    () => {
        "number, id, owner, title, kind, status, system_message, version, created_at, updated_at, \
         named, model, head"
    };
}

fn session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        number: row.get(0)?,
        id: cuid(row, 1)?,
        owner: cuid(row, 2)?,
        title: parsed(row, 3, Title::parse)?,
        kind: parsed(row, 4, SessionKind::parse)?,
        status: parsed(row, 5, SessionStatus::parse)?,
        system_message: parsed(row, 6, SystemMessage::parse)?,
        version: row.get(7)?,
        created_at: time(row, 8)?,
        updated_at: time(row, 9)?,
        named: row.get(10)?,
        model: optional(row, 11, ModelName::parse)?,
        head: optional(row, 12, Cuid::parse)?,
    })
}

pub(super) fn find(db: &Connection, owner: &Cuid, key: &SessionKey) -> Result<Option<Session>> {
    let owner = owner.as_str();
    match key {
        SessionKey::Number(number) => db
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM session WHERE owner = ?1 AND number = ?2"
            ))?
            .query_row((owner, number), session),
        SessionKey::Cuid(id) => db
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM session WHERE owner = ?1 AND id = ?2"
            ))?
            .query_row((owner, id.as_str()), session),
    }
    .optional()
}

pub(super) fn list(
    db: &Connection,
    owner: &Cuid,
    filter: SessionFilter,
    after: Option<SessionPosition>,
    size: PageSize,
) -> Result<Page<Session, SessionPosition>> {
    let after = after.unwrap_or(SessionPosition {
        updated_at: Timestamp(i64::MAX),
        number: i64::MAX,
    });
    let (owner, time, number) = (owner.as_str(), after.updated_at.0, after.number);
    let more = size.get() + 1;
    let items = if let SessionFilter {
        status: None,
        kind: None,
    } = filter
    {
        db.prepare_cached(LIST)?
            .query_map((owner, time, number, more), session)?
            .collect::<Result<Vec<_>>>()?
    } else {
        let status = filter.status.map(SessionStatus::as_str);
        let kind = filter.kind.map(SessionKind::as_str);
        db.prepare_cached(FILTERED_LIST)?
            .query_map((owner, time, number, more, status, kind), session)?
            .collect::<Result<Vec<_>>>()?
    };
    Ok(Page::cut(items, size, Session::position))
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM session WHERE owner = ?1 AND (updated_at, number) < (?2, ?3)
      ORDER BY updated_at DESC, number DESC LIMIT ?4"
);

/// The inner query is answered by the index alone, however many rows the filter skips. Without a
/// filter that detour costs a quarter more than it saves.
const FILTERED_LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT number AS listed FROM session
            WHERE owner = ?1 AND (updated_at, number) < (?2, ?3)
              AND (?5 IS NULL OR status = ?5) AND (?6 IS NULL OR kind = ?6)
            ORDER BY updated_at DESC, number DESC LIMIT ?4)
      CROSS JOIN session ON owner = ?1 AND number = listed
      ORDER BY updated_at DESC, number DESC"
);

pub(super) fn create(
    db: &Connection,
    new: &NewSession,
    once: Option<&Once>,
) -> std::result::Result<Session, StoreError> {
    idempotency::once(db, &new.owner, once, new.created_at, || {
        insert(db, new).map_err(failure)
    })
}

fn insert(db: &Connection, new: &NewSession) -> Result<Session> {
    let number: i64 = db
        .prepare_cached(
            "UPDATE id_block SET next = next + 1 WHERE name = 'session' RETURNING next - 1",
        )?
        .query_row([], |row| row.get(0))?;
    db.prepare_cached(concat!(
        "INSERT INTO session (owner, number, id, title, kind, status, system_message, version,
               created_at, updated_at, named, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, 'active', '', 1, ?6, ?6, ?7, ?8) RETURNING ",
        columns!()
    ))?
    .query_row(
        (
            new.owner.as_str(),
            number,
            new.id.as_str(),
            new.title.as_str(),
            new.kind.as_str(),
            new.created_at.0,
            new.named,
            feed::next(db, &new.owner)?,
        ),
        session,
    )
}

pub(super) fn change(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    change: &SessionChange,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<Changed, StoreError> {
    idempotency::once(db, owner, once, now, || {
        let Some(mut session) = find(db, owner, key).map_err(failure)? else {
            return Ok(Changed::Missing);
        };
        if !precondition.allows(session.version) {
            return Ok(Changed::Stale);
        }
        if let Some(title) = &change.title {
            session.title = title.clone();
            session.named = true;
        }
        if let Some(message) = &change.system_message {
            session.system_message = message.clone();
        }
        if let Some(status) = change.status {
            session.status = status;
        }
        if let Some(model) = &change.model {
            session.model.clone_from(model);
        }
        if let Some(id) = &change.head {
            let head = messages::find_in(db, &session, id).map_err(failure)?;
            if head.is_none() {
                return Ok(Changed::NoSuchMessage);
            }
            session.head = Some(id.clone());
        }
        session.version += 1;
        session.updated_at = now;
        update(db, &session).map_err(failure)?;
        Ok(Changed::Done(session))
    })
}

/// Lets the active path of a session end at a message.
pub(super) fn set_head(
    db: &Connection,
    session: &Session,
    head: &Cuid,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE session SET head = ?3, version = version + 1, updated_at = ?4, changed = ?5
         WHERE owner = ?1 AND number = ?2",
    )?
    .execute((
        session.owner.as_str(),
        session.number,
        head.as_str(),
        now.0,
        feed::next(db, &session.owner)?,
    ))
    .map(drop)
}

pub(super) fn name(
    db: &Connection,
    owner: &Cuid,
    session: i64,
    title: &Title,
    now: Timestamp,
) -> Result<bool> {
    let named = db
        .prepare_cached(
            "UPDATE session SET title = ?3, named = 1, version = version + 1, updated_at = ?4,
               changed = ?5
             WHERE owner = ?1 AND number = ?2 AND named = 0",
        )?
        .execute((
            owner.as_str(),
            session,
            title.as_str(),
            now.0,
            feed::next(db, owner)?,
        ))?;
    Ok(named > 0)
}

fn update(db: &Connection, session: &Session) -> Result<()> {
    db.prepare_cached(
        "UPDATE session SET title = ?3, system_message = ?4, status = ?5, version = ?6,
           updated_at = ?7, named = ?8, model = ?9, head = ?10, changed = ?11
         WHERE owner = ?1 AND number = ?2",
    )?
    .execute((
        session.owner.as_str(),
        session.number,
        session.title.as_str(),
        session.system_message.as_str(),
        session.status.as_str(),
        session.version,
        session.updated_at.0,
        session.named,
        session.model.as_ref().map(ModelName::as_str),
        session.head.as_ref().map(Cuid::as_str),
        feed::next(db, &session.owner)?,
    ))
    .map(drop)
}

pub(super) fn delete(
    db: &Connection,
    owner: &Cuid,
    key: &SessionKey,
    precondition: &Precondition,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<Deleted, StoreError> {
    idempotency::once(db, owner, once, now, || {
        let Some(session) = find(db, owner, key).map_err(failure)? else {
            return Ok(Deleted::Missing);
        };
        if !precondition.allows(session.version) {
            return Ok(Deleted::Stale);
        }
        for table in EVERYTHING {
            db.prepare_cached(table)
                .and_then(|mut statement| statement.execute((owner.as_str(), session.number)))
                .map_err(failure)?;
        }
        usage::forget_session(db, owner, session.number).map_err(failure)?;
        idempotency::forget(db, owner, session.number)?;
        feed::note_deletion(db, owner, &session.id, now).map_err(failure)?;
        Ok(Deleted::Done)
    })
}

/// Deletes a session with everything in it.
const EVERYTHING: [&str; 4] = [
    "DELETE FROM reply_event WHERE owner = ?1 AND session = ?2",
    "DELETE FROM reply WHERE owner = ?1 AND session = ?2",
    "DELETE FROM message WHERE owner = ?1 AND session = ?2",
    "DELETE FROM session WHERE owner = ?1 AND number = ?2",
];

#[derive(Serialize, Deserialize)]
struct Saved {
    number: i64,
    id: String,
    owner: String,
    title: String,
    kind: String,
    status: String,
    system_message: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
    // Older outcomes have none of these.
    #[serde(default = "was_named")]
    named: bool,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    head: Option<String>,
}

/// Before models gave titles every session had one of its owner's.
fn was_named() -> bool {
    true
}

impl Outcome for Session {
    fn save(&self) -> Option<String> {
        let saved = Saved {
            number: self.number,
            id: self.id.to_string(),
            owner: self.owner.to_string(),
            title: self.title.to_string(),
            kind: self.kind.as_str().to_owned(),
            status: self.status.as_str().to_owned(),
            system_message: self.system_message.to_string(),
            version: self.version,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            named: self.named,
            model: self.model.as_ref().map(ToString::to_string),
            head: self.head.as_ref().map(ToString::to_string),
        };
        serde_json::to_string(&saved).ok()
    }

    fn session(&self) -> Option<i64> {
        Some(self.number)
    }

    fn load(text: &str) -> Option<Self> {
        let saved: Saved = serde_json::from_str(text).ok()?;
        Some(Self {
            number: saved.number,
            id: Cuid::parse(&saved.id).ok()?,
            owner: Cuid::parse(&saved.owner).ok()?,
            title: Title::parse(&saved.title).ok()?,
            kind: SessionKind::parse(&saved.kind).ok()?,
            status: SessionStatus::parse(&saved.status).ok()?,
            system_message: SystemMessage::parse(&saved.system_message).ok()?,
            version: saved.version,
            created_at: Timestamp(saved.created_at),
            updated_at: Timestamp(saved.updated_at),
            named: saved.named,
            model: saved.model.and_then(|name| ModelName::parse(&name).ok()),
            head: saved.head.and_then(|id| Cuid::parse(&id).ok()),
        })
    }
}

impl Outcome for Changed {
    fn save(&self) -> Option<String> {
        match self {
            Self::Done(session) => session.save(),
            Self::Missing | Self::Stale | Self::NoSuchMessage => None,
        }
    }

    fn session(&self) -> Option<i64> {
        match self {
            Self::Done(session) => session.session(),
            Self::Missing | Self::Stale | Self::NoSuchMessage => None,
        }
    }

    fn load(text: &str) -> Option<Self> {
        Session::load(text).map(Self::Done)
    }
}

impl Outcome for Deleted {
    fn save(&self) -> Option<String> {
        (*self == Self::Done).then(String::new)
    }

    fn load(_: &str) -> Option<Self> {
        Some(Self::Done)
    }
}
