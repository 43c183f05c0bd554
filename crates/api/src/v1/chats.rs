use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::limits;
use chat::types::{
    self, ExternalId, Head, PageSize, Search, Session, SessionChange, SessionFilter, SessionKind,
    SessionPosition, SessionStatus, SystemMessage, Title,
};
use chat::{Chat as Product, SessionDraft};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Empty, Envelope, empty, envelope};
use super::messages::model;
use crate::answer::{self, json};
use crate::auth::Auth;
use crate::cursor::Cursor;
use crate::extract::{Change, Params, SessionInPath, Terms, cuid, nullable, paging, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;
use crate::tools::Pairs;

pub(super) async fn create(
    State(chat): State<Arc<Product>>,
    Auth(caller): Auth,
    change: Change<NewChat>,
) -> Result<Response, Fault> {
    let draft = change.body.parse()?;
    let session = chat.create_session(&caller, draft, change.terms.once);
    let session = session.await?;
    let path = format!("/api/v1/chat/{}", session.id);
    Ok(answer::created(
        &session,
        &path,
        &created(Chat::from(&session)),
    ))
}

pub(super) async fn find(
    State(chat): State<Arc<Product>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
) -> Result<Response, Fault> {
    let session = chat.session(&caller, &key).await?;
    let body = shown(ChatInFull::from(&session));
    Ok(answer::session(StatusCode::OK, &session, &body))
}

pub(super) async fn list(
    State(chat): State<Arc<Product>>,
    Auth(caller): Auth,
    Params(query): Params<ChatQuery>,
) -> Result<Response, Fault> {
    let (filter, after, size) = query.parse()?;
    let page = chat.sessions(&caller, filter, after, size).await?;
    let chats = Chats {
        chats: page.items.iter().map(Chat::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::write),
    };
    Ok(json(StatusCode::OK, &listed(chats)))
}

pub(super) async fn change(
    State(chat): State<Arc<Product>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    change: Change<ChatChange>,
) -> Result<Response, Fault> {
    let Terms { once, precondition } = change.terms;
    let change = change.body.parse()?;
    let session = chat.change_session(&caller, key, change, precondition, once);
    let session = session.await?;
    let body = changed(ChatInFull::from(&session));
    Ok(answer::session(StatusCode::OK, &session, &body))
}

pub(super) async fn delete(
    State(chat): State<Arc<Product>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    terms: Terms,
) -> Result<Response, Fault> {
    chat.delete_session(&caller, key, terms.precondition, terms.once)
        .await?;
    Ok(json(StatusCode::OK, &deleted()))
}

pub(super) fn created(chat: Chat<'_>) -> Envelope<Chat<'_>> {
    envelope(StatusCode::CREATED, "Chat created successfully", chat)
}

pub(super) fn shown(chat: ChatInFull<'_>) -> Envelope<ChatInFull<'_>> {
    envelope(StatusCode::OK, "Chat retrieved successfully", chat)
}

pub(super) fn listed(chats: Chats<'_>) -> Envelope<Chats<'_>> {
    envelope(StatusCode::OK, "Chats retrieved successfully", chats)
}

pub(super) fn changed(chat: ChatInFull<'_>) -> Envelope<ChatInFull<'_>> {
    envelope(StatusCode::OK, "Chat updated successfully", chat)
}

pub(super) fn deleted() -> Empty {
    empty("Chat deleted successfully")
}

/// A session's CUID or its number.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ChatId(#[schemars(regex(pattern = schema::SESSION_KEY))] String);

/// The body of a new session.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct NewChat {
    /// If it is left out it is `New Chat`, until a model gives the chat a name.
    #[serde(default, deserialize_with = "present")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::TITLE_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    name: Option<String>,
    #[schemars(extend("enum" = ["text", "file"]))]
    r#type: String,
}

impl NewChat {
    fn parse(&self) -> Result<SessionDraft, Fault> {
        Ok(SessionDraft {
            title: self.name.as_deref().map(title).transpose()?,
            kind: kind(&self.r#type)?,
            ..SessionDraft::default()
        })
    }

    pub(super) fn example() -> Self {
        Self {
            name: Some("My File Chat".into()),
            r#type: "file".into(),
        }
    }
}

fn title(text: &str) -> Result<Title, Fault> {
    Title::parse(text).map_err(|error| Fault::invalid("name", error))
}

fn search(text: &str) -> Result<Search, Fault> {
    Search::parse(text).map_err(|error| Fault::invalid("q", error))
}

fn kind(text: &str) -> Result<SessionKind, Fault> {
    SessionKind::parse(text).map_err(|error| Fault::invalid("type", error))
}

fn status(text: &str) -> Result<SessionStatus, Fault> {
    SessionStatus::parse(text).map_err(|error| Fault::invalid("status", error))
}

/// The body of a change; what is left out stays as it is.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ChatChange {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::TITLE_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    name: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = limits::SYSTEM_MESSAGE_CHARS), regex(pattern = schema::NO_NUL))]
    system_message: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["active", "deactivated"]))]
    status: Option<String>,
    /// The message at which the active path is to end.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = schema::CUID))]
    head: Option<String>,
    /// A message that the active path is to lead through, up to the newest one behind it. Not beside `head`.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = schema::CUID))]
    branch: Option<String>,
    /// Who writes its replies; null for the server's default.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        length(min = 1, max = limits::MODEL_NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    model: Option<Option<String>>,
    /// What its client notes with it, in place of all that was there.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Pairs")]
    metadata: Option<Pairs>,
}

impl ChatChange {
    fn parse(self) -> Result<SessionChange, Fault> {
        let system_message = self.system_message.as_deref().map(|text| {
            SystemMessage::parse(text).map_err(|error| Fault::invalid("systemMessage", error))
        });
        Ok(SessionChange {
            title: self.name.as_deref().map(title).transpose()?,
            system_message: system_message.transpose()?,
            status: self.status.as_deref().map(status).transpose()?,
            head: match (self.head.as_deref(), self.branch.as_deref()) {
                (Some(_), Some(_)) => {
                    return Err(Fault::invalid("branch", "can't stand beside head"));
                }
                (Some(id), None) => Some(Head::At(cuid(id, "head")?)),
                (None, Some(id)) => Some(Head::Behind(cuid(id, "branch")?)),
                (None, None) => None,
            },
            model: match &self.model {
                Some(name) => Some(model(name.as_deref(), "model")?),
                None => None,
            },
            metadata: match self.metadata {
                Some(pairs) => Some(pairs.parse("metadata")?),
                None => None,
            },
        })
    }

    pub(super) fn example() -> Self {
        Self {
            name: Some("Renamed".into()),
            system_message: Some("You answer in one sentence.".into()),
            ..Self::default()
        }
    }
}

/// The parameters of the list.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ChatQuery {
    /// How many sessions at most.
    #[schemars(with = "u32", range(min = 1, max = limits::PAGE_ITEMS), extend("default" = limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[schemars(with = "String", regex(pattern = schema::CURSOR))]
    cursor: Option<String>,
    /// Only sessions of this status.
    #[schemars(with = "String", extend("enum" = ["active", "deactivated"]))]
    status: Option<String>,
    /// Only sessions of this type.
    #[schemars(with = "String", extend("enum" = ["text", "file"]))]
    r#type: Option<String>,
    /// Only sessions with this in their name, in upper or lower case.
    #[schemars(
        with = "String",
        length(min = 1, max = limits::SEARCH_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    q: Option<String>,
}

impl ChatQuery {
    fn parse(&self) -> Result<(SessionFilter, Option<SessionPosition>, PageSize), Fault> {
        let filter = SessionFilter {
            status: self.status.as_deref().map(status).transpose()?,
            kind: self.r#type.as_deref().map(kind).transpose()?,
            title: self.q.as_deref().map(search).transpose()?,
        };
        let (after, size) = paging(self.cursor.as_deref(), self.limit)?;
        Ok((filter, after, size))
    }
}

/// A session as this dialect shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat<'a> {
    id: &'a str,
    user_id: &'a str,
    chat_name: &'a str,
    system_message: &'a str,
    created_at: Time,
    updated_at: Time,
    #[schemars(extend("enum" = ["active", "deactivated"]))]
    status: &'static str,
    #[schemars(extend("enum" = ["text", "file"]))]
    r#type: &'static str,
}

