use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Response;
use chat::Chat;
use chat::limits;
use chat::types::{Account, Email, Name, Password};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Empty, Envelope, empty, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;

pub(super) async fn register(
    State(chat): State<Arc<Chat>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    change: Change<Registration>,
) -> Result<Response, Fault> {
    let (email, name, password) = change.body.parse()?;
    let account = chat.register(email, name, password, address.ip(), change.terms.once);
    let user = User::from(&account.await?);
    Ok(json(StatusCode::CREATED, &registered(user)))
}

pub(super) async fn login(
    State(chat): State<Arc<Chat>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    change: Change<Login>,
) -> Result<Response, Fault> {
    let Login { email, password } = change.body;
    let email = Email::parse(&email).map_err(|error| Fault::invalid("email", error))?;
    let password = Password::attempt(&password);
    let (account, token) = chat.sign_in(email, password, address.ip()).await?;
    let signed = SignedIn {
        user: User::from(&account),
        token: token.text.expose().to_owned(),
    };
    Ok(json(StatusCode::OK, &signed_in(signed)))
}

pub(super) async fn logout(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
) -> Result<Response, Fault> {
    chat.sign_out(&caller).await?;
    Ok(json(StatusCode::OK, &signed_out()))
}

pub(super) async fn me(Auth(caller): Auth) -> Response {
    json(StatusCode::OK, &shown(User::from(caller.account())))
}

pub(super) fn registered(user: User) -> Envelope<Registered> {
    envelope(
        StatusCode::CREATED,
        "Account created successfully",
        Registered { user },
    )
}

pub(super) fn signed_in(signed: SignedIn) -> Envelope<SignedIn> {
    envelope(StatusCode::OK, "Signed in successfully", signed)
}

pub(super) fn signed_out() -> Empty {
    empty("Signed out successfully")
}

pub(super) fn shown(user: User) -> Envelope<User> {
    envelope(StatusCode::OK, "Account retrieved successfully", user)
}

/// Somebody who wants an account.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Registration {
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
}

impl Registration {
    fn parse(&self) -> Result<(Email, Option<Name>, Password), Fault> {
        let email = Email::parse(&self.email).map_err(|error| Fault::invalid("email", error))?;
        let name = super::tokens::name(self.name.as_deref())?;
        let password =
            Password::parse(&self.password).map_err(|error| Fault::invalid("password", error))?;
        Ok((email, name, password))
    }

    pub(super) fn example() -> Self {
        Self {
            email: "ada@example.com".into(),
            password: "correct horse battery".into(),
            name: Some("Ada".into()),
        }
    }
}

/// Somebody who has one.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Login {
    #[schemars(email, length(max = limits::EMAIL_CHARS))]
    email: String,
    password: String,
}

impl Login {
    pub(super) fn example() -> Self {
        let Registration {
            email, password, ..
        } = Registration::example();
        Self { email, password }
    }
}

/// An account as this dialect shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    id: String,
    email: String,
    name: Option<String>,
    #[schemars(extend("enum" = ["admin", "user"]))]
    role: &'static str,
    created_at: Time,
}

impl From<&Account> for User {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            email: account.email.to_string(),
            name: account.name.as_ref().map(ToString::to_string),
            role: account.role.as_str(),
            created_at: Time(account.created_at),
        }
    }
}

impl User {
    pub(super) fn example() -> Self {
        Self {
            id: "clqb6q2rl0000v3k8s9x1m4zt".into(),
            email: "ada@example.com".into(),
            name: Some("Ada".into()),
            role: "admin",
            created_at: Time::EXAMPLE,
        }
    }
}

/// An account that was just made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Registered {
    user: User,
}

/// An account and a token for it.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    user: User,
    token: String,
}

impl SignedIn {
    pub(super) fn example() -> Self {
        Self {
            user: User::example(),
            token: super::tokens::EXAMPLE_SIGN_IN.into(),
        }
    }
}
