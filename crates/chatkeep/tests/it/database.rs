//! Databases for the servers of tests. With CHATKEEP_TEST_STORE=postgres each server gets one of its
//! own in PostgreSQL, instead of a data folder: the same tests, over the other store.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Whether this run of the tests is over PostgreSQL.
pub fn is_postgres() -> bool {
    match variable("CHATKEEP_TEST_STORE").as_deref() {
        Some("postgres") => true,
        None | Some("sqlite") => false,
        Some(other) => panic!("CHATKEEP_TEST_STORE={other} is no store"),
    }
}

/// A variable that says where something is that tests need.
pub fn server(name: &str) -> String {
    variable(name).unwrap_or_else(|| panic!("{name} is missing: run tests through scripts/servers"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "these are no settings of the program's"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The URL of a new, empty database in the newest PostgreSQL that tests run with.
pub fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = server("CHATKEEP_TEST_POSTGRES_NEWEST");
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("it_{}_{count}", std::process::id());
    psql(&cluster, &format!("CREATE DATABASE {name}"));
    let (base, _) = cluster.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// What a database answers, as bare text.
pub fn psql(url: &str, sql: &str) -> String {
    let program = format!("{}/psql", server("CHATKEEP_TEST_POSTGRES_BIN"));
    let mut psql = Command::new(program);
    psql.args([
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        url,
        "-c",
        sql,
    ]);
    let output = psql.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// All that a database holds: each row as a line.
pub fn dump(url: &str) -> Vec<u8> {
    let tables = psql(
        url,
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    );
    assert!(tables.contains("reply_event"), "{tables}");
    let rows = tables
        .lines()
        .map(|table| psql(url, &format!("SELECT * FROM {table}")));
    rows.flat_map(String::into_bytes).collect()
}
