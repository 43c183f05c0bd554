//! The processes that serve, as they describe themselves.

use chat::limits;
use chat::types::{Cuid, Node, SeenNode, Timestamp};

use super::connection::Connection;
use super::failure::Result;
use super::value::query;
use crate::rows::{node_columns, seen_node};

/// What time it is for what nodes have to agree on, in milliseconds: the database's, unless the
/// parameter says otherwise.
macro_rules! clock {
    ($parameter:literal) => {
        concat!(
            "coalesce(",
            $parameter,
            ", (extract(epoch FROM now()) * 1000)::bigint)"
        )
    };
}
pub(super) use clock;

pub(super) async fn list(db: &Connection, clock: Option<Timestamp>) -> Result<Vec<SeenNode>> {
    let listed = db.ask(query!(
        concat!(
            "SELECT ",
            node_columns!(),
            ", ",
            clock!("$1"),
            " - node.seen_at FROM node WHERE node.seen_at > ",
            clock!("$1"),
            " - $2 ORDER BY node.started_at, node.id"
        ),
        clock,
        limits::NODE_KEPT.as_millis() as i64
    ));
    listed.await?.all(seen_node)
}

pub(super) async fn note(db: &mut Connection, node: &Node, clock: Option<Timestamp>) -> Result<()> {
    let note = query!(
        concat!(
            "INSERT INTO node (id, name, version, started_at, seen_at, replies, draining)
             VALUES ($1, $2, $3, $4, ",
            clock!("$5"),
            ", $6, $7)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version,
               started_at = excluded.started_at, seen_at = excluded.seen_at,
               replies = excluded.replies, draining = excluded.draining"
        ),
        &node.id,
        node.name.as_str(),
        node.version.as_str(),
        node.started_at,
        clock,
        node.replies,
        node.draining
    );
    db.write(note).await.map(drop)
}

pub(super) async fn forget(db: &mut Connection, id: &Cuid) -> Result<()> {
    let forget = query!("DELETE FROM node WHERE id = $1", id);
    db.write(forget).await.map(drop)
}

/// Deletes nodes that have not been heard of for long.
pub(super) async fn sweep(db: &mut Connection, clock: Option<Timestamp>) -> Result<u64> {
    let sweep = db.write(query!(
        concat!(
            "DELETE FROM node WHERE id IN (SELECT id FROM node WHERE seen_at <= ",
            clock!("$1"),
            " - $2 LIMIT $3)"
        ),
        clock,
        limits::NODE_KEPT.as_millis() as i64,
        limits::SWEEP_ROWS
    ));
    Ok(sweep.await?.count)
}
