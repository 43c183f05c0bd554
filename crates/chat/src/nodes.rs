//! Nodes: this one says that it is alive, and finds out which others are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;
use tokio::time::interval;

use crate::chat::Chat;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::types::{Node, SeenNode};

/// This process among the nodes.
pub(crate) struct ThisNode {
    at_start: Node,
    /// How many nodes were alive when this one looked last.
    alive: AtomicUsize,
    /// Whether it has left; locked while it writes to the list, so that a late word that it is alive
    /// does not put it there again.
    left: Mutex<bool>,
}

impl ThisNode {
    pub(crate) fn new(at_start: Node) -> Self {
        Self {
            at_start,
            alive: AtomicUsize::new(0),
            left: Mutex::new(false),
        }
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Chat {
    /// The nodes that have been heard of lately, those that have run longest first.
    pub async fn nodes(&self) -> Result<Vec<SeenNode>, Error> {
        Ok(self.store.nodes(self.clock.now()).await?)
    }

    /// Takes this node off the list of nodes.
    pub async fn leave(&self) -> Result<(), Error> {
        let node = &self.engine.node;
        *node.left.lock().await = true;
        let id = node.at_start.id.clone();
        Ok(self.store.forget_node(id).await?)
    }
}

/// Says again and again that this node is alive; at once when it begins to end.
pub(crate) async fn say_alive(engine: Arc<Engine>) {
    let mut every = interval(limits::NODE_BEAT);
    let mut draining = false;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = engine.closing.cancelled(), if !draining => draining = true,
        }
        if let Err(error) = say_alive_once(&engine, draining).await {
            tracing::error!(%error, "it can't be noted that this node is alive");
        }
    }
}

async fn say_alive_once(engine: &Engine, draining: bool) -> Result<(), Error> {
    let now = engine.clock.now();
    let node = Node {
        replies: engine.workers() as u32,
        draining,
        ..engine.node.at_start.clone()
    };
    let left = engine.node.left.lock().await;
    if !*left {
        engine.store.note_node(node, now).await?;
    }
    drop(left);
    let nodes = engine.store.nodes(now).await?;
    let alive = nodes.iter().filter(|node| node.is_alive()).count();
    engine.node.alive.store(alive, Ordering::Relaxed);
    Ok(())
}
