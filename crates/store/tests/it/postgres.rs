//! What only the store on PostgreSQL does, and the databases that its tests get.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chat::contracts::{Admission, Claimed, Kept, Registered, Store, StoreError};
use chat::limits::LEASE;
use chat::types::{Email, MessageView, Once, Precondition, Role, Timestamp, Tries};
use store::{CommitObserver, Database, LeaseClock, OpenError, Options, Purpose};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::samples::{
    account, append_texts, begin, claim, claim_of, claim_work, finish, key, messages, new_account,
    new_finish, new_session, once, session, write,
};

/// The clusters, as `scripts/servers` names them.
pub const OLDEST: &str = "CHATKEEP_TEST_POSTGRES_OLDEST";
pub const NEWEST: &str = "CHATKEEP_TEST_POSTGRES_NEWEST";

/// An empty store in a database of its own, in the cluster whose address that variable holds. It
/// goes by the times that it is told.
pub async fn fresh(variable: &str) -> (Arc<dyn Store>, Fresh) {
    static MIGRATED: [OnceCell<String>; 2] = [const { OnceCell::const_new() }; 2];
    let cluster = cluster(variable);
    let migrated = &MIGRATED[usize::from(variable == NEWEST)];
    let template = migrated.get_or_init(|| migrate(&cluster)).await;
    let name = unused_name();
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    execute(&cluster, &create).await;
    let database = Fresh { cluster, name };
    let store = open(&database.url(), LeaseClock::Arguments).await;
    (store, database)
}

/// As [`fresh`], without any table.
pub async fn unmigrated(variable: &str) -> Fresh {
    let (cluster, name) = (cluster(variable), unused_name());
    execute(&cluster, &format!("CREATE DATABASE {name}")).await;
    Fresh { cluster, name }
}

/// A database that a test has to itself.
pub struct Fresh {
    cluster: String,
    name: String,
}

impl Fresh {
    /// Its address.
    pub fn url(&self) -> String {
        with_database(&self.cluster, &self.name)
    }

    /// Deletes it. One whose test fails stays as long as its cluster.
    pub async fn delete(self) {
        let delete = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        execute(&self.cluster, &delete).await;
    }
}

/// The address of a cluster, with a database for whoever makes others.
#[expect(
    clippy::disallowed_methods,
    reason = "where the servers are is told to the tests, not to the product"
)]
pub fn cluster(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `scripts/servers cargo test -p store`")
    })
}

/// Makes a database with the newest schema and nothing in it.
async fn migrate(cluster: &str) -> String {
    let name = unused_name();
    execute(cluster, &format!("CREATE DATABASE {name}")).await;
    open(&with_database(cluster, &name), LeaseClock::Arguments).await;
    name
}

pub async fn open(url: &str, lease_clock: LeaseClock) -> Arc<dyn Store> {
    let options = Options {
        connections: 4,
        lease_clock,
        ..Options::new(Purpose::Serve, Timestamp(1), Arc::new(Unobserved))
    };
    let database = Database::parse(url).unwrap();
    store::open(&database, options).await.unwrap()
}

struct Unobserved;

impl CommitObserver for Unobserved {
    fn committed(&self, _: usize, _: Duration) {}
}

