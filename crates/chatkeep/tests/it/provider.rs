//! A provider of models that does what the prompt tells it, and speaks as OpenAI does.
//!
//! A prompt is a script: words such as `tokens=50 every_ms=5`; see [`Script`]. So is the output of a
//! tool, if it is the last message.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;

use crate::background::{Background, request};

/// What is in the body of every refusal, and must not get any further.
pub const SECRET: &str = "words-of-the-provider";

/// What a tool is called with where the script names nothing.
pub const ARGUMENTS: &str = r#"{"city":"Köln"}"#;

/// A provider on a free port.
pub struct Provider {
    served: Background,
    state: Arc<State>,
}

struct State {
    calls: watch::Sender<Vec<Call>>,
    /// How often it was let go on.
    released: watch::Sender<usize>,
    /// How often each prompt was refused.
    refused: Mutex<HashMap<String, usize>>,
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts the calls, from 0; what it answers begins with it.
    pub number: usize,
    /// The last message; of several outputs of tools the last one.
    pub prompt: String,
    pub body: Value,
    /// Tokens, and deltas of calls, that it has sent so far.
    pub tokens: usize,
    /// When the client closed the connection before the answer had ended.
    pub closed: Option<Instant>,
    /// Whether the answer was sent to its end.
    pub done: bool,
}

/// What a prompt can ask for.
#[derive(Debug)]
struct Script {
    /// `tokens`: how many it says.
    tokens: usize,
    /// `say`: what it says instead.
    say: Option<String>,
    /// `reasoning`: how many it thinks before.
    reasoning: usize,
    /// `calls`: how many tools it calls after that: those of the request in turn, or `look_up`.
    calls: usize,
    /// `arguments`: what it calls each of them with.
    arguments: String,
    /// `pieces`: in how many pieces these come, at most; a call begins with a delta of its own.
    pieces: usize,
    /// `every_ms`: how long it takes for each token, as for each delta of a call.
    every: Duration,
    /// `stall_after`: after how many tokens and deltas it waits until it is released.
    stall_after: Option<usize>,
    /// `stalls`: how many calls with this prompt do that; the later ones go on by themselves.
    stalls: usize,
    /// `cut_after_bytes`: after how much of the answer's body the connection breaks.
    cut_after_bytes: Option<usize>,
    /// `status`: what it answers instead, `times` often, with `retry_after` and `code`.
    status: Option<u16>,
    times: usize,
    retry_after: Option<u64>,
    code: String,
    /// `finish`: why the answer ends.
    finish: String,
}

impl Script {
    fn read(prompt: &str) -> Self {
        let words: HashMap<&str, &str> = prompt
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .collect();
        let number = |name: &str| words.get(name).map(|text| text.parse::<usize>().unwrap());
        let text = |name: &str, default: &str| (*words.get(name).unwrap_or(&default)).to_owned();
        let calls = number("calls").unwrap_or(0);
        let end = if calls == 0 { "stop" } else { "tool_calls" };
        Self {
            tokens: number("tokens").unwrap_or(5),
            say: words.get("say").map(|said| (*said).to_owned()),
            reasoning: number("reasoning").unwrap_or(0),
            calls,
            arguments: text("arguments", ARGUMENTS),
            pieces: number("pieces").unwrap_or(3),
            every: Duration::from_millis(number("every_ms").unwrap_or(0) as u64),
            stall_after: number("stall_after"),
            stalls: number("stalls").unwrap_or(usize::MAX),
            cut_after_bytes: number("cut_after_bytes"),
            status: number("status").map(|status| status.try_into().unwrap()),
            times: number("times").unwrap_or(usize::MAX),
            retry_after: number("retry_after").map(|seconds| seconds as u64),
            code: text("code", "some_code"),
            finish: text("finish", end),
        }
    }

    /// What it says and calls, a token or a piece at a time.
    fn deltas(&self, number: usize, tools: &Value) -> Vec<Value> {
        let text = match &self.say {
            Some(said) => vec![said.clone()],
            None => (0..self.tokens)
                .map(|token| format!("c{number}.{token} "))
                .collect(),
        };
        let text = text.into_iter().map(|text| json!({ "content": text }));
        let calls = (0..self.calls).flat_map(|call| self.call(number, call, tools));
        text.chain(calls).collect()
    }

