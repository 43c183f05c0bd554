//! Spreading news: to those who watch on this node, and to the other nodes.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::channels::Channels;
use crate::contracts::{Bus, News, Told};
use crate::engine::Engine;
use crate::limits;
use crate::types::{Cuid, NumberedEvent};

/// Those who watch on this node, and the way to the other nodes.
pub(crate) struct Newsroom {
    /// By owner and reply. Closed when the reply is deleted.
    pub(crate) replies: Channels<(Cuid, Cuid), Live>,
    /// By owner: the cursor up to which there are changes, if it is known.
    pub(crate) changes: Channels<Cuid, Option<i64>>,
    /// By token: nothing is told, but it is closed when the token does not hold any longer.
    pub(crate) tokens: Channels<Cuid, ()>,
    /// Told when a token may have been withdrawn.
    pub(crate) withdrawn: Notify,
    /// Told when those who watch may have missed something.
    pub(crate) look: Notify,
    bus: Arc<dyn Bus>,
}

/// What those hear who watch a reply.
#[derive(Clone)]
pub(crate) enum Live {
    /// Events that are on disk; none if that has to be looked up.
    Events(Arc<[NumberedEvent]>),
    /// That there are events up to this number.
    UpTo(i64),
}

impl Newsroom {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        Self {
            replies: Channels::new(limits::EVENTS_LIVE),
            changes: Channels::new(1),
            tokens: Channels::new(1),
            withdrawn: Notify::new(),
            look: Notify::new(),
            bus,
        }
    }

    /// Tells everywhere that a reply has these events; with none, that the rows have to be read.
    pub(crate) fn publish(&self, owner: &Cuid, reply: &Cuid, events: Arc<[NumberedEvent]>) {
        let (owner, reply) = (owner.clone(), reply.clone());
        let live = Live::Events(events.clone());
        self.replies.tell(&(owner.clone(), reply.clone()), live);
        self.bus.tell(News::Reply {
            owner,
            reply,
            events,
        });
    }

    /// Tells an owner's devices everywhere that something has changed.
    pub(crate) fn changed(&self, owner: &Cuid) {
        self.changes.tell(owner, None);
        self.bus.tell(News::Changed(owner.clone()));
    }

    /// Tells everywhere that a token or an account was withdrawn.
    pub(crate) fn withdraw(&self) {
        self.withdrawn.notify_one();
        self.bus.tell(News::Withdrawn);
    }

    /// Asks the other nodes to write what waits in a session.
    pub(crate) fn hand_over(&self, owner: &Cuid, session: i64) {
        let owner = owner.clone();
        self.bus.tell(News::Waiting { owner, session });
    }

    /// Asks the other nodes to end a reply.
    pub(crate) fn stop_elsewhere(&self, owner: &Cuid, session: i64, reply: &Cuid) {
        self.bus.tell(News::Stop {
            owner: owner.clone(),
            session,
            reply: reply.clone(),
        });
    }

    /// Whether this node hears what the others tell, as far as it knows.
    pub(crate) fn is_hearing(&self) -> bool {
        self.bus.is_up()
    }
}

/// Listens to the other nodes.
pub(crate) async fn listen(engine: Arc<Engine>) {
    let news = &engine.news;
    loop {
        match news.bus.hear().await {
            Told::News(News::Reply {
                owner,
                reply,
                events,
            }) => {
                news.replies.tell(&(owner, reply), Live::Events(events));
            }
            Told::News(News::Changed(owner)) => news.changes.tell(&owner, None),
            // Not told again: whoever else has room has heard it, too.
            Told::News(News::Waiting { owner, session }) => {
                engine.take_up(&owner, session);
            }
            Told::News(News::Stop {
                owner,
                session,
                reply,
            }) => engine.stop_here(&owner, session, &reply),
            Told::News(News::Withdrawn) => news.withdrawn.notify_one(),
            Told::Gap => {
                news.look.notify_one();
                news.withdrawn.notify_one();
            }
        }
    }
}
