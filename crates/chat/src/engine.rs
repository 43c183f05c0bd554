//! What writes replies: a worker for each session that has one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contracts::{Bus, Claimed, Clock, Entropy, Store};
use crate::error::Error;
use crate::event_log::{self, EventLog};
use crate::limits;
use crate::lock::lock;
use crate::models::Models;
use crate::news::Newsroom;
use crate::nodes::ThisNode;
use crate::passing::Answers;
use crate::types::{Cuid, CuidMint, Node, NumberedEvent, Timestamp};
use crate::{lookout, news, nodes, reply_task};

/// What writes replies, and tells those who watch.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) models: Models,
    pub(crate) news: Newsroom,
    pub(crate) log: EventLog,
    /// Whether models give sessions their titles.
    pub(crate) titles: bool,
    /// Ends what is watched, and what looks for work.
    pub(crate) closing: CancellationToken,
    /// A place for each stream that is open.
    pub(crate) streams: Arc<Semaphore>,
    /// A place for each title that is being made.
    pub(crate) naming: Arc<Semaphore>,
    /// What is passed on without being kept.
    pub(crate) answers: Answers,
    tasks: TaskTracker,
    workers: Mutex<HashMap<Place, Worker>>,
    numbers: AtomicU64,
    slots: Arc<Semaphore>,
    entries: Mutex<Option<mpsc::Receiver<event_log::Entry>>>,
    cuids: CuidMint,
    pub(crate) node: ThisNode,
}

/// Where a reply is written: an owner, and the number of one of its sessions.
type Place = (Cuid, i64);

/// What is known of a worker from outside.
struct Worker {
    /// Tells it from others at the same place.
    number: u64,
    /// Whether there may be something new for it.
    again: bool,
    /// The replies that it is to stop.
    stop: watch::Sender<Vec<Cuid>>,
}

