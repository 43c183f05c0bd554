//! Identifiers: the usual prefixes before our CUIDs. A malformed one names nothing, as a foreign one does.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chat::types::{Cuid, Message, Part, SessionKey};
use chat::{Chat, Error};
use schemars::JsonSchema;

use crate::extract::segment;
use crate::fault::Fault;

const CONVERSATION: &str = "conv_";
const RESPONSE: &str = "resp_";
const COMPLETION: &str = "chatcmpl-";

/// A session, as this dialect names it.
pub(super) fn conversation(session: &Cuid) -> String {
    format!("{CONVERSATION}{session}")
}

/// A reply, as this dialect names it.
pub(super) fn response(reply: &Cuid) -> String {
    format!("{RESPONSE}{reply}")
}

/// A reply to a chat completion.
pub(super) fn completion(reply: &Cuid) -> String {
    format!("{COMPLETION}{reply}")
}

/// The session that a text names.
pub(super) fn read_conversation(text: &str) -> Option<Cuid> {
    read(CONVERSATION, text)
}

/// The reply that a text names.
pub(super) fn read_response(text: &str) -> Option<Cuid> {
    read(RESPONSE, text)
}

fn read(prefix: &str, text: &str) -> Option<Cuid> {
    Cuid::parse(text.strip_prefix(prefix)?).ok()
}

/// An item: some parts of a message, the first of which is this one.
///
/// `msg_<message>` for the first part, `msg_<message>_2` for the third. What a second attempt of a reply
/// writes is `msg_<message>_r2` in the reply's own stream and response: a client that has kept an item of
/// the first attempt must not take it for the same. Either name finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ItemId {
    pub(super) kind: ItemKind,
    pub(super) message: Cuid,
    pub(super) part: usize,
    pub(super) attempt: u32,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    Call,
    Output,
    Reasoning,
}

impl ItemKind {
    const ALL: [Self; 4] = [Self::Message, Self::Call, Self::Output, Self::Reasoning];

    /// The item that a part belongs to; one that was removed is none.
    pub(super) fn of(part: &Part) -> Option<Self> {
        match part {
            Part::Text(_) => Some(Self::Message),
            Part::Reasoning(_) => Some(Self::Reasoning),
            Part::ToolCall(_) => Some(Self::Call),
            Part::ToolOutput(_) => Some(Self::Output),
            Part::Removed => None,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Message => "msg",
            Self::Call => "fc",
            Self::Output => "fco",
            Self::Reasoning => "rs",
        }
    }
}

impl ItemId {
    /// Reads what was written before, and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.split_once('_')?;
        let kind = ItemKind::ALL
            .into_iter()
            .find(|kind| kind.prefix() == prefix)?;
        let (rest, attempt) = match rest.split_once("_r") {
            Some((rest, attempt)) => (rest, attempt.parse().ok()?),
            None => (rest, 1),
        };
        let (message, part) = match rest.split_once('_') {
            Some((message, part)) => (message, part.parse().ok()?),
            None => (rest, 0),
        };
        let id = Self {
            kind,
            message: Cuid::parse(message).ok()?,
            part,
            attempt,
        };
        (id.to_string() == text).then_some(id)
    }

    /// The part of a message that the item begins with, if it is one of this message, or was.
    pub(super) fn part_of(&self, message: &Message) -> Option<usize> {
        let is_there = self.message == message.id && self.part < message.content.len();
        is_there.then_some(self.part)
    }

    /// The same item, as it is called in its conversation.
    #[must_use]
    pub(super) fn kept(self) -> Self {
        Self { attempt: 1, ..self }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.prefix(), self.message)?;
        if self.part > 0 {
            write!(f, "_{}", self.part)?;
        }
        if self.attempt > 1 {
            write!(f, "_r{}", self.attempt)?;
        }
        Ok(())
    }
}

/// The conversation that a path names.
pub(super) struct ConversationInPath(pub(super) Cuid);

impl FromRequestParts<Arc<Chat>> for ConversationInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        named(parts, chat, "id", read_conversation).await.map(Self)
    }
}

/// The item that a path names, and its conversation.
pub(super) struct ItemInPath(pub(super) SessionKey, pub(super) ItemId);

impl FromRequestParts<Arc<Chat>> for ItemInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        let session = named(parts, chat, "id", read_conversation).await?;
        let item = named(parts, chat, "rid", ItemId::parse).await?;
        Ok(Self(SessionKey::Cuid(session), item))
    }
}

/// The response that a path names.
pub(super) struct ResponseInPath(pub(super) Cuid);

impl FromRequestParts<Arc<Chat>> for ResponseInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        named(parts, chat, "id", read_response).await.map(Self)
    }
}

async fn named<T>(
    parts: &mut Parts,
    chat: &Arc<Chat>,
    name: &str,
    read: fn(&str) -> Option<T>,
) -> Result<T, Fault> {
    let text = segment(parts, chat, name).await?;
    read(&text).ok_or(Fault::Chat(Error::NotFound))
}

/// The identifier of a conversation.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ConversationId(#[schemars(regex(pattern = "^conv_c[0-9a-z]{7,31}$"))] String);

/// The identifier of a response.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ResponseId(#[schemars(regex(pattern = "^resp_c[0-9a-z]{7,31}$"))] String);

/// What [`ItemId::parse`] reads, as a pattern.
pub(super) const ITEM: &str = "^(msg|fc|fco|rs)_c[0-9a-z]{7,31}(_[1-9][0-9]{0,8})?(_r[2-9])?$";

/// The identifier of an item.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ItemIdText(#[schemars(regex(pattern = ITEM))] String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_item_is_found_by_the_name_that_it_was_given(
            kind in 0..4_usize,
            message in "c[0-9a-z]{7,31}",
            part in 0..1_000_usize,
            attempt in 1..9_u32,
        ) {
            let message = Cuid::parse(&message).unwrap();
            let id = ItemId { kind: ItemKind::ALL[kind], message, part, attempt };
            prop_assert_eq!(ItemId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn an_item_has_one_name(text in "(msg|fc|fco|rs|x)_?c[0-9a-z]{6,9}(_r?[0-9]{0,3}){0,2}|.{0,30}") {
            if let Some(id) = ItemId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_no_name_of_an_item_is_refused() {
        let id = "clqb6q2rl0003v3k8b2g8n5xd";
        for text in [
            "msg_",
            "msg_x",
            id,
            &format!("MSG_{id}"),
            &format!("conv_{id}"),
        ] {
            assert_eq!(ItemId::parse(text), None, "{text}");
        }
        for ending in ["_0", "_01", "_+1", "_r1", "_r02", "_r2_1", "_", "_1_1", " "] {
            assert_eq!(ItemId::parse(&format!("fc_{id}{ending}")), None, "{ending}");
        }
    }
}
