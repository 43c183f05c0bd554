//! Reading event streams.

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Empty if it has none.
    pub id: String,
    /// `message` if it says nothing else.
    pub kind: String,
    pub data: String,
}

impl Event {
    pub fn number(&self) -> i64 {
        self.id.parse().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    /// Reads one; `None` for a comment.
    fn read(block: &str) -> Option<Self> {
        let mut event = Self {
            id: String::new(),
            kind: "message".into(),
            data: String::new(),
        };
        let mut is_event = false;
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => event.id = value.into(),
                "event" => event.kind = value.into(),
                "data" if event.data.is_empty() => event.data = value.into(),
                "data" => event.data = format!("{}\n{value}", event.data),
                _ => continue,
            }
            is_event = true;
        }
        is_event.then_some(event)
    }
}

/// All events of a whole stream.
pub fn events(text: &str) -> Vec<Event> {
    text.split("\n\n").filter_map(Event::read).collect()
}

/// The text that the deltas of the last attempt make.
pub fn text_of(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        match event.kind.as_str() {
            "reset" => text.clear(),
            "delta" => text += event.json()["text"].as_str().unwrap_or_default(),
            _ => {}
        }
    }
    text
}

/// An event stream that is being read.
pub struct Events {
    response: Response,
    bytes: Vec<u8>,
}

impl Events {
    /// Opens a stream, which must be answered with one.
    pub async fn open(request: RequestBuilder) -> Self {
        Self::try_open(request).await.unwrap()
    }

    pub async fn try_open(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let kind = response.headers().get("content-type");
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status();
        if kind.as_deref() != Some("text/event-stream") {
            let text = response.text().await?;
            panic!("{status}: {text}");
        }
        Ok(Self::of(response))
    }

    /// The stream of an answer.
    pub fn of(response: Response) -> Self {
        Self {
            response,
            bytes: Vec::new(),
        }
    }

    /// The next event, `None` at the end of the stream; an error if it was cut.
    pub async fn try_next(&mut self) -> reqwest::Result<Option<Event>> {
        loop {
            while let Some(at) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                let rest = self.bytes.split_off(at + 2);
                let block = std::mem::replace(&mut self.bytes, rest);
                if let Some(event) = Event::read(std::str::from_utf8(&block).unwrap()) {
                    return Ok(Some(event));
                }
            }
            match self.response.chunk().await? {
                Some(bytes) => self.bytes.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    pub async fn next(&mut self) -> Option<Event> {
        self.try_next().await.unwrap()
    }

    /// The next event of that kind; there must be one.
    pub async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("the stream ends without {kind}"));
            if event.kind == kind {
                return event;
            }
        }
    }

    /// All that is still to come.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
