//! PostgreSQL as the source or the target of a copy.

use std::pin::pin;

use async_trait::async_trait;
use chat::limits::NODE_ALIVE;
use futures_util::TryStreamExt;
use rustls::RootCertStore;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row as Found};

use super::address::Address;
use super::dial::{dial, tls};
use super::failure::describe;
use crate::OpenError;
use crate::copy::{Kind, PageSoFar, Row, Side, Table, Value};

/// Whether a node has said lately that it is alive.
const SERVED: &str = "SELECT EXISTS (SELECT 1 FROM node
     WHERE seen_at > CAST(extract(epoch FROM now()) * 1000 AS BIGINT) - $1)";

/// A database that no node serves meanwhile.
pub(crate) struct Idle {
    client: Client,
}

impl Idle {
    /// Connects to a database that is up to date; `None` if a node serves it.
    pub(crate) async fn connect(
        address: &Address,
        roots: &RootCertStore,
    ) -> Result<Option<Self>, OpenError> {
        let (client, connection) = dial(address, tls(address, roots)?).await?;
        // It ends with the client; what goes wrong with it is told to whoever asks.
        tokio::spawn(connection);
        let alive = i64::try_from(NODE_ALIVE.as_millis()).unwrap_or(i64::MAX);
        let served = client
            .query_typed_one(SERVED, &[(&alive, Type::INT8)])
            .await?;
        let served: bool = served.try_get(0)?;
        Ok((!served).then_some(Self { client }))
    }
}

#[async_trait]
impl Side for Idle {
    fn moment(&self) -> &'static str {
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
         SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
    }

    async fn run(&mut self, statements: &str) -> Result<(), String> {
        self.client.batch_execute(statements).await.map_err(told)
    }

    async fn read(
        &mut self,
        select: &str,
        columns: &[(&str, Kind)],
        values: &[Value],
    ) -> Result<Vec<Row>, String> {
        read(&self.client, select, columns, values)
            .await
            .map_err(told)
    }

    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), String> {
        write(&self.client, table, rows).await.map_err(told)
    }

    async fn has_table(&mut self, name: &str) -> Result<bool, String> {
        has_table(&self.client, name).await.map_err(told)
    }
}

/// Statements are not prepared: a PgBouncer may be in between.
async fn read(
    client: &Client,
    select: &str,
    columns: &[(&str, Kind)],
    values: &[Value],
) -> Result<Vec<Row>, Error> {
    let typed = values.iter().map(|value| match value {
        Value::Integer(number) => (number as &(dyn ToSql + Sync), Type::INT8),
        Value::Text(text) => (text as _, Type::TEXT),
        Value::Bytes(bytes) => (bytes as _, Type::BYTEA),
        Value::Null => (&None::<i64> as _, Type::INT8),
    });
    let mut found = pin!(client.query_typed_raw(select, typed).await?);
    let mut page = PageSoFar::default();
    while !page.is_full()
        && let Some(row) = found.try_next().await?
    {
        let kinds = columns.iter().map(|(_, kind)| *kind);
        let values = kinds.enumerate().map(|(at, kind)| value(&row, at, kind));
        page.push(values.collect::<Result<_, _>>()?);
    }
    Ok(page.rows)
}

fn value(row: &Found, at: usize, kind: Kind) -> Result<Value, Error> {
    let value = match kind {
        Kind::Text => row.try_get::<_, Option<String>>(at)?.map(Value::Text),
        Kind::Integer => row.try_get::<_, Option<i64>>(at)?.map(Value::Integer),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Value::Bytes),
        Kind::Flag => row
            .try_get::<_, Option<bool>>(at)?
            .map(|flag| Value::Integer(flag.into())),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// One statement, so that it is one transaction in one round trip.
async fn write(client: &Client, table: &Table, rows: &[Row]) -> Result<(), Error> {
    let places: Vec<_> = (1..=table.columns.len())
        .map(|at| format!("${at}"))
        .collect();
    let insert = format!(
        "{} SELECT * FROM unnest({})",
        table.insert(),
        places.join(", ")
    );
    let columns = table.columns.iter().enumerate();
    let arrays: Vec<_> = columns
        .map(|(at, (_, kind))| array(rows, at, *kind))
        .collect();
    let typed: Vec<_> = arrays
        .iter()
        .map(|(array, of)| (&**array as &(dyn ToSql + Sync), of.clone()))
        .collect();
    client.execute_typed(&insert, &typed).await.map(drop)
}

/// A column of some rows.
fn array(rows: &[Row], at: usize, kind: Kind) -> (Box<dyn ToSql + Sync + Send + '_>, Type) {
    match kind {
        Kind::Text => (Box::new(column(rows, at, Value::text)), Type::TEXT_ARRAY),
        Kind::Integer => (Box::new(column(rows, at, Value::integer)), Type::INT8_ARRAY),
        Kind::Bytes => (Box::new(column(rows, at, Value::bytes)), Type::BYTEA_ARRAY),
        Kind::Flag => {
            let flag = |value| Value::integer(value).map(|number| number != 0);
            (Box::new(column(rows, at, flag)), Type::BOOL_ARRAY)
        }
    }
}

fn column<'a, T>(
    rows: &'a [Row],
    at: usize,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Vec<Option<T>> {
    rows.iter().map(|row| read(&row[at])).collect()
}

/// Whether there is a table of that name.
pub(super) async fn has_table(client: &Client, name: &str) -> Result<bool, Error> {
    let select = "SELECT to_regclass($1) IS NOT NULL";
    let found = client
        .query_typed_one(select, &[(&name, Type::TEXT)])
        .await?;
    found.try_get(0)
}

fn told(error: Error) -> String {
    describe(&error)
}
