//! Brings a database to the schema of this program, also when many nodes start at once.

use chat::types::Timestamp;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::OpenError;
use crate::migrations::{checksum_of, pending};

/// In order; a migration's number is its place, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_accounts_tokens_sessions.sql"),
    include_str!("../../migrations/postgres/0002_messages_replies.sql"),
    include_str!("../../migrations/postgres/0003_nodes.sql"),
    include_str!("../../migrations/postgres/0004_tools_and_metadata.sql"),
];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     BIGINT NOT NULL PRIMARY KEY,
    checksum   TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// Runs what is pending; what another node runs at the same time is left to that one.
pub(super) async fn run(db: &Client, now: Timestamp) -> Result<(), OpenError> {
    let mut lost = None;
    loop {
        let pending = pending(&applied(db).await?, MIGRATIONS)?;
        let Some((number, migration)) = pending.first() else {
            return Ok(());
        };
        // The number comes first: who has the same one waits there until the other has committed.
        let all = format!(
            "BEGIN; {RECORD}; INSERT INTO migration VALUES ({number}, '{}', {}); {migration}; COMMIT",
            checksum_of(migration),
            now.0
        );
        if let Err(error) = db.batch_execute(&all).await {
            db.batch_execute("ROLLBACK").await?;
            let was_slower = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
            if !was_slower || lost.replace(*number) == Some(*number) {
                return Err(error.into());
            }
        }
    }
}

/// The numbers and checksums of what the database went through.
async fn applied(db: &Client) -> Result<Vec<(u32, String)>, OpenError> {
    // As text, which needs no statement to be prepared.
    let rows = match db
        .simple_query("SELECT number, checksum FROM migration ORDER BY number")
        .await
    {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Vec::new()),
        rows => rows?,
    };
    let rows = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?.parse().ok()?, row.get(1)?.to_owned())),
        _ => None,
    });
    Ok(rows.collect())
}
