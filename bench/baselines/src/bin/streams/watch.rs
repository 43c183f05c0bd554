//! Many connections on which nothing happens: of those who watch replies that have begun and then
//! stall, and, to compare, of those who have asked for something and then keep still.

use std::ops::Range;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::client::{Http, Server, header};
use crate::{Result, provider};

/// Requests at the same time while replies and streams begin.
const BEGINNING: usize = 64;

/// Begins the replies and watches them.
pub async fn watch(
    server: Server,
    sessions: Range<usize>,
    replies_each: usize,
    watchers: usize,
) -> Result<()> {
    let mut input = BufReader::new(stdin()).lines();
    let paths = begin(&server, sessions, replies_each).await?;
    report("begun", &mut input).await?;
    let paths = paths.iter().cycle().take(watchers);
    let requests = paths.map(|path| server.request("GET", &format!("{path}/events"), ""));
    open(&server, requests.collect(), b"event: accepted", input).await
}

/// Keeps connections open that were used once.
pub async fn idle(server: Server, path: &str, connections: usize) -> Result<()> {
    let input = BufReader::new(stdin()).lines();
    let requests = vec![server.request("GET", path, ""); connections];
    open(&server, requests, b"", input).await
}

/// Sends each request over a connection of its own, waits for that line in its answer, and makes
/// sure that none has ended when they are closed.
async fn open(
    server: &Server,
    requests: Vec<String>,
    awaited: &'static [u8],
    mut input: Lines<BufReader<Stdin>>,
) -> Result<()> {
    let places = Arc::new(Semaphore::new(BEGINNING));
    let count = requests.len();
    let (opened, mut open) = mpsc::channel(count);
    let mut holding = JoinSet::new();
    for request in requests {
        let (address, places, opened) = (server.address.clone(), places.clone(), opened.clone());
        holding.spawn(async move {
            let place = places.acquire().await?;
            let mut http = Http::connect(&address).await?;
            http.send(&request).await?;
            let is_open = |line: &[u8]| Ok((line == awaited).then_some(()));
            while http.lines(is_open).await?.is_none() {}
            drop(place);
            opened.send(()).await?;
            // It ends with an error when the connection does.
            while http.lines(|_| Ok(None::<()>)).await?.is_none() {}
            Result::Ok(())
        });
    }
    for _ in 0..count {
        tokio::select! {
            _ = open.recv() => {}
            Some(ended) = holding.join_next() => return ended?,
        }
    }
    report("open", &mut input).await?;
    match holding.try_join_next() {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

/// Begins replies in all of the sessions, in each one after the other, and gives their paths.
async fn begin(server: &Server, sessions: Range<usize>, each: usize) -> Result<Vec<String>> {
    let body = format!(r#"{{"prompt":"{}"}}"#, provider::prompt(1, true));
    let places = Arc::new(Semaphore::new(BEGINNING));
    let mut beginning = JoinSet::new();
    for session in sessions {
        let path = format!("/api/v1/chat/{session}/replies");
        let request = server.request("POST", &path, &body);
        let (address, places) = (server.address.clone(), places.clone());
        beginning.spawn(async move {
            let _place = places.acquire().await?;
            let mut http = Http::connect(&address).await?;
            let mut paths = Vec::with_capacity(each);
            for _ in 0..each {
                let head = http.ask(&request).await?;
                paths.push(header(&head, "location")?.to_owned());
            }
            Result::Ok(paths)
        });
    }
    let mut paths = Vec::new();
    while let Some(begun) = beginning.join_next().await {
        paths.extend(begun??);
    }
    Ok(paths)
}

/// Says how far it is, and waits to be told to go on.
async fn report(state: &str, input: &mut Lines<BufReader<Stdin>>) -> Result<()> {
    println!("{state:?}");
    input.next_line().await?;
    Ok(())
}
