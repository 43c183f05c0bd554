use std::sync::Arc;

use async_trait::async_trait;

use crate::types::{Cuid, NumberedEvent};

/// Carries news between the nodes that share a store. It may lose anything: the rows are the
/// truth, and only latency suffers.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Tells the other nodes, soon or never; waits for nothing.
    fn tell(&self, news: News);

    /// What another node has told next. One listener at a time.
    async fn hear(&self) -> Told;

    /// Whether what is told gets to the others, as far as this node knows.
    fn is_up(&self) -> bool;
}

/// What nodes tell one another. Whoever it does not concern drops it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A reply has new events.
    Reply {
        /// Whose it is.
        owner: Cuid,
        /// The reply.
        reply: Cuid,
        /// The events; none if the rows have to be read.
        events: Arc<[NumberedEvent]>,
    },
    /// Something of an owner's has changed.
    Changed(Cuid),
    /// A reply waits for somebody to write it.
    Waiting {
        /// Whose it is.
        owner: Cuid,
        /// The number of its session.
        session: i64,
    },
    /// A reply that is being written is to end.
    Stop {
        /// Whose it is.
        owner: Cuid,
        /// The number of its session.
        session: i64,
        /// The reply.
        reply: Cuid,
    },
    /// A token or an account has been withdrawn.
    Withdrawn,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This.
    News(News),
    /// That something may have been missed.
    Gap,
}

/// No bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBus {
    /// A node that has its store to itself: there is nothing to miss.
    Alone,
    /// Nodes that find out what the others do by looking at the rows.
    BesideOthers,
}

#[async_trait]
impl Bus for NoBus {
    fn tell(&self, _: News) {}

    async fn hear(&self) -> Told {
        std::future::pending().await
    }

    fn is_up(&self) -> bool {
        *self == Self::Alone
    }
}
