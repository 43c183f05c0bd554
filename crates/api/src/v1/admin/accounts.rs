use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::{self, AccountChange, Email, Name, PageSize, Password, Role};
use chat::{Chat, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::answer::json;
use crate::cursor::Cursor;
use crate::extract::{Change, CuidInPath, Params, paging, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;
use crate::v1::accounts::{User, email, password};
use crate::v1::envelope::{Envelope, envelope};
use crate::v1::tokens::name;

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
    Params(query): Params<AccountQuery>,
) -> Result<Response, Fault> {
    let (after, size): (Option<Email>, PageSize) = paging(query.cursor.as_deref(), query.limit)?;
    let page = chat.all_accounts(&admin, after.as_ref(), size).await?;
    let accounts = Accounts {
        accounts: page.items.iter().map(Account::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::write),
    };
    Ok(json(StatusCode::OK, &listed(accounts)))
}

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
    change: Change<NewAccount>,
) -> Result<Response, Fault> {
    let (email, name, role, password) = change.body.parse()?;
    let account = chat.add_account(&admin, email, name, role, password, change.terms.once);
    let account = Account::from(&account.await?);
    Ok(json(StatusCode::CREATED, &created(account)))
}

pub(super) async fn change(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
    CuidInPath(id): CuidInPath,
    change: Change<Changes>,
) -> Result<Response, Fault> {
    let change = change.body.parse()?;
    let account = chat.change_account(&admin, id, change).await?;
    Ok(json(StatusCode::OK, &changed(Account::from(&account))))
}

pub(super) fn listed(accounts: Accounts) -> Envelope<Accounts> {
    envelope(StatusCode::OK, "Accounts retrieved successfully", accounts)
}

pub(super) fn created(account: Account) -> Envelope<Account> {
    envelope(StatusCode::CREATED, "Account created successfully", account)
}

pub(super) fn changed(account: Account) -> Envelope<Account> {
    envelope(StatusCode::OK, "Account updated successfully", account)
}

/// The CUID of an account.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct AccountId(#[schemars(regex(pattern = schema::CUID))] String);

/// The parameters of the list.
#[derive(Deserialize, JsonSchema)]
pub(super) struct AccountQuery {
    /// How many accounts at most.
    #[schemars(with = "u32", range(min = 1, max = limits::PAGE_ITEMS), extend("default" = limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[schemars(with = "String", regex(pattern = schema::ACCOUNT_CURSOR))]
    cursor: Option<String>,
}

/// An account for somebody.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct NewAccount {
    #[schemars(email, length(max = limits::EMAIL_CHARS))]
    email: String,
    #[schemars(length(min = limits::PASSWORD_CHARS_MIN, max = limits::PASSWORD_CHARS), regex(pattern = schema::NO_NUL))]
    password: String,
    #[serde(default, deserialize_with = "present")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    name: Option<String>,
    /// `user` if it is left out.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", extend("enum" = ["admin", "user"]))]
    role: Option<String>,
}

impl NewAccount {
    fn parse(&self) -> Result<(Email, Option<Name>, Role, Password), Fault> {
        let email = email(&self.email)?;
        let name = name(self.name.as_deref())?;
        let role = self.role.as_deref().map_or(Ok(Role::User), role)?;
        Ok((email, name, role, password(&self.password)?))
    }

    pub(super) fn example() -> Self {
        Self {
            email: "bob@example.com".into(),
            password: "correct horse battery".into(),
            name: Some("Bob".into()),
            role: Some("user".into()),
        }
    }
}

fn role(text: &str) -> Result<Role, Fault> {
    Role::parse(text).map_err(|error| Fault::invalid("role", error))
}

/// A change of an account; what is left out stays as it is.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Changes {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["admin", "user"]))]
    role: Option<String>,
    /// Whether it can neither sign in nor use a token.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    disabled: Option<bool>,
}

impl Changes {
    fn parse(&self) -> Result<AccountChange, Fault> {
        Ok(AccountChange {
            role: self.role.as_deref().map(role).transpose()?,
            disabled: self.disabled,
        })
    }

    pub(super) fn example() -> Self {
        Self {
            disabled: Some(true),
            ..Self::default()
        }
    }
}

/// An account as administrators see it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    #[serde(flatten)]
    user: User,
    /// Since when it has been disabled; null if it is not.
    disabled_at: Option<Time>,
}

impl From<&types::Account> for Account {
    fn from(account: &types::Account) -> Self {
        Self {
            user: User::from(account),
            disabled_at: account.disabled_at.map(Time),
        }
    }
}

impl Account {
    pub(super) fn example() -> Self {
        Self {
            user: User::example_other(),
            disabled_at: None,
        }
    }

    pub(super) fn example_changed() -> Self {
        Self {
            disabled_at: Some(Time::EXAMPLE),
            ..Self::example()
        }
    }
}

/// A page of accounts, by e-mail address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accounts {
    accounts: Vec<Account>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

impl Accounts {
    pub(super) fn example() -> Self {
        let ada = Account {
            user: User::example(),
            disabled_at: None,
        };
        Self {
            accounts: vec![ada, Account::example()],
            next_cursor: None,
        }
    }
}
