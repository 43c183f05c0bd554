use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::limits;
use chat::types::{self, PageSize, Session, SessionFilter, SessionStatus, Title};
use chat::{Chat, SessionDraft};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, json};
use crate::auth::Auth;
use crate::cursor::Cursor;
use crate::extract::{Change, Params, SessionInPath, Terms, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<NewSession>,
) -> Result<Response, Fault> {
    let draft = change.body.parse()?;
    let session = chat
        .create_session(&caller, draft, change.terms.once)
        .await?;
    let path = format!("/api/chat_sessions/{}", session.number);
    Ok(answer::created(&session, &path, &Shown::from(&session)))
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
) -> Result<Response, Fault> {
    let session = chat.session(&caller, &key).await?;
    Ok(answer::session(
        StatusCode::OK,
        &session,
        &Shown::from(&session),
    ))
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    Params(query): Params<SessionQuery>,
) -> Result<Response, Fault> {
    let (after, size) = query.parse()?;
    let page = chat.sessions(&caller, SessionFilter::default(), after, size);
    let page = page.await?;
    let listed = Listed {
        data: page.items.iter().map(ChatSession::from).collect(),
        paging: Paging {
            limit: size.get(),
            next_cursor: page.next.as_ref().map(Cursor::write),
        },
    };
    Ok(json(StatusCode::OK, &listed))
}

pub(super) async fn update(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    change: Change<SessionChange>,
) -> Result<Response, Fault> {
    let Terms { once, precondition } = change.terms;
    let change = change.body.parse()?;
    let changed = chat.change_session(&caller, key, change, precondition, once);
    let session = changed.await?;
    Ok(answer::session(
        StatusCode::OK,
        &session,
        &Shown::from(&session),
    ))
}

pub(super) async fn remove(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    terms: Terms,
) -> Result<Response, Fault> {
    chat.delete_session(&caller, key, terms.precondition, terms.once)
        .await?;
    Ok(json(StatusCode::OK, &Removed { data: true }))
}

/// A session's number or its CUID.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct SessionId(#[schemars(regex(pattern = schema::SESSION_KEY))] String);

/// The body of a new session.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct NewSession {
    #[schemars(length(min = 1, max = limits::TITLE_CHARS), regex(pattern = schema::NOT_BLANK))]
    title: String,
}

impl NewSession {
    fn parse(&self) -> Result<SessionDraft, Fault> {
        Ok(SessionDraft {
            title: Some(title(&self.title)?),
            ..SessionDraft::default()
        })
    }
}

impl NewSession {
    pub(super) fn example() -> Self {
        Self {
            title: "new chat".into(),
        }
    }
}

fn title(text: &str) -> Result<Title, Fault> {
    Title::parse(text).map_err(|error| Fault::invalid("title", error))
}

/// The body of a change.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct SessionChange {
    #[schemars(length(min = 1, max = limits::TITLE_CHARS), regex(pattern = schema::NOT_BLANK))]
    title: String,
    /// `"true"` or `"false"`, as a string.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "String", extend("enum" = ["true", "false"]))]
    is_active: Option<String>,
}

impl SessionChange {
    fn parse(&self) -> Result<types::SessionChange, Fault> {
        let status = match self.is_active.as_deref() {
            None => None,
            Some("true") => Some(SessionStatus::Active),
            Some("false") => Some(SessionStatus::Deactivated),
            Some(_) => {
                return Err(Fault::invalid(
                    "is_active",
                    "must be the string \"true\" or \"false\"",
                ));
            }
        };
        Ok(types::SessionChange {
            title: Some(title(&self.title)?),
            status,
            ..types::SessionChange::default()
        })
    }
}

impl SessionChange {
    pub(super) fn example() -> Self {
        Self {
            title: "new chat updated".into(),
            is_active: None,
        }
    }
}

/// The parameters of the list.
#[derive(Deserialize, JsonSchema)]
pub(super) struct SessionQuery {
    /// How many sessions at most.
    #[schemars(with = "u32", range(min = 1, max = limits::PAGE_ITEMS), extend("default" = limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[schemars(with = "String", regex(pattern = schema::CURSOR))]
    cursor: Option<String>,
}

impl SessionQuery {
    fn parse(&self) -> Result<(Option<types::SessionPosition>, PageSize), Fault> {
        crate::extract::paging(self.cursor.as_deref(), self.limit)
    }
}

/// A session as this dialect shows it.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChatSession<'a> {
    id: i64,
    title: &'a str,
    #[schemars(extend("enum" = ["true", "false"]))]
    is_active: &'static str,
    created_at: Time,
}

impl<'a> From<&'a Session> for ChatSession<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.number,
            title: session.title.as_str(),
            is_active: match session.status {
                SessionStatus::Active => "true",
                SessionStatus::Deactivated => "false",
            },
            created_at: Time(session.created_at),
        }
    }
}

impl<'a> ChatSession<'a> {
    fn example(title: &'a str) -> Self {
        Self {
            id: 1,
            title,
            is_active: "true",
            created_at: Time::EXAMPLE,
        }
    }
}

/// One session.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown<'a> {
    data: ChatSession<'a>,
}

impl<'a> From<&'a Session> for Shown<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            data: session.into(),
        }
    }
}

impl<'a> Shown<'a> {
    pub(super) fn example(title: &'a str) -> Self {
        Self {
            data: ChatSession::example(title),
        }
    }
}

/// A page of sessions.
#[derive(Serialize, JsonSchema)]
pub(super) struct Listed<'a> {
    data: Vec<ChatSession<'a>>,
    paging: Paging,
}

#[derive(Serialize, JsonSchema)]
struct Paging {
    limit: u32,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

impl Listed<'_> {
    pub(super) fn example() -> Self {
        Self {
            data: vec![ChatSession::example("new chat")],
            paging: Paging {
                limit: 20,
                next_cursor: None,
            },
        }
    }
}

/// The answer to a removal.
#[derive(Serialize, JsonSchema)]
pub(super) struct Removed {
    pub(super) data: bool,
}
