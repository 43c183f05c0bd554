//! The clients that people have, as their registries have them, against the real server: the scripts in
//! `tests/clients`. `scripts/clients` installs what they need.

mod ai_sdk;
mod openai;
mod page;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::client::Client;
use crate::talk::Talk;

/// Runs a script to its end, which must be a good one, with the server behind this address; gives the
/// figures that it prints.
///
/// A script that prints `release` lets the answers go on that stall in the provider.
fn run(talk: &Talk, base: &str, script: &str, arguments: &[&str]) -> Value {
    let mut errors = tempfile::tempfile().unwrap();
    let mut process = program(script)
        .args(arguments)
        .env("BASE_URL", base)
        .env("KEY", talk.ada.token.as_ref().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut last = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        last = line.unwrap();
        if last == "release" {
            talk.provider.release();
        }
    }
    let ended = process.wait().unwrap();
    assert!(ended.success(), "{script}: {}", text(&mut errors));
    println!("{script} {} {last}", arguments.join(" "));
    serde_json::from_str(&last).unwrap()
}

/// The program that runs a script, with the script as its first argument.
fn program(script: &str) -> Command {
    let clients = installed();
    let mut program = if script.starts_with("openai_python/") {
        let mut python = Command::new(clients.join("venv/bin/python"));
        python.arg("-B");
        python
    } else {
        let mut node = Command::new(clients.join("node"));
        // So that packages are found beside the way to the script.
        node.args(["--preserve-symlinks", "--preserve-symlinks-main"]);
        node
    };
    program.arg(clients.join("scripts").join(script));
    program
}

/// Where `scripts/clients` has put the clients.
fn installed() -> PathBuf {
    let folder = std::env::var_os("CHATKEEP_TEST_CLIENTS");
    folder.expect("run the tests by scripts/clients").into()
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// All chats of somebody, the newest first.
async fn chats(client: &Client) -> Vec<Value> {
    let (mut chats, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/chat?limit=100{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let data = &page.body["data"];
        chats.extend(data["chats"].as_array().unwrap().clone());
        let Some(next) = data["nextCursor"].as_str() else {
            return chats;
        };
        cursor = format!("&cursor={next}");
    }
}
