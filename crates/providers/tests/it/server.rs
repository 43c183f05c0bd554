//! A server that does what is written down for it, byte for byte.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use providers::Kind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How long a test waits for what has to happen at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What the server does on one connection, after it has read a request.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Reads until the client closes the connection, and takes note of that.
    UntilClosed,
}

/// A server on a free port.
pub struct Server {
    pub base: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    asked: Notify,
    left: Notify,
}

impl Server {
    /// Follows a script for each connection; the last one stays.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/base", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        let for_task = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut place = 0;
            while let Ok((connection, _)) = listener.accept().await {
                let script = scripts[place.min(scripts.len() - 1)].clone();
                place += 1;
                tokio::spawn(serve(connection, script, Arc::clone(&for_task)));
            }
        });
        Self { base, seen }
    }

    /// Always sends these bytes, and closes.
    pub async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![vec![Step::Send(bytes.into())]]).await
    }

    /// What it was sent, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub fn calls(&self) -> usize {
        self.requests().len()
    }

    /// Waits for a request.
    pub async fn asked(&self) {
        timeout(AT_ONCE, self.seen.asked.notified())
            .await
            .expect("nobody asked");
    }

    /// Waits until the client has closed a connection.
    pub async fn left(&self) {
        timeout(AT_ONCE, self.seen.left.notified())
            .await
            .expect("nobody left");
    }
}

async fn serve(mut connection: TcpStream, script: Vec<Step>, seen: Arc<Seen>) {
    let Some(request) = read_request(&mut connection).await else {
        return;
    };
    seen.requests.lock().unwrap().push(request);
    seen.asked.notify_one();
    for step in script {
        match step {
            // The client may have gone; then nobody misses the rest.
            Step::Send(bytes) => drop(connection.write_all(&bytes).await),
            Step::Wait(time) => sleep(time).await,
            Step::UntilClosed => {
                let end = connection.read(&mut [0; 64]).await;
                assert!(matches!(end, Ok(0) | Err(_)), "the client said more");
                seen.left.notify_one();
            }
        }
    }
    drop(connection.shutdown().await);
}

async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
        match connection.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// An answer that is as long as its connection lasts.
pub fn stream(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
        connection: close\r\n\r\n";
    format!("{head}{body}").into_bytes()
}

/// An answer in the chunks of HTTP/1.1, one for each event.
pub fn chunked(body: &str) -> Vec<u8> {
    let mut text = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        .to_owned();
    for event in body.split_inclusive("\n\n") {
        let length = event.len();
        let _ = write!(text, "{length:x}\r\n{event}\r\n");
    }
    (text + "0\r\n\r\n").into_bytes()
}

/// An answer with a length, and some headers more.
pub fn plain(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    format!("{head}{headers}\r\n{body}").into_bytes()
}

/// A good answer in a dialect: it thinks "hm", says "Hällo 😀", read 5 tokens and wrote 3.
pub fn good(kind: Kind) -> &'static str {
    match kind {
        Kind::Anthropic => include_str!("good_anthropic.txt"),
        _ => include_str!("good_openai.txt"),
    }
}

/// An answer in a dialect that calls the tools `weather` (as `a`, for "Köln") and `now` (as `b`, without
/// arguments), read 5 tokens and wrote 3.
pub fn calling(kind: Kind) -> &'static str {
    match kind {
        Kind::Anthropic => include_str!("calling_anthropic.txt"),
        _ => include_str!("calling_openai.txt"),
    }
}

/// Where in these bytes the event of an answer ends that says that the model has ended.
pub fn ended_at(bytes: &[u8], answer: &str) -> usize {
    let reasons = [r#""finish_reason":""#, r#""stop_reason":""#];
    let is_end = |event: &&str| reasons.iter().any(|reason| event.contains(reason));
    let end = answer
        .split_inclusive("\n\n")
        .find(is_end)
        .unwrap()
        .as_bytes();
    let begins = bytes.windows(end.len()).position(|bytes| bytes == end);
    begins.unwrap() + end.len()
}