    fn call(&self, number: usize, call: usize, tools: &Value) -> Vec<Value> {
        let offered = tools.as_array().map_or(0, Vec::len);
        let name = match offered {
            0 => json!("look_up"),
            count => tools[call % count]["function"]["name"].clone(),
        };
        let function = json!({ "name": name, "arguments": "" });
        let id = call_id(number, call);
        let mut pieces =
            vec![json!({ "index": call, "id": id, "type": "function", "function": function })];
        let arguments: Vec<char> = self.arguments.chars().collect();
        let length = arguments.len().div_ceil(self.pieces).max(1);
        pieces.extend(arguments.chunks(length).map(|piece| {
            let function = json!({ "arguments": String::from_iter(piece) });
            json!({ "index": call, "function": function })
        }));
        let delta = |piece| json!({ "tool_calls": [piece] });
        pieces.into_iter().map(delta).collect()
    }
}

impl Provider {
    pub fn start() -> Self {
        let state = Arc::new(State {
            calls: watch::Sender::default(),
            released: watch::Sender::default(),
            refused: Mutex::default(),
        });
        let shared = state.clone();
        let served = Background::serve(move |connection| {
            let state = shared.clone();
            async move {
                // Whoever asks may break off at any time.
                let _ = serve(connection, &state).await;
            }
        });
        Self { served, state }
    }

    /// A chatkeep.toml with this provider, and with these settings before it.
    pub fn settings(&self, others: &str) -> String {
        format!(
            "{others}\n[[provider]]\nname = \"scripted\"\nkind = \"openai\"\n\
             base_url = \"http://{}/v1\"\n\
             models = [\"scripted\", \"other\", \
             {{ name = \"small\", window = 400, max_output_tokens = 100 }}]\n",
            self.served.address
        )
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.borrow().clone()
    }

    /// The calls so far with this prompt.
    pub fn calls_for(&self, prompt: &str) -> Vec<Call> {
        let calls = self.state.calls.borrow();
        let calls = calls.iter().filter(|call| call.prompt == prompt);
        calls.cloned().collect()
    }

    /// The first call with this prompt of which this is true, as soon as there is one.
    pub async fn call(&self, prompt: &str, is: impl Fn(&Call) -> bool) -> Call {
        let fits = |call: &&Call| call.prompt == prompt && is(call);
        let mut calls = self.state.calls.subscribe();
        let calls = calls
            .wait_for(|calls| calls.iter().any(|call| fits(&call)))
            .await;
        calls.unwrap().iter().find(fits).unwrap().clone()
    }

    /// Lets all answers go on that wait for it now.
    pub fn release(&self) {
        self.state.released.send_modify(|times| *times += 1);
    }
}

/// What call `number` says with so many tokens.
pub fn said(number: usize, tokens: usize) -> String {
    (0..tokens).fold(String::new(), |mut text, token| {
        let _ = write!(text, "c{number}.{token} ");
        text
    })
}

/// What the provider's call `number` knows its `call`th call of a tool by, from 0.
pub fn call_id(number: usize, call: usize) -> String {
    format!("call_{number}_{call}")
}

/// The call that said this, and how many tokens these are; `None` if it is not the beginning of
/// what one call says. Nothing is the beginning of anything.
pub fn said_by(text: &str) -> Option<(usize, usize)> {
    let number = text.strip_prefix('c')?.split_once('.')?.0.parse().ok()?;
    let tokens = text.split_terminator(' ').count();
    (said(number, tokens) == text).then_some((number, tokens))
}

/// Where an answer goes, up to where it is cut.
struct Out {
    to: OwnedWriteHalf,
    left: usize,
}

impl Out {
    /// Sends an event in a chunk of its own.
    async fn event(&mut self, data: &Value) -> io::Result<()> {
        self.line(&data.to_string()).await
    }

    async fn line(&mut self, data: &str) -> io::Result<()> {
        let bytes = format!("data: {data}\n\n");
        let bytes = &bytes.as_bytes()[..bytes.len().min(self.left)];
        self.left -= bytes.len();
        if !bytes.is_empty() {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            self.to.write_all(&chunk).await?;
        }
        if self.left == 0 {
            return Err(io::Error::other("this is where the script cuts it"));
        }
        Ok(())
    }
}

