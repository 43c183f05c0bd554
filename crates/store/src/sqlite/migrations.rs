//! Brings a database to the schema of this program.

use std::fs;
use std::path::Path;

use chat::types::{Timestamp, Title};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::OpenError;
use crate::migrations::{checksum_of, pending};

/// In order; a migration's number is its place, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_accounts_tokens_sessions.sql"),
    include_str!("../../migrations/sqlite/0002_messages_replies.sql"),
    include_str!("../../migrations/sqlite/0003_nodes.sql"),
    include_str!("../../migrations/sqlite/0004_tools_and_metadata.sql"),
    include_str!("../../migrations/sqlite/0005_search_and_branches.sql"),
];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     INTEGER NOT NULL PRIMARY KEY,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// Whether the database still needs a migration.
pub(super) fn are_pending(db: &Connection) -> Result<bool, OpenError> {
    Ok(!pending(&applied(db)?, MIGRATIONS)?.is_empty())
}

/// Runs what is pending, after a copy of a database that holds something.
pub(super) fn run(db: &mut Connection, path: &Path, now: Timestamp) -> Result<(), OpenError> {
    run_all(db, path, now, MIGRATIONS)
}

fn applied(db: &Connection) -> Result<Vec<(u32, String)>, rusqlite::Error> {
    let recorded = db
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if recorded.is_none() {
        return Ok(Vec::new());
    }
    db.prepare("SELECT number, checksum FROM migration ORDER BY number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn run_all(
    db: &mut Connection,
    path: &Path,
    now: Timestamp,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let pending = pending(&applied(db)?, migrations)?;
    if let Some((first, _)) = pending.first().filter(|(first, _)| *first > 1) {
        copy(db, path, *first)?;
    }
    if !pending.is_empty() {
        add_folded(db)?;
    }
    for (number, migration) in pending {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(RECORD)?;
        transaction.execute_batch(migration)?;
        transaction.execute(
            "INSERT INTO migration (number, checksum, applied_at) VALUES (?1, ?2, ?3)",
            (number, checksum_of(migration), now.0),
        )?;
        transaction.commit()?;
    }
    Ok(())
}

/// Gives SQL the function `folded`, for titles that are there already.
fn add_folded(db: &Connection) -> Result<(), rusqlite::Error> {
    let (name, values) = ("folded", 1);
    db.create_scalar_function(name, values, FunctionFlags::SQLITE_UTF8, |context| {
        // One that is no title stays unfound; whoever reads the row is told of the damage.
        let title = Title::parse(context.get_raw(0).as_str()?);
        Ok(title.map_or_else(|_| String::new(), |title| title.folded()))
    })
}

/// Copies the database to `<its path>.before-<number>`.
fn copy(db: &Connection, path: &Path, number: u32) -> Result<(), OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{number}"));
    let copy = Path::new(&name);
    let fault = |error| OpenError::Folder(copy.to_owned(), error);
    if copy.exists() {
        // Left by a migration that was cut off; the database is still the one that it copied.
        fs::remove_file(copy).map_err(fault)?;
    }
    db.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    fs::File::open(copy)
        .and_then(|file| file.sync_all())
        .map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE thing (name TEXT NOT NULL) STRICT";
    const SECOND: &str = "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 7";
    const BROKEN: &str = "CREATE TABLE half (a INTEGER) STRICT; SELECT nonsense";

    fn names(db: &Connection) -> Vec<String> {
        let mut all = db.prepare("SELECT name FROM thing").unwrap();
        let rows = all.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_database_keeps_its_data_and_leaves_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut db = Connection::open(&path).unwrap();
        run_all(&mut db, &path, Timestamp(1), &[FIRST]).unwrap();
        db.execute("INSERT INTO thing VALUES ('old')", []).unwrap();
        run_all(&mut db, &path, Timestamp(2), &[FIRST, SECOND]).unwrap();
        let size: i64 = db
            .query_row("SELECT size FROM thing WHERE name = 'old'", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(size, 7);
        let copy = Connection::open(folder.path().join("test.db.before-2")).unwrap();
        assert_eq!(names(&copy), ["old"]);
        assert_eq!(applied(&copy).unwrap().len(), 1);
        assert_eq!(applied(&db).unwrap().len(), 2);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_database_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut db = Connection::open(&path).unwrap();
        run_all(&mut db, &path, Timestamp(1), &[FIRST]).unwrap();
        assert!(run_all(&mut db, &path, Timestamp(2), &[FIRST, BROKEN]).is_err());
        assert!(db.prepare("SELECT * FROM half").is_err());
        // And it can be tried again, over the copy that the first try left.
        run_all(&mut db, &path, Timestamp(3), &[FIRST, SECOND]).unwrap();
        assert_eq!(applied(&db).unwrap().len(), 2);
    }
}
