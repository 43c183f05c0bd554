//! Replies at the same time, read to their ends: how old each token is when it arrives.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Http, Server, Tokens, find, header, request};
use crate::{Result, now, provider, quantile};

/// The replies begin one after the other within this time: it is about many that run, and not about
/// many that come in the same moment.
const STARTS_SPREAD: Duration = Duration::from_secs(1);

/// Where a reply comes from.
pub enum Source {
    /// The provider's address.
    Provider(String),
    /// A server, and the first of the sessions in which it is asked.
    Chatkeep(Server, usize),
    /// A server that is spoken to as OpenAI's clients do.
    OpenAi(Server, Call),
    /// Two nodes: who asks the first one watches at the second one.
    Nodes(Nodes),
}

/// What one of OpenAI's clients calls.
#[derive(Clone, Copy)]
pub enum Call {
    /// The Responses API: each reply is kept in a session of its own.
    Responses,
    /// Chat completions, which are not kept.
    Completions,
    /// Chat completions with `store`: each is kept in a session of its own.
    KeptCompletions,
}

pub struct Nodes {
    pub asked: String,
    pub watched: String,
    pub tokens: Tokens,
    /// The first of the sessions.
    pub first: usize,
}

/// What is left out of a reply that is watched at another node: it was there before its watcher.
const BEFORE_WATCHED: usize = 10;

/// The times of one reply.
struct Times {
    /// From the request to the first token.
    first: u64,
    /// For each token from its writing to its arrival.
    tokens: Vec<u64>,
}

/// Prints how long tokens took.
pub async fn measure(source: Source, replies: usize, tokens: usize) -> Result<()> {
    let source = Arc::new(source);
    let mut running = JoinSet::new();
    for number in 0..replies {
        let source = source.clone();
        running.spawn(async move {
            sleep(STARTS_SPREAD * number as u32 / replies as u32).await;
            let times = source.read(number, tokens).await;
            times.map_err(|error| format!("reply {number}: {error}"))
        });
    }
    let mut firsts = Vec::with_capacity(replies);
    let mut all = Vec::with_capacity(replies * tokens);
    while let Some(times) = running.join_next().await {
        let times = times??;
        firsts.push(times.first);
        all.extend(times.tokens);
    }
    let (first, token) = (summary(firsts), summary(all));
    println!(r#"{{"first": {first}, "token": {token}}}"#);
    Ok(())
}

fn summary(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&times, share));
    format!(r#"{{"p50": {p50}, "p99": {p99}, "max": {max}}}"#)
}

impl Source {
    /// Asks for a reply; gives the connection on which it comes, and when that was asked on it.
    async fn ask(&self, number: usize, tokens: usize) -> Result<(Http, u64)> {
        let prompt = provider::prompt(tokens, false);
        let (address, request) = match self {
            Self::Provider(address) => {
                let body = format!(
                    r#"{{"model":"bench","messages":[{{"role":"user","content":"{prompt}"}}],"stream":true}}"#
                );
                let request = request("POST", "/v1/chat/completions", "", &body);
                (address, request)
            }
            Self::Chatkeep(server, first) => {
                let path = format!("/api/v1/chat/{}/replies", first + number);
                let body = format!(r#"{{"prompt":"{prompt}","stream":true}}"#);
                (&server.address, server.request("POST", &path, &body))
            }
            Self::OpenAi(server, call) => (&server.address, call.request(server, &prompt)),
            Self::Nodes(nodes) => (&nodes.watched, nodes.begin(number, &prompt).await?),
        };
        let mut http = Http::connect(address).await?;
        let start = now();
        http.send(&request).await?;
        Ok((http, start))
    }

    /// What stands before the text in a line that has some, and the line of a good end.
    fn marks(&self) -> (&'static str, &'static str) {
        match self {
            Self::Provider(_) => (provider::BEFORE_TOKEN, provider::DONE),
            Self::OpenAi(_, Call::Responses) => (r#""delta":""#, "event: response.completed"),
            Self::OpenAi(..) => (r#""content":""#, provider::DONE),
            Self::Chatkeep(..) | Self::Nodes(_) => (
                r#"data: {"text":""#,
                r#"data: {"status":"done","reason":"stop"}"#,
            ),
        }
    }

    /// Reads a reply, and makes sure that each token comes once and in order.
    async fn read(&self, number: usize, tokens: usize) -> Result<Times> {
        let (before_text, end) = self.marks();
        let (mut http, start) = self.ask(number, tokens).await?;
        let mut first = None;
        let mut ages = Vec::with_capacity(tokens);
        let mut ended = None;
        while ended.is_none() {
            let mut arrived = None;
            ended = http
                .lines(|line| {
                    if line == end.as_bytes() {
                        return Ok(Some(()));
                    }
                    let Some(text) = behind(line, before_text.as_bytes()) else {
                        return Ok(None);
                    };
                    let text = text.split(|byte| *byte == b'"').next().unwrap_or_default();
                    if text.is_empty() {
                        // Some begin with a frame that says nothing yet.
                        return Ok(None);
                    }
                    let arrived = *arrived.get_or_insert_with(now);
                    first.get_or_insert(arrived - start);
                    for token in std::str::from_utf8(text)?.split_terminator(' ') {
                        let (at, written) = token.split_once('@').ok_or("no token")?;
                        if at.parse() != Ok(ages.len()) {
                            return Err(format!("token {at} in place of {}", ages.len()).into());
                        }
                        ages.push(arrived - written.parse::<u64>()?);
                    }
                    Ok(None)
                })
                .await?;
        }
        let before = match self {
            Self::Nodes(_) => BEFORE_WATCHED,
            _ => 0,
        };
        match first {
            Some(first) if ages.len() == tokens => Ok(Times {
                first,
                tokens: ages.split_off(before),
            }),
            _ => Err(format!("{} of {tokens} tokens", ages.len()).into()),
        }
    }
}

fn behind<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at_the_beginning = line.strip_prefix(mark);
    at_the_beginning.or_else(|| find(line, mark).map(|at| &line[at + mark.len()..]))
}

impl Call {
    fn request(self, server: &Server, prompt: &str) -> String {
        let store = matches!(self, Self::KeptCompletions);
        let (path, body) = match self {
            Self::Responses => (
                "/v1/responses",
                format!(r#"{{"model":"bench","input":"{prompt}","stream":true}}"#),
            ),
            Self::Completions | Self::KeptCompletions => (
                "/v1/chat/completions",
                format!(
                    r#"{{"model":"bench","messages":[{{"role":"user","content":"{prompt}"}}],"stream":true,"store":{store}}}"#
                ),
            ),
        };
        server.request("POST", path, &body)
    }
}

impl Nodes {
    /// Lets a reply begin, and gives the request that watches it.
    async fn begin(&self, number: usize, prompt: &str) -> Result<String> {
        let session = self.first + number;
        let server = self.tokens.server(&self.asked, session);
        let body = format!(r#"{{"prompt":"{prompt}"}}"#);
        let path = format!("/api/v1/chat/{session}/replies");
        let mut http = Http::connect(&self.asked).await?;
        let head = http.ask(&server.request("POST", &path, &body)).await?;
        let path = format!("{}/events", header(&head, "location")?);
        Ok(server.request("GET", &path, ""))
    }
}
