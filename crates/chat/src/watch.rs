//! Watching: subscribe first, then read the rows, then follow. What is heard is only a hint; when
//! there is a hole the rows are read again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::channels::{Heard, Listener};
use crate::contracts::{Changes, Fresh};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::news::Live;
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
    live: Listener<(Cuid, Cuid), Live>,
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
            permit: Permit::new(engine, caller)?,
            live: engine.news.replies.listen(key),
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
    /// deleted, when the server ends, and when the watcher's token does not hold any longer.
    pub async fn next(&mut self) -> Result<Option<NumberedEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.next = event.number + 1;
                self.ended = matches!(event.event, Event::Finished(_));
                return Ok(Some(event));
            }
            if self.ended || self.permit.has_ended(&self.engine).await {
                return Ok(None);
            }
            if self.behind {
                if !self.read().await? {
                    return Ok(None);
                }
                continue;
            }
            let heard = tokio::select! {
                biased;
                () = self.permit.end(&self.engine) => return Ok(None),
                heard = self.live.hear() => heard,
            };
            self.take(heard);
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

    fn take(&mut self, heard: Heard<Live>) {
        match heard {
            Heard::News(Live::Events(events)) => {
                let first = events.first().map_or(i64::MAX, |event| event.number);
                self.behind = first > self.next;
                if !self.behind {
                    let unseen = events.iter().filter(|event| event.number >= self.next);
                    self.ready.extend(unseen.cloned());
                    // Whoever looks from beyond the end has nothing to wait for.
                    let last = events.last().map(|last| &last.event);
                    self.behind = self.ready.is_empty() && matches!(last, Some(Event::Finished(_)));
                }
            }
            Heard::News(Live::UpTo(last)) => self.behind = last + 1 != self.next,
            Heard::Gap => self.behind = true,
            Heard::Closed => {
                let key = (self.caller.id().clone(), self.reply.clone());
                self.live = self.engine.news.replies.listen(key);
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
    live: Listener<Cuid, Option<i64>>,
    /// Whether there may be changes that have not been read.
    behind: bool,
    /// The cursor that was heard of last, if it was told.
    heard: Option<i64>,
    /// The cursor up to which everything has been read.
    read: i64,
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
            permit: Permit::new(engine, caller)?,
            live: engine.news.changes.listen(caller.id().clone()),
            engine: engine.clone(),
            caller: caller.clone(),
            after,
            ready: VecDeque::new(),
            behind: true,
            heard: None,
            read: 0,
        })
    }

    /// The next change; `None` when the server ends, and when the watcher's token does not hold any
    /// longer.
    pub async fn next(&mut self) -> Result<Option<News>, Error> {
        loop {
            if let Some(fresh) = self.ready.pop_front() {
                self.after = Some(fresh.number);
                self.read = self.read.max(fresh.number);
                return Ok(Some(News::Fresh(Box::new(fresh))));
            }
            if self.permit.has_ended(&self.engine).await {
                return Ok(None);
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
                        if !self.behind {
                            self.read = self.read.max(self.heard.unwrap_or_default());
                        }
                        self.ready = fresh.into();
                    }
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.permit.end(&self.engine) => return Ok(None),
                heard = self.live.hear() => self.take(heard),
            }
        }
    }

    fn take(&mut self, heard: Heard<Option<i64>>) {
        self.heard = match heard {
            Heard::News(cursor) => cursor,
            Heard::Gap | Heard::Closed => None,
        };
        self.behind = self.heard.is_none_or(|cursor| cursor > self.read);
    }
}

/// The permission to keep a stream open: a place, and a token that holds.
pub(crate) struct Permit {
    token: Listener<Cuid, ()>,
    _place: OwnedSemaphorePermit,
}

impl Permit {
    /// Errors: [`Error::Busy`] when there is no place.
    pub(crate) fn new(engine: &Engine, caller: &Caller) -> Result<Self, Error> {
        let place = engine.streams.clone().try_acquire_owned();
        Ok(Self {
            _place: place.map_err(|_| Error::Busy)?,
            token: engine.news.tokens.listen(caller.token.clone()),
        })
    }

    /// Waits until the token does not hold any longer, or the server ends.
    pub(crate) async fn end(&mut self, engine: &Engine) {
        tokio::select! {
            () = engine.closing.cancelled() => {}
            // Nothing is told about a token but that it is over.
            _ = self.token.hear() => {}
        }
    }

    async fn has_ended(&mut self, engine: &Engine) -> bool {
        tokio::select! {
            biased;
            () = self.end(engine) => true,
            () = std::future::ready(()) => false,
        }
    }
}
