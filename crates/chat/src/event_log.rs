//! Commits what all replies write together, once a tick.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::contracts::{Append, Clock, Kept, Store, StoreError};
use crate::limits;
use crate::types::Event;

/// Where replies hand in what they want appended.
pub(crate) struct EventLog(mpsc::Sender<Entry>);

/// Something to append, and whom to tell.
pub(crate) struct Entry {
    append: Append,
    answer: oneshot::Sender<Result<Kept, StoreError>>,
}

impl EventLog {
    /// A log, and what [`run`] takes from.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, entries) = mpsc::channel(limits::REPLIES_RUNNING);
        (Self(sender), entries)
    }

    /// Appends, and waits until it is on disk.
    pub(crate) async fn append(&self, append: Append) -> Result<Kept, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable("the event log has stopped".into());
        let entry = Entry { append, answer };
        self.0.send(entry).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Commits what comes in: at once after a silence, else what one tick has gathered.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mut entries: mpsc::Receiver<Entry>,
) {
    let mut next_commit = Instant::now();
    while let Some(first) = entries.recv().await {
        let mut is_large = large(&first);
        let mut batch = vec![first];
        while !is_large && let Ok(Some(entry)) = timeout_at(next_commit, entries.recv()).await {
            is_large = large(&entry);
            batch.push(entry);
        }
        while let Ok(entry) = entries.try_recv() {
            batch.push(entry);
        }
        next_commit = Instant::now() + limits::TICK;
        commit(&*store, &*clock, batch).await;
    }
}

fn large(entry: &Entry) -> bool {
    let lengths = entry.append.events.iter().map(|event| match &event.event {
        Event::Delta(delta) => delta.size(),
        _ => 0,
    });
    lengths.sum::<usize>() >= limits::DELTA_BYTES
}

async fn commit(store: &dyn Store, clock: &dyn Clock, batch: Vec<Entry>) {
    let (appends, answers): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|entry| (entry.append, entry.answer))
        .unzip();
    // A reply that is gone needs no answer.
    match store.append_events(appends, clock.now()).await {
        Ok(kept) => {
            for (answer, kept) in answers.into_iter().zip(kept) {
                let _ = answer.send(Ok(kept));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(StoreError::Unavailable(error.to_string())));
            }
        }
    }
}
