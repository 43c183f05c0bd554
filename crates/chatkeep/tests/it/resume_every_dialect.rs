//! A stream that is cut behind any event and resumed is the stream that was never cut, in every dialect:
//! byte for byte, of a reply that thinks, speaks and calls a tool.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::provider::ARGUMENTS;
use crate::talk::Talk;

const PROMPT: &str = "tokens=4 reasoning=3 calls=1 every_ms=40";

fn tool() -> Value {
    json!({ "name": "weather", "parameters": { "type": "object" } })
}

#[tokio::test]
async fn a_stream_of_v1_that_is_cut_at_any_event_goes_on_behind_it() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let cuts = cut_everywhere(
        || {
            let asked = json!({ "prompt": PROMPT, "stream": true, "tools": [tool()] });
            talk.ada
                .request("POST", &chat.path("/replies"))
                .json(&asked)
        },
        |accepted, behind| {
            let reply = accepted["reply"]["id"].as_str().unwrap();
            let request = talk.ada.request("GET", &chat.events(reply));
            match behind {
                None => request,
                Some(number) => request.header("Last-Event-ID", number),
            }
        },
    );
    println!("resume_every_dialect v1 cuts={}", cuts.await);
}

#[tokio::test]
async fn a_stream_of_a_response_that_is_cut_at_any_event_goes_on_behind_it() {
    let talk = Talk::start();
    let cuts = cut_everywhere(
        || {
            let mut tool = tool();
            tool["type"] = json!("function");
            let asked =
                json!({ "model": "scripted", "input": PROMPT, "stream": true, "tools": [tool] });
            talk.ada.request("POST", "/v1/responses").json(&asked)
        },
        |created, behind| {
            let id = created["response"]["id"].as_str().unwrap();
            let behind = behind.map_or(String::new(), |number| format!("&starting_after={number}"));
            let path = format!("/v1/responses/{id}?stream=true{behind}");
            talk.ada.request("GET", &path)
        },
    );
    println!("resume_every_dialect openai cuts={}", cuts.await);
}

/// Begins a reply and cuts its stream behind each event, while it is written and after its end. `again`
/// takes it up again: it gets the data of the first event, and the number of the last that was seen.
async fn cut_everywhere(
    begin: impl Fn() -> RequestBuilder,
    again: impl Fn(&Value, Option<usize>) -> RequestBuilder,
) -> usize {
    let whole = Frames::open(begin()).await.rest().await;
    let first = data(&whole[0]);
    for at in 0..whole.len() {
        let mut seen = Frames::open(again(&first, None)).await.first(at + 1).await;
        seen.extend(Frames::open(again(&first, Some(at))).await.rest().await);
        assert_eq!(seen, whole, "cut behind {at}");
    }
    // Another one, left behind each event while it is written.
    let mut seen = Frames::open(begin()).await.first(1).await;
    let first = data(&seen[0]);
    while let Some(next) = Frames::open(again(&first, Some(seen.len() - 1)))
        .await
        .next()
        .await
    {
        seen.push(next);
    }
    assert_eq!(seen, Frames::open(again(&first, None)).await.rest().await);
    assert!(whole.len() > 10 && seen.len() > 10, "{whole:?}");
    whole.len() + seen.len()
}

/// A stream of this dialect is replayed from its beginning.
#[tokio::test]
async fn a_stream_of_the_ai_sdk_that_is_cut_at_any_chunk_comes_again_whole() {
    let talk = Talk::start();
    let prompt = format!("{PROMPT} stall_after=8");
    let parts = json!([{ "type": "text", "text": prompt }]);
    let mut tool = tool();
    tool["type"] = json!("function");
    let asked = json!({
        "id": "mine",
        "messages": [{ "id": "1", "role": "user", "parts": parts }],
        "trigger": "submit-message",
        "tools": [tool],
    });
    let mut uncut = Frames::open(talk.ada.request("POST", "/ai/chat").json(&asked)).await;
    let mut whole = vec![uncut.next().await.unwrap()];
    // Up to where the model waits, with all that it has to say.
    let mut arguments = String::new();
    while arguments != ARGUMENTS {
        whole.push(uncut.next().await.unwrap());
        arguments += data(whole.last().unwrap())["inputTextDelta"]
            .as_str()
            .unwrap_or_default();
    }
    let again = || Frames::open(talk.ada.request("GET", "/ai/chat/mine/stream"));
    for at in 1..=whole.len() {
        assert_eq!(
            again().await.first(at).await,
            whole[..at],
            "cut behind {at}"
        );
    }
    let cuts = whole.len();
    let resumed = again().await;
    talk.provider.release();
    whole.extend(uncut.rest().await);
    assert_eq!(resumed.rest().await, whole);
    assert_eq!(whole.last().unwrap(), "data: [DONE]\n\n");
    println!("resume_every_dialect ai_sdk cuts={cuts}");
}

fn data(frame: &str) -> Value {
    let data = frame.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap()).unwrap()
}

/// A stream as it comes, cut where an event ends.
struct Frames {
    response: Response,
    text: String,
}

impl Frames {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), String::new());
        assert_eq!(status, 200, "{}", response.text().await.unwrap());
        Self { response, text }
    }

    /// The next one that is no comment, `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(at) = self.text.find("\n\n") {
                let rest = self.text.split_off(at + 2);
                let frame = std::mem::replace(&mut self.text, rest);
                if !frame.starts_with(':') {
                    return Some(frame);
                }
            }
            let bytes = self.response.chunk().await.unwrap()?;
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }

    async fn first(mut self, count: usize) -> Vec<String> {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(self.next().await.unwrap());
        }
        frames
    }

    async fn rest(mut self) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
