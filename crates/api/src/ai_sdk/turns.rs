//! A session's messages in turns, as front ends take them: an answer with all its steps (what the model
//! said, what came of the tools that it called, what it said then) is one message to them.

use std::collections::VecDeque;

use chat::types::{
    Caller, Cuid, ExternalId, Message, MessageRole, MessageView, PageSize, Reply, SessionKey,
};
use chat::{Chat, Error};

/// One of the caller's sessions.
pub(super) struct Here<'a> {
    pub(super) chat: &'a Chat,
    pub(super) caller: &'a Caller,
    pub(super) key: SessionKey,
}

impl<'a> Here<'a> {
    /// The session that is named by its CUID, or by what its clients call it; `None` if there is none.
    pub(super) async fn find(
        chat: &'a Chat,
        caller: &'a Caller,
        name: &ExternalId,
    ) -> Result<Option<Self>, Error> {
        let by_cuid = match Cuid::parse(name.as_str()) {
            Ok(id) => found(chat.session(caller, &SessionKey::Cuid(id)).await)?,
            Err(_) => None,
        };
        let session = match by_cuid {
            Some(session) => Some(session),
            None => found(chat.session_called(caller, name).await)?,
        };
        Ok(session.map(|session| Self {
            chat,
            caller,
            key: SessionKey::Cuid(session.id),
        }))
    }

    /// The message that has this identifier; `None` for one that a client made up.
    pub(super) async fn message(&self, id: &str) -> Result<Option<Message>, Error> {
        match Cuid::parse(id) {
            Ok(id) => found(self.chat.message(self.caller, &self.key, &id).await),
            Err(_) => Ok(None),
        }
    }

    /// The active path.
    pub(super) fn path(&self) -> Path<'_> {
        Path::new(self, true, None)
    }

    /// A message and what leads to it.
    pub(super) fn up_to(&self, message: &Message) -> Path<'_> {
        Path::new(self, true, Some(message.seq))
    }

    /// What leads to a message.
    pub(super) async fn above(&self, message: &Message) -> Result<Path<'_>, Error> {
        let parent = match &message.parent {
            Some(parent) => self.message(parent.as_str()).await?,
            None => None,
        };
        let place = parent.map(|parent| parent.seq);
        Ok(Path::new(self, place.is_some(), place))
    }

    /// The first turn of the active path that is still being written, and the reply that writes it.
    pub(super) async fn in_progress(&self) -> Result<Option<(Vec<Message>, Reply)>, Error> {
        let open = self.chat.open_replies(self.caller, &self.key).await?;
        let (mut path, mut unseen, mut first) = (self.path(), open.len(), None);
        // One that is on another branch is looked for in vain, up to the first message.
        while unseen > 0
            && let Some(turn) = path.turn().await?
        {
            let is_here = |reply: &&Reply| turn.iter().any(|step| step.id == reply.message);
            if let Some(reply) = open.iter().find(is_here) {
                unseen -= 1;
                first = Some((turn, reply.clone()));
            }
        }
        Ok(first)
    }
}

/// What was looked for, if it is there.
fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Messages from the newest to the oldest, each the parent of the one before.
pub(super) struct Path<'a> {
    here: &'a Here<'a>,
    /// Whether there may be more than what is ready.
    has_more: bool,
    /// Where that begins; `None` for the head.
    from: Option<i64>,
    ready: VecDeque<Message>,
}

impl<'a> Path<'a> {
    fn new(here: &'a Here<'a>, has_more: bool, from: Option<i64>) -> Self {
        Self {
            here,
            has_more,
            from,
            ready: VecDeque::new(),
        }
    }

    /// The next turn up, its messages in the order in which they were said.
    pub(super) async fn turn(&mut self) -> Result<Option<Vec<Message>>, Error> {
        let mut turn: Vec<Message> = Vec::new();
        while let Some(above) = self.peek().await? {
            if turn.last().is_some_and(|below| !is_one_turn(above, below)) {
                break;
            }
            turn.extend(self.ready.pop_front());
        }
        turn.reverse();
        Ok((!turn.is_empty()).then_some(turn))
    }

    async fn peek(&mut self) -> Result<Option<&Message>, Error> {
        while self.ready.is_empty() && self.has_more {
            let Here { chat, caller, key } = self.here;
            let (view, size) = (MessageView::Path, PageSize::default());
            let page = chat.messages(caller, key, view, self.from, size);
            let page = page.await?;
            self.ready = page.items.into();
            self.has_more = page.next.is_some();
            self.from = page.next;
        }
        Ok(self.ready.front())
    }
}

/// Whether a message and the one that follows it belong to one turn: outputs of tools to what comes
/// before and behind them.
fn is_one_turn(above: &Message, below: &Message) -> bool {
    use MessageRole::{Assistant, Tool};
    matches!(
        (above.role, below.role),
        (Assistant | Tool, Tool) | (Tool, Assistant)
    )
}
