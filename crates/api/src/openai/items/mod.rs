//! Items of a conversation: create, list, find, delete.

pub(super) mod input;
pub(super) mod shown;
pub(super) mod walk;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::{Caller, Once, SessionKey};
use chat::{Chat, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversations::Conversation;
use super::ids::{ConversationInPath, ItemId, ItemInPath};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::{Change, Params};
use crate::fault::Fault;
use crate::limits;
use input::{Drafts, NewItem};
use shown::{Item, Placed, items};
use walk::{ItemQuery, Items, Walk, largest};

pub(super) async fn create(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConversationInPath(id): ConversationInPath,
    change: Change<NewItems>,
) -> Result<Response, Fault> {
    let key = SessionKey::Cuid(id);
    let drafts = Drafts::read(&change.body.items, "items", limits::ITEMS_CREATED)?.some("items")?;
    let created = append(&chat, &caller, key, drafts, change.terms.once).await?;
    Ok(json(StatusCode::OK, &Items::new(created, false)))
}

/// Appends messages, and gives the items that they have become.
pub(super) async fn append(
    chat: &Chat,
    caller: &Caller,
    key: SessionKey,
    drafts: Drafts,
    once: Option<Once>,
) -> Result<Vec<Item>, Fault> {
    let Drafts { messages, fields } = drafts;
    let appended = chat.append_messages(caller, key, messages, once).await;
    let appended = appended.map_err(|error| match error {
        Error::NoSuchCall { at } => fields.no_such_call(at),
        other => Fault::Chat(other),
    })?;
    let created = appended.into_iter().flat_map(items);
    Ok(created.map(|placed| placed.item).collect())
}

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ConversationInPath(id): ConversationInPath,
    Params(query): Params<ItemQuery>,
) -> Result<Response, Fault> {
    let key = SessionKey::Cuid(id);
    let listing = query.parse()?;
    // From the newest on, the walk need not begin before that item.
    let after = listing.after.as_ref().filter(|_| !listing.oldest_first);
    let from = match after {
        Some(id) => match chat.message(&caller, &key, &id.message).await {
            Ok(message) => Some(message.seq),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let walk = Walk {
        chat: &chat,
        caller: &caller,
        session: &key,
        from,
        size: if listing.oldest_first {
            largest()
        } else {
            listing.size
        },
        within_turn: false,
    };
    let page = walk.page(&listing).await?;
    Ok(json(StatusCode::OK, &page))
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ItemInPath(key, id): ItemInPath,
) -> Result<Response, Fault> {
    let placed = placed(&chat, &caller, &key, &id).await?;
    Ok(json(StatusCode::OK, &placed.item))
}

pub(super) async fn delete(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    ItemInPath(key, id): ItemInPath,
) -> Result<Response, Fault> {
    let placed = placed(&chat, &caller, &key, &id).await?;
    chat.remove_parts(&caller, key.clone(), id.message, placed.parts)
        .await?;
    let session = chat.session(&caller, &key).await?;
    Ok(json(StatusCode::OK, &Conversation::from(&session)))
}

/// The item of that name.
async fn placed(
    chat: &Chat,
    caller: &Caller,
    key: &SessionKey,
    id: &ItemId,
) -> Result<Placed, Error> {
    let message = chat.message(caller, key, &id.message).await?;
    let name = id.clone().kept().to_string();
    let mut items = items(message).into_iter();
    let found = items.find(|placed| placed.item.id() == name);
    found.ok_or(Error::NotFound)
}

/// Items to append, after one another.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct NewItems {
    #[schemars(length(min = 1, max = limits::ITEMS_CREATED))]
    items: Vec<NewItem>,
}

impl NewItems {
    pub(super) fn example() -> Self {
        Self {
            items: vec![NewItem::example()],
        }
    }
}
