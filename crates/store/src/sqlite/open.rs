use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::readers::Readers;
use super::writer::Writer;
use super::{Sqlite, migrations, writing};
use crate::copy::COPYING;
use crate::{DATABASE_FILE, OpenError, Options, Purpose};

/// The first SQLite whose WAL can't lose a commit when a checkpoint and a reset race.
/// <https://www.sqlite.org/wal.html#walresetbug>
pub(crate) const SQLITE_AT_LEAST: (i32, &str) = (3_051_003, "3.51.3");
/// Statements that each connection keeps prepared.
const STATEMENTS_KEPT: usize = 64;
/// KiB of pages that the writer keeps in memory: a commit of many replies touches a page of each,
/// and what does not fit is written twice.
const WRITER_CACHE_KIB: i64 = 32 * 1_024;
/// Pages of 4 KiB that the write-ahead log holds before they are copied into the database. A page
/// that many commits have changed is copied once.
const CHECKPOINT_PAGES: i64 = 4_096;
/// Milliseconds that a connection waits while another process writes.
const BUSY_MS: u32 = 5_000;

impl Sqlite {
    /// Opens the database in `folder`; see [`crate::open`].
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        if rusqlite::version_number() < SQLITE_AT_LEAST.0 {
            return Err(OpenError::OldSqlite);
        }
        make_folder(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
        let serving = match options.purpose {
            Purpose::Serve => {
                Some(serve_lock(folder)?.ok_or_else(|| OpenError::InUse(folder.to_owned()))?)
            }
            Purpose::Command => None,
        };

        let path = folder.join(DATABASE_FILE);
        let mut writer = connect(&path)?;
        writer.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        let mode: String =
            writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(OpenError::NoWal);
        }
        if migrations::are_pending(&writer)? {
            // One process at a time; whoever has waited finds nothing left to do.
            let _turn = migration_lock(folder)?;
            let alone = serving.is_some() || serve_lock(folder)?.is_some();
            if migrations::are_pending(&writer)? && !alone {
                return Err(OpenError::NeedsMigration(folder.to_owned()));
            }
            migrations::run(&mut writer, &path, options.now)?;
            sync_folder(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
        }
        if serving.is_some() {
            if writer.table_exists(None, COPYING.name)? {
                return Err(OpenError::UnfinishedCopy);
            }
            // Whoever served before is gone, and what it was writing is free.
            writing::end_leases(&writer)?;
        }
        Ok(Self {
            writer: Writer::start(writer, options.observer),
            readers: Arc::new(Readers::new(path)),
            _lock: serving,
        })
    }
}

/// A connection with the settings that all of them need.
pub(super) fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans that do not depend on what is bound. Otherwise a join is planned anew at each use: a
    // statement that goes back to the cache loses its bindings, and SQLite takes that for a change
    // that might be worth another plan. It was a third of a request's cost.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "busy_timeout", BUSY_MS)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cell_size_check", true)?;
    Ok(db)
}

/// Makes the folder, for its owner's eyes only, and makes sure that its name is on disk.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    match folder.canonicalize()?.parent() {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The lock of whoever serves from the folder; `None` if another process has it.
pub(super) fn serve_lock(folder: &Path) -> Result<Option<File>, OpenError> {
    let path = folder.join("chatkeep.lock");
    let fault = |error| OpenError::Folder(path.clone(), error);
    let file = File::create(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

/// The lock of whoever migrates the database; waits for it.
fn migration_lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("chatkeep.migration.lock");
    let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| OpenError::Folder(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_flushed_before_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let db = connect(&folder.path().join("test.db")).unwrap();
        let synchronous: i64 = db
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        // 2 is FULL: the log is flushed with every commit.
        assert_eq!(synchronous, 2);
    }

    #[test]
    fn a_cached_join_is_planned_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = connect(&folder.path().join("test.db")).unwrap();
        db.execute_batch(
            "CREATE TABLE a (id TEXT PRIMARY KEY, b TEXT); CREATE TABLE b (id TEXT PRIMARY KEY)",
        )
        .unwrap();
        let join = "SELECT a.id FROM a JOIN b ON b.id = a.b WHERE a.id = ?1";
        for _ in 0..3 {
            let mut statement = db.prepare_cached(join).unwrap();
            statement.exists(["x"]).unwrap();
            assert_eq!(
                statement.get_status(rusqlite::StatementStatus::RePrepare),
                0
            );
        }
    }
}
