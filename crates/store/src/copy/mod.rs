//! Copies everything from one database into another one, of whichever kind.
//!
//! The target has the table `copying` until both hold the same, so an unfinished copy is known by
//! it: nobody serves from one, and the next run goes on behind the largest key of each table.

mod tables;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat::limits::NODE_ALIVE;
use chat::types::Timestamp;
use rustls::RootCertStore;
use sha2::{Digest, Sha256};

use crate::saved::hex;
use crate::{
    CommitObserver, DATABASE_FILE, Database, OpenError, Options, Purpose, postgres, sqlite,
};
use tables::{ACCOUNT, ID_BLOCK, MIGRATION, TABLES};
pub(crate) use tables::{COPYING, Kind, Table};

/// Rows that are read at first; after that twice as many as there were the last time. So a page
/// that is full of large rows is not followed by a question for a thousand of them.
const PAGE_ROWS_FIRST: usize = 16;
/// Rows that are read, and written in one transaction, at most.
const PAGE_ROWS: usize = 1_024;
/// Bytes of rows after which a page ends, however few they are.
const PAGE_BYTES: usize = 4 << 20;

/// Copies all that people have in one database into another one that is empty, or that holds an
/// unfinished copy of the same one; then reads both again and compares. Nobody may serve from
/// either. Both are brought up to date, as [`open`](crate::open) does it.
///
/// A report that fails ends the copy, which can be taken up as after a crash.
pub async fn copy(
    from: &Database,
    to: &Database,
    now: Timestamp,
    roots: &RootCertStore,
    mut report: impl FnMut(Progress<'_>) -> io::Result<()>,
) -> Result<Vec<CopiedTable>, CopyError> {
    if let Database::Folder(folder) = from
        && !folder.join(DATABASE_FILE).is_file()
    {
        return Err(CopyError::NoSource(from.to_string()));
    }
    let mut source = End::open(from, now, roots).await?;
    let mut target = End::open(to, now, roots).await?;
    source.hold().await?;
    if source.is_unfinished().await? {
        return Err(CopyError::Unfinished(source.name));
    }
    let of = source.fingerprint().await?;
    target.begin_copy(&of).await?;
    for table in TABLES {
        copy_table(table, &mut source, &mut target, &mut report).await?;
    }

    target.hold().await?;
    let mut copied = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let sum = source.sum(table).await?;
        if target.sum(table).await? != sum {
            return Err(CopyError::Different(table.name));
        }
        report(Progress::Same(&sum)).map_err(CopyError::Report)?;
        copied.push(sum);
    }
    target.end_copy().await?;
    Ok(copied)
}

/// A table that holds the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// The table's name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The SHA-256 of all its rows, in hexadecimal digits. It does not depend on the database.
    pub checksum: String,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// This run has copied so many rows of a table up to now.
    Copied {
        /// The table's name.
        table: &'static str,
        /// How many rows.
        rows: u64,
    },
    /// A table was read from both sides again, and is the same.
    Same(&'a CopiedTable),
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no database to copy from.
    #[error("{0}: there is no database")]
    NoSource(String),
    /// One of the two could not be opened.
    #[error("{0}: {1}")]
    Open(String, OpenError),
    /// A server runs on one of the two.
    #[error(
        "{0}: a server uses it; stop it first (one that was killed counts for {time} seconds)",
        time = NODE_ALIVE.as_secs()
    )]
    Served(String),
    /// The source is itself the target of a copy that has not ended.
    #[error("{0}: holds a copy that has not ended, and is not to be copied")]
    Unfinished(String),
    /// The target holds something, and is no unfinished copy.
    #[error("{0}: is not empty, there is something in the table {1}")]
    NotEmpty(String, &'static str),
    /// The target holds an unfinished copy of something else.
    #[error("{0}: holds a copy of another database that has not ended; empty it first")]
    OtherSource(String),
    /// The two are not the same after all.
    #[error(
        "the table {0} is not the same in both; if the source was used since the copy was begun, \
         empty the target and begin again"
    )]
    Different(&'static str),
    /// A database refused, or went away.
    #[error("{0}: {1}")]
    Database(String, String),
    /// The report failed.
    #[error("the progress could not be reported: {0}")]
    Report(io::Error),
}

