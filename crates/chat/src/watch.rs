//! Watching: subscribe first, then read the rows, then follow. What is heard is only a hint; when
//! there is a hole the rows are read again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::bus::{Heard, Listener};
use crate::contracts::{Changes, Fresh};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::tokens::still_holds;
use crate::types::{Caller, Cuid, Event, NumberedEvent, SessionKey};

/// The events of one reply, each once and in order, up to its end.
pub struct Watch {
    engine: Arc<Engine>,
    caller: Caller,
    session: SessionKey,
    reply: Cuid,
    /// The number of the next event.
    next: i64,
    /// What has been read and not been given yet.
    ready: VecDeque<NumberedEvent>,
    /// Heard, and not looked at yet.
    live: Listener<(Cuid, Cuid), Arc<[NumberedEvent]>>,
    /// Whether there may be rows that have not been read.
    behind: bool,
    ended: bool,
    permit: Permit,
}

impl Watch {
    /// The events from the number `from` on. Errors: [`Error::Busy`].
    pub(crate) fn new(
        engine: &Arc<Engine>,
        caller: &Caller,
        session: &SessionKey,
        reply: &Cuid,
        from: i64,
    ) -> Result<Self, Error> {
        let key = (caller.id().clone(), reply.clone());
        Ok(Self {
            permit: Permit::new(engine)?,
            live: engine.bus.replies.listen(key),
            engine: engine.clone(),
            caller: caller.clone(),
            session: session.clone(),
            reply: reply.clone(),
            next: from,
            ready: VecDeque::new(),
            behind: true,
            ended: false,
        })
    }

    /// The next event, as soon as it is on disk; `None` after the last one, when the reply is
    /// deleted, when the server ends, and, within [`WATCH_CHECK`](limits::WATCH_CHECK), when the
    /// watcher's token does not hold any longer.
    pub async fn next(&mut self) -> Result<Option<NumberedEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.next = event.number + 1;
                self.ended = matches!(event.event, Event::Finished(_));
                return Ok(Some(event));
            }
            if self.ended || self.engine.closing.is_cancelled() {
                return Ok(None);
            }
            if self.permit.is_due() {
                if !self.permit.renew(&self.engine, &self.caller).await? {
                    return Ok(None);
                }
                self.behind = true;
            }
            if self.behind {
                if !self.read().await? {
                    return Ok(None);
                }
                continue;
            }
            self.hear().await;
        }
    }

    /// Reads rows; `false` if the reply is gone.
    async fn read(&mut self) -> Result<bool, Error> {
        let (owner, store) = (self.caller.id(), &self.engine.store);
        // In this order: what has ended by now has all its events.
        let reply = store.reply(owner, &self.session, &self.reply).await?;
        let events = store.events(owner, &self.reply, self.next).await?;
        let (Some(reply), Some(events)) = (reply, events) else {
            return Ok(false);
        };
        self.behind = events.len() >= limits::EVENTS_READ as usize;
        // Who comes back behind the last event, or further, has nothing to wait for.
        self.ended = events.is_empty() && reply.status.is_end();
        self.ready = events.into();
        Ok(true)
    }

    /// Waits for something new.
    async fn hear(&mut self) {
        let closing = self.engine.closing.clone();
        let heard = tokio::select! {
            () = closing.cancelled() => return,
            heard = timeout_at(self.permit.until, self.live.hear()) => heard,
        };
        match heard {
            // A look at the rows is due.
            Err(_) => {}
            Ok(Heard::News(events)) => {
                let first = events.first().map_or(i64::MAX, |event| event.number);
                self.behind = first > self.next;
                if !self.behind {
                    let unseen = events.iter().filter(|event| event.number >= self.next);
                    self.ready.extend(unseen.cloned());
                }
            }
            Ok(Heard::Gap) => self.behind = true,
            Ok(Heard::Closed) => {
                let key = (self.caller.id().clone(), self.reply.clone());
                self.live = self.engine.bus.replies.listen(key);
                self.behind = true;
            }
        }
    }
}

/// What changes for one owner, in order, on all devices.
pub struct Feed {
    engine: Arc<Engine>,
    caller: Caller,
    after: Option<i64>,
    ready: VecDeque<Fresh>,
    live: Listener<Cuid, ()>,
    behind: bool,
    permit: Permit,
}

/// What a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something has changed.
    Fresh(Box<Fresh>),
    /// What has changed can't be told: everything has to be read anew. The feed goes on behind
    /// this cursor.
    Reset(i64),
}

impl Feed {
    /// What changes behind a cursor. Errors: [`Error::Busy`].
    pub(crate) fn new(
        engine: &Arc<Engine>,
        caller: &Caller,
        after: Option<i64>,
    ) -> Result<Self, Error> {
        Ok(Self {
            permit: Permit::new(engine)?,
            live: engine.bus.changes.listen(caller.id().clone()),
            engine: engine.clone(),
            caller: caller.clone(),
            after,
            ready: VecDeque::new(),
            behind: true,
        })
    }

    /// The next change; `None` when the server ends, and, within
    /// [`WATCH_CHECK`](limits::WATCH_CHECK), when the watcher's token does not hold any longer.
    pub async fn next(&mut self) -> Result<Option<News>, Error> {
        loop {
            if let Some(fresh) = self.ready.pop_front() {
                self.after = Some(fresh.number);
                return Ok(Some(News::Fresh(Box::new(fresh))));
            }
            if self.engine.closing.is_cancelled() {
                return Ok(None);
            }
            if self.permit.is_due() {
                if !self.permit.renew(&self.engine, &self.caller).await? {
                    return Ok(None);
                }
                self.behind = true;
            }
            if self.behind {
                let changes = self.engine.store.changes(self.caller.id(), self.after);
                match changes.await? {
                    Changes::Reset(last) => {
                        self.after = Some(last);
                        return Ok(Some(News::Reset(last)));
                    }
                    Changes::These(fresh) => {
                        // A page may end early; only an empty one is the last.
                        self.behind = !fresh.is_empty();
                        self.ready = fresh.into();
                    }
                }
                continue;
            }
            let closing = self.engine.closing.clone();
            tokio::select! {
                () = closing.cancelled() => {}
                heard = timeout_at(self.permit.until, self.live.hear()) => {
                    self.behind = heard.is_ok();
                }
            }
        }
    }
}

/// The permission to keep a stream open: a place, and a token that is looked at again and again.
struct Permit {
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Permit {
    /// Errors: [`Error::Busy`] when there is no place.
    fn new(engine: &Engine) -> Result<Self, Error> {
        let place = engine.streams.clone().try_acquire_owned();
        Ok(Self {
            _place: place.map_err(|_| Error::Busy)?,
            until: Instant::now() + limits::WATCH_CHECK,
        })
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Goes on if the token still holds.
    async fn renew(&mut self, engine: &Engine, caller: &Caller) -> Result<bool, Error> {
        self.until = Instant::now() + limits::WATCH_CHECK;
        still_holds(engine, caller).await
    }
}