/// Runs a statement on a connection of its own.
pub async fn execute(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// The first column of what a statement selects.
pub async fn texts(url: &str, select: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let rows = client.query(select, &[]).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn unused_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("chatkeep_{}_{number}", std::process::id())
}

fn with_database(cluster: &str, name: &str) -> String {
    let (server, _) = cluster.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

#[tokio::test]
async fn nodes_that_start_at_once_migrate_an_empty_database_together() {
    let database = unmigrated(OLDEST).await;
    let url = database.url();
    let clock = LeaseClock::Database;
    let nodes = tokio::join!(open(&url, clock), open(&url, clock), open(&url, clock));
    account(&*nodes.0, "a@x").await;
    assert!(nodes.2.has_accounts().await.unwrap());
    database.delete().await;
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let (store, database) = fresh(OLDEST).await;
    drop(store);
    let newer = "INSERT INTO migration VALUES (42, 'of later', 1)";
    execute(&database.url(), newer).await;
    let refused = try_open(&database.url()).await;
    assert!(matches!(
        refused,
        Err(OpenError::TooNew { database: 42, .. })
    ));
    let changed = "DELETE FROM migration WHERE number = 42;
        UPDATE migration SET checksum = 'another' WHERE number = 2";
    execute(&database.url(), changed).await;
    let refused = try_open(&database.url()).await;
    assert!(matches!(refused, Err(OpenError::MigrationChanged(2))));
    database.delete().await;
}

#[tokio::test]
async fn of_first_accounts_that_are_made_at_once_one_is_the_administrator() {
    let (one, database) = fresh(NEWEST).await;
    let two = open(&database.url(), LeaseClock::Database).await;
    let register = |node: &Arc<dyn Store>, email: &str| {
        let (node, new) = (node.clone(), new_account(email));
        tokio::spawn(async move { node.create_account(new, Admission::Anybody, None).await })
    };
    // All of them have looked before one can write.
    let other = connect(&database.url()).await;
    let watch = connect(&database.url()).await;
    let hold = "BEGIN; LOCK TABLE account IN SHARE MODE";
    other.batch_execute(hold).await.unwrap();
    let made = [(&one, "a@x"), (&one, "b@x"), (&two, "c@x"), (&two, "d@x")];
    let made = made.map(|(node, email)| register(node, email));
    while waiting(&watch).await.len() < made.len() {}
    other.batch_execute("ROLLBACK").await.unwrap();
    let mut administrators = 0;
    for made in made {
        match made.await.unwrap().unwrap() {
            Registered::Made(account) => {
                administrators += usize::from(account.role == Role::Admin);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(administrators, 1);
    // And the same for one address.
    let both = [&one, &two].map(|node| register(node, "same@x"));
    let mut taken = 0;
    for made in both {
        taken += usize::from(matches!(
            made.await.unwrap().unwrap(),
            Registered::EmailTaken
        ));
    }
    assert_eq!(taken, 1);
    database.delete().await;
}

#[tokio::test]
async fn sessions_of_all_nodes_have_numbers_of_their_own() {
    let (one, database) = fresh(OLDEST).await;
    let two = open(&database.url(), LeaseClock::Database).await;
    let ada = account(&*one, "a@x").await.id;
    let mut numbers = HashSet::new();
    for number in 0..130 {
        for node in [&one, &two] {
            numbers.insert(session(&**node, &ada, "one", number).await.number);
        }
    }
    assert_eq!(numbers.len(), 260);
    database.delete().await;
}

#[tokio::test]
async fn a_lease_goes_by_the_clock_of_the_database() {
    let (_, database) = fresh(NEWEST).await;
    let store = open(&database.url(), LeaseClock::Database).await;
    let ada = account(&*store, "a@x").await.id;
    let made = session(&*store, &ada, "one", 1).await;
    begin(&*store, &made, "first", 2).await;
    let work = claim_work(&*store, &made, 3).await;
    // A node whose clock is years ahead takes nothing away.
    let later = i64::MAX / 2;
    assert_eq!(claim(&*store, &made, later).await, Claimed::Nothing);
    assert_eq!(store.stranded(Timestamp(later), 10).await.unwrap(), []);
    let held = claim_of(&made, &work);
    assert_eq!(write(&*store, &held, 2, &["a"], later).await, Kept::Yes);
    // When it is over for the database, it is over for a node whose clock stands still.
    let lease = LEASE.as_millis();
    let over = format!("UPDATE reply SET lease_until = lease_until - {lease}");
    execute(&database.url(), &over).await;
    assert_eq!(store.stranded(Timestamp(3), 10).await.unwrap().len(), 1);
    assert_eq!(claim_work(&*store, &made, 3).await.reply.attempt, 2);
    database.delete().await;
}

#[tokio::test]
async fn a_change_whose_connection_is_lost_is_tried_again_if_it_has_a_key() {
    let (store, database) = fresh(OLDEST).await;
    let ada = account(&*store, "a@x").await.id;
    session(&*store, &ada, "one", 1).await;
    let other = connect(&database.url()).await;
    let watch = connect(&database.url()).await;
    // With a key it is lost while it commits, after it has seen that there is no such key.
    let same_key = format!("INSERT INTO idempotency VALUES ('{ada}', 'key', '', NULL, NULL, 0)");
    // A first try would not look for what it may have done.
    let first_try = Once {
        tries: Tries::First,
        ..once("key", 1)
    };
    let tries = [
        (Some(once("key", 1)), same_key.as_str()),
        (Some(first_try), "SELECT * FROM idempotency FOR UPDATE"),
        (None, "SELECT * FROM feed FOR UPDATE"),
    ];
    for (key, hold) in tries {
        let is_tried_again = key.as_ref().is_some_and(|key| key.tries != Tries::First);
        other
            .batch_execute(&format!("BEGIN; {hold}"))
            .await
            .unwrap();
        let (node, new) = (store.clone(), new_session(&ada, "two", 2));
        let making = tokio::spawn(async move { node.create_session(new, key).await });
        let mut waiting_one = Vec::new();
        while waiting_one.is_empty() {
            waiting_one = waiting(&watch).await;
        }
        let cut_off = "SELECT pg_terminate_backend($1)";
        other.query(cut_off, &[&waiting_one[0]]).await.unwrap();
        other.batch_execute("ROLLBACK").await.unwrap();
        match making.await.unwrap() {
            Ok(made) => assert!(is_tried_again, "{made:?}"),
            // Whether it was made nobody knows, and so it is not made again.
            Err(StoreError::Unavailable(_)) => assert!(!is_tried_again),
            Err(error) => panic!("{error}"),
        }
    }
    database.delete().await;
}

/// The connections that wait for a lock. A transaction would always see the same ones.
async fn waiting(watch: &Client) -> Vec<i32> {
    let waiting = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = watch.query(waiting, &[]).await.unwrap();
    waiting.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_call_that_waits_too_long_fails_and_leaves_nothing_behind() {
    let (store, database) = fresh(NEWEST).await;
    let ada = account(&*store, "a@x").await.id;
    let made = session(&*store, &ada, "one", 1).await;
    let other = connect(&database.url()).await;
    other
        .batch_execute("BEGIN; SELECT * FROM feed FOR UPDATE")
        .await
        .unwrap();
    let named = store.delete_session(
        ada.clone(),
        key(&made),
        Precondition::None,
        Timestamp(2),
        None,
    );
    assert!(matches!(named.await, Err(StoreError::Unavailable(_))));
    other.batch_execute("ROLLBACK").await.unwrap();
    append_texts(&*store, &made, &["still there"], 3).await;
    database.delete().await;
}

#[tokio::test]
async fn the_store_works_behind_a_pooler_that_knows_no_prepared_statements() {
    let (_, database) = fresh(OLDEST).await;
    let folder = Folder::new();
    let pooler = pooler(&database, &folder);
    let url = format!(
        "{}?prepare_statements=false&sslmode=disable",
        pooler.url(&database.name)
    );
    wait_for(&url).await;
    let store = open(&url, LeaseClock::Database).await;
    let mut working = Vec::new();
    for number in 0..8 {
        let store = store.clone();
        working.push(tokio::spawn(async move { use_it(&*store, number).await }));
    }
    for one in working {
        one.await.unwrap();
    }
    drop(pooler);
    database.delete().await;
}

/// A bit of everything.
async fn use_it(store: &dyn Store, number: i64) {
    let email = format!("{number}@x");
    let ada = account(store, &email).await.id;
    let new = new_session(&ada, "one", number);
    let made = store
        .create_session(new, Some(once("key", 1)))
        .await
        .unwrap();
    append_texts(store, &made, &["a", "b"], 2).await;
    begin(store, &made, "first", 3).await;
    let held = claim_of(&made, &claim_work(store, &made, 4).await);
    assert_eq!(write(store, &held, 2, &["c", "d"], 5).await, Kept::Yes);
    finish(store, new_finish(&held, 6)).await;
    assert_eq!(messages(store, &made, MessageView::Path, 2).await.len(), 4);
    let found = store
        .credentials(&Email::parse(&email).unwrap())
        .await
        .unwrap();
    assert_eq!(found.unwrap().account.id, ada);
}

#[tokio::test]
async fn a_certificate_is_verified_by_the_root_that_the_address_names() {
    let folder = Folder::new();
    let server = server_with_tls(&folder);
    let url = server.url("postgres");
    wait_for(&format!("{url}?sslmode=disable")).await;
    let root = folder.path().join("server.crt");
    for mode in ["require", "verify-full", "prefer"] {
        let address = format!("{url}?sslmode={mode}");
        let refused = try_open(&address).await;
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains("certificate"), "{refused}");
        open(
            &format!("{address}&sslrootcert={}", root.display()),
            LeaseClock::Database,
        )
        .await;
    }
    let encrypted = "SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'chatkeep'";
    let other = connect(&format!("{url}?sslmode=disable")).await;
    let address = format!("{url}?sslmode=require&sslrootcert={}", root.display());
    let store = open(&address, LeaseClock::Database).await;
    store.check().await.unwrap();
    assert!(!other.query(encrypted, &[]).await.unwrap().is_empty());
}

async fn try_open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let options = Options::new(Purpose::Serve, Timestamp(1), Arc::new(Unobserved));
    store::open(&Database::parse(url).unwrap(), options).await
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until a server that was started takes connections.
async fn wait_for(url: &str) {
    let url = url.replace("prepare_statements=false&", "");
    while tokio_postgres::connect(&url, NoTls).await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// A folder that the servers' user may write to.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let user = cluster("CHATKEEP_TEST_USER");
        if !user.is_empty() {
            let group = format!("{user}:");
            let owner = Command::new("chown").arg(group).arg(folder.path()).status();
            assert!(owner.unwrap().success());
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A program in the background, which ends with this.
struct Server {
    program: Child,
    port: u16,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://chatkeep@localhost:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A program, run as the user that servers run as.
fn program(name: &str, folder: &Folder) -> Command {
    let user = cluster("CHATKEEP_TEST_USER");
    let mut command = if user.is_empty() {
        Command::new(name)
    } else {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={user}")]);
        command.args(["--init-groups", name]);
        command
    };
    command.current_dir(folder.path());
    command
}

fn unused_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A PgBouncer before a cluster, with fewer connections to it than it has itself.
fn pooler(database: &Fresh, folder: &Folder) -> Server {
    let port = unused_port();
    let (_, server) = database.cluster.rsplit_once(':').unwrap();
    let (server_port, _) = server.split_once('/').unwrap();
    let settings = format!(
        "[databases]
         * = host=127.0.0.1 port={server_port} user=chatkeep
         [pgbouncer]
         listen_addr = 127.0.0.1
         listen_port = {port}
         unix_socket_dir =
         auth_type = any
         pool_mode = transaction
         default_pool_size = 2"
    )
    .replace("\n         ", "\n");
    std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
    let mut command = program(&cluster("CHATKEEP_TEST_PGBOUNCER"), folder);
    let program = command.args(["-q", "pgbouncer.ini"]).spawn().unwrap();
    Server { program, port }
}

/// A PostgreSQL whose certificate is its own root.
fn server_with_tls(folder: &Folder) -> Server {
    let run = |mut command: Command| assert!(command.output().unwrap().status.success());
    let mut certificate = program("openssl", folder);
    certificate.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(' '));
    certificate.args("-addext subjectAltName=DNS:localhost -addext".split(' '));
    certificate.arg("basicConstraints=critical,CA:FALSE");
    certificate.args("-keyout server.key -out server.crt".split(' '));
    run(certificate);
    let bin = cluster("CHATKEEP_TEST_POSTGRES_BIN");
    let mut initdb = program(&format!("{bin}/initdb"), folder);
    initdb.args("-D data -U chatkeep --auth=trust --encoding=UTF8 --no-sync".split(' '));
    run(initdb);
    let port = unused_port();
    let mut command = program(&format!("{bin}/postgres"), folder);
    command.args(["-D", "data", "-p", &port.to_string()]);
    for setting in [
        "listen_addresses=localhost",
        "unix_socket_directories=",
        "fsync=off",
        "ssl=on",
        "ssl_cert_file=../server.crt",
        "ssl_key_file=../server.key",
    ] {
        command.args(["-c", setting]);
    }
    let program = command.spawn().unwrap();
    Server { program, port }
}