/// A row, with the values in the order of the table's columns.
pub(crate) type Row = Vec<Value>;

/// What a row holds in a column. A flag is 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A database that is copied from or to. What goes wrong is told in its own words.
#[async_trait]
pub(crate) trait Side: Send {
    /// Begins a transaction that sees nothing of what others do.
    fn moment(&self) -> &'static str;

    /// Runs statements that give nothing back.
    async fn run(&mut self, statements: &str) -> Result<(), String>;

    /// The first rows of those that are selected, as many as make a page, with these columns.
    async fn read(
        &mut self,
        select: &str,
        columns: &[(&str, Kind)],
        values: &[Value],
    ) -> Result<Vec<Row>, String>;

    /// Inserts rows, all or none.
    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), String>;

    /// Whether there is a table of that name.
    async fn has_table(&mut self, name: &str) -> Result<bool, String>;
}

/// Rows that are being read for a page.
#[derive(Default)]
pub(crate) struct PageSoFar {
    pub(crate) rows: Vec<Row>,
    bytes: usize,
}

impl PageSoFar {
    pub(crate) fn push(&mut self, row: Row) {
        self.bytes += row.iter().map(Value::bytes_long).sum::<usize>();
        self.rows.push(row);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES
    }
}

/// A way through a table by its key, a page at a time.
struct Walk {
    table: &'static Table,
    behind: Row,
    most: usize,
}

impl Walk {
    /// Begins behind a key, or with the first row.
    fn new(table: &'static Table, behind: Option<Row>) -> Self {
        // No row has this key: no identifier is empty.
        let least = table.key().iter().map(|(_, kind)| match kind {
            Kind::Text => Value::Text(String::new()),
            Kind::Bytes => Value::Bytes(Vec::new()),
            Kind::Integer | Kind::Flag => Value::Integer(i64::MIN),
        });
        Self {
            table,
            behind: behind.unwrap_or_else(|| least.collect()),
            most: PAGE_ROWS_FIRST,
        }
    }

    /// The next rows; none at the end.
    async fn next(&mut self, end: &mut End) -> Result<Vec<Row>, CopyError> {
        let mut values = self.behind.clone();
        values.push(Value::Integer(self.most as i64));
        let (select, columns) = (self.table.select(), self.table.columns);
        let page = end.side.read(&select, columns, &values).await;
        let page = page.map_err(|why| end.fault(why))?;
        if let Some(last) = page.last() {
            self.behind = last[..self.behind.len()].to_vec();
            self.most = (page.len() * 2).min(PAGE_ROWS);
        }
        Ok(page)
    }
}

/// One end of a copy.
struct End {
    /// Which database it is, for errors.
    name: String,
    side: Box<dyn Side>,
}

impl End {
    /// Opens a database, with the newest schema.
    async fn open(
        database: &Database,
        now: Timestamp,
        roots: &RootCertStore,
    ) -> Result<Self, CopyError> {
        let name = database.to_string();
        let options = Options {
            roots: roots.clone(),
            ..Options::new(Purpose::Command, now, Arc::new(Unobserved))
        };
        let refused = |error| CopyError::Open(name.clone(), error);
        drop(crate::open(database, options).await.map_err(refused)?);
        let side = match database {
            Database::Folder(folder) => {
                let idle = sqlite::Idle::open(folder).map_err(refused)?;
                idle.map(|idle| Box::new(idle) as Box<dyn Side>)
            }
            Database::Postgres(address) => {
                let idle = postgres::Idle::connect(address, roots).await;
                let idle = idle.map_err(refused)?;
                idle.map(|idle| Box::new(idle) as Box<dyn Side>)
            }
        };
        match side {
            Some(side) => Ok(Self { name, side }),
            None => Err(CopyError::Served(name)),
        }
    }

    /// Lets it stand still from now on.
    async fn hold(&mut self) -> Result<(), CopyError> {
        self.run(self.side.moment()).await
    }

