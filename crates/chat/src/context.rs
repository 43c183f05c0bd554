//! What of a session a model is told: the system message and the newest messages that fit.

use std::sync::Arc;

use crate::contracts::{Question, Turn, Work};
use crate::engine::Engine;
use crate::limits;
use crate::models::Model;
use crate::types::{Cuid, Message, MessageView, PageSize, ReplyError, ReplyErrorKind, SessionKey};

/// Tokens that a message takes besides its text, in the formats of the known providers.
const TOKENS_PER_MESSAGE: usize = 4;
/// The part of a model's window that is kept for its answer, if nothing is said about that.
const ANSWER_SHARE: u32 = 4;

/// The question that a reply answers, and how many messages of its path did not fit.
pub(crate) async fn question(
    engine: &Arc<Engine>,
    owner: &Cuid,
    model: &Model,
    work: &Work,
) -> Result<(Question, u32), ReplyError> {
    let answer = model
        .max_output_tokens
        .unwrap_or(model.window / ANSWER_SHARE);
    let system = work.session.system_message.as_str().to_owned();
    let mut room = Room::new(model, model.window.saturating_sub(answer) as usize);
    if !room.takes(&system) {
        return Err(too_long());
    }
    let mut turns = Vec::new();
    let mut from = Some(work.prompt_seq);
    let mut left_out = 0;
    'path: while let Some(place) = from {
        let (messages, next) = above(engine, owner, work.session.number, place).await?;
        for message in messages {
            let text = message.text();
            // An answer that was stopped before its first word says nothing.
            if text.is_empty() {
                continue;
            }
            if !room.takes(&text) {
                left_out = message.depth;
                break 'path;
            }
            let role = message.role;
            turns.push(Turn { role, text });
        }
        from = next;
    }
    if turns.is_empty() {
        return Err(too_long());
    }
    turns.reverse();
    let question = Question {
        model: model.name.as_str().to_owned(),
        system,
        messages: turns,
        max_output_tokens: model.max_output_tokens,
    };
    Ok((question, left_out))
}

/// A part of the path, the newest first, and where the part before it ends.
async fn above(
    engine: &Engine,
    owner: &Cuid,
    session: i64,
    place: i64,
) -> Result<(Vec<Message>, Option<i64>), ReplyError> {
    let size = PageSize::new(limits::PAGE_ITEMS).unwrap_or_default();
    let key = SessionKey::Number(session);
    let page = engine
        .store
        .messages(owner, &key, MessageView::Path, Some(place), size);
    match page.await {
        Ok(Some(page)) => Ok((page.items, page.next)),
        // The session was deleted, and the reply with it.
        Ok(None) => Ok((Vec::new(), None)),
        Err(error) => {
            tracing::error!(%error, "the messages before a reply can't be read");
            Err(ReplyError {
                kind: ReplyErrorKind::Interrupted,
                message: "the server can't use its database at the moment".into(),
                retry_after: None,
            })
        }
    }
}

/// How many tokens are left.
struct Room<'a> {
    model: &'a Model,
    tokens: usize,
    taken: usize,
    /// What was taken without being counted: a token has a byte at least, so what has fewer bytes
    /// than there are tokens left fits for certain.
    uncounted: Vec<String>,
    uncounted_bytes: usize,
}

impl<'a> Room<'a> {
    fn new(model: &'a Model, tokens: usize) -> Self {
        Self {
            model,
            tokens,
            taken: 0,
            uncounted: Vec::new(),
            uncounted_bytes: 0,
        }
    }

    /// Takes a text in, if it fits.
    fn takes(&mut self, text: &str) -> bool {
        let bytes = text.len() + TOKENS_PER_MESSAGE;
        if self.taken + self.uncounted_bytes + bytes <= self.tokens {
            self.uncounted_bytes += bytes;
            self.uncounted.push(text.to_owned());
            return true;
        }
        for text in std::mem::take(&mut self.uncounted) {
            self.taken += self.count(&text);
        }
        self.uncounted_bytes = 0;
        let count = self.count(text);
        let fits = self.taken + count <= self.tokens;
        if fits {
            self.taken += count;
        }
        fits
    }

    fn count(&self, text: &str) -> usize {
        let provider = &self.model.provider;
        provider.count_tokens(self.model.name.as_str(), text) + TOKENS_PER_MESSAGE
    }
}

fn too_long() -> ReplyError {
    ReplyError {
        kind: ReplyErrorKind::ContextTooLong,
        message: "the system message and the prompt do not fit into the model's window".into(),
        retry_after: None,
    }
}
