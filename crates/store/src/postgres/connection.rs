use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use deadpool_postgres::Object;
use futures_util::TryStreamExt;
use tokio_postgres::{Row, Statement};

use super::failure::{Failure, Result};
use super::value::Query;
use crate::saved::Damage;

/// Begins a transaction that changes something. A node that is frozen in the middle of one must not
/// keep others from an owner's rows for long: after 5 seconds PostgreSQL ends it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL statement_timeout = 5000; SET LOCAL idle_in_transaction_session_timeout = 5000";
/// Begins to read what was committed at one moment.
const BEGIN_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL idle_in_transaction_session_timeout = 5000";
const COMMIT: &str = "COMMIT";

/// A connection that one call has to itself.
pub(super) struct Connection {
    /// `None` once it was thrown away.
    client: Option<Object>,
    /// Whether statements are prepared, and kept for the next time.
    prepares: bool,
    stage: Stage,
    /// How many operations were committed on it, if something was.
    committed: Option<usize>,
}

/// How far a call is on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has begun, or all has ended.
    Outside,
    /// A transaction is open; without its commit it will not have happened.
    Open,
    /// A commit is under way: if the connection is lost now, nobody knows.
    Committing,
}

/// What came of a statement.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows there were, or were changed.
    pub(super) count: u64,
}

impl Answer {
    /// The first row, if there is one, read by `read`.
    pub(super) fn first<T>(&self, read: impl FnOnce(&Row) -> Result<T>) -> Result<Option<T>> {
        self.rows.first().map(read).transpose()
    }

    /// The one row that there must be, read by `read`.
    pub(super) fn one<T>(&self, read: impl FnOnce(&Row) -> Result<T>) -> Result<T> {
        let one = self.first(read)?;
        Ok(one.ok_or(Damage::new("a row is missing"))?)
    }

    /// All rows, read by `read`.
    pub(super) fn all<T>(&self, read: impl FnMut(&Row) -> Result<T>) -> Result<Vec<T>> {
        self.rows.iter().map(read).collect()
    }
}

impl Connection {
    pub(super) fn new(client: Object, prepares: bool) -> Self {
        Self {
            client: Some(client),
            prepares,
            stage: Stage::Outside,
            committed: None,
        }
    }

    /// Reads; within a transaction it may write, too.
    pub(super) async fn ask(&self, query: Query<'_>) -> Result<Answer> {
        let [answer] = self.ask_all([query]).await?;
        Ok(answer)
    }

