//! The processes that serve, as they describe themselves.

use chat::contracts::StoreError;
use chat::limits;
use chat::types::{Cuid, Node, SeenNode, Timestamp};
use rusqlite::{Connection, Result};

use super::writer::failure;
use crate::rows::{node_columns, seen_node};
use crate::rules::before;

pub(super) fn list(db: &Connection, now: Timestamp) -> Result<Vec<SeenNode>> {
    db.prepare_cached(concat!(
        "SELECT ",
        node_columns!(),
        ", ?1 - node.seen_at FROM node WHERE node.seen_at > ?2 ORDER BY node.started_at, node.id"
    ))?
    .query_map((now.0, before(now, limits::NODE_KEPT).0), |row| {
        seen_node(row)
    })?
    .collect()
}

pub(super) fn note(db: &Connection, node: &Node, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO node (id, name, version, started_at, seen_at, replies, draining)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version,
           started_at = excluded.started_at, seen_at = excluded.seen_at,
           replies = excluded.replies, draining = excluded.draining",
    )?
    .execute((
        node.id.as_str(),
        &node.name,
        &node.version,
        node.started_at.0,
        now.0,
        node.replies,
        node.draining,
    ))
    .map(drop)
}

pub(super) fn forget(db: &Connection, id: &Cuid) -> Result<()> {
    db.prepare_cached("DELETE FROM node WHERE id = ?1")?
        .execute([id.as_str()])
        .map(drop)
}

/// Deletes nodes that have not been heard of for long.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> std::result::Result<usize, StoreError> {
    db.execute(
        "DELETE FROM node WHERE id IN (SELECT id FROM node WHERE seen_at <= ?1 LIMIT ?2)",
        (before(now, limits::NODE_KEPT).0, limits::SWEEP_ROWS),
    )
    .map_err(failure)
}
