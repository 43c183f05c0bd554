use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::{self, MessageRole, MessageView, ModelName, PageSize, Parent, TokenUsage};
use chat::{Chat, Error, MessageDraft, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, envelope};
use super::parts::{Content, ShownPart, no_such_call};
use crate::answer::json;
use crate::auth::Auth;
use crate::cursor::Cursor;
use crate::extract::{Change, Params, SessionInPath, cuid, nullable, paging, present};
use crate::fault::Fault;
use crate::schema;
use crate::time::Time;

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    Params(query): Params<MessageQuery>,
) -> Result<Response, Fault> {
    let (view, from, size) = query.parse()?;
    let page = chat.messages(&caller, &key, view, from, size).await?;
    let messages = Messages {
        messages: page.items.iter().map(Message::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::write),
    };
    Ok(json(StatusCode::OK, &listed(messages)))
}

pub(super) async fn append(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
    change: Change<NewMessages>,
) -> Result<Response, Fault> {
    let is_list = change.body.messages.is_some();
    let drafts = change.body.parse()?;
    let messages = chat.append_messages(&caller, key, drafts, change.terms.once);
    let place = |at: usize, field: &str| {
        let place = is_list.then(|| format!("messages[{at}]."));
        place.unwrap_or_default() + field
    };
    let messages = messages.await.map_err(|error| match error {
        Error::NoSuchParent { at } => {
            Fault::invalid(place(at, "parentId"), "is no message of this chat")
        }
        Error::NoSuchCall { at } => no_such_call(place(at, "content")),
        other => Fault::Chat(other),
    })?;
    let messages = messages.iter().map(Message::from).collect();
    let body = appended(Appended { messages });
    Ok(json(StatusCode::CREATED, &body))
}

pub(super) fn listed(messages: Messages<'_>) -> Envelope<Messages<'_>> {
    envelope(StatusCode::OK, "Messages retrieved successfully", messages)
}

pub(super) fn appended(messages: Appended<'_>) -> Envelope<Appended<'_>> {
    let message = "Messages created successfully";
    envelope(StatusCode::CREATED, message, messages)
}

/// The parameters of the list.
#[derive(Deserialize, JsonSchema)]
pub(super) struct MessageQuery {
    /// How many messages at most.
    #[schemars(with = "u32", range(min = 1, max = limits::PAGE_ITEMS), extend("default" = limits::PAGE_ITEMS_DEFAULT))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[schemars(with = "String", regex(pattern = schema::MESSAGE_CURSOR))]
    cursor: Option<String>,
    /// The messages of all branches, and not of the active path alone.
    #[schemars(with = "bool", extend("default" = false))]
    tree: Option<bool>,
}

impl MessageQuery {
    fn parse(&self) -> Result<(MessageView, Option<i64>, PageSize), Fault> {
        let view = match self.tree {
            Some(true) => MessageView::Tree,
            _ => MessageView::Path,
        };
        let (from, size) = paging(self.cursor.as_deref(), self.limit)?;
        Ok((view, from, size))
    }
}

/// One message, or a list of them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("anyOf" = [{ "required": ["messages"] }, { "required": ["role", "content"] }]))]
pub(super) struct NewMessages {
    /// Messages that follow one another.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<NewMessage>", length(min = 1, max = limits::MESSAGES_APPENDED))]
    messages: Option<Vec<NewMessage>>,
    /// Who speaks, for one message.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "String", extend("enum" = ["system", "user", "assistant", "tool"]))]
    role: Option<String>,
    /// What is said, in one message.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Content")]
    content: Option<Content>,
    /// What the message follows; null for nothing. The last one of the active path if left out.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", regex(pattern = schema::CUID))]
    parent_id: Option<Option<String>>,
    /// The model that wrote it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::MODEL_NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    model: Option<String>,
}

/// A message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewMessage {
    /// Who speaks.
    #[schemars(extend("enum" = ["system", "user", "assistant", "tool"]))]
    role: String,
    /// What is said.
    content: Content,
    /// What the message follows; null for nothing. The one before if left out.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", regex(pattern = schema::CUID))]
    parent_id: Option<Option<String>>,
    /// The model that wrote it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        with = "String",
        length(min = 1, max = limits::MODEL_NAME_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    model: Option<String>,
}

impl NewMessages {
    fn parse(self) -> Result<Vec<MessageDraft>, Fault> {
        let Some(messages) = self.messages else {
            let missing = |field| Fault::invalid(field, "is required");
            let one = NewMessage {
                role: self.role.ok_or_else(|| missing("role"))?,
                content: self.content.ok_or_else(|| missing("content"))?,
                parent_id: self.parent_id,
                model: self.model,
            };
            return Ok(vec![one.parse("")?]);
        };
        let besides = [
            ("role", self.role.is_some()),
            ("content", self.content.is_some()),
            ("parentId", self.parent_id.is_some()),
            ("model", self.model.is_some()),
        ];
        if let Some((field, _)) = besides.iter().find(|(_, is_there)| *is_there) {
            return Err(Fault::invalid(*field, "can't stand beside messages"));
        }
        if !(1..=limits::MESSAGES_APPENDED).contains(&messages.len()) {
            let reason = format!("must be 1 to {}", limits::MESSAGES_APPENDED);
            return Err(Fault::invalid("messages", reason));
        }
        let messages = messages.iter().enumerate();
        messages
            .map(|(at, message)| message.parse(&format!("messages[{at}].")))
            .collect()
    }

    pub(super) fn example() -> Self {
        Self {
            messages: None,
            role: Some("user".into()),
            content: Some(Content::Text("What is a monad?".into())),
            parent_id: None,
            model: None,
        }
    }
}

impl NewMessage {
    /// Reads the message whose fields stand at `place`.
    fn parse(&self, place: &str) -> Result<MessageDraft, Fault> {
        let role = MessageRole::parse(&self.role)
            .map_err(|error| Fault::invalid(format!("{place}role"), error))?;
        Ok(MessageDraft {
            parent: parent(self.parent_id.as_ref(), &format!("{place}parentId"))?,
            role,
            content: self.content.parse(role, &format!("{place}content"))?,
            model: model(self.model.as_deref(), &format!("{place}model"))?,
        })
    }
}

/// What a new message follows, as `parentId` says it.
pub(super) fn parent(id: Option<&Option<String>>, field: &str) -> Result<Parent, Fault> {
    Ok(match id {
        None => Parent::Head,
        Some(None) => Parent::Root,
        Some(Some(id)) => Parent::Message(cuid(id, field)?),
    })
}

/// Reads the name of a model.
pub(super) fn model(name: Option<&str>, field: &str) -> Result<Option<ModelName>, Fault> {
    name.map(ModelName::parse)
        .transpose()
        .map_err(|error| Fault::invalid(field, error))
}

/// A message as this dialect shows it.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    id: &'a str,
    chat_id: &'a str,
    /// The message that it follows.
    parent_id: Option<&'a str>,
    #[schemars(extend("enum" = ["system", "user", "assistant", "tool"]))]
    role: &'static str,
    /// Empty while a model is writing.
    content: Vec<ShownPart<'a>>,
    /// The model that wrote it.
    model: Option<&'a str>,
    usage: Option<Usage>,
    #[schemars(extend("enum" = ["queued", "running", "done", "stopped", "failed"]))]
    status: &'static str,
    /// The reply that it is, if a model of this server wrote it.
    reply_id: Option<&'a str>,
    /// Why a model's message ended: `stop`, `length`, `tool_calls`, `stopped`, `interrupted` or `error`.
    finish_reason: Option<&'static str>,
    created_at: Time,
}

/// What a model's answer cost, in tokens.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

impl From<TokenUsage> for Usage {
    fn from(usage: TokenUsage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        }
    }
}

