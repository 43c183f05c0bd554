use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::limits;
use chat::types::{self, Caller, Name};
use chat::{Chat, Error, TokenDraft};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Empty, Envelope, empty, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, CuidInPath, Terms, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::{self, Time};

/// Of the right form, and with a checksum that is wrong: it is nobody's token.
const EXAMPLE: &str =
    "ck_pat_clqb6q2rl0001v3k8d0e7h2yb0000000000000000000000000000000000000000000000000";
/// As [`EXAMPLE`], from a sign-in.
pub(super) const EXAMPLE_SIGN_IN: &str =
    "ck_ses_clqb6q2rl0002v3k8a5f6j3wc0000000000000000000000000000000000000000000000000";

/// What a page may call its sign-in.
pub(super) const EXAMPLE_DEVICE: &str = "Firefox on Linux";

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
) -> Result<Response, Fault> {
    let tokens = chat.tokens(&caller).await?;
    let tokens = tokens.iter().map(|token| Token::of(token, &caller));
    let tokens = tokens.collect();
    Ok(json(StatusCode::OK, &listed(Tokens { tokens })))
}

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<NewToken>,
) -> Result<Response, Fault> {
    let draft = change.body.parse()?;
    let fresh = chat.create_token(&caller, draft, change.terms.once).await;
    let fresh = fresh.map_err(|error| match error {
        Error::AlreadyExpired => Fault::invalid("expiresAt", "lies in the past"),
        other => Fault::Chat(other),
    })?;
    let fresh = FreshToken {
        about: Token::of(&fresh.token, &caller),
        token: fresh.text.expose().to_owned(),
    };
    Ok(json(StatusCode::CREATED, &created(fresh)))
}

pub(super) async fn revoke(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    CuidInPath(id): CuidInPath,
    terms: Terms,
) -> Result<Response, Fault> {
    chat.revoke_token(&caller, id, terms.once).await?;
    Ok(json(StatusCode::OK, &revoked()))
}

pub(super) fn listed(tokens: Tokens) -> Envelope<Tokens> {
    envelope(StatusCode::OK, "Tokens retrieved successfully", tokens)
}

pub(super) fn created(token: FreshToken) -> Envelope<FreshToken> {
    envelope(StatusCode::CREATED, "Token created successfully", token)
}

pub(super) fn revoked() -> Empty {
    empty("Token revoked successfully")
}

/// A token's CUID.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct TokenId(#[schemars(regex(pattern = schema::CUID))] String);

/// The body of a new token.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewToken {
    #[serde(default, deserialize_with = "present")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    name: Option<String>,
    /// From when on it is refused; without it, never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Option<String>,
}

impl NewToken {
    fn parse(&self) -> Result<TokenDraft, Fault> {
        let expires_at = self
            .expires_at
            .as_deref()
            .map(|text| time::read(text).map_err(|error| Fault::invalid("expiresAt", error)))
            .transpose()?;
        Ok(TokenDraft {
            name: name(self.name.as_deref())?,
            expires_at,
        })
    }

    pub(super) fn example() -> Self {
        Self {
            name: Some("laptop".into()),
            expires_at: None,
        }
    }
}

/// Reads the name of a person or of a token.
pub(super) fn name(text: Option<&str>) -> Result<Option<Name>, Fault> {
    text.map(|text| Name::parse(text).map_err(|error| Fault::invalid("name", error)))
        .transpose()
}

/// A token as its owner's list shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    id: String,
    #[schemars(extend("enum" = ["personal", "sign-in"]))]
    kind: &'static str,
    name: Option<String>,
    created_at: Time,
    expires_at: Option<Time>,
    /// To the minute.
    last_used_at: Option<Time>,
    /// Whether this very request came with it.
    is_current: bool,
}

impl Token {
    fn of(token: &types::Token, caller: &Caller) -> Self {
        Self {
            id: token.id.to_string(),
            kind: token.kind.as_str(),
            name: token.name.as_ref().map(ToString::to_string),
            created_at: Time(token.created_at),
            expires_at: token.expires_at.map(Time),
            last_used_at: token.last_used_at.map(Time),
            is_current: token.id == *caller.token(),
        }
    }

    fn example() -> Self {
        Self {
            id: EXAMPLE[7..32].into(),
            kind: "personal",
            name: Some("laptop".into()),
            created_at: Time::EXAMPLE,
            expires_at: None,
            last_used_at: None,
            is_current: false,
        }
    }
}

/// All tokens of an account.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
}

impl Tokens {
    pub(super) fn example() -> Self {
        Self {
            tokens: vec![
                Token::example(),
                Token {
                    id: EXAMPLE_SIGN_IN[7..32].into(),
                    kind: "sign-in",
                    name: Some(EXAMPLE_DEVICE.into()),
                    expires_at: Some(Time::EXAMPLE),
                    last_used_at: Some(Time::EXAMPLE),
                    is_current: true,
                    ..Token::example()
                },
            ],
        }
    }
}

/// A token with its text, which is shown this one time.
#[derive(Serialize, JsonSchema)]
pub(super) struct FreshToken {
    #[serde(flatten)]
    about: Token,
    token: String,
}

impl FreshToken {
    pub(super) fn example() -> Self {
        Self {
            about: Token::example(),
            token: EXAMPLE.into(),
        }
    }
}
