use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chat::limits;
use chat::types::{Account, Email, Name, Password};
use chat::{Chat, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Empty, Envelope, empty, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::browser;
use crate::extract::{Change, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;

pub(super) async fn register(
    State(chat): State<Arc<Chat>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    change: Change<Registration>,
) -> Result<Response, Fault> {
    if browser::is_of_a_page(&headers) && chat.is_new().await? {
        // The first account owns the server: no page that somebody happens to look at makes it.
        browser::refuse_other_sites(&headers)?;
    }
    let (email, name, password) = change.body.parse()?;
    let account = chat.register(email, name, password, address.ip(), change.terms.once);
    let user = User::from(&account.await?);
    Ok(json(StatusCode::CREATED, &registered(user)))
}

pub(super) async fn login(
    State(chat): State<Arc<Chat>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    change: Change<Login>,
) -> Result<Response, Fault> {
    let cookie = change.body.cookie;
    if cookie {
        // Nobody is to be signed in, unnoticed, to the account of somebody who reads along.
        browser::refuse_other_sites(&headers)?;
    }
    let (email, password, name) = change.body.parse()?;
    let (account, token) = chat.sign_in(email, password, name, address.ip()).await?;
    let token = token.text.expose();
    let signed = SignedIn {
        user: User::from(&account),
        token: (!cookie).then(|| token.to_owned()),
    };
    let answer = json(StatusCode::OK, &signed_in(signed));
    Ok(if cookie {
        let cookie = browser::cookie(&headers, token, limits::SIGN_IN_KEPT);
        (cookie, answer).into_response()
    } else {
        answer
    })
}

pub(super) async fn logout(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    chat.sign_out(&caller).await?;
    let forget = browser::cookie(&headers, "", Duration::ZERO);
    Ok((forget, json(StatusCode::OK, &signed_out())).into_response())
}

pub(super) async fn setup(State(chat): State<Arc<Chat>>) -> Result<Response, Fault> {
    let state = Setup {
        is_new: chat.is_new().await?,
        registration: match chat.registration() {
            chat::Registration::First => "first",
            chat::Registration::Open => "open",
        },
    };
    Ok(json(StatusCode::OK, &set_up(state)))
}

pub(super) async fn me(Auth(caller): Auth) -> Response {
    json(StatusCode::OK, &shown(User::from(caller.account())))
}

pub(super) async fn change(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<Profile>,
) -> Result<Response, Fault> {
    let name = super::tokens::name(change.body.name.as_deref())?;
    let account = chat.set_name(&caller, name).await?;
    Ok(json(StatusCode::OK, &changed(User::from(&account))))
}

pub(super) async fn change_password(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    change: Change<NewPassword>,
) -> Result<Response, Fault> {
    let (current, new) = change.body.parse()?;
    let done = chat.change_password(&caller, current, new, address.ip());
    done.await.map_err(|error| match error {
        Error::WrongPassword => Fault::invalid("current", "is not the account's password"),
        other => Fault::Chat(other),
    })?;
    Ok(json(StatusCode::OK, &password_changed()))
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

pub(super) fn set_up(state: Setup) -> Envelope<Setup> {
    envelope(StatusCode::OK, "Setup retrieved successfully", state)
}

pub(super) fn changed(user: User) -> Envelope<User> {
    envelope(StatusCode::OK, "Account changed successfully", user)
}

pub(super) fn password_changed() -> Empty {
    empty("Password changed successfully")
}

pub(super) fn shown(user: User) -> Envelope<User> {
    envelope(StatusCode::OK, "Account retrieved successfully", user)
}

/// Reads an e-mail address.
pub(super) fn email(text: &str) -> Result<Email, Fault> {
    Email::parse(text).map_err(|error| Fault::invalid("email", error))
}

/// Reads a new password.
pub(super) fn password(text: &str) -> Result<Password, Fault> {
    Password::parse(text).map_err(|error| Fault::invalid("password", error))
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
        let email = email(&self.email)?;
        let name = super::tokens::name(self.name.as_deref())?;
        Ok((email, name, password(&self.password)?))
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
    /// What the sign-in is called in the list of tokens: a device, say.
    #[serde(default, deserialize_with = "present")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    name: Option<String>,
    /// Whether a browser is to keep the token, in a cookie that no script can read. The answer is
    /// then without it, and the request must come from this server's own page.
    #[serde(default)]
    cookie: bool,
}

impl Login {
    fn parse(&self) -> Result<(Email, Password, Option<Name>), Fault> {
        let email = email(&self.email)?;
        let name = super::tokens::name(self.name.as_deref())?;
        Ok((email, Password::attempt(&self.password), name))
    }

    pub(super) fn example() -> Self {
        let Registration {
            email, password, ..
        } = Registration::example();
        Self {
            email,
            password,
            name: Some(super::tokens::EXAMPLE_DEVICE.into()),
            cookie: false,
        }
    }
}

/// What somebody may change of the own account.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Profile {
    /// Null takes the name away.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(
        required,
        length(min = 1, max = limits::NAME_CHARS),
        regex(pattern = schema::NOT_BLANK),
        extend("type" = ["string", "null"])
    )]
    name: Option<String>,
}

impl Profile {
    pub(super) fn example() -> Self {
        Self {
            name: Some("Ada".into()),
        }
    }
}

/// A new password, of somebody who knows the old one.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct NewPassword {
    current: String,
    #[schemars(length(min = limits::PASSWORD_CHARS_MIN, max = limits::PASSWORD_CHARS), regex(pattern = schema::NO_NUL))]
    password: String,
}

impl NewPassword {
    fn parse(&self) -> Result<(Password, Password), Fault> {
        let new = password(&self.password)?;
        Ok((Password::attempt(&self.current), new))
    }

    pub(super) fn example() -> Self {
        Self {
            current: Registration::example().password,
            password: "another horse battery".into(),
        }
    }
}

/// What a page asks before anybody has signed in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Setup {
    /// Whether there is no account yet: the first one becomes the administrator.
    is_new: bool,
    /// Who may register: the first one, or anybody.
    #[schemars(extend("enum" = ["first", "open"]))]
    registration: &'static str,
}

impl Setup {
    pub(super) fn example() -> Self {
        Self {
            is_new: true,
            registration: "first",
        }
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

    pub(super) fn example_other() -> Self {
        Self {
            id: "clqb6q2rl0001v3k8c4d7f2hj".into(),
            email: "bob@example.com".into(),
            name: Some("Bob".into()),
            role: "user",
            ..Self::example()
        }
    }
}

/// An account that was just made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Registered {
    user: User,
}

/// An account and a token for it, unless that is in a cookie.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    user: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    token: Option<String>,
}

impl SignedIn {
    pub(super) fn example() -> Self {
        Self {
            user: User::example(),
            token: Some(super::tokens::EXAMPLE_SIGN_IN.into()),
        }
    }
}
