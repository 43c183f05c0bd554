use std::sync::Arc;
use std::time::Duration;

use chat::contracts::StoreError;
use deadpool_postgres::{
    BuildError, Manager, ManagerConfig, Pool as Connections, PoolError, QueueMode, RecyclingMethod,
    Runtime,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::connection::{Connection, Stage};
use super::failure::{Failure, Result, Twice};
use crate::CommitObserver;

/// How long a call may take in all: waiting for a connection, its work, and further tries.
const STORE_WAIT: Duration = Duration::from_secs(5);
/// How long a call waits before it tries again, while the database is away.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of a node.
pub(super) struct Pool {
    connections: Connections,
    prepares: bool,
    observer: Arc<dyn CommitObserver>,
}

impl Pool {
    /// Connects when the first call comes.
    pub(super) fn new(
        address: &Address,
        tls: MakeRustlsConnect,
        most: usize,
        observer: Arc<dyn CommitObserver>,
    ) -> std::result::Result<Self, BuildError> {
        // A connection that is closed is seen without a question to it.
        let manager = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(Config::clone(&address.config), tls, manager);
        let connections = Connections::builder(manager)
            .max_size(most)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self {
            connections,
            prepares: address.prepares,
            observer,
        })
    }

    /// How many calls wait for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.connections.status().waiting
    }

    /// A call is about to begin. `twice` says what a change comes to that was made, without anybody
    /// hearing of it, and is made again.
    pub(super) fn call(&self, twice: Twice) -> Call<'_> {
        Call {
            pool: self,
            twice,
            begun: Instant::now(),
            last: None,
        }
    }
}

/// Lets some work run on a connection, and again where that is right. (As a function it would take a
/// closure that lends the connection to a future, and whether such a future is `Send` Rust can't
/// tell yet.)
macro_rules! call {
    ($pool:expr, $twice:expr, |$db:ident| $work:expr) => {{
        let mut call = $pool.call($twice);
        loop {
            let tried = match call.connect().await {
                Ok(mut connection) => {
                    let $db = &mut connection;
                    let worked = call.in_time($work).await;
                    call.settle(connection, worked)
                }
                Err(failed) => Err(failed),
            };
            match tried {
                Ok(answer) => break Ok(answer),
                Err(failed) => {
                    if let Some(error) = call.give_up(failed).await {
                        break Err(error);
                    }
                }
            }
        }
    }};
}
pub(super) use call;

/// A call of the store's, and the tries that it takes.
pub(super) struct Call<'a> {
    pool: &'a Pool,
    twice: Twice,
    begun: Instant,
    /// Why the try before did not succeed.
    last: Option<StoreError>,
}

/// A try that did not succeed, and how far it was.
pub(super) struct Failed(Failure, Stage);

impl Call<'_> {
    fn until(&self) -> Instant {
        self.begun + STORE_WAIT
    }

    /// A connection for the next try.
    pub(super) async fn connect(&self) -> std::result::Result<Connection, Failed> {
        let failure = match timeout_at(self.until(), self.pool.connections.get()).await {
            Ok(Ok(client)) => return Ok(Connection::new(client, self.pool.prepares)),
            Ok(Err(PoolError::Backend(error))) => error.into(),
            Ok(Err(error)) => StoreError::Internal(Box::new(error)).into(),
            Err(_) => Failure::Late,
        };
        Err(Failed(failure, Stage::Outside))
    }

    /// What `work` comes to in the time that is left.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let worked = timeout_at(self.until(), work).await;
        worked.unwrap_or(Err(Failure::Late))
    }

    /// Hands the connection back, or throws it away.
    pub(super) fn settle<T>(
        &self,
        mut connection: Connection,
        worked: Result<T>,
    ) -> std::result::Result<T, Failed> {
        if let Some(operations) = connection.committed() {
            let observer = &self.pool.observer;
            observer.committed(operations, self.begun.elapsed());
        }
        worked.map_err(|failure| {
            if failure.spoils_the_connection() {
                connection.throw_away();
            }
            Failed(failure, connection.stage())
        })
    }

    /// What the call fails with; `None` if it is worth another try, which then is due.
    pub(super) async fn give_up(&mut self, Failed(failure, stage): Failed) -> Option<StoreError> {
        if matches!(failure, Failure::Late) {
            return Some(self.last.take().unwrap_or_else(|| failure.into()));
        }
        if !failure.is_worth_another_try(stage, self.twice) {
            return Some(failure.into());
        }
        if failure.spoils_the_connection() {
            sleep_until(self.until().min(Instant::now() + PAUSE)).await;
        }
        self.last = Some(failure.into());
        None
    }
}