impl<'a> From<&'a types::Message> for Message<'a> {
    fn from(message: &'a types::Message) -> Self {
        Self {
            id: message.id.as_str(),
            chat_id: message.session.as_str(),
            parent_id: message.parent.as_ref().map(types::Cuid::as_str),
            role: message.role.as_str(),
            content: message.content.iter().map(ShownPart::from).collect(),
            model: message.model.as_ref().map(ModelName::as_str),
            usage: message.usage.map(Usage::from),
            status: message.status.as_str(),
            reply_id: message.reply.as_ref().map(types::Cuid::as_str),
            finish_reason: message.finish_reason.map(types::FinishReason::as_str),
            created_at: Time(message.created_at),
        }
    }
}

impl Message<'_> {
    fn example() -> Self {
        Self {
            id: "clqb6q2rl0004v3k8c7d1p0wz",
            chat_id: "clqb6q2rl0003v3k8b2g8n5xd",
            parent_id: None,
            role: "user",
            content: vec![ShownPart::Text {
                text: "What is a monad?",
            }],
            model: None,
            usage: None,
            status: "done",
            reply_id: None,
            finish_reason: None,
            created_at: Time::EXAMPLE,
        }
    }
}

/// A page of messages, the newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages<'a> {
    messages: Vec<Message<'a>>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

impl Messages<'_> {
    pub(super) fn example() -> Self {
        Self {
            messages: vec![Message::example()],
            next_cursor: None,
        }
    }
}

/// What was appended, in order.
#[derive(Serialize, JsonSchema)]
pub(super) struct Appended<'a> {
    messages: Vec<Message<'a>>,
}

impl Appended<'_> {
    pub(super) fn example() -> Self {
        Self {
            messages: vec![Message::example()],
        }
    }
}