impl<'a> From<&'a Session> for Chat<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.id.as_str(),
            user_id: session.owner.as_str(),
            chat_name: session.title.as_str(),
            system_message: session.system_message.as_str(),
            created_at: Time(session.created_at),
            updated_at: Time(session.updated_at),
            status: session.status.as_str(),
            r#type: session.kind.as_str(),
        }
    }
}

impl Chat<'_> {
    pub(super) fn example() -> Self {
        Self {
            id: "clqb6q2rl0003v3k8b2g8n5xd",
            user_id: "clqb6q2rl0000v3k8s9x1m4zt",
            chat_name: "My File Chat",
            system_message: "",
            created_at: Time::EXAMPLE,
            updated_at: Time::EXAMPLE,
            status: "active",
            r#type: "file",
        }
    }
}

/// A session with what its messages need.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChatInFull<'a> {
    #[serde(flatten)]
    chat: Chat<'a>,
    /// The last message of the active path; null before the first one.
    head: Option<&'a str>,
    /// Who writes its replies; null for the server's default.
    model: Option<&'a str>,
    /// What a client calls it that names chats itself, in another dialect.
    external_id: Option<&'a str>,
    /// What its client notes with it.
    metadata: BTreeMap<&'a str, &'a str>,
}

impl<'a> From<&'a Session> for ChatInFull<'a> {
    fn from(session: &'a Session) -> Self {
        let pairs = session.metadata.pairs().iter();
        Self {
            chat: Chat::from(session),
            head: session.head.as_ref().map(types::Cuid::as_str),
            model: session.model.as_ref().map(types::ModelName::as_str),
            external_id: session.external_id.as_ref().map(ExternalId::as_str),
            metadata: pairs
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }
}

impl ChatInFull<'_> {
    pub(super) fn example() -> Self {
        Self {
            chat: Chat::example(),
            head: None,
            model: None,
            external_id: None,
            metadata: BTreeMap::new(),
        }
    }

    pub(super) fn example_changed() -> Self {
        Self {
            chat: Chat {
                chat_name: "Renamed",
                system_message: "You answer in one sentence.",
                ..Chat::example()
            },
            ..Self::example()
        }
    }
}

/// A page of sessions.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chats<'a> {
    chats: Vec<Chat<'a>>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

impl Chats<'_> {
    pub(super) fn example() -> Self {
        Self {
            chats: vec![Chat::example()],
            next_cursor: None,
        }
    }
}
