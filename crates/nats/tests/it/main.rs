//! The bus on a real NATS server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod passwords;
mod server;

use std::sync::Arc;
use std::time::Duration;

use chat::contracts::{Bus, News, Told};
use chat::types::{Cuid, Delta, Event, NumberedEvent};
use nats::Nats;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::server::Server;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test's settings")]
fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests through scripts/servers"))
}

/// The server that the tests share, with a prefix for one of them.
fn shared(test: &str) -> String {
    let server = setting("CHATKEEP_TEST_NATS");
    format!("{server}/{test}-{}", std::process::id())
}

fn cuid(number: u32) -> Cuid {
    Cuid::parse(&format!("ctest{number:06}")).unwrap()
}

fn tls() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

/// A node that need not be connected yet.
async fn node(url: &str, number: u32) -> Nats {
    Nats::connect(url, &cuid(number), tls()).await.unwrap()
}

/// A node that is connected, and has heard the gap that begins every connection.
async fn connected(url: &str, number: u32) -> Nats {
    let node = node(url, number).await;
    until(|| node.is_up()).await;
    assert_eq!(hear(&node).await, Told::Gap);
    node
}

async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it never was so");
}

async fn hear(node: &Nats) -> Told {
    timeout(PATIENCE, node.hear()).await.expect("nothing heard")
}

async fn assert_heard(node: &Nats, news: &News) {
    assert_eq!(hear(node).await, Told::News(news.clone()));
}

fn reply(events: Vec<NumberedEvent>) -> News {
    News::Reply {
        owner: cuid(1),
        reply: cuid(2),
        events: events.into(),
    }
}

fn text(number: i64, text: &str) -> NumberedEvent {
    let event = Event::Delta(Delta::Text(text.to_owned()));
    NumberedEvent { number, event }
}

fn reasoning(number: i64, text: &str) -> NumberedEvent {
    let event = Event::Delta(Delta::Reasoning(text.to_owned()));
    NumberedEvent { number, event }
}

/// News of every kind; two sets differ, as far as news can.
fn every_kind(set: u32) -> Vec<News> {
    let (owner, session) = (cuid(set), i64::from(set) << 40);
    vec![
        reply(vec![text(i64::from(set), "Hello")]),
        reply(Vec::new()),
        News::Changed(owner.clone()),
        News::Waiting {
            owner: owner.clone(),
            session,
        },
        News::Stop {
            owner,
            session,
            reply: cuid(set + 1),
        },
        News::Withdrawn,
    ]
}

#[tokio::test]
async fn what_a_node_tells_all_others_hear_and_it_does_not_hear_itself() {
    let url = shared("others");
    let one = connected(&url, 1).await;
    let two = connected(&url, 2).await;
    let three = connected(&url, 3).await;
    for (news, answer) in every_kind(1).into_iter().zip(every_kind(2)) {
        one.tell(news.clone());
        assert_heard(&two, &news).await;
        assert_heard(&three, &news).await;
        two.tell(answer.clone());
        assert_heard(&three, &answer).await;
        assert_heard(&one, &answer).await;
    }
    // Had either heard itself, that would wait before this one.
    three.tell(News::Changed(cuid(3)));
    assert_heard(&one, &News::Changed(cuid(3))).await;
    assert_heard(&two, &News::Changed(cuid(3))).await;
}

#[tokio::test]
async fn deltas_arrive_as_they_were_told() {
    let url = shared("deltas");
    let (one, two) = (connected(&url, 1).await, connected(&url, 2).await);
    let news = reply(vec![
        reasoning(2, "Hm… 「それ」"),
        reasoning(3, " "),
        text(4, "\"quoted\" \\ {\"a\":[1]}"),
        text(5, "\n\t\r\0\u{7f}\u{2028}"),
        text(7, "👩‍👩‍👧 é e\u{301} \u{10ffff}"),
        text(i64::MAX, "the last"),
    ]);
    one.tell(news.clone());
    assert_heard(&two, &news).await;
    let long = reply(vec![text(8, &"x".repeat(500_000))]);
    one.tell(long.clone());
    assert_heard(&two, &long).await;
}

#[tokio::test]
async fn what_is_no_delta_or_too_long_arrives_as_a_hint_to_read_the_rows() {
    let url = shared("hints");
    let (one, two) = (connected(&url, 1).await, connected(&url, 2).await);
    let reset = NumberedEvent {
        number: 1,
        event: Event::Reset { attempt: 2 },
    };
    // A quarter of a million characters that take two bytes each in JSON, and some.
    let long = "\"".repeat(263_000);
    for events in [vec![text(0, "a"), reset], vec![text(0, &long)]] {
        one.tell(reply(events));
        assert_heard(&two, &reply(Vec::new())).await;
    }
}

#[tokio::test]
async fn what_a_server_would_not_carry_arrives_as_a_hint() {
    let mut server = Server::new(&["--config", "small.conf"]);
    server.write("small.conf", "max_payload: 1000");
    server.start();
    let url = format!("nats://127.0.0.1:{}", server.port());
    let (one, two) = (connected(&url, 1).await, connected(&url, 2).await);
    one.tell(reply(vec![text(0, &"x".repeat(1_001))]));
    assert_heard(&two, &reply(Vec::new())).await;
}

