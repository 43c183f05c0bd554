use std::ops::Range;

use tokio::sync::Mutex;

use super::connection::Connection;
use super::failure::Result;
use super::value::query;
use crate::rows::number;

/// Numbers of sessions that a node takes at once. Those that it has not used when it ends are lost.
const BLOCK: i64 = 100;

/// Gives out numbers of sessions: each once, on whichever node.
#[derive(Default)]
pub(super) struct Numbers(Mutex<Range<i64>>);

impl Numbers {
    pub(super) async fn next(&self, db: &mut Connection) -> Result<i64> {
        let mut block = self.0.lock().await;
        if let Some(number) = block.next() {
            return Ok(number);
        }
        let take = query!(
            "UPDATE id_block SET next = next + $1 WHERE name = 'session' RETURNING next - $1",
            BLOCK
        );
        let taken = db.write(take).await?;
        let first = taken.one(|row| number(row, 0))?;
        *block = first + 1..first + BLOCK;
        Ok(first)
    }

    /// Takes a number back that was not used, if no further one was given out.
    pub(super) async fn take_back(&self, number: i64) {
        let mut block = self.0.lock().await;
        if block.start == number + 1 {
            block.start = number;
        }
    }
}