async fn serve(connection: TcpStream, state: &State) -> io::Result<()> {
    let (mut from, to) = connection.into_split();
    let Some((_, body)) = request(&mut from).await else {
        return Ok(());
    };
    let body: Value = serde_json::from_slice(&body).unwrap();
    let last = body["messages"].as_array().unwrap().last().unwrap();
    let prompt = last["content"].as_str().unwrap().to_owned();
    let mut number = 0;
    let released = state.released.subscribe();
    state.calls.send_modify(|calls| {
        number = calls.len();
        calls.push(Call {
            number,
            prompt: prompt.clone(),
            body: body.clone(),
            tokens: 0,
            closed: None,
            done: false,
        });
    });
    let change = |change: &dyn Fn(&mut Call)| {
        state.calls.send_modify(|calls| change(&mut calls[number]));
    };
    tokio::select! {
        answered = answer(to, &body, number, released, state) => {
            change(&|call| match &answered {
                Ok(()) => call.done = true,
                Err(error) if error.kind() == io::ErrorKind::Other => {}
                // Nobody reads any more.
                Err(_) => call.closed = Some(Instant::now()),
            });
            answered
        }
        () = closed(from) => {
            change(&|call| call.closed = Some(Instant::now()));
            Ok(())
        }
    }
}

/// Waits until the other side has closed the connection.
async fn closed(mut from: impl tokio::io::AsyncRead + Unpin) {
    let mut bytes = [0; 64];
    while from.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

async fn answer(
    mut to: OwnedWriteHalf,
    body: &Value,
    number: usize,
    mut released: watch::Receiver<usize>,
    state: &State,
) -> io::Result<()> {
    let prompt = state.calls.borrow()[number].prompt.clone();
    let mut script = Script::read(&prompt);
    let earlier = |calls: &[Call]| {
        calls[..number]
            .iter()
            .filter(|call| call.prompt == prompt)
            .count()
    };
    if earlier(&state.calls.borrow()) >= script.stalls {
        script.stall_after = None;
    }
    if let Some(status) = script.status
        && is_refused(state, &prompt, script.times)
    {
        return refuse(to, status, &script).await;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    to.write_all(head.as_bytes()).await?;
    let left = script.cut_after_bytes.unwrap_or(usize::MAX);
    let mut out = Out { to, left };
    for token in 0..script.reasoning {
        let delta = json!({ "reasoning_content": format!("r{number}.{token} ") });
        out.event(&json!({ "choices": [{ "delta": delta }] }))
            .await?;
    }
    let deltas = script.deltas(number, &body["tools"]);
    let count = deltas.len();
    for (place, delta) in deltas.into_iter().enumerate() {
        if script.stall_after == Some(place) {
            // Its sender lives as long as this.
            let _ = released.changed().await;
        }
        if !script.every.is_zero() {
            tokio::time::sleep(script.every).await;
        }
        out.event(&json!({ "choices": [{ "delta": delta }] }))
            .await?;
        state.calls.send_modify(|calls| calls[number].tokens += 1);
    }
    if script.stall_after == Some(count) {
        let _ = released.changed().await;
    }
    out.event(&json!({ "choices": [{ "delta": {}, "finish_reason": script.finish }] }))
        .await?;
    if body["stream_options"]["include_usage"] == true {
        let heard = body["messages"].as_array().unwrap().len() * 10;
        let tokens = count + script.reasoning;
        let usage = json!({ "prompt_tokens": heard, "completion_tokens": tokens });
        out.event(&json!({ "choices": [], "usage": usage })).await?;
    }
    out.line("[DONE]").await?;
    out.to.write_all(b"0\r\n\r\n").await?;
    out.to.shutdown().await
}

fn is_refused(state: &State, prompt: &str, times: usize) -> bool {
    let mut refused = state.refused.lock().unwrap();
    let count = refused.entry(prompt.to_owned()).or_default();
    *count += 1;
    *count <= times
}

async fn refuse(mut to: OwnedWriteHalf, status: u16, script: &Script) -> io::Result<()> {
    let body = json!({ "error": { "message": SECRET, "code": script.code } }).to_string();
    let retry = script.retry_after;
    let retry = retry.map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
    let head = format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nConnection: close\r\n\
         {retry}Content-Length: {}\r\n\r\n",
        body.len()
    );
    to.write_all((head + &body).as_bytes()).await?;
    to.shutdown().await
}
