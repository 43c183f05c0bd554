//! Titles that models give to sessions which nobody has given one.

use std::sync::Arc;

use crate::brief;
use crate::contracts::{Question, Turn, Work};
use crate::engine::Engine;
use crate::models::Model;
use crate::types::{Cuid, MessageRole, MessageView, ModelOptions, PageSize, SessionKey, Title};

/// Characters of each message that the model reads for it.
const READ_CHARS: usize = 2_000;
/// Tokens that a title may take.
const TITLE_TOKENS: u32 = 60;

const INSTRUCTION: &str = "Give this conversation a title of two to six words, in its own \
    language. Answer with the title alone, without quotation marks.";

/// Gives the reply's session a title in the background, if it has none.
pub(crate) fn give(engine: &Arc<Engine>, owner: &Cuid, work: &Work) {
    if !engine.titles || work.session.named {
        return;
    }
    let Some(model) = engine.models.find(&work.reply.model).cloned() else {
        return;
    };
    let Ok(place) = engine.naming.clone().try_acquire_owned() else {
        return;
    };
    let (engine, owner, work) = (engine.clone(), owner.clone(), work.clone());
    engine.clone().spawn(async move {
        let _place = place;
        let closing = engine.closing.clone();
        // A title is not worth waiting for: the next reply will give one.
        closing
            .run_until_cancelled(name(&engine, owner, &work, &model))
            .await;
    });
}

async fn name(engine: &Engine, owner: Cuid, work: &Work, model: &Model) {
    let session = work.session.number;
    let Some(turns) = turns(engine, &owner, work).await else {
        return;
    };
    let prompt = turns.first().map(Turn::text);
    // What stands in for a model has no title to give, but the prompt makes a fair one.
    let text = if model.is_demo {
        prompt.clone()
    } else {
        let question = question(model, turns);
        match brief::ask(engine, owner.clone(), Some(session), model, question).await {
            Ok(text) => Some(text),
            // The next reply tries again.
            Err(_) => return,
        }
    };
    // A model is not asked again only because it had nothing to say.
    let title = text.as_deref().and_then(Title::of_text);
    let Some(title) = title.or_else(|| Title::of_text(prompt.as_deref()?)) else {
        return;
    };
    let now = engine.clock.now();
    match engine
        .store
        .name_session(owner.clone(), session, title, now)
        .await
    {
        Ok(_) => engine.changed(&owner),
        Err(error) => tracing::error!(%error, "a session can't be given its title"),
    }
}

/// What a person said last before an answer, and that answer, shortened.
async fn turns(engine: &Engine, owner: &Cuid, work: &Work) -> Option<Vec<Turn>> {
    let key = SessionKey::Number(work.session.number);
    let (from, size) = (Some(work.message_seq), PageSize::default());
    let page = engine
        .store
        .messages(owner, &key, MessageView::Path, from, size);
    let page = page.await.ok().flatten()?;
    let (answer, before) = page.items.split_first()?;
    // Calls of tools and their outputs may stand in between.
    let prompt = before
        .iter()
        .find(|message| message.role == MessageRole::User);
    let turns = [prompt, Some(answer)].into_iter().flatten();
    let turns = turns.filter_map(|message| {
        let text: String = message.text().chars().take(READ_CHARS).collect();
        (!text.is_empty()).then(|| Turn::saying(message.role, text))
    });
    let turns: Vec<_> = turns.collect();
    (!turns.is_empty()).then_some(turns)
}

fn question(model: &Model, mut turns: Vec<Turn>) -> Question {
    turns.push(Turn::saying(MessageRole::User, INSTRUCTION));
    Question {
        model: model.name.as_str().to_owned(),
        system: INSTRUCTION.to_owned(),
        messages: turns,
        options: ModelOptions {
            max_output_tokens: Some(TITLE_TOKENS),
            ..ModelOptions::default()
        },
    }
}