/// Forgets a worker when it is gone, however that came about: a mistake of ours in the middle of a
/// reply must not keep the next ones from being written.
struct Leave<'a> {
    engine: &'a Engine,
    place: &'a Place,
    number: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut workers = lock(&self.engine.workers);
        if workers
            .get(self.place)
            .is_some_and(|worker| worker.number == self.number)
        {
            workers.remove(self.place);
        }
    }
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: Node,
        models: Models,
        titles: bool,
    ) -> Self {
        let (log, entries) = EventLog::new();
        Self {
            store,
            clock,
            entropy,
            models,
            news: Newsroom::new(bus),
            log,
            titles,
            closing: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(limits::STREAMS)),
            naming: Arc::new(Semaphore::new(limits::TITLES_AT_ONCE)),
            answers: Answers::default(),
            tasks: TaskTracker::new(),
            workers: Mutex::default(),
            numbers: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(limits::REPLIES_RUNNING)),
            entries: Mutex::new(Some(entries)),
            cuids: CuidMint::default(),
            node: ThisNode::new(node),
        }
    }

    /// Takes up what has been left lying, and goes on to do so until it is closed.
    pub(crate) async fn run(self: Arc<Self>) {
        let entries = lock(&self.entries).take();
        if let Some(entries) = entries {
            let log = event_log::run(self.store.clone(), self.clock.clone(), entries);
            tokio::spawn(log);
            tokio::spawn(news::listen(self.clone()));
            tokio::spawn(lookout::watch_rows(self.clone()));
            tokio::spawn(lookout::watch_tokens(self.clone()));
            tokio::spawn(nodes::say_alive(self.clone()));
        }
        let mut every = tokio::time::interval(limits::RECOVERY);
        let mut was_away = false;
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return,
                _ = every.tick() => {}
            }
            match self
                .store
                .stranded(self.clock.now(), limits::REPLIES_RUNNING as u32)
                .await
            {
                // Nobody could renew a lease meanwhile. Whoever lives does it now.
                Ok(_) if was_away => {
                    was_away = false;
                    every.reset_after(limits::STORE_BACK);
                }
                Ok(places) => {
                    for (owner, session) in places {
                        self.take_up(&owner, session);
                    }
                }
                Err(error) => {
                    was_away = true;
                    tracing::error!(%error, "stranded replies can't be looked for");
                }
            }
        }
    }

    /// Lets nobody watch any longer and no reply begin, and waits until those that are being
    /// written have ended.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Sees to it that a session's replies are written, on this node or on another one.
    pub(crate) fn wake(self: &Arc<Self>, owner: &Cuid, session: i64) {
        if !self.take_up(owner, session) {
            self.news.hand_over(owner, session);
        }
    }

    /// Has a session's replies written on this node; `false` if it is ending, or has no slot. Then they
    /// stay queued, and are found again when what is stranded is looked for.
    pub(crate) fn take_up(self: &Arc<Self>, owner: &Cuid, session: i64) -> bool {
        if self.closing.is_cancelled() {
            return false;
        }
        let place = (owner.clone(), session);
        let mut workers = lock(&self.workers);
        if let Some(worker) = workers.get_mut(&place) {
            worker.again = true;
            return true;
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return false;
        };
        let (stop, stopped) = watch::channel(Vec::new());
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let worker = Worker {
            number,
            again: false,
            stop,
        };
        workers.insert(place.clone(), worker);
        drop(workers);
        let engine = self.clone();
        self.tasks.spawn(async move {
            let leave = Leave {
                engine: &engine,
                place: &place,
                number,
            };
            engine.work(&place, stopped).await;
            drop(leave);
            drop(slot);
        });
        true
    }

    /// Does something to its end, also when whoever waits for it goes: what follows a commit must
    /// not depend on a client that holds the line.
    pub(crate) async fn see_through<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.tasks.spawn(task).await;
        done.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
    }

    /// Runs something beside the replies that the end of the program waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Asks whoever writes a reply to stop, on whatever node.
    pub(crate) fn stop(&self, owner: &Cuid, session: i64, reply: &Cuid) {
        self.stop_here(owner, session, reply);
        self.news.stop_elsewhere(owner, session, reply);
    }

    /// Asks the worker of a session to stop a reply, if there is one on this node.
    pub(crate) fn stop_here(&self, owner: &Cuid, session: i64, reply: &Cuid) {
        if let Some(worker) = lock(&self.workers).get(&(owner.clone(), session)) {
            worker.stop.send_modify(|stop| stop.push(reply.clone()));
        }
    }

    /// How many sessions have a reply that is being written.
    pub(crate) fn workers(&self) -> usize {
        lock(&self.workers).len()
    }

    /// Tells those who watch a reply.
    pub(crate) fn publish(&self, owner: &Cuid, reply: &Cuid, events: Arc<[NumberedEvent]>) {
        self.news.publish(owner, reply, events);
    }

    /// Tells an owner's devices that something has changed.
    pub(crate) fn changed(&self, owner: &Cuid) {
        self.news.changed(owner);
    }

    pub(crate) fn mint(&self, now: Timestamp) -> Cuid {
        self.cuids.mint(now, &*self.entropy)
    }

    /// Writes a session's replies, one after the other, until there is none left.
    async fn work(self: &Arc<Self>, place: &Place, mut stopped: watch::Receiver<Vec<Cuid>>) {
        let (owner, session) = place;
        loop {
            let claimed = if self.closing.is_cancelled() {
                self.news.hand_over(owner, *session);
                Ok(Claimed::Nothing)
            } else {
                let now = self.clock.now();
                self.store.claim_reply(owner.clone(), *session, now).await
            };
            match claimed {
                Ok(Claimed::Work(work)) => {
                    let reply = work.reply.id.clone();
                    self.publish(owner, &reply, work.events.clone().into());
                    self.changed(owner);
                    Box::pin(reply_task::write(self, owner, *work, &mut stopped)).await;
                    if let Some(worker) = lock(&self.workers).get(place) {
                        worker
                            .stop
                            .send_modify(|stop| stop.retain(|id| *id != reply));
                    }
                    self.changed(owner);
                }
                Ok(Claimed::Ended { reply, events }) => {
                    self.publish(owner, &reply, events.into());
                    self.changed(owner);
                }
                Ok(Claimed::Nothing) => {
                    let mut workers = lock(&self.workers);
                    match workers.get_mut(place) {
                        Some(worker) if worker.again && !self.closing.is_cancelled() => {
                            worker.again = false;
                        }
                        _ => {
                            workers.remove(place);
                            return;
                        }
                    }
                }
                Err(error) => {
                    // It is found again when what is stranded is looked for.
                    tracing::error!(error = %Error::from(error), "a reply can't be claimed");
                    return;
                }
            }
        }
    }
}
