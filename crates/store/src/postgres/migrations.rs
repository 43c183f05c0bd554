//! Brings a database to the schema of this program, also when many nodes start at once.

use chat::types::{Timestamp, Title};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::OpenError;
use crate::migrations::{checksum_of, pending};

/// In order; a migration's number is its place, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_accounts_tokens_sessions.sql"),
    include_str!("../../migrations/postgres/0002_messages_replies.sql"),
    include_str!("../../migrations/postgres/0003_nodes.sql"),
    include_str!("../../migrations/postgres/0004_tools_and_metadata.sql"),
    include_str!("../../migrations/postgres/0005_search_and_branches.sql"),
];

/// The migration behind which titles are folded, which SQL can't do: what it makes of a letter depends on
/// the database.
const FOLDS_TITLES: u32 = 5;
/// Titles that are folded at once.
const FOLDED_AT_ONCE: i64 = 1_000;

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
        if let Err(error) = run_one(db, *number, migration, now).await {
            db.batch_execute("ROLLBACK").await?;
            let was_slower = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
            if !was_slower || lost.replace(*number) == Some(*number) {
                return Err(error.into());
            }
        }
    }
}

async fn run_one(db: &Client, number: u32, migration: &str, now: Timestamp) -> Result<(), Error> {
    // The number comes first: who has the same one waits there until the other has committed.
    let all = format!(
        "BEGIN; {RECORD}; INSERT INTO migration VALUES ({number}, '{}', {}); {migration}",
        checksum_of(migration),
        now.0
    );
    db.batch_execute(&all).await?;
    if number == FOLDS_TITLES {
        fold_titles(db).await?;
    }
    db.batch_execute("COMMIT").await
}

/// Writes the folded form of all titles.
async fn fold_titles(db: &Client) -> Result<(), Error> {
    let (mut owner, mut number) = (String::new(), 0_i64);
    loop {
        let rows = db
            .query_typed(
                "SELECT owner, number, title FROM session WHERE (owner, number) > ($1, $2)
                 ORDER BY owner, number LIMIT $3",
                &[
                    (&owner, Type::TEXT),
                    (&number, Type::INT8),
                    (&FOLDED_AT_ONCE, Type::INT8),
                ],
            )
            .await?;
        let (mut owners, mut numbers, mut folded) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            owners.push(row.try_get::<_, String>(0)?);
            numbers.push(row.try_get::<_, i64>(1)?);
            // One that is no title stays unfound; whoever reads the row is told of the damage.
            let title = Title::parse(row.try_get(2)?);
            folded.push(title.map_or_else(|_| String::new(), |title| title.folded()));
        }
        let (Some(last), Some(at)) = (owners.last(), numbers.last()) else {
            return Ok(());
        };
        (owner, number) = (last.clone(), *at);
        db.execute_typed(
            "UPDATE session SET folded_title = given.folded
             FROM unnest($1::text[], $2::bigint[], $3::text[]) AS given (owner, number, folded)
             WHERE session.owner = given.owner AND session.number = given.number",
            &[
                (&owners, Type::TEXT_ARRAY),
                (&numbers, Type::INT8_ARRAY),
                (&folded, Type::TEXT_ARRAY),
            ],
        )
        .await?;
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
