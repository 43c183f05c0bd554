use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use chat::contracts::StoreError;
use chat::types::Cuid;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// How long a change waits for its turn.
const TURN_WAIT: Duration = Duration::from_millis(2_500);
/// Owners that share a turn wait for each other needlessly; there are many more turns than connections.
const TURNS: usize = 4_096;

/// The changes that one node makes for an owner, one behind the other, in the order in which they came.
///
/// PostgreSQL lets whoever wakes first have the owner's lock. With many waiting there, some would wait
/// for seconds, each on a connection that others could use.
pub(super) struct Turns {
    turns: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            turns: (0..TURNS).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for the turn of a change to what `owner` has.
    pub(super) async fn of(&self, owner: &Cuid) -> Result<MutexGuard<'_, ()>, StoreError> {
        let turn = self.hasher.hash_one(owner) as usize % TURNS;
        let turn = timeout(TURN_WAIT, self.turns[turn].lock()).await;
        turn.map_err(|_| StoreError::Unavailable("too much waits to be changed".into()))
    }
}
