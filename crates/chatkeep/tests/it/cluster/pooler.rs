//! Nodes behind a PgBouncer that hands connections around, transaction by transaction.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::{Cluster, until};
use crate::database;
use crate::provider::said_by;
use crate::talk::{Chat, text};

/// A PgBouncer in transaction mode; ends when it is dropped.
struct Pooler {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Pooler {
    /// Before the PostgreSQL on that port.
    fn start(postgres: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={postgres} user=chatkeep\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 5\n\
             max_client_conn = 200\nignore_startup_parameters = extra_float_digits\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        drop(free);
        let process = as_user(folder.path(), &file).spawn().unwrap();
        Self {
            process,
            port,
            folder,
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// PgBouncer refuses to run as root.
fn as_user(folder: &Path, file: &Path) -> Command {
    let program = database::server("CHATKEEP_TEST_PGBOUNCER");
    let user = database::server("CHATKEEP_TEST_USER");
    let mut command = Command::new(if user.is_empty() { &program } else { "setpriv" });
    if !user.is_empty() {
        let owner = Command::new("chown")
            .args(["-R", &user])
            .arg(folder)
            .status();
        assert!(owner.unwrap().success());
        command.arg(format!("--reuid={user}"));
        command.arg(format!("--regid={user}"));
        command.args(["--init-groups", &program]);
    }
    let log = std::fs::File::create(folder.join("log")).unwrap();
    command.arg("--quiet").arg(file).stderr(log);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_in_transaction_mode_everything_works() {
    let direct = database::fresh();
    let (base, name) = direct.rsplit_once('/').unwrap();
    let (_, port) = base.rsplit_once(':').unwrap();
    let pooler = Pooler::start(port);
    let url = format!(
        "postgres://chatkeep@127.0.0.1:{}/{name}?prepare_statements=false",
        pooler.port
    );
    let log = || std::fs::read_to_string(pooler.folder.path().join("log")).unwrap();
    until("pgbouncer listens", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", pooler.port))
            .await
            .is_ok()
    })
    .await;
    let cluster = Cluster::on(&url, 2, &format!("bus = \"{direct}\""));
    for node in &cluster.nodes {
        until("it hears the others", async || {
            let page = node.stranger().get("/metrics").await.text;
            page.contains("chatkeep_bus_up 1\n")
        })
        .await;
    }
    let mut replies = Vec::new();
    for number in 0..20 {
        let chat = Chat::new(&cluster.ada(number % 2)).await;
        let prompt = format!("tokens=20 every_ms=10 {number}");
        for _ in 0..2 {
            replies.push((
                chat.by(&cluster.ada((number + 1) % 2)),
                chat.ask(&prompt).await,
            ));
        }
    }
    for (chat, reply) in &replies {
        let reply = chat.ended(reply).await;
        assert_eq!(reply["status"], "done", "{reply} {}", log());
        assert_eq!(
            said_by(&text(&chat.message_of(&reply).await)).unwrap().1,
            20
        );
    }
    let through = database::psql(
        &direct,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name LIKE 'chatkeep%'",
    );
    println!("pgbouncer replies={} connections={through}", replies.len());
}
