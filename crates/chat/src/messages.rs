//! Messages: append, find, list, tell their branches, and remove parts of one.

use std::ops::Range;

use crate::chat::Chat;
use crate::contracts::Appended;
use crate::error::Error;
use crate::types::{
    Branch, Caller, Cuid, Message, MessageRole, MessageView, ModelName, NewMessage, Once, Page,
    PageSize, Parent, Part, SessionKey, Timestamp,
};

/// A message that somebody wants to append: from another program, or from another model.
#[derive(Clone, Debug)]
pub struct MessageDraft {
    /// What it follows.
    pub parent: Parent,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said: parts that its role may have, see [`MessageRole::may_say`].
    pub content: Vec<Part>,
    /// The model that wrote it, if one did.
    pub model: Option<ModelName>,
}

impl Chat {
    /// Appends messages to one of the caller's sessions, in order; the active path then ends at the
    /// last of them.
    ///
    /// Errors: [`Error::NotFound`], [`Error::NoSuchParent`], [`Error::NoSuchCall`],
    /// [`Error::KeyReused`].
    pub async fn append_messages(
        &self,
        caller: &Caller,
        key: SessionKey,
        drafts: Vec<MessageDraft>,
        once: Option<Once>,
    ) -> Result<Vec<Message>, Error> {
        let now = self.clock.now();
        let new = self.new_messages(drafts, now);
        let owner = caller.id().clone();
        let store = &self.store;
        let appended = store.append_messages(owner, key, new, now, once).await?;
        match appended {
            Appended::Done(messages) => {
                self.engine.changed(caller.id());
                Ok(messages)
            }
            Appended::Missing => Err(Error::NotFound),
            Appended::NoSuchParent(at) => Err(Error::NoSuchParent { at }),
            Appended::NoSuchCall(at) => Err(Error::NoSuchCall { at }),
        }
    }

    /// Messages that are about to be appended, under identifiers of their own.
    pub(crate) fn new_messages(
        &self,
        drafts: Vec<MessageDraft>,
        now: Timestamp,
    ) -> Vec<NewMessage> {
        let message = |draft: MessageDraft| NewMessage {
            id: self.mint(now),
            parent: draft.parent,
            role: draft.role,
            content: draft.content,
            model: draft.model,
            reply: None,
        };
        drafts.into_iter().map(message).collect()
    }

    /// A message of one of the caller's sessions. Errors: [`Error::NotFound`].
    pub async fn message(
        &self,
        caller: &Caller,
        key: &SessionKey,
        id: &Cuid,
    ) -> Result<Message, Error> {
        let message = self.store.message(caller.id(), key, id).await?;
        message.ok_or(Error::NotFound)
    }

    /// Removes parts of a message of one of the caller's sessions, for ever: [`Part::Removed`] stands in
    /// the place of each. A message that has not ended stays as it is. Errors: [`Error::NotFound`].
    pub async fn remove_parts(
        &self,
        caller: &Caller,
        key: SessionKey,
        message: Cuid,
        parts: Range<usize>,
    ) -> Result<Message, Error> {
        let (owner, store) = (caller.id().clone(), &self.store);
        let message = store.remove_parts(owner, key, message, parts).await?;
        let message = message.ok_or(Error::NotFound)?;
        self.engine.changed(caller.id());
        Ok(message)
    }

    /// The messages of one of the caller's sessions, the newest first, beginning with the one at
    /// the place `from`. Errors: [`Error::NotFound`].
    pub async fn messages(
        &self,
        caller: &Caller,
        key: &SessionKey,
        view: MessageView,
        from: Option<i64>,
        size: PageSize,
    ) -> Result<Page<Message, i64>, Error> {
        let store = &self.store;
        let page = store.messages(caller.id(), key, view, from, size).await?;
        page.ok_or(Error::NotFound)
    }

    /// Where the paths of one of the caller's sessions part: at most
    /// [`BRANCHES_LISTED`](crate::limits::BRANCHES_LISTED) messages, the newest.
    /// Errors: [`Error::NotFound`].
    pub async fn branches(&self, caller: &Caller, key: &SessionKey) -> Result<Vec<Branch>, Error> {
        let branches = self.store.branches(caller.id(), key).await?;
        branches.ok_or(Error::NotFound)
    }
}
