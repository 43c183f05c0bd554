//! Short answers of models that are no replies: read whole, and what they cost noted.

use futures_util::StreamExt;

use crate::contracts::{Piece, Question};
use crate::engine::Engine;
use crate::models::Model;
use crate::types::{Cuid, Delta, ReplyError, TokenUsage};

/// Bytes of an answer that are read.
const READ_BYTES: usize = 2_000;

/// Asks a model at somebody's cost, perhaps in one of their sessions.
pub(crate) async fn ask(
    engine: &Engine,
    owner: Cuid,
    session: Option<i64>,
    model: &Model,
    question: Question,
) -> Result<String, ReplyError> {
    let (mut text, mut usage) = (String::new(), None::<TokenUsage>);
    let mut pieces = model.provider.ask(question).await?;
    while let Some(piece) = pieces.next().await {
        match piece? {
            Piece::Delta(Delta::Text(delta)) => text.push_str(&delta),
            Piece::Delta(_) => {}
            Piece::Usage(cost) => usage = Some(cost),
            Piece::End(_) => break,
        }
        if text.len() > READ_BYTES {
            break;
        }
    }
    if let Some(usage) = usage {
        let now = engine.clock.now();
        let id = engine.mint(now);
        let name = model.name.clone();
        let noted = engine
            .store
            .note_usage(owner, session, id, name, usage, now);
        if let Err(error) = noted.await {
            tracing::error!(%error, "what a short answer cost can't be noted");
        }
    }
    Ok(text)
}
