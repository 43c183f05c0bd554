use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::client::Client;
use crate::database;

/// A running server with a data folder of its own, on a free port; killed when it is dropped.
pub struct Server {
    process: Child,
    /// Gives what it logged, once it has ended.
    log: Option<JoinHandle<String>>,
    /// What it printed before it was ready, `http://…` first.
    pub announced: Vec<String>,
    pub base: String,
    pub folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with these variables in its environment.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Self::on(tempfile::tempdir().unwrap(), settings.collect())
    }

    /// Starts it on this PostgreSQL database, which has accounts.
    pub fn start_on(database: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DATABASE_URL), database).unwrap();
        Self::start_on_what_has_accounts(folder)
    }

    /// Starts it over this folder, whose database has accounts.
    pub fn start_on_what_has_accounts(folder: TempDir) -> Self {
        std::fs::write(folder.path().join(STARTED), "").unwrap();
        Self::on_what_is_there(folder, Vec::new())
    }

    /// Starts it on this PostgreSQL database, with this chatkeep.toml.
    pub fn start_on_with_file(database: &str, file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DATABASE_URL), database).unwrap();
        std::fs::write(folder.path().join("chatkeep.toml"), file).unwrap();
        Self::on(folder, Vec::new())
    }

    /// Starts it with this chatkeep.toml.
    pub fn start_with_file(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chatkeep.toml"), file).unwrap();
        Self::on(folder, Vec::new())
    }

    /// Starts another node on the same database, with the same settings.
    pub fn beside(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [DATABASE_URL, "chatkeep.toml", STARTED] {
            // Not every server has each of them.
            let _ = std::fs::copy(self.folder.path().join(name), folder.path().join(name));
        }
        assert!(
            folder.path().join(DATABASE_URL).exists(),
            "no shared database"
        );
        Self::on(folder, self.settings.clone())
    }

    /// Starts it over a data folder, whatever store the tests are run over.
    pub fn start_in_a_folder() -> Self {
        Self::on_what_is_there(tempfile::tempdir().unwrap(), Vec::new())
    }

    fn on(folder: TempDir, settings: Vec<(String, String)>) -> Self {
        if database::is_postgres() && !folder.path().join(DATABASE_URL).exists() {
            std::fs::write(folder.path().join(DATABASE_URL), database::fresh()).unwrap();
        }
        Self::on_what_is_there(folder, settings)
    }

    fn on_what_is_there(folder: TempDir, settings: Vec<(String, String)>) -> Self {
        let mut process = command(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = process.stderr.take().unwrap();
        // Read all the time: a server that has much to log would wait for it.
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            errors.read_to_string(&mut log).unwrap();
            log
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut announced = Vec::new();
        while !announced
            .last()
            .is_some_and(|line: &String| line.starts_with("its data is in"))
        {
            let Some(line) = lines.next() else {
                panic!("the server did not start: {}", log.join().unwrap());
            };
            announced.push(line.unwrap());
        }
        let base = announced[0].split_once("http://").unwrap().1;
        let base = format!("http://{base}");
        // Standard output stays open behind this thread; a closed pipe would end the server.
        let (rest, read) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| drop(rest.send(line)));
        });
        if folder_is_new(folder.path()) {
            announced.extend(read.iter().take(3));
        }
        Self {
            process,
            log: Some(log),
            announced,
            base,
            folder,
            settings,
        }
    }

    /// Ends it as a power cut would: without a chance to tidy up.
    pub fn kill(mut self) -> Stopped {
        self.process.kill().unwrap();
        self.stopped().0
    }

    /// Asks it to end, and gives what it logged.
    pub fn stop(self) -> (Stopped, String) {
        self.signal("TERM");
        self.stopped()
    }

    /// Sends it a signal such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn stopped(mut self) -> (Stopped, String) {
        let status = self.process.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let settings = std::mem::take(&mut self.settings);
        let clean = status.success();
        (
            Stopped {
                folder,
                settings,
                clean,
            },
            log,
        )
    }

    /// Somebody without a token.
    pub fn stranger(&self) -> Client {
        Client::new(&self.base, None)
    }

    /// Makes an account and a token for it.
    pub fn user(&self, email: &str) -> Client {
        self.run(&["user", "create", email, "--name", "Somebody"], "");
        self.token(email, &[])
    }

    /// Makes another token for an account.
    pub fn token(&self, email: &str, options: &[&str]) -> Client {
        let token = self.run(&[&["token", "create", email], options].concat(), "");
        Client::new(&self.base, Some(token.trim()))
    }

    /// Runs a command beside the server; it must succeed. Gives its standard output.
    pub fn run(&self, arguments: &[&str], input: &str) -> String {
        let output = run(self.folder.path(), arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a server left behind.
pub struct Stopped {
    pub folder: TempDir,
    settings: Vec<(String, String)>,
    /// Whether it ended by itself, with success.
    pub clean: bool,
}

impl Stopped {
    /// All that its database holds.
    pub fn stored(&self) -> Vec<u8> {
        if let Ok(url) = std::fs::read_to_string(self.folder.path().join(DATABASE_URL)) {
            return database::dump(&url);
        }
        let files = std::fs::read_dir(self.folder.path().join("data")).unwrap();
        files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    pub fn start_again(self) -> Server {
        Server::on(self.folder, self.settings)
    }
}

/// Runs a command of the binary in a data folder.
pub fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut process = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

/// The file in a server's folder that holds the URL of its database, if that is not in the folder.
const DATABASE_URL: &str = "database-url";

/// The binary, started in the data folder's parent so that no chatkeep.toml is read but the test's.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatkeep"));
    command
        .current_dir(folder)
        .env_clear()
        .arg("--data-dir")
        .arg(folder.join("data"));
    if let Ok(url) = std::fs::read_to_string(folder.join(DATABASE_URL)) {
        command.env("CHATKEEP_DATABASE_URL", url);
    }
    command
}

/// The file in a server's folder that says that there are accounts.
const STARTED: &str = "started";

fn folder_is_new(folder: &Path) -> bool {
    let log = folder.join(STARTED);
    let new = !log.exists();
    std::fs::write(log, "").unwrap();
    new
}
