use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::SeenNode;
use chat::{Chat, Health as Found};
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use crate::answer::json;
use crate::fault::Fault;
use crate::time::Time;
use crate::v1::envelope::{Envelope, envelope};

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
) -> Result<Response, Fault> {
    let found = chat.health(&admin).await?;
    Ok(json(StatusCode::OK, &listed(Nodes::from(&found))))
}

pub(super) fn listed(nodes: Nodes<'_>) -> Envelope<Nodes<'_>> {
    envelope(StatusCode::OK, "Nodes retrieved successfully", nodes)
}

/// The processes that serve, and how the one that answers does.
#[derive(Serialize, JsonSchema)]
pub(super) struct Nodes<'a> {
    /// Those that have been heard of within an hour, the one that has run longest first.
    nodes: Vec<Node<'a>>,
    health: Health,
}

/// A process that serves.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    /// Where it runs and listens.
    name: &'a str,
    version: &'a str,
    started_at: Time,
    /// For how long it has said nothing.
    silent_seconds: u64,
    is_alive: bool,
    /// Chats in which it is writing a reply.
    replies: u32,
    /// Whether it is ending and takes no new reply.
    is_draining: bool,
}

/// How the process that answers does.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    #[schemars(extend("enum" = ["sqlite", "postgresql"]))]
    database: &'static str,
    /// Whether it can be read.
    database_ok: bool,
    writes_waiting: usize,
    /// Chats in which a reply is being written.
    replies_running: usize,
    /// Streams of replies and of changes that are open.
    watchers: usize,
    /// Whether it hears at once what other nodes tell; if not, it looks every second.
    hears_others: bool,
}

impl<'a> From<&'a SeenNode> for Node<'a> {
    fn from(seen: &'a SeenNode) -> Self {
        Self {
            name: &seen.node.name,
            version: &seen.node.version,
            started_at: Time(seen.node.started_at),
            silent_seconds: seen.silent.as_secs(),
            is_alive: seen.is_alive(),
            replies: seen.node.replies,
            is_draining: seen.node.draining,
        }
    }
}

impl<'a> From<&'a Found> for Nodes<'a> {
    fn from(found: &'a Found) -> Self {
        Self {
            nodes: found.nodes.iter().map(Node::from).collect(),
            health: Health {
                database: found.database,
                database_ok: found.is_readable,
                writes_waiting: found.load.writes_waiting,
                replies_running: found.load.replies_running,
                watchers: found.load.watchers,
                hears_others: found.load.is_hearing,
            },
        }
    }
}

impl Nodes<'_> {
    pub(super) fn example() -> Self {
        let node = Node {
            name: "host-1:8642",
            version: env!("CARGO_PKG_VERSION"),
            started_at: Time::EXAMPLE,
            silent_seconds: 1,
            is_alive: true,
            replies: 0,
            is_draining: false,
        };
        Self {
            nodes: vec![node],
            health: Health {
                database: "sqlite",
                database_ok: true,
                writes_waiting: 0,
                replies_running: 0,
                watchers: 0,
                hears_others: false,
            },
        }
    }
}
