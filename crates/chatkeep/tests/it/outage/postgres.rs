//! A PostgreSQL of a test's own, which it may stop and kill.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use tempfile::TempDir;

use crate::database::{psql, server};

/// A cluster with its processes, which end when it is dropped.
pub struct Postgres {
    folder: TempDir,
    port: u16,
    postmaster: Option<Child>,
}

impl Postgres {
    pub fn start() -> Self {
        let folder = folder();
        let made = program(folder.path(), "initdb")
            .args(["--username=chatkeep", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C.UTF-8", "--no-sync", "--no-instructions"])
            .arg("--pgdata")
            .arg(data(folder.path()))
            .output();
        succeeded("initdb", &made.unwrap());
        Self::on_a_free_port(folder)
    }

    /// Starts a copy of it that follows it, and lets each of its commits wait for that.
    pub async fn standby(&self) -> Self {
        let folder = folder();
        let port = self.port.to_string();
        let copied = program(folder.path(), "pg_basebackup")
            .args(["--host=127.0.0.1", "--port", &port, "--username=chatkeep"])
            .args(["--checkpoint=fast", "--no-sync", "--wal-method=stream"])
            .args(["--create-slot", "--slot=standby", "--write-recovery-conf"])
            .args(["--dbname", "application_name=standby", "--pgdata"])
            .arg(data(folder.path()))
            .output();
        succeeded("pg_basebackup", &copied.unwrap());
        let standby = Self::on_a_free_port(folder);
        // Only now: the copy must not have it, or would wait for a standby of its own.
        let here = self.url("postgres");
        psql(
            &here,
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
        );
        psql(&here, "SELECT pg_reload_conf()");
        while psql(&here, "SELECT sync_state FROM pg_stat_replication") != "sync" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        standby
    }

    /// Ends the recovery of a standby: from then on it takes writes.
    pub fn promote(&self) {
        let folder = self.folder.path();
        let promoted = program(folder, "pg_ctl")
            .args(["promote", "--wait", "--silent", "--pgdata"])
            .arg(data(folder))
            .output();
        succeeded("pg_ctl promote", &promoted.unwrap());
    }

    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://chatkeep@{}/{database}", self.place())
    }

    /// The URL of a new, empty database.
    pub fn fresh(&self) -> String {
        psql(&self.url("postgres"), "CREATE DATABASE chatkeep");
        self.url("chatkeep")
    }

    /// Ends it as `pg_ctl stop -m immediate` does: all that is under way breaks off.
    pub fn stop(&mut self) {
        let mut postmaster = self.postmaster.take().unwrap();
        signal("QUIT", &[postmaster.id()]);
        postmaster.wait().unwrap();
    }

    /// Ends all its processes at once, and leaves none of them a chance to do anything.
    pub fn kill(&mut self) {
        let mut postmaster = self.postmaster.take().unwrap();
        let id = postmaster.id();
        // So that it starts no further ones meanwhile.
        signal("STOP", &[id]);
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        let all: Vec<u32> = std::iter::once(id).chain(children).collect();
        signal("KILL", &all);
        postmaster.wait().unwrap();
    }

    /// Starts it where it was.
    pub fn start_again(&mut self) {
        self.postmaster = Some(run(self.folder.path(), self.port).unwrap());
    }

    fn on_a_free_port(folder: TempDir) -> Self {
        loop {
            let port = free_port();
            // Somebody may have been faster.
            if let Some(postmaster) = run(folder.path(), port) {
                return Self {
                    folder,
                    port,
                    postmaster: Some(postmaster),
                };
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            self.stop();
        }
    }
}

/// A port that is free. It is none of those that the system hands out by itself, so that it still is
/// when a server comes back to it, and none of those that scripts/servers takes.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(10_000..20_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Starts the server, and waits until it is ready; `None` if somebody has its port.
fn run(folder: &Path, port: u16) -> Option<Child> {
    let mut postmaster = program(folder, "postgres")
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories=", "-c", "jit=off"])
        .args(["-c", "max_connections=200", "-c", "shared_buffers=32MB"])
        .arg("-D")
        .arg(data(folder))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(postmaster.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in log.by_ref() {
        said.push(line.unwrap());
        if said.last().unwrap().contains("ready to accept") {
            // It must not find its standard error closed, or full.
            std::thread::spawn(move || log.for_each(drop));
            return Some(postmaster);
        }
    }
    postmaster.wait().unwrap();
    let has_none = said.iter().any(|line| line.contains("already in use"));
    assert!(has_none, "PostgreSQL did not start: {said:#?}");
    None
}

/// A program of PostgreSQL's, run in that folder by whoever may: it refuses to work for root.
fn program(folder: &Path, name: &str) -> Command {
    let path = format!("{}/{name}", server("CHATKEEP_TEST_POSTGRES_BIN"));
    let user = server("CHATKEEP_TEST_USER");
    let mut command = if user.is_empty() {
        Command::new(path)
    } else {
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={user}"),
            &format!("--regid={user}"),
            "--init-groups",
            &path,
        ]);
        command
    };
    command.current_dir(folder);
    command
}

/// A folder that belongs to whoever runs PostgreSQL.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let user = server("CHATKEEP_TEST_USER");
    if !user.is_empty() {
        let mut chown = Command::new("chown");
        let given = chown.arg(user).arg(folder.path()).output();
        succeeded("chown", &given.unwrap());
    }
    folder
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn signal(name: &str, processes: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}"));
    kill.args(processes.iter().map(u32::to_string));
    // One of several may have ended by itself.
    let _ = kill.output().unwrap();
}

fn succeeded(what: &str, output: &std::process::Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
}
