//! Messages: append and list.

use crate::chat::Chat;
use crate::contracts::Appended;
use crate::error::Error;
use crate::types::{
    Caller, Message, MessageRole, MessageText, MessageView, ModelName, NewMessage, Once, Page,
    PageSize, Parent, Part, SessionKey,
};

/// A message that somebody wants to append: from another program, or from another model.
#[derive(Clone, Debug)]
pub struct MessageDraft {
    /// What it follows.
    pub parent: Parent,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said, in parts.
    pub texts: Vec<MessageText>,
    /// The model that wrote it, if one did.
    pub model: Option<ModelName>,
}

impl Chat {
    /// Appends messages to one of the caller's sessions, in order; the active path then ends at the
    /// last of them.
    ///
    /// Errors: [`Error::NotFound`], [`Error::NoSuchParent`], [`Error::KeyReused`].
    pub async fn append_messages(
        &self,
        caller: &Caller,
        key: SessionKey,
        drafts: Vec<MessageDraft>,
        once: Option<Once>,
    ) -> Result<Vec<Message>, Error> {
        let now = self.clock.now();
        let part = |text: &MessageText| Part::Text(text.as_str().to_owned());
        let message = |draft: MessageDraft| NewMessage {
            id: self.mint(now),
            parent: draft.parent,
            role: draft.role,
            content: draft.texts.iter().map(part).collect(),
            model: draft.model,
            reply: None,
        };
        let new = drafts.into_iter().map(message).collect();
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
        }
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
}
