//! Short replies, one after the other on each of many connections: how many there are.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::client::{Http, Tokens};
use crate::{Result, now, provider, quantile};

/// What is asked, and of whom.
pub struct Load {
    /// The connections take turns at them.
    pub nodes: Vec<String>,
    pub tokens: Tokens,
    /// The number of the first session.
    pub first: usize,
    pub sessions: usize,
    pub connections: usize,
    /// Of each reply.
    pub words: usize,
    pub time: Duration,
}

/// Prints how many replies there were, in how many microseconds, and how long each took.
pub async fn measure(load: Load) -> Result<()> {
    let load = Arc::new(load);
    let start = now();
    let mut running = JoinSet::new();
    for place in 0..load.connections {
        let load = load.clone();
        running.spawn(async move {
            let replies = load.replies(place, start).await;
            replies.map_err(|error| format!("connection {place}: {error}"))
        });
    }
    let mut times = Vec::new();
    while let Some(of_one) = running.join_next().await {
        times.extend(of_one??);
    }
    let taken = now() - start;
    times.sort_unstable();
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&times, share));
    let replies = times.len();
    println!(r#"{{"replies": {replies}, "us": {taken}, "p50": {p50}, "p99": {p99}}}"#);
    Ok(())
}

impl Load {
    /// One reply after the other, each in the next of this connection's own sessions.
    async fn replies(&self, place: usize, start: u64) -> Result<Vec<u64>> {
        let node = &self.nodes[place % self.nodes.len()];
        let prompt = provider::hasty_prompt(self.words);
        let body = format!(r#"{{"prompt":"{prompt}","stream":true}}"#);
        let own = (self.first..self.first + self.sessions)
            .skip(place)
            .step_by(self.connections);
        let mut http = Http::connect(node).await?;
        let mut times = Vec::new();
        for session in own.cycle() {
            let begun = now();
            if begun - start >= self.time.as_micros() as u64 {
                break;
            }
            let path = format!("/api/v1/chat/{session}/replies");
            let server = self.tokens.server(node, session);
            http.send(&server.request("POST", &path, &body)).await?;
            while http.lines(is_end).await?.is_none() {}
            times.push(now() - begun);
        }
        Ok(times)
    }
}

fn is_end(line: &[u8]) -> Result<Option<()>> {
    if !line.starts_with(br#"data: {"status":"#) {
        return Ok(None);
    }
    if line == br#"data: {"status":"done","reason":"stop"}"# {
        return Ok(Some(()));
    }
    Err(String::from_utf8_lossy(line).into())
}
