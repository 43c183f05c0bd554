use chat::contracts::{AccountChanged, Admission, Registered};
use chat::types::{
    Account, AccountChange, Credentials, Cuid, Email, Name, NewAccount, Once, Page, PageSize,
    Timestamp,
};

use super::connection::Connection;
use super::failure::Result;
use super::value::query;
use super::{feed, idempotency};
use crate::rows::{Columns, account, account_columns, credentials};
use crate::rules::{Registration, account_changed, registration};

const ANY: &str = "SELECT EXISTS (SELECT 1 FROM account)";
const BY_EMAIL: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", password_hash FROM account WHERE email = $1"
);

pub(super) async fn any(db: &Connection) -> Result<bool> {
    db.ask(query!(ANY)).await?.one(|row| row.flag(0))
}

pub(super) async fn by_email(db: &Connection, email: &Email) -> Result<Option<Credentials>> {
    let found = db.ask(query!(BY_EMAIL, email.as_str())).await?;
    found.first(credentials)
}

pub(super) async fn list(
    db: &Connection,
    after: Option<&Email>,
    size: PageSize,
) -> Result<Page<Account, Email>> {
    let listed = db.ask(query!(
        concat!(
            "SELECT ",
            account_columns!(),
            " FROM account WHERE email > $1 ORDER BY email LIMIT $2"
        ),
        after.map_or("", Email::as_str),
        size.get() + 1
    ));
    let items = listed.await?.all(|row| account(row, 0))?;
    Ok(Page::cut(items, size, |last| last.email.clone()))
}

pub(super) async fn create(
    db: &mut Connection,
    new: &NewAccount,
    admission: Admission,
    once: Option<&Once>,
) -> Result<Registered> {
    loop {
        let [any, known, kept] = db
            .ask_all([
                query!(ANY),
                query!(BY_EMAIL, new.email.as_str()),
                query!(
                    "SELECT idempotency.request, idempotency.outcome
                     FROM account JOIN idempotency ON idempotency.owner = account.id
                     WHERE account.email = $1 AND idempotency.key = $2
                       AND idempotency.expires_at > $3",
                    new.email.as_str(),
                    once.map(|once| once.key.as_str()),
                    new.created_at
                ),
            ])
            .await?;
        let any = any.one(|row| row.flag(0))?;
        let known = known.first(credentials)?;
        let same_key = idempotency::found(&kept, once)?.is_some();
        let account = match registration(new, admission, any, known, same_key) {
            Registration::Answer(answer) => return Ok(answer),
            Registration::Make(account) => account,
        };
        if insert(db, &account, new.password_hash.as_deref(), any, once).await? {
            return Ok(Registered::Made(account));
        }
    }
}

/// Writes an account; `false` if somebody else was faster, and all has to be looked at again.
async fn insert(
    db: &mut Connection,
    account: &Account,
    password_hash: Option<&str>,
    any: bool,
    once: Option<&Once>,
) -> Result<bool> {
    // Whoever may be the first account waits here for whoever else may be.
    let first = "SELECT 1 FROM id_block WHERE name = 'session' AND NOT $1 FOR UPDATE";
    let [_, is_any, made] = db
        .begin([
            query!(first, any),
            query!(ANY),
            query!(
                "INSERT INTO account (id, email, name, role, password_hash, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email) DO NOTHING",
                &account.id,
                account.email.as_str(),
                account.name.as_ref().map(Name::as_str),
                account.role.as_str(),
                password_hash,
                account.created_at
            ),
        ])
        .await?;
    if made.count == 0 || is_any.one(|row| row.flag(0))? != any {
        db.roll_back().await?;
        return Ok(false);
    }
    // The account itself is what a retry finds.
    let (kept, now) = (String::new(), account.created_at);
    let save = idempotency::save_text(&account.id, once, now, kept, None);
    db.commit(save.into_iter().collect()).await?;
    Ok(true)
}

pub(super) async fn set_name(
    db: &mut Connection,
    account: &Cuid,
    name: Option<&Name>,
) -> Result<bool> {
    let name = name.map(Name::as_str);
    let set = query!("UPDATE account SET name = $2 WHERE id = $1", account, name);
    Ok(db.write(set).await?.count == 1)
}

pub(super) async fn set_password(
    db: &mut Connection,
    account: &Cuid,
    hash: &str,
    keep: Option<&Cuid>,
) -> Result<bool> {
    let [_, set] = db
        .begin([
            feed::lock(account, 0),
            query!(
                "UPDATE account SET password_hash = $2 WHERE id = $1 AND
                   ($3 IS NULL OR EXISTS (SELECT 1 FROM token WHERE owner = $1 AND id = $3))",
                account,
                hash,
                keep
            ),
        ])
        .await?;
    if set.count == 0 {
        return Ok(false);
    }
    let others = query!(
        "DELETE FROM token WHERE owner = $1 AND kind = 'sign-in' AND coalesce(id <> $2, TRUE)",
        account,
        keep
    );
    db.commit(vec![others]).await?;
    Ok(true)
}

pub(super) async fn change(
    db: &mut Connection,
    admin: Option<&Cuid>,
    id: &Cuid,
    change: AccountChange,
    now: Timestamp,
) -> Result<AccountChanged> {
    // In their order, so that two administrators who change each other do not wait for each other.
    let both = query!(
        concat!(
            "SELECT ",
            account_columns!(),
            " FROM account WHERE id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE"
        ),
        id,
        admin
    );
    let [found] = db.begin([both]).await?;
    let found = found.all(|row| account(row, 0))?;
    let changed = account_changed(found, admin, id, change, now);
    if let AccountChanged::Done(account) = &changed {
        let update = query!(
            "UPDATE account SET role = $2, disabled_at = $3 WHERE id = $1",
            id,
            account.role.as_str(),
            account.disabled_at
        );
        db.commit(vec![update]).await?;
    }
    Ok(changed)
}
