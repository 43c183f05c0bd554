use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::{Metadata, Once, Precondition, Session, SessionChange, SessionKey, Title};
use chat::{Chat, Error, SessionDraft};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::{self, ConversationInPath};
use super::items::append;
use super::items::input::{Drafts, NewItem};
use super::items::walk::size;
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, Params, Terms, hashed_key, nullable, present};
use crate::fault::Fault;
use crate::time::{Time, seconds};
use crate::tools::Pairs;
use crate::{limits, schema};

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    change: Change<NewConversation>,
) -> Result<Response, Fault> {
    let (draft, items) = change.body.parse()?;
    let once = change.terms.once;
    let session = chat.create_session(&caller, draft, once.clone()).await?;
    if !items.messages.is_empty() {
        let key = SessionKey::Cuid(session.id.clone());
        append(
            &chat,
            &caller,
            key,
            items,
            once.as_ref().and_then(for_items),
        )
        .await?;
    }
    Ok(json(StatusCode::OK, &Conversation::from(&session)))
}

/// The first items of a conversation are a change of their own, under a key of their own.
fn for_items(once: &Once) -> Option<Once> {
    Some(Once {
        key: hashed_key("items-", Sha256::digest(once.key.as_str()).into())?,
        ..once.clone()
    })
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConversationInPath(id): ConversationInPath,
) -> Result<Response, Fault> {
    let session = chat.session(&caller, &SessionKey::Cuid(id)).await?;
    Ok(json(StatusCode::OK, &Conversation::from(&session)))
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    Params(query): Params<ConversationQuery>,
) -> Result<Response, Fault> {
    let size = size(query.limit)?;
    if query.order.is_some_and(|order| order != "desc") {
        return Err(Fault::invalid("order", "must be desc"));
    }
    let after = match &query.after {
        Some(after) => {
            let unknown = || Fault::invalid("after", "is no conversation");
            let id = ids::read_conversation(after).ok_or_else(unknown)?;
            let session = chat.session(&caller, &SessionKey::Cuid(id)).await;
            let session = session.map_err(|error| match error {
                Error::NotFound => unknown(),
                other => Fault::Chat(other),
            })?;
            Some(session.number)
        }
        None => None,
    };
    let page = chat.sessions_made(&caller, after, size).await?;
    let data = page.items.iter().map(Conversation::from).collect();
    let list = Conversations::new(data, page.next.is_some());
    Ok(json(StatusCode::OK, &list))
}

pub(super) async fn change(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConversationInPath(id): ConversationInPath,
    change: Change<ConversationChange>,
) -> Result<Response, Fault> {
    let (key, once) = (SessionKey::Cuid(id), change.terms.once);
    let change = change.body.parse()?;
    let session = chat.change_session(&caller, key, change, Precondition::None, once);
    Ok(json(StatusCode::OK, &Conversation::from(&session.await?)))
}

pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConversationInPath(id): ConversationInPath,
    terms: Terms,
) -> Result<Response, Fault> {
    let deleted = Deleted::new(ids::conversation(&id), "conversation.deleted");
    chat.delete_session(
        &caller,
        SessionKey::Cuid(id),
        Precondition::None,
        terms.once,
    )
    .await?;
    Ok(json(StatusCode::OK, &deleted))
}

/// The title that is wanted: the field's, or the one in the metadata.
fn title(field: Option<&str>, metadata: Option<&Metadata>) -> Result<Option<Title>, Fault> {
    let noted = metadata.and_then(|metadata| metadata.pairs().get("title"));
    let (text, name) = match (field, noted) {
        (Some(text), _) => (text, "title"),
        (None, Some(text)) => (text.as_str(), "metadata.title"),
        (None, None) => return Ok(None),
    };
    let title = Title::parse(text);
    title.map(Some).map_err(|error| Fault::invalid(name, error))
}

/// The body of a new conversation.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct NewConversation {
    /// Pairs of the client's own. One that is called `title` is the conversation's title, unless that is
    /// given by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Pairs>,
    /// What was said before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::ITEMS_CREATED))]
    items: Option<Vec<NewItem>>,
    /// What it is called; a model finds a title if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = chat::limits::TITLE_CHARS), regex(pattern = schema::NOT_BLANK))]
    title: Option<String>,
}

impl NewConversation {
    fn parse(self) -> Result<(SessionDraft, Drafts), Fault> {
        let metadata = self
            .metadata
            .map(|pairs| pairs.parse("metadata"))
            .transpose()?;
        let title = title(self.title.as_deref(), metadata.as_ref())?;
        let items = self.items.unwrap_or_default();
        let items = Drafts::read(&items, "items", limits::ITEMS_CREATED)?.on_their_own()?;
        let draft = SessionDraft {
            title,
            metadata: metadata.unwrap_or_default(),
            ..SessionDraft::default()
        };
        Ok((draft, items))
    }