#[tokio::test]
async fn nodes_with_different_prefixes_do_not_hear_one_another() {
    let (ours, theirs) = (shared("ours"), shared("theirs"));
    let (one, two) = (connected(&ours, 1).await, connected(&ours, 2).await);
    let (three, four) = (connected(&theirs, 3).await, connected(&theirs, 4).await);
    for (news, others) in every_kind(1).into_iter().zip(every_kind(2)) {
        one.tell(news.clone());
        assert_heard(&two, &news).await;
        three.tell(others.clone());
        assert_heard(&four, &others).await;
    }
    two.tell(News::Changed(cuid(3)));
    assert_heard(&one, &News::Changed(cuid(3))).await;
    four.tell(News::Changed(cuid(4)));
    assert_heard(&three, &News::Changed(cuid(4))).await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_a_gap_and_then_heard_again() {
    let mut server = Server::new(&[]);
    server.start();
    let url = format!("nats://127.0.0.1:{}", server.port());
    let (one, two) = (connected(&url, 1).await, connected(&url, 2).await);
    for session in 1..=2 {
        server.stop();
        until(|| !one.is_up() && !two.is_up()).await;
        server.start();
        until(|| one.is_up() && two.is_up()).await;
        assert_eq!(hear(&one).await, Told::Gap);
        assert_eq!(hear(&two).await, Told::Gap);
        let owner = cuid(1);
        let news = News::Waiting { owner, session };
        one.tell(news.clone());
        assert_heard(&two, &news).await;
    }
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_found_later() {
    let mut server = Server::new(&[]);
    let url = format!("nats://127.0.0.1:{}", server.port());
    let (one, two) = (node(&url, 1).await, node(&url, 2).await);
    assert!(!one.is_up());
    server.start();
    until(|| one.is_up() && two.is_up()).await;
    assert_eq!(hear(&two).await, Told::Gap);
    one.tell(News::Withdrawn);
    assert_heard(&two, &News::Withdrawn).await;
}

#[tokio::test]
async fn a_server_that_has_not_taken_the_subscriptions_yet_is_not_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let one = node(&url, 1).await;
    let (mut connection, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let (reading, mut writing) = connection.split();
    let mut lines = BufReader::new(reading).lines();
    writing
        .write_all(b"INFO {\"max_payload\":1000,\"headers\":true}\r\n")
        .await
        .unwrap();
    // It lets the node in, takes all that comes, and answers nothing more.
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap();
        let line = line.unwrap().unwrap();
        if line == "PING" {
            writing.write_all(b"PONG\r\n").await.unwrap();
        } else if line.starts_with("PUB ") {
            break;
        }
    }
    assert!(!one.is_up());
}

#[tokio::test]
async fn garbage_is_ignored() {
    let url = shared("garbage");
    let two = connected(&url, 2).await;
    let stranger = async_nats::connect(setting("CHATKEEP_TEST_NATS"))
        .await
        .unwrap();
    let (_, prefix) = url.rsplit_once('/').unwrap();
    let (owner, at) = (cuid(1), cuid(2));
    for (subject, payload) in [
        (format!("reply.{owner}.{at}"), "not JSON"),
        (format!("reply.{owner}.{at}"), ""),
        (format!("reply.{owner}.{at}"), "7"),
        (format!("reply.{owner}.{at}"), r#"{"deltas":[[1,"text""#),
        (format!("reply.{owner}.{at}"), r#"{"deltas":[[1,"text"]]}"#),
        (
            format!("reply.{owner}.{at}"),
            r#"{"deltas":[[1,"text",""]]}"#,
        ),
        (
            format!("reply.{owner}.{at}"),
            r#"{"deltas":[[1,"smell","rose"]]}"#,
        ),
        (
            format!("reply.{owner}.{at}"),
            r#"{"deltas":[["1","text","a"]]}"#,
        ),
        (format!("reply.{owner}.{at}"), "\u{fffd}"),
        (format!("reply.{owner}.Not-a-CUID"), "{}"),
        (format!("reply.NOBODY.{at}"), "{}"),
        ("changed.NOBODY".to_owned(), ""),
        (format!("waiting.{owner}"), r#"{"session":"one"}"#),
        (format!("waiting.{owner}"), "{}"),
        (format!("stop.{owner}"), r#"{"session":1,"reply":"?"}"#),
        (format!("stop.{owner}"), r#"{"session":1}"#),
        ("unheard.of".to_owned(), "{}"),
    ] {
        let subject = format!("{prefix}.{subject}");
        stranger.publish(subject, payload.into()).await.unwrap();
    }
    let reply_subject = format!("{prefix}.reply.{owner}.{at}");
    let not_text = b"{\"deltas\":[[1,\"text\",\"\xff\"]]}".to_vec();
    stranger
        .publish(reply_subject, not_text.into())
        .await
        .unwrap();
    // What a newer node adds does no harm.
    stranger
        .publish(
            format!("{prefix}.waiting.{owner}"),
            r#"{"session":7,"since":"noon"}"#.into(),
        )
        .await
        .unwrap();
    let session = 7;
    assert_heard(&two, &News::Waiting { owner, session }).await;

    // The news above came by another subscription than some of the garbage.
    let one = connected(&url, 1).await;
    for news in every_kind(1) {
        one.tell(news.clone());
        assert_heard(&two, &news).await;
    }
}
