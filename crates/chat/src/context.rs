//! What of a session a model is told: the system message and the newest messages that fit.

use std::sync::Arc;

use crate::contracts::{Question, Turn, Work};
use crate::engine::Engine;
use crate::limits;
use crate::models::Model;
use crate::reply_task::insist;
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
    let mut room = Room::new(model.window.saturating_sub(answer) as usize);
    let mut turns = Vec::new();
    let mut from = Some(work.prompt_seq);
    let mut left_out = 0;
    if room.take(model, &[&system]).await == 0 {
        return Err(too_long());
    }
    while let Some(place) = from {
        let (messages, next) = above(engine, owner, work.session.number, place).await?;
        let texts: Vec<_> = messages.iter().map(Message::text).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let fit = room.take(model, &texts).await;
        left_out = messages.get(fit).map_or(0, |message| message.depth);
        let told = messages.iter().zip(texts).take(fit);
        // An answer that was stopped before its first word says nothing.
        let told = told.filter(|(_, text)| !text.is_empty());
        turns.extend(told.map(|(message, text)| Turn {
            role: message.role,
            text: text.to_owned(),
        }));
        from = next.filter(|_| fit == messages.len());
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
    let read = || {
        let store = &engine.store;
        store.messages(owner, &key, MessageView::Path, Some(place), size)
    };
    match insist(read).await {
        Some(Some(page)) => Ok((page.items, page.next)),
        // The session was deleted, and the reply with it.
        Some(None) => Ok((Vec::new(), None)),
        // By now the lease is over, and the next attempt is under way.
        None => Err(ReplyError {
            kind: ReplyErrorKind::Interrupted,
            message: "the server can't use its database at the moment".into(),
            retry_after: None,
        }),
    }
}

/// How many tokens are left.
struct Room {
    tokens: usize,
    /// What was taken without being counted: a token has a byte at least, so what has fewer bytes
    /// than there are tokens left fits for certain.
    uncounted: Vec<String>,
}

impl Room {
    fn new(tokens: usize) -> Self {
        Self {
            tokens,
            uncounted: Vec::new(),
        }
    }

    /// Takes texts in, the first ones first, as long as they fit; tells how many that are.
    async fn take(&mut self, model: &Model, texts: &[&str]) -> usize {
        let all = self.uncounted.iter().map(String::len);
        let all = all.chain(texts.iter().map(|text| text.len()));
        let most: usize = all.map(|bytes| bytes + TOKENS_PER_MESSAGE).sum();
        let owned = texts.iter().map(|text| (*text).to_owned());
        if most <= self.tokens {
            self.uncounted.extend(owned);
            return texts.len();
        }
        let before = self.uncounted.len();
        let mut counted = std::mem::take(&mut self.uncounted);
        counted.extend(owned);
        let mut fit = 0;
        for count in count(model, counted).await {
            if count > self.tokens {
                break;
            }
            self.tokens -= count;
            fit += 1;
        }
        // What was taken before has fewer tokens than bytes, so it still fits.
        fit - before.min(fit)
    }
}

/// Counts the tokens of each text, on a thread where that may take its time.
async fn count(model: &Model, texts: Vec<String>) -> Vec<usize> {
    let (provider, name) = (model.provider.clone(), model.name.clone());
    let count = move || {
        let count = |text: &String| provider.count_tokens(name.as_str(), text) + TOKENS_PER_MESSAGE;
        texts.iter().map(count).collect()
    };
    // What can't be counted does not fit.
    tokio::task::spawn_blocking(count).await.unwrap_or_default()
}

fn too_long() -> ReplyError {
    ReplyError {
        kind: ReplyErrorKind::ContextTooLong,
        message: "the system message and the prompt do not fit into the model's window".into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use proptest::prelude::*;

    use super::*;
    use crate::contracts::{Pieces, Provider};
    use crate::types::ModelName;

    /// Counts a token for every two bytes.
    struct Halves;

    #[async_trait]
    impl Provider for Halves {
        async fn ask(&self, _: Question) -> Result<Pieces, ReplyError> {
            Err(too_long())
        }

        fn count_tokens(&self, _: &str, text: &str) -> usize {
            text.len().div_ceil(2)
        }
    }

    fn model() -> Model {
        Model {
            name: ModelName::parse("halves").unwrap(),
            provider_name: "test".into(),
            is_demo: false,
            window: 0,
            max_output_tokens: None,
            provider: Arc::new(Halves),
        }
    }

    proptest! {
        #[test]
        fn as_many_texts_fit_as_have_tokens_however_they_are_handed_in(
            lengths in prop::collection::vec(0..60_usize, 0..20),
            tokens in 0..400_usize,
            portion in 1..7_usize,
        ) {
            let texts: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let fit = runtime.block_on(async {
                let mut room = Room::new(tokens);
                let mut fit = 0;
                for texts in texts.chunks(portion) {
                    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                    let took = room.take(&model(), &texts).await;
                    fit += took;
                    if took < texts.len() {
                        break;
                    }
                }
                fit
            });
            let mut left = tokens;
            let expected = lengths.iter().take_while(|length| {
                let count = length.div_ceil(2) + TOKENS_PER_MESSAGE;
                let fits = count <= left;
                left = left.saturating_sub(count);
                fits
            });
            prop_assert_eq!(fit, expected.count());
        }
    }
}
