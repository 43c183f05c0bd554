//! The load of `bench/replies` and `bench/cluster`, and the provider behind it: one process, so that a
//! token's text can tell when it was written and whoever reads it knows how old it is.
//!
//! `streams PROVIDER_PORT` and
//!
//! - `direct REPLIES TOKENS`: replies read from the provider itself;
//! - `chatkeep ADDRESS TOKEN FIRST_SESSION REPLIES TOKENS`: one reply in each session from that one on;
//! - `responses|completions|kept-completions ADDRESS TOKEN REPLIES TOKENS`: the same, as OpenAI's clients
//!   ask for it;
//! - `watch ADDRESS TOKEN FIRST_SESSION SESSIONS REPLIES_EACH WATCHERS`: many who watch replies that
//!   stall; before it opens and before it closes the streams it waits for a line of its input;
//! - `idle ADDRESS PATH CONNECTIONS`: connections that are kept open after one request, until a line;
//! - `across ADDRESS ADDRESS TOKENS FIRST_SESSION REPLIES WORDS`: as `chatkeep`, of many accounts whose
//!   tokens are lines of a file; asked at the first address and watched at the second one;
//! - `rate ADDRESS,… TOKENS FIRST_SESSION SESSIONS CONNECTIONS WORDS SECONDS`: short replies, one after
//!   the other on each connection;
//! - `get ADDRESS TOKEN TIMES PATH…`: requests one after the other, the paths taking turns.
//!
//! Each prints a line of JSON, with times in microseconds. Whatever goes wrong ends it with an error.

mod client;
mod provider;
mod rate;
mod reply;
mod watch;

use std::error::Error;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use client::{Http, Server, Tokens};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str =
    "usage: streams PROVIDER_PORT direct|chatkeep|watch|idle|across|rate|get …; see main.rs";

#[tokio::main]
async fn main() -> Result<()> {
    now();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [port, args @ ..] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let provider = format!("127.0.0.1:{port}");
    tokio::spawn(provider::serve(TcpListener::bind(&provider).await?));
    match args {
        ["direct", replies, tokens] => {
            let source = reply::Source::Provider(provider);
            reply::measure(source, replies.parse()?, tokens.parse()?).await
        }
        ["chatkeep", address, token, first, replies, tokens] => {
            let server = Server::new(address, token);
            let source = reply::Source::Chatkeep(server, first.parse()?);
            reply::measure(source, replies.parse()?, tokens.parse()?).await
        }
        [
            call @ ("responses" | "completions" | "kept-completions"),
            address,
            token,
            replies,
            tokens,
        ] => {
            let source = reply::Source::OpenAi(Server::new(address, token), call_of(call));
            reply::measure(source, replies.parse()?, tokens.parse()?).await
        }
        ["watch", address, token, first, sessions, each, watchers] => {
            let first: usize = first.parse()?;
            let sessions = first..first + sessions.parse::<usize>()?;
            let server = Server::new(address, token);
            watch::watch(server, sessions, each.parse()?, watchers.parse()?).await
        }
        ["idle", address, path, connections] => {
            watch::idle(Server::new(address, "none"), path, connections.parse()?).await
        }
        ["across", asked, watched, tokens, first, replies, words] => {
            let nodes = reply::Nodes {
                asked: (*asked).to_owned(),
                watched: (*watched).to_owned(),
                tokens: Tokens::read(tokens)?,
                first: first.parse()?,
            };
            reply::measure(
                reply::Source::Nodes(nodes),
                replies.parse()?,
                words.parse()?,
            )
            .await
        }
        [
            "rate",
            nodes,
            tokens,
            first,
            sessions,
            connections,
            words,
            seconds,
        ] => {
            let load = rate::Load {
                nodes: nodes.split(',').map(str::to_owned).collect(),
                tokens: Tokens::read(tokens)?,
                first: first.parse()?,
                sessions: sessions.parse()?,
                connections: connections.parse()?,
                words: words.parse()?,
                time: Duration::from_secs(seconds.parse()?),
            };
            rate::measure(load).await
        }
        ["get", address, token, times, paths @ ..] => {
            get(Server::new(address, token), times.parse()?, paths).await
        }
        _ => Err(USAGE.into()),
    }
}

fn call_of(name: &str) -> reply::Call {
    match name {
        "responses" => reply::Call::Responses,
        "kept-completions" => reply::Call::KeptCompletions,
        _ => reply::Call::Completions,
    }
}

/// Microseconds since this process began.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_micros() as u64
}

/// The value below which this share of the times lies.
fn quantile(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted[place.clamp(1, sorted.len()) - 1]
}

/// Prints the median time of each path.
async fn get(server: Server, times: usize, paths: &[&str]) -> Result<()> {
    let mut http = Http::connect(&server.address).await?;
    let mut taken = vec![Vec::with_capacity(times); paths.len()];
    for _ in 0..times {
        for (path, taken) in paths.iter().zip(&mut taken) {
            let start = now();
            http.ask(&server.request("GET", path, "")).await?;
            taken.push(now() - start);
        }
    }
    let medians: Vec<u64> = taken
        .iter_mut()
        .map(|taken| {
            taken.sort_unstable();
            quantile(taken, 0.5)
        })
        .collect();
    println!("{medians:?}");
    Ok(())
}
