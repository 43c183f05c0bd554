//! SQLite as the source or the target of a copy.

use std::fs::File;
use std::path::Path;

use async_trait::async_trait;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result, params_from_iter};

use super::open::{connect, serve_lock};
use crate::copy::{Kind, PageSoFar, Row, Side, Table, Value};
use crate::{DATABASE_FILE, OpenError};

/// A database in a folder from which nobody serves meanwhile.
pub(crate) struct Idle {
    db: Connection,
    _lock: File,
}

impl Idle {
    /// Opens a database that is there and up to date; `None` if a process serves from it.
    pub(crate) fn open(folder: &Path) -> std::result::Result<Option<Self>, OpenError> {
        let Some(lock) = serve_lock(folder)? else {
            return Ok(None);
        };
        let db = connect(&folder.join(DATABASE_FILE))?;
        Ok(Some(Self { db, _lock: lock }))
    }
}

/// It works on the thread that asks: while a copy runs there is nothing else to do.
#[async_trait]
impl Side for Idle {
    fn moment(&self) -> &'static str {
        // It begins with the first statement that reads.
        "BEGIN"
    }

    async fn run(&mut self, statements: &str) -> std::result::Result<(), String> {
        self.db.execute_batch(statements).map_err(told)
    }

    async fn read(
        &mut self,
        select: &str,
        _: &[(&str, Kind)],
        values: &[Value],
    ) -> std::result::Result<Vec<Row>, String> {
        read(&self.db, select, values).map_err(told)
    }

    async fn write(&mut self, table: &Table, rows: &[Row]) -> std::result::Result<(), String> {
        write(&mut self.db, table, rows).map_err(told)
    }

    async fn has_table(&mut self, name: &str) -> std::result::Result<bool, String> {
        self.db.table_exists(None, name).map_err(told)
    }
}

fn read(db: &Connection, select: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = db.prepare_cached(select)?;
    let columns = statement.column_count();
    let mut found = statement.query(params_from_iter(values))?;
    let mut page = PageSoFar::default();
    while !page.is_full()
        && let Some(row) = found.next()?
    {
        let values = (0..columns).map(|at| value(row, at));
        page.push(values.collect::<Result<_>>()?);
    }
    Ok(page.rows)
}

fn value(row: &rusqlite::Row<'_>, at: usize) -> Result<Value> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
        // Tables are STRICT: none has a REAL, which is refused here as well.
        other => Value::Text(other.as_str()?.to_owned()),
    })
}

fn write(db: &mut Connection, table: &Table, rows: &[Row]) -> Result<()> {
    let places = vec!["?"; table.columns.len()].join(", ");
    let insert = format!("{} VALUES ({places})", table.insert());
    let page = db.transaction()?;
    for row in rows {
        let mut statement = page.prepare_cached(&insert)?;
        statement.execute(params_from_iter(row))?;
    }
    page.commit()
}

impl ToSql for Value {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn told(error: rusqlite::Error) -> String {
    error.to_string()
}
