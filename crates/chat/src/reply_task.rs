//! Writes one reply: provider → store → those who watch.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::context::Asked;
use crate::contracts::{
    Append, Claim, EndOfAnswer, Finish, Finished, Kept, Piece, Pieces, Question, StoreError, Work,
};
use crate::engine::Engine;
use crate::limits;
use crate::types::{
    Cuid, Delta, Ending, Event, FinishReason, NumberedEvent, ReplyError, ReplyErrorKind,
    ReplyStatus, TokenUsage,
};
use crate::{context, titles};

/// Bytes that may wait to be committed; beyond them the provider has to wait.
const WAITING_BYTES: usize = 64 * 1_024;
/// How long to wait before the store is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Writes a reply to its end, or until somebody else has it.
pub(crate) async fn write(
    engine: &Arc<Engine>,
    owner: &Cuid,
    work: Work,
    stopped: &mut watch::Receiver<Vec<Cuid>>,
) {
    let mut writing = Writing::new(engine, owner, &work);
    let Some(ending) = writing.run(&work, stopped).await else {
        return;
    };
    // What a model says before it has called its tools tells too little.
    let has_answered =
        ending.status == ReplyStatus::Done && ending.reason != FinishReason::ToolCalls;
    if writing.finish(ending).await && has_answered {
        titles::give(engine, owner, &work);
    }
}

/// A reply that is being written.
struct Writing<'a> {
    engine: &'a Arc<Engine>,
    claim: Claim,
    /// The number of the next event.
    next: i64,
    /// What has not been handed in yet.
    waiting: VecDeque<Delta>,
    /// What is being committed.
    committing: Option<Committing>,
    /// Bytes that the model has written.
    bytes: usize,
    usage: Option<TokenUsage>,
    left_out: u32,
}

type Committing = Pin<Box<dyn Future<Output = Kept> + Send>>;

impl<'a> Writing<'a> {
    fn new(engine: &'a Arc<Engine>, owner: &Cuid, work: &Work) -> Self {
        Self {
            engine,
            claim: Claim {
                owner: owner.clone(),
                reply: work.reply.id.clone(),
                attempt: work.reply.attempt,
            },
            next: work.events.last().map_or(0, |event| event.number + 1),
            waiting: VecDeque::new(),
            committing: None,
            bytes: 0,
            usage: None,
            left_out: 0,
        }
    }

