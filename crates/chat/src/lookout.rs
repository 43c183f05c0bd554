//! Looking at the rows for all who watch on this node, whatever the bus tells: one question for a
//! thousand of them, so that those who wait cost nothing by themselves.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::{Instant, interval, timeout};

use crate::contracts::StoreError;
use crate::engine::Engine;
use crate::limits;
use crate::news::Live;

/// Tells those who watch how far there is something, again and again.
pub(crate) async fn watch_rows(engine: Arc<Engine>) {
    let mut every = interval(limits::LOOK);
    let mut looked = Instant::now();
    loop {
        tokio::select! {
            _ = every.tick() => {
                if engine.news.is_hearing() && looked.elapsed() < limits::LOOK_HEARING {
                    continue;
                }
            }
            () = engine.news.look.notified() => {}
        }
        looked = Instant::now();
        if let Err(error) = look(&engine).await {
            tracing::error!(%error, "what is new for those who watch can't be looked for");
        }
    }
}

async fn look(engine: &Engine) -> Result<(), StoreError> {
    let (news, store) = (&engine.news, &engine.store);
    for owners in news.changes.keys().chunks(limits::KEYS_LOOKED_UP) {
        for (owner, last) in store.feed_positions(owners).await? {
            news.changes.tell(&owner, Some(last));
        }
    }
    for replies in news.replies.keys().chunks(limits::KEYS_LOOKED_UP) {
        let mut gone: HashSet<_> = replies.iter().cloned().collect();
        for (owner, reply, last) in store.reply_positions(replies).await? {
            let key = (owner, reply);
            news.replies.tell(&key, Live::UpTo(last));
            gone.remove(&key);
        }
        for key in gone {
            news.replies.close(&key);
        }
    }
    Ok(())
}

/// Ends the streams of whoever's token does not hold any longer, and all of them when that can't be
/// found out for too long.
pub(crate) async fn watch_tokens(engine: Arc<Engine>) {
    let news = &engine.news;
    let mut every = interval(limits::TOKENS_CHECKED);
    let mut checked = Instant::now();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = news.withdrawn.notified() => {}
        }
        match timeout(limits::TOKENS_CHECKED, check_tokens(&engine)).await {
            Ok(Ok(())) => checked = Instant::now(),
            _ if checked.elapsed() < limits::TOKENS_UNCHECKED => {}
            _ => {
                tracing::warn!("streams end, since their tokens can't be checked");
                for token in news.tokens.keys() {
                    news.tokens.close(&token);
                }
            }
        }
    }
}

async fn check_tokens(engine: &Engine) -> Result<(), StoreError> {
    for tokens in engine.news.tokens.keys().chunks(limits::KEYS_LOOKED_UP) {
        let good = engine.store.good_tokens(tokens, engine.clock.now()).await?;
        let good: HashSet<_> = good.into_iter().collect();
        for token in tokens.iter().filter(|token| !good.contains(token)) {
            engine.news.tokens.close(token);
        }
    }
    Ok(())
}
