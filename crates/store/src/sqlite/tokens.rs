use chat::contracts::{StoreError, TokenMade};
use chat::limits;
use chat::types::{Cuid, Name, NewToken, Once, StoredToken, Timestamp, Token, TokenKind};
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::{Deserialize, Serialize};

use super::columns::{self, UnknownWord, account_columns, cuid, optional, parsed, time};
use super::idempotency::{self, Outcome};
use super::writer::failure;

/// For [`token`].
macro_rules! token_columns {
    () => {
        "token.id, token.kind, token.name, token.created_at, token.expires_at, token.last_used_at"
    };
}

fn token(row: &Row<'_>) -> Result<Token> {
    Ok(Token {
        id: cuid(row, 0)?,
        kind: parsed(row, 1, kind)?,
        name: optional(row, 2, Name::parse)?,
        created_at: time(row, 3)?,
        expires_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        last_used_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
    })
}

fn kind(text: &str) -> std::result::Result<TokenKind, UnknownWord> {
    match text {
        "sign-in" => Ok(TokenKind::SignIn),
        "personal" => Ok(TokenKind::Personal),
        _ => Err(UnknownWord),
    }
}

pub(super) fn find(db: &Connection, id: &Cuid) -> Result<Option<StoredToken>> {
    db.prepare_cached(concat!(
        "SELECT ",
        token_columns!(),
        ", token.hash, ",
        account_columns!(),
        " FROM token JOIN account ON account.id = token.owner WHERE token.id = ?1"
    ))?
    .query_row([id.as_str()], |row| {
        Ok(StoredToken {
            token: token(row)?,
            hash: row.get(6)?,
            account: columns::account(row, 7)?,
        })
    })
    .optional()
}

pub(super) fn list(db: &Connection, owner: &Cuid) -> Result<Vec<Token>> {
    db.prepare_cached(concat!(
        "SELECT ",
        token_columns!(),
        " FROM token WHERE owner = ?1 ORDER BY id DESC"
    ))?
    .query_map([owner.as_str()], token)?
    .collect()
}

pub(super) fn create(
    db: &Connection,
    new: &NewToken,
    once: Option<&Once>,
) -> std::result::Result<TokenMade, StoreError> {
    idempotency::once(db, &new.owner, once, new.created_at, || {
        if !make_room(db, new).map_err(failure)? {
            return Ok(TokenMade::TooMany);
        }
        insert(db, new).map_err(failure)?;
        Ok(TokenMade::Made {
            token: Token {
                id: new.id.clone(),
                kind: new.kind,
                name: new.name.clone(),
                created_at: new.created_at,
                expires_at: new.expires_at,
                last_used_at: None,
            },
            sealed: new.sealed.clone(),
        })
    })
}

/// Whether there is room for one more token of that kind, if need be after the oldest sign-in went.
fn make_room(db: &Connection, new: &NewToken) -> Result<bool> {
    let of = (new.owner.as_str(), new.kind.as_str());
    let count: u32 = db
        .prepare_cached("SELECT count(*) FROM token WHERE owner = ?1 AND kind = ?2")?
        .query_row(of, |row| row.get(0))?;
    if count < limits::TOKENS_PER_KIND {
        return Ok(true);
    }
    if new.kind == TokenKind::Personal {
        return Ok(false);
    }
    db.prepare_cached(
        "DELETE FROM token WHERE owner = ?1 AND id IN
           (SELECT id FROM token WHERE owner = ?1 AND kind = ?2 ORDER BY id LIMIT 1)",
    )?
    .execute(of)?;
    Ok(true)
}

fn insert(db: &Connection, new: &NewToken) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO token (id, owner, kind, name, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        new.id.as_str(),
        new.owner.as_str(),
        new.kind.as_str(),
        new.name.as_ref().map(Name::as_str),
        new.hash,
        new.created_at.0,
        new.expires_at.map(|at| at.0),
    ))
    .map(drop)
}

pub(super) fn revoke(
    db: &Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
    once: Option<&Once>,
) -> std::result::Result<bool, StoreError> {
    let revoked = idempotency::once(db, owner, once, now, || {
        db.prepare_cached("DELETE FROM token WHERE owner = ?1 AND id = ?2")
            .and_then(|mut statement| statement.execute((owner.as_str(), id.as_str())))
            .map(|rows| Revoked(rows == 1))
            .map_err(failure)
    });
    revoked.map(|Revoked(found)| found)
}

pub(super) fn touch(
    db: &Connection,
    owner: &Cuid,
    id: &Cuid,
    now: Timestamp,
) -> std::result::Result<(), StoreError> {
    db.prepare_cached("UPDATE token SET last_used_at = ?3 WHERE owner = ?1 AND id = ?2")
        .and_then(|mut statement| statement.execute((owner.as_str(), id.as_str(), now.0)))
        .map(drop)
        .map_err(failure)
}

/// Deletes tokens that are past their time.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> std::result::Result<usize, StoreError> {
    db.execute(
        "DELETE FROM token WHERE id IN
           (SELECT id FROM token WHERE expires_at <= ?1 LIMIT ?2)",
        (now.0, limits::SWEEP_ROWS),
    )
    .map_err(failure)
}

struct Revoked(bool);

impl Outcome for Revoked {
    fn save(&self) -> Option<String> {
        self.0.then(String::new)
    }

    fn load(_: &str) -> Option<Self> {
        Some(Self(true))
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    id: String,
    kind: String,
    name: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    sealed: Option<Vec<u8>>,
}

impl Outcome for TokenMade {
    fn save(&self) -> Option<String> {
        let Self::Made { token, sealed } = self else {
            return None;
        };
        let saved = Saved {
            id: token.id.to_string(),
            kind: token.kind.as_str().to_owned(),
            name: token.name.as_ref().map(ToString::to_string),
            created_at: token.created_at.0,
            expires_at: token.expires_at.map(|at| at.0),
            sealed: sealed.clone(),
        };
        serde_json::to_string(&saved).ok()
    }

    fn load(text: &str) -> Option<Self> {
        let saved: Saved = serde_json::from_str(text).ok()?;
        let token = Token {
            id: Cuid::parse(&saved.id).ok()?,
            kind: kind(&saved.kind).ok()?,
            name: saved.name.map(|name| Name::parse(&name)).transpose().ok()?,
            created_at: Timestamp(saved.created_at),
            expires_at: saved.expires_at.map(Timestamp),
            last_used_at: None,
        };
        Some(Self::Made {
            token,
            sealed: saved.sealed,
        })
    }
}
