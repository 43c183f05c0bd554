//! A NATS server that a test starts, stops and starts again.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A server on a port of its own, ended when it is dropped.
pub struct Server {
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    running: Option<Child>,
}

impl Server {
    /// A server that does not run yet.
    pub fn new(arguments: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            port: free.local_addr().unwrap().port(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            folder: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts a file where the server runs.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    pub fn start(&mut self) {
        let child = Command::new(crate::setting("CHATKEEP_TEST_NATS_SERVER"))
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.running = Some(child);
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
