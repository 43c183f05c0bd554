use std::time::Duration;

use super::{Cuid, Timestamp};

/// A process that serves, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identifier, new with each start.
    pub id: Cuid,
    /// Where it runs and listens, such as `host-1:8642`.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Sessions in which it is writing a reply.
    pub replies: u32,
    /// Whether it is ending and takes no new reply.
    pub draining: bool,
}

/// A node, and when it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    /// The node.
    pub node: Node,
    /// How long it has said nothing, by the store's clock.
    pub silent: Duration,
}

impl SeenNode {
    /// Whether it is taken to be alive.
    pub fn is_alive(&self) -> bool {
        self.silent < crate::limits::NODE_ALIVE
    }
}
