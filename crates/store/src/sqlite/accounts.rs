use chat::contracts::{AccountChanged, Admission, Registered, StoreError};
use chat::types::{
    Account, AccountChange, Credentials, Cuid, Email, Name, NewAccount, Once, Page, PageSize,
    Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Result};

use super::idempotency;
use super::writer::failure;
use crate::rows::{self, account_columns};
use crate::rules::{Registration, account_changed, registration};

pub(super) fn any(db: &Connection) -> Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM account)")?
        .query_row([], |row| row.get(0))
}

pub(super) fn by_email(db: &Connection, email: &Email) -> Result<Option<Credentials>> {
    db.prepare_cached(concat!(
        "SELECT ",
        account_columns!(),
        ", password_hash FROM account WHERE email = ?1"
    ))?
    .query_row([email.as_str()], |row| rows::credentials(row))
    .optional()
}

pub(super) fn list(
    db: &Connection,
    after: Option<&Email>,
    size: PageSize,
) -> Result<Page<Account, Email>> {
    let items = db
        .prepare_cached(concat!(
            "SELECT ",
            account_columns!(),
            " FROM account WHERE email > ?1 ORDER BY email LIMIT ?2"
        ))?
        .query_map((after.map_or("", Email::as_str), size.get() + 1), |row| {
            rows::account(row, 0)
        })?
        .collect::<Result<Vec<_>>>()?;
    Ok(Page::cut(items, size, |last| last.email.clone()))
}

pub(super) fn create(
    db: &Connection,
    new: &NewAccount,
    admission: Admission,
    once: Option<&Once>,
) -> std::result::Result<Registered, StoreError> {
    let now = new.created_at;
    let any = any(db).map_err(failure)?;
    let known = by_email(db, &new.email).map_err(failure)?;
    let same_key = match (once, &known) {
        (Some(once), Some(known)) => idempotency::find(db, &known.account.id, once, now)?.is_some(),
        _ => false,
    };
    let account = match registration(new, admission, any, known, same_key) {
        Registration::Make(account) => account,
        Registration::Answer(registered) => return Ok(registered),
    };
    insert(db, &account, new.password_hash.as_deref()).map_err(failure)?;
    if let Some(once) = once {
        // The account itself is what a retry finds.
        idempotency::save(db, &account.id, once, now, "", None)?;
    }
    Ok(Registered::Made(account))
}

fn insert(db: &Connection, account: &Account, password_hash: Option<&str>) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO account (id, email, name, role, password_hash, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        account.id.as_str(),
        account.email.as_str(),
        account.name.as_ref().map(Name::as_str),
        account.role.as_str(),
        password_hash,
        account.created_at.0,
    ))
    .map(drop)
}

pub(super) fn set_name(
    db: &Connection,
    account: &Cuid,
    name: Option<&Name>,
) -> std::result::Result<bool, StoreError> {
    db.prepare_cached("UPDATE account SET name = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute((account.as_str(), name.map(Name::as_str))))
        .map(|rows| rows == 1)
        .map_err(failure)
}

pub(super) fn set_password(
    db: &Connection,
    account: &Cuid,
    hash: &str,
    keep: Option<&Cuid>,
) -> std::result::Result<bool, StoreError> {
    let keep = keep.map(Cuid::as_str);
    let set = db
        .prepare_cached(
            "UPDATE account SET password_hash = ?2 WHERE id = ?1 AND
               (?3 IS NULL OR EXISTS (SELECT 1 FROM token WHERE owner = ?1 AND id = ?3))",
        )
        .and_then(|mut statement| statement.execute((account.as_str(), hash, keep)))
        .map_err(failure)?;
    if set == 0 {
        return Ok(false);
    }
    db.prepare_cached(
        "DELETE FROM token WHERE owner = ?1 AND kind = 'sign-in' AND coalesce(id <> ?2, TRUE)",
    )
    .and_then(|mut statement| statement.execute((account.as_str(), keep)))
    .map(|_| true)
    .map_err(failure)
}

pub(super) fn change(
    db: &Connection,
    admin: Option<&Cuid>,
    id: &Cuid,
    change: AccountChange,
    now: Timestamp,
) -> Result<AccountChanged> {
    let found = db
        .prepare_cached(concat!(
            "SELECT ",
            account_columns!(),
            " FROM account WHERE id IN (?1, ?2)"
        ))?
        .query_map((id.as_str(), admin.map(Cuid::as_str)), |row| {
            rows::account(row, 0)
        })?
        .collect::<Result<_>>()?;
    let changed = account_changed(found, admin, id, change, now);
    if let AccountChanged::Done(account) = &changed {
        db.prepare_cached("UPDATE account SET role = ?2, disabled_at = ?3 WHERE id = ?1")?
            .execute((
                id.as_str(),
                account.role.as_str(),
                account.disabled_at.map(|at| at.0),
            ))?;
    }
    Ok(changed)
}
