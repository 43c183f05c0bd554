//! A password is shown nowhere.

use std::error::Error as _;
use std::io::Write;
use std::sync::{Arc, Mutex};

use chat::contracts::{Bus, News};
use nats::Nats;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::server::Server;
use crate::{PATIENCE, assert_heard, connected, cuid, node, reply, text, tls, until};

const PASSWORD: &str = "p@ss/w:rd%";
/// What a TLS connection begins with.
const TLS_HANDSHAKE: u8 = 22;
const ENCODED: &str = "p%40ss%2Fw%3Ard%25";

#[tokio::test]
async fn a_url_that_cant_be_read_is_an_error_without_the_password() {
    for url in [
        "chatkeep",
        "me:hidden@one:4222",
        "http://me:hidden@one:4222",
        "nats://hidden@one:4222",
        "nats://:hidden@one:4222",
        "nats://hidden:@one:4222",
        "nats://me:hidden%FF@one:4222",
        "nats://me:hidden/@one:4222",
        "nats://me:12/hidden@one:4222",
        "nats://me:hidden@",
        "nats://me:hidden@one:port",
        "nats://me:hidden@one,,two",
        "nats://me:hidden@one:99999",
        "nats://me:hidden@one?hidden",
        "nats://me:hidden#@one:hidden",
        "nats://me:hidden@one/two.tokens",
        "nats://me:hidden@one/hidden/",
        "nats://me:hidden@one/>",
        "nats://me:hidden@one/*",
        "nats://me:hidden@one/h%69dden",
        "nats://me:hidden@one/näts",
    ] {
        let error = Nats::connect(url, &cuid(1), tls()).await.err();
        let error = error.unwrap_or_else(|| panic!("{url} was taken"));
        let shown = format!("{error} {error:?} {:?}", error.source());
        assert!(!shown.contains("hidden"), "{url}: {shown}");
    }
    let long = format!("nats://one/{}", "x".repeat(65));
    assert!(Nats::connect(&long, &cuid(1), tls()).await.is_err());
}

#[tokio::test]
async fn a_password_lets_in_and_is_never_logged() {
    let log = Log::default();
    let (writer, level) = (log.clone(), tracing::Level::TRACE);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || writer.clone())
        .finish();
    // The other tests' lines come along. One for this thread alone would now and then miss some:
    // whether a line is wanted at all is remembered for all threads.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let mut server = Server::new(&["--user", "me", "--pass", PASSWORD]);
    server.start();
    let right = format!("nats://me:{ENCODED}@127.0.0.1:{}", server.port());
    let (one, two) = (connected(&right, 1).await, connected(&right, 2).await);
    let news = reply(vec![text(1, "Hello")]);
    one.tell(news.clone());
    assert_heard(&two, &news).await;

    let wrong = node(&right.replace("ss", "sss"), 3).await;
    until(|| log.text().contains("authorization violation")).await;
    assert!(!wrong.is_up());
    server.stop();
    until(|| !one.is_up() && log.text().contains("the bus is gone")).await;
    one.tell(News::Withdrawn);

    let log = log.text();
    assert!(log.contains("the bus is there"));
    for secret in [PASSWORD, ENCODED, "rd%", "%40", "p@s"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn over_tls_a_server_without_it_is_told_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _one = node(&format!("tls://me:{ENCODED}@{address}"), 1).await;
    let (mut connection, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    connection.write_all(b"INFO {}\r\n").await.unwrap();
    let first = timeout(PATIENCE, connection.read_u8()).await.unwrap();
    assert_eq!(first.unwrap(), TLS_HANDSHAKE);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