    /// As [`Connection::ask`], in one round trip.
    pub(super) async fn ask_all<const N: usize>(
        &self,
        queries: [Query<'_>; N],
    ) -> Result<[Answer; N]> {
        array(self.pipeline(None, queries.into(), None).await?)
    }

    /// Reads from one moment, in one round trip.
    pub(super) async fn ask_of_one_moment<const N: usize>(
        &mut self,
        queries: [Query<'_>; N],
    ) -> Result<[Answer; N]> {
        self.stage = Stage::Open;
        let all = self.pipeline(Some(BEGIN_MOMENT), queries.into(), Some(COMMIT));
        let answers = all.await?;
        self.stage = Stage::Outside;
        array(answers)
    }

    /// Begins to read from one moment; that ends when the connection is handed back.
    pub(super) async fn begin_moment<const N: usize>(
        &mut self,
        queries: [Query<'_>; N],
    ) -> Result<[Answer; N]> {
        self.stage = Stage::Open;
        array(
            self.pipeline(Some(BEGIN_MOMENT), queries.into(), None)
                .await?,
        )
    }

    /// Begins a transaction with these statements, in one round trip. Each of them sees what was
    /// committed before it began: what stands behind a lock sees what others did under it.
    pub(super) async fn begin<const N: usize>(
        &mut self,
        queries: [Query<'_>; N],
    ) -> Result<[Answer; N]> {
        self.stage = Stage::Open;
        array(self.pipeline(Some(BEGIN), queries.into(), None).await?)
    }

    /// Ends the transaction with these statements, in one round trip.
    pub(super) async fn commit(&mut self, queries: Vec<Query<'_>>) -> Result<Vec<Answer>> {
        self.finish(None, queries, Some(COMMIT), 1).await
    }

    /// A transaction of these statements, in one round trip; `operations` is what they are together.
    pub(super) async fn transact(
        &mut self,
        queries: Vec<Query<'_>>,
        operations: usize,
    ) -> Result<Vec<Answer>> {
        let all = self.finish(Some(BEGIN), queries, Some(COMMIT), operations);
        all.await
    }

    /// Ends the transaction as if nothing had been done.
    pub(super) async fn roll_back(&mut self) -> Result<()> {
        self.pipeline(None, Vec::new(), Some("ROLLBACK")).await?;
        self.stage = Stage::Outside;
        Ok(())
    }

    /// A transaction of one statement.
    pub(super) async fn write(&mut self, query: Query<'_>) -> Result<Answer> {
        let [answer] = array(self.finish(None, vec![query], None, 1).await?)?;
        Ok(answer)
    }

    async fn finish(
        &mut self,
        before: Option<&str>,
        queries: Vec<Query<'_>>,
        after: Option<&str>,
        operations: usize,
    ) -> Result<Vec<Answer>> {
        self.stage = Stage::Committing;
        let answers = self.pipeline(before, queries, after).await?;
        self.stage = Stage::Outside;
        self.committed = Some(operations);
        Ok(answers)
    }

    /// Sends all of it at once, and waits for the answers.
    async fn pipeline(
        &self,
        before: Option<&str>,
        queries: Vec<Query<'_>>,
        after: Option<&str>,
    ) -> Result<Vec<Answer>> {
        let client = self.client()?;
        // Before anything is sent: what has to be prepared first would be sent too late.
        let mut prepared = Vec::with_capacity(queries.len());
        for query in &queries {
            prepared.push(self.prepare(client, query).await?);
        }
        let mut steps: Vec<Step<'_>> = Vec::with_capacity(queries.len() + 2);
        steps.extend(before.map(|sql| Box::pin(run(client, sql)) as Step<'_>));
        for (query, statement) in queries.into_iter().zip(prepared) {
            steps.push(Box::pin(answer(client, query, statement)));
        }
        steps.extend(after.map(|sql| Box::pin(run(client, sql)) as Step<'_>));
        let answers = in_order(steps).await?;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn prepare(&self, client: &Object, query: &Query<'_>) -> Result<Option<Statement>> {
        if !self.prepares {
            return Ok(None);
        }
        let types = query.types();
        let statement = client.prepare_typed_cached(query.sql, &types).await?;
        Ok(Some(statement))
    }

    fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or(Failure::Lost)
    }

    /// How far the call is.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// How many operations were committed, if something was.
    pub(super) fn committed(&self) -> Option<usize> {
        self.committed
    }

    /// Closes the connection, instead of keeping it for the next call.
    pub(super) fn throw_away(&mut self) {
        drop(self.client.take().map(Object::take));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Also when nobody waits for the call any more. The request goes out when it is polled
        // first, and so before whatever the next call sends.
        if let Some(client) = self
            .client
            .as_ref()
            .filter(|_| self.stage != Stage::Outside)
        {
            let mut end = pin!(client.batch_execute("ROLLBACK"));
            let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// One request of several that are under way; those that begin and end a transaction have no answer.
type Step<'a> = Pin<Box<dyn Future<Output = Result<Option<Answer>>> + Send + 'a>>;

async fn run(client: &Object, sql: &str) -> Result<Option<Answer>> {
    client.batch_execute(sql).await?;
    Ok(None)
}

async fn answer(
    client: &Object,
    query: Query<'_>,
    statement: Option<Statement>,
) -> Result<Option<Answer>> {
    let rows = if let Some(statement) = statement {
        client.query_raw(&statement, query.values).await?
    } else {
        let typed = query.values.into_iter().map(|value| {
            let sql_type = value.sql_type();
            (value, sql_type)
        });
        client.query_typed_raw(query.sql, typed).await?
    };
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
    }
    let count = rows.rows_affected().unwrap_or_default();
    Ok(Some(Answer { rows: all, count }))
}

/// Sends the requests one behind the other, without waiting for answers in between, and then waits
/// for all answers. A request goes out when its future is polled first.
async fn in_order(mut steps: Vec<Step<'_>>) -> Result<Vec<Option<Answer>>> {
    let begin = |context: &mut Context<'_>| {
        let polled = steps.iter_mut().map(|step| step.as_mut().poll(context));
        Poll::Ready(polled.collect::<Vec<_>>())
    };
    let begun = std::future::poll_fn(begin).await;
    let mut answers = Vec::with_capacity(steps.len());
    for (step, begun) in steps.into_iter().zip(begun) {
        answers.push(match begun {
            Poll::Ready(answer) => answer,
            Poll::Pending => step.await,
        });
    }
    // What comes behind a failure fails because of it, so the first one tells why.
    answers.into_iter().collect()
}

fn array<const N: usize>(answers: Vec<Answer>) -> Result<[Answer; N]> {
    answers.try_into().map_err(|_| Failure::Lost)
}
