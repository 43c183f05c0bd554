//! `chatkeep copy`: from a data folder to PostgreSQL and back, with the real binary.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::database;
use crate::server::{Server, run};
use crate::talk::{Chat, text};

/// What somebody sees of a chat.
async fn seen(client: &Client, chat: &Chat) -> (Value, Vec<Value>) {
    let chat = chat.by(client);
    let shown = client.get(&chat.path("")).await.body;
    (shown, chat.tree().await)
}

#[tokio::test]
async fn what_was_copied_to_postgres_and_back_is_what_was_there() {
    let server = Server::start_in_a_folder();
    let ada = server.user("ada@example.com");
    let chat = Chat::new(&ada).await;
    let reply = chat.answered("How are you?").await;
    let before = seen(&ada, &chat).await;
    let (number, _) = ada.session("one more").await;
    let events = chat.watch(&crate::talk::id(&reply)).await.rest().await;

    let source = server.folder.path().join("data");
    let source = format!("sqlite:{}", source.display());
    let target = database::fresh();
    let there = ["copy", "--from", &source, "--to", &target];
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = run(elsewhere.path(), &there, "");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("a server uses it; stop it first"), "{error}");

    let (stopped, _) = server.stop();
    let copied = run(elsewhere.path(), &there, "");
    let told = String::from_utf8(copied.stdout).unwrap();
    assert!(
        copied.status.success(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
    assert!(
        told.contains("session 2 rows, the same in both: "),
        "{told}"
    );
    let again = run(elsewhere.path(), &there, "");
    let error = String::from_utf8(again.stderr).unwrap();
    assert!(error.contains("is not empty"), "{error}");

    let server = Server::start_on(&target);
    let there = ada_on(&server, &ada);
    assert_eq!(seen(&there, &chat).await, before);
    let chat_there = chat.by(&there);
    let replayed = chat_there
        .watch(&crate::talk::id(&reply))
        .await
        .rest()
        .await;
    assert_eq!(replayed, events);
    let (next, _) = there.session("made there").await;
    assert!(next.parse::<i64>().unwrap() > number.parse().unwrap());
    let answered = chat_there.answered("And now?").await;
    assert_ne!(text(&chat_there.message_of(&answered).await), "");
    let before = seen(&there, &chat).await;
    server.stop();

    let back = tempfile::tempdir().unwrap();
    let folder = format!("sqlite:{}", back.path().join("data").display());
    let copied = run(
        back.path(),
        &["copy", "--from", &target, "--to", &folder],
        "",
    );
    assert!(
        copied.status.success(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
    drop(stopped);
    let server = Server::start_on_what_has_accounts(back);
    let back = ada_on(&server, &ada);
    assert_eq!(seen(&back, &chat).await, before);
}

/// Ada with the token that she had on another server.
fn ada_on(server: &Server, ada: &Client) -> Client {
    server.stranger().with_token(ada.token.as_deref().unwrap())
}

#[tokio::test]
async fn a_copy_that_was_killed_is_not_served_and_goes_on() {
    let server = Server::start_in_a_folder();
    let ada = server.user("ada@example.com");
    let chat = Chat::new(&ada).await;
    let messages: Vec<Value> = (0..100)
        .map(|number| json!({ "role": "user", "content": format!("{number} {}", "x".repeat(2_000)) }))
        .collect();
    for _ in 0..20 {
        let appended = ada
            .post(&chat.path("/messages"), json!({ "messages": messages }))
            .await;
        assert_eq!(appended.status, 201, "{appended:?}");
    }
    let before = seen(&ada, &chat).await;
    let (stopped, _) = server.stop();
    let source = format!("sqlite:{}", stopped.folder.path().join("data").display());
    let target = database::fresh();
    let arguments = ["copy", "--from", &source, "--to", &target];
    let mut cut = 0;
    // The moment of the kill is the test's input.
    for wait in (20..).step_by(20) {
        let mut copying = crate::server::command(stopped.folder.path());
        let mut copying = copying
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        copying.kill().unwrap();
        if copying.wait().unwrap().success() {
            break;
        }
        let marker = "SELECT count(*) FROM pg_tables WHERE tablename = 'copying'";
        if database::psql(&target, marker) == "1" {
            cut += 1;
            let elsewhere = tempfile::tempdir().unwrap();
            let arguments = [
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--database-url",
                &target,
            ];
            let served = run(elsewhere.path(), &arguments, "");
            assert!(!served.status.success());
            let error = String::from_utf8(served.stderr).unwrap();
            assert!(error.contains("copy"), "{error}");
        }
    }
    let server = Server::start_on(&target);
    assert_eq!(seen(&ada_on(&server, &ada), &chat).await, before);
    println!("copy cut={cut}");
    assert!(cut > 0, "no copy was cut off");
}