    /// Asks the model and keeps what it writes; `None` when somebody else has the reply.
    async fn run(
        &mut self,
        work: &Work,
        stopped: &mut watch::Receiver<Vec<Cuid>>,
    ) -> Option<Ending> {
        let mut pieces = self.ask(work).await.unwrap_or_else(|error| {
            let failed = stream::once(async { Err(error) });
            Box::pin(failed)
        });
        let start = Instant::now() + limits::LEASE_RENEWED;
        let mut renewal = interval_at(start, limits::LEASE_RENEWED);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renew = false;
        let reply = self.claim.reply.clone();
        loop {
            if self.committing.is_none() && (renew || !self.waiting.is_empty()) {
                self.commit(renew);
                renew = false;
            }
            let room = self.waiting.iter().map(Delta::size).sum::<usize>() < WAITING_BYTES;
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| stop.contains(&reply)) => {
                    return Some(Ending::stopped(FinishReason::Stopped));
                }
                kept = committed(&mut self.committing) => {
                    self.committing = None;
                    match kept {
                        Kept::Yes => {}
                        Kept::ToStop => {
                            return Some(Ending::stopped(FinishReason::Stopped));
                        }
                        Kept::Fenced => {
                            tracing::info!(reply = %reply, "somebody else has the reply");
                            return None;
                        }
                    }
                }
                _ = renewal.tick() => renew = true,
                piece = pieces.next(), if room => {
                    if let Some(ending) = self.take(piece) {
                        return Some(ending);
                    }
                }
            }
        }
    }

    async fn ask(&mut self, work: &Work) -> Result<Pieces, ReplyError> {
        let model = self.engine.models.find(&work.reply.model);
        let model = model.ok_or_else(|| ReplyError {
            kind: ReplyErrorKind::Model,
            message: format!("this server has no model {}", work.reply.model),
            retry_after: None,
        })?;
        let (question, left_out): (Question, u32) =
            context::question(self.engine, &self.claim.owner, model, Asked::by(work)).await?;
        self.left_out = left_out;
        let provider = model.provider.clone();
        // Asking and reading are one stream, so that the lease is renewed while a model is silent.
        let asking = async move { provider.ask(question).await };
        Ok(Box::pin(stream::once(asking).try_flatten()))
    }

    /// Takes what came from the provider; gives the ending if that was the last of it.
    fn take(&mut self, piece: Option<Result<Piece, ReplyError>>) -> Option<Ending> {
        match piece {
            Some(Ok(Piece::Delta(delta))) => {
                self.bytes += delta.size();
                let other = match self.waiting.back_mut() {
                    Some(last) => last.join(delta),
                    None => Some(delta),
                };
                self.waiting.extend(other);
                (self.bytes >= limits::REPLY_BYTES).then(|| Ending::done(FinishReason::Length))
            }
            Some(Ok(Piece::Usage(usage))) => {
                self.usage = Some(usage);
                None
            }
            Some(Ok(Piece::End(end))) => Some(Ending::done(end.into())),
            Some(Err(error)) => Some(Ending::failed(error)),
            None => Some(Ending::failed(ReplyError::broken_off())),
        }
    }

    /// Hands in what waits, and tells those who watch once it is on disk.
    fn commit(&mut self, renew: bool) {
        let numbered = (self.next..).zip(self.waiting.drain(..));
        let events: Arc<[_]> = numbered
            .map(|(number, delta)| NumberedEvent {
                number,
                event: Event::Delta(delta),
            })
            .collect();
        self.next += events.len() as i64;
        let append = Append {
            claim: self.claim.clone(),
            events,
            renew,
        };
        let engine = self.engine.clone();
        self.committing = Some(Box::pin(async move {
            let kept = insist(|| engine.log.append(append.clone())).await;
            let kept = kept.unwrap_or(Kept::Fenced);
            if kept != Kept::Fenced && !append.events.is_empty() {
                engine.publish(&append.claim.owner, &append.claim.reply, append.events);
            }
            kept
        }));
    }

    /// Ends the reply; `false` when somebody else has it.
    async fn finish(&mut self, ending: Ending) -> bool {
        if self.committing.is_some() && committed(&mut self.committing).await == Kept::Fenced {
            return false;
        }
        let Claim { owner, reply, .. } = self.claim.clone();
        let finish = Finish {
            claim: self.claim.clone(),
            deltas: self.waiting.drain(..).collect(),
            usage: self.usage,
            left_out: self.left_out,
            ending,
            now: self.engine.clock.now(),
        };
        let finished = insist(|| {
            let now = self.engine.clock.now();
            let finish = Finish {
                now,
                ..finish.clone()
            };
            self.engine.store.finish_reply(finish)
        });
        match finished.await {
            Some(Finished::Done(events)) => {
                self.engine.publish(&owner, &reply, events.into());
                true
            }
            Some(Finished::Fenced) | None => {
                // It may have ended in a try whose answer was lost: whoever watches has to look.
                self.engine.publish(&owner, &reply, Arc::new([]));
                false
            }
        }
    }
}

async fn committed(committing: &mut Option<Committing>) -> Kept {
    match committing {
        Some(committing) => committing.await,
        None => pending().await,
    }
}

/// Tries something with the store again and again, while that may come back; what can't be done by
/// then is left to whoever takes the reply over.
pub(crate) async fn insist<T, F>(mut attempt: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let trying = async {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) => tracing::error!(%error, "the store fails a reply"),
            }
            sleep(RETRY).await;
        }
    };
    timeout(limits::STORE_AWAY, trying).await.ok()
}

impl From<EndOfAnswer> for FinishReason {
    fn from(end: EndOfAnswer) -> Self {
        match end {
            EndOfAnswer::Complete => Self::Stop,
            EndOfAnswer::Length => Self::Length,
            EndOfAnswer::ToolCalls => Self::ToolCalls,
        }
    }
}