    pub(super) fn example() -> Self {
        Self {
            metadata: Some(pairs()),
            items: Some(vec![NewItem::example()]),
            title: None,
        }
    }
}

/// A change to a conversation; `metadata`, `title`, or both.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("anyOf" = [{ "required": ["metadata"] }, { "required": ["title"] }]))]
pub(super) struct ConversationChange {
    /// In place of all pairs that are there; null for none. One that is called `title` is the
    /// conversation's title, unless that is given by itself.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Pairs>")]
    metadata: Option<Option<Pairs>>,
    /// What it is called from now on.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 1, max = chat::limits::TITLE_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    title: Option<String>,
}

impl ConversationChange {
    fn parse(self) -> Result<SessionChange, Fault> {
        if self.metadata.is_none() && self.title.is_none() {
            return Err(Fault::invalid("metadata", "is required"));
        }
        let metadata = match self.metadata {
            Some(Some(pairs)) => Some(pairs.parse("metadata")?),
            Some(None) => Some(Metadata::default()),
            None => None,
        };
        Ok(SessionChange {
            title: title(self.title.as_deref(), metadata.as_ref())?,
            metadata,
            ..SessionChange::default()
        })
    }

    pub(super) fn example() -> Self {
        Self {
            metadata: Some(Some(pairs())),
            title: None,
        }
    }
}

fn pairs() -> Pairs {
    Pairs(BTreeMap::from([("topic".into(), "monads".into())]))
}

/// The parameters of the list.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ConversationQuery {
    /// How many conversations at most.
    #[schemars(with = "u32", range(min = 1, max = chat::limits::PAGE_ITEMS), extend("default" = chat::limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// From the newest to the oldest, as they were made.
    #[schemars(with = "String", extend("const" = "desc"))]
    order: Option<String>,
    /// The last conversation of the page before.
    #[schemars(with = "String", regex(pattern = "^conv_c[0-9a-z]{7,31}$"))]
    after: Option<String>,
}

/// A session as this dialect shows it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Conversation<'a> {
    id: String,
    #[schemars(extend("const" = "conversation"))]
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    metadata: BTreeMap<String, String>,
    /// Null until somebody, or a model, gives it one. Not in OpenAI's API.
    title: Option<&'a str>,
    /// Seconds since 1970. Not in OpenAI's API.
    updated_at: i64,
}

impl<'a> From<&'a Session> for Conversation<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: ids::conversation(&session.id),
            object: "conversation",
            created_at: seconds(session.created_at),
            metadata: session.metadata.pairs().clone(),
            title: session.named.then(|| session.title.as_str()),
            updated_at: seconds(session.updated_at),
        }
    }
}

impl Conversation<'_> {
    pub(super) fn example() -> Self {
        Self {
            id: "conv_clqb6q2rl0003v3k8b2g8n5xd".into(),
            object: "conversation",
            created_at: seconds(Time::EXAMPLE.0),
            metadata: pairs().0,
            title: None,
            updated_at: seconds(Time::EXAMPLE.0),
        }
    }
}

/// A page of conversations, the newest first. The names are empty if it is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Conversations<'a> {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<Conversation<'a>>,
    first_id: String,
    last_id: String,
    has_more: bool,
}

impl<'a> Conversations<'a> {
    fn new(data: Vec<Conversation<'a>>, has_more: bool) -> Self {
        let id = |one: Option<&Conversation>| one.map_or_else(String::new, |one| one.id.clone());
        Self {
            object: "list",
            first_id: id(data.first()),
            last_id: id(data.last()),
            data,
            has_more,
        }
    }

    pub(super) fn example() -> Self {
        Self::new(vec![Conversation::example()], false)
    }
}

/// That something is gone.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    id: String,
    object: &'static str,
    #[schemars(extend("const" = true))]
    deleted: bool,
}

impl Deleted {
    pub(super) fn new(id: String, object: &'static str) -> Self {
        Self {
            id,
            object,
            deleted: true,
        }
    }

    pub(super) fn example_conversation() -> Self {
        Self::new(
            "conv_clqb6q2rl0003v3k8b2g8n5xd".into(),
            "conversation.deleted",
        )
    }

    pub(super) fn example_response() -> Self {
        Self::new("resp_clqb6q2rl0005v3k8e1r9y3kq".into(), "response")
    }
}