    async fn run(&mut self, statements: &str) -> Result<(), CopyError> {
        let run = self.side.run(statements).await;
        run.map_err(|why| self.fault(why))
    }

    fn fault(&self, why: String) -> CopyError {
        CopyError::Database(self.name.clone(), why)
    }

    async fn is_unfinished(&mut self) -> Result<bool, CopyError> {
        let found = self.side.has_table(COPYING.name).await;
        found.map_err(|why| self.fault(why))
    }

    /// What it is known by again, however its address is spelled.
    async fn fingerprint(&mut self) -> Result<String, CopyError> {
        let mut hash = Sha256::new();
        hash.update(self.sum(&MIGRATION).await?.checksum);
        for account in Walk::new(&ACCOUNT, None).next(self).await? {
            account[0].hash_into(&mut hash);
        }
        Ok(hex(&hash.finalize()))
    }

    /// Notes of which source it becomes a copy, unless that is known already.
    async fn begin_copy(&mut self, of: &str) -> Result<(), CopyError> {
        if self.is_unfinished().await? {
            let noted = Walk::new(&COPYING, None).next(self).await?;
            let same = noted == [[Value::Text(of.to_owned())]];
            return if same {
                Ok(())
            } else {
                Err(CopyError::OtherSource(self.name.clone()))
            };
        }
        self.run("BEGIN").await?;
        for table in TABLES.iter().filter(|table| table.name != ID_BLOCK) {
            if !Walk::new(table, None).next(self).await?.is_empty() {
                return Err(CopyError::NotEmpty(self.name.clone(), table.name));
            }
        }
        let copying = COPYING.name;
        self.run(&format!(
            "DELETE FROM {ID_BLOCK};
             CREATE TABLE {copying} (source TEXT NOT NULL PRIMARY KEY);
             INSERT INTO {copying} (source) VALUES ('{of}');
             COMMIT"
        ))
        .await
    }

    /// From now on it is a database like any other.
    async fn end_copy(&mut self) -> Result<(), CopyError> {
        self.run("COMMIT").await?;
        self.run(&format!("DROP TABLE {}", COPYING.name)).await
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Row>, CopyError> {
        let select = table.select_last_key();
        let found = self.side.read(&select, table.key(), &[]).await;
        Ok(found.map_err(|why| self.fault(why))?.pop())
    }

    async fn sum(&mut self, table: &'static Table) -> Result<CopiedTable, CopyError> {
        let (mut rows, mut hash) = (0, Sha256::new());
        let mut walk = Walk::new(table, None);
        loop {
            let page = walk.next(self).await?;
            if page.is_empty() {
                break;
            }
            rows += page.len() as u64;
            for value in page.iter().flatten() {
                value.hash_into(&mut hash);
            }
        }
        Ok(CopiedTable {
            name: table.name,
            rows,
            checksum: hex(&hash.finalize()),
        })
    }
}

async fn copy_table(
    table: &'static Table,
    source: &mut End,
    target: &mut End,
    report: &mut impl FnMut(Progress<'_>) -> io::Result<()>,
) -> Result<(), CopyError> {
    let mut walk = Walk::new(table, target.last_key(table).await?);
    let mut rows = 0;
    loop {
        let page = walk.next(source).await?;
        if page.is_empty() {
            return Ok(());
        }
        let written = target.side.write(table, &page).await;
        written.map_err(|why| target.fault(why))?;
        rows += page.len() as u64;
        let table = table.name;
        report(Progress::Copied { table, rows }).map_err(CopyError::Report)?;
    }
}

impl Value {
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn bytes_long(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Integer(_) => size_of::<i64>(),
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// What kind of value it is, how long it is, and what it is: no two rows of a table look alike.
    fn hash_into(&self, hash: &mut Sha256) {
        let number;
        let (kind, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Integer(integer) => {
                number = integer.to_be_bytes();
                (1, &number)
            }
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(bytes) => (3, bytes),
        };
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
}

/// Nobody counts the commits of opening.
struct Unobserved;

impl CommitObserver for Unobserved {
    fn committed(&self, _: usize, _: Duration) {}
}
