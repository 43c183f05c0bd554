//! The frames of a response's stream, made of the reply's log and of nothing else: whoever comes back
//! gets the same ones with the same numbers, whenever that is.

use std::mem::take;

use axum::response::sse;
use chat::types::{Delta, Ending, Event, MessageRole, NumberedEvent, TokenUsage, ToolCall};
use serde::Serialize;
use serde_json::{Value, json};

use super::shown::{Response, State, Told};
use crate::openai::ids::{ItemId, ItemKind};
use crate::openai::items::shown::{COMPLETED, Content, IN_PROGRESS, INCOMPLETE, Item, status};

/// A frame of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Counts the frames, from 0 and without a gap.
    pub(super) number: u64,
    pub(super) name: &'static str,
    /// JSON.
    pub(super) data: String,
}

impl From<Frame> for sse::Event {
    fn from(frame: Frame) -> Self {
        Self::default().event(frame.name).data(frame.data)
    }
}

/// Makes frames of the events of a log, which have to come from the first one on.
///
/// When a second attempt begins, the items of the first one stay where they are, the open one as
/// incomplete: those of the second one follow, and only they are in the response at the end.
pub(super) struct Frames {
    told: Told,
    frames: Vec<Frame>,
    next: u64,
    is_running: bool,
    attempt: u32,
    /// How many parts of the message this attempt has begun.
    parts: usize,
    /// How many items all attempts have begun.
    items: usize,
    open: Option<Open>,
    output: Vec<Item>,
    usage: Option<TokenUsage>,
}

/// The item that is being written.
struct Open {
    id: String,
    part: Writing,
    text: String,
}

/// What is being written.
#[derive(PartialEq)]
enum Writing {
    Text,
    Reasoning,
    Call {
        id: String,
        name: String,
    },
    /// What was removed since.
    Removed,
}

/// Where a delta belongs.
#[derive(Serialize)]
struct Piece<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
}

#[derive(Serialize)]
struct Numbered<T> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    rest: T,
}

impl Frames {
    pub(super) fn new(told: Told) -> Self {
        Self {
            told,
            frames: Vec::new(),
            next: 0,
            is_running: false,
            attempt: 1,
            parts: 0,
            items: 0,
            open: None,
            output: Vec::new(),
            usage: None,
        }
    }

    /// The frames of the next event.
    pub(super) fn push(&mut self, event: &NumberedEvent) -> Vec<Frame> {
        match &event.event {
            Event::Accepted { .. } => self.tell("response.created", &State::open("queued")),
            Event::Started { .. } if self.is_running => {}
            Event::Started { .. } => {
                self.is_running = true;
                self.tell("response.in_progress", &State::open(IN_PROGRESS));
            }
            Event::Delta(delta) => self.write(delta),
            Event::Reset { attempt } => {
                self.close(INCOMPLETE);
                self.output.clear();
                self.parts = 0;
                self.attempt = *attempt;
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finished(ending) => self.end(ending.clone()),
        }
        take(&mut self.frames)
    }

    fn frame(&mut self, name: &'static str, rest: impl Serialize) {
        let frame = Numbered {
            r#type: name,
            sequence_number: self.next,
            rest,
        };
        // What fails here is a mistake of ours; a client then sees a frame without data.
        let data = serde_json::to_string(&frame).unwrap_or_else(|error| {
            tracing::error!(%error, name, "a frame can't be written as JSON");
            String::new()
        });
        self.frames.push(Frame {
            number: self.next,
            name,
            data,
        });
        self.next += 1;
    }

    fn tell(&mut self, name: &'static str, state: &State) {
        let response = serde_json::to_value(Response::new(&self.told, state));
        self.frame(name, json!({ "response": response.unwrap_or_default() }));
    }

    fn write(&mut self, delta: &Delta) {
        let part = match delta {
            Delta::Text(text) if text.is_empty() => Writing::Removed,
            Delta::Text(_) => Writing::Text,
            Delta::Reasoning(_) => Writing::Reasoning,
            Delta::ToolCall { id, name } => Writing::Call {
                id: id.clone(),
                name: name.clone(),
            },
            Delta::Arguments(_) => match self.open.take() {
                Some(open) if matches!(open.part, Writing::Call { .. }) => {
                    return self.go_on(open, delta.as_str());
                }
                other => {
                    self.open = other;
                    Writing::Call {
                        id: String::new(),
                        name: String::new(),
                    }
                }
            },
        };
        let begins_always = matches!(delta, Delta::ToolCall { .. } | Delta::Arguments(_));
        let open = match self.open.take() {
            Some(open) if open.part == part && !begins_always => open,
            other => {
                self.open = other;
                self.close(COMPLETED);
                self.begin(part)
            }
        };
        self.go_on(open, delta.as_str());
    }

    /// Begins an item, and the one part that it has.
    fn begin(&mut self, part: Writing) -> Open {
        let kind = match part {
            Writing::Text | Writing::Removed => ItemKind::Message,
            Writing::Reasoning => ItemKind::Reasoning,
            Writing::Call { .. } => ItemKind::Call,
        };
        let id = ItemId {
            kind,
            message: self.told.reply.message.clone(),
            part: self.parts,
            attempt: self.attempt,
        };
        self.parts += 1;
        let open = Open {
            id: id.to_string(),
            part,
            text: String::new(),
        };
        if open.part == Writing::Removed {
            return open;
        }
        let empty = open.item(IN_PROGRESS, Vec::new());
        let item = json!({ "output_index": self.items, "item": empty });
        self.frame("response.output_item.added", item);
        if let Some(content) = open.content() {
            self.frame(
                "response.content_part.added",
                self.about(&open, "part", json!(content)),
            );
        }
        open
    }

    fn go_on(&mut self, mut open: Open, delta: &str) {
        let name = match open.part {
            Writing::Text => "response.output_text.delta",
            Writing::Reasoning => "response.reasoning_text.delta",
            Writing::Call { .. } => "response.function_call_arguments.delta",
            Writing::Removed => "",
        };
        if !delta.is_empty() {
            open.text.push_str(delta);
            let piece = Piece {
                item_id: &open.id,
                output_index: self.items,
                content_index: open.content_index(),
                delta,
                logprobs: (open.part == Writing::Text).then_some([]),
            };
            self.frame(name, piece);
        }
        self.open = Some(open);
    }

    /// Ends the open item, if there is one.
    fn close(&mut self, status: &'static str) {
        let Some(open) = self
            .open
            .take()
            .filter(|open| open.part != Writing::Removed)
        else {
            return;
        };
        let (name, field) = match &open.part {
            Writing::Text => ("response.output_text.done", "text"),
            Writing::Reasoning => ("response.reasoning_text.done", "text"),
            _ => ("response.function_call_arguments.done", "arguments"),
        };
        let mut done = self.about(&open, field, json!(open.text));
        match &open.part {
            Writing::Text => done["logprobs"] = json!([]),
            Writing::Call { name, .. } => done["name"] = json!(name),
            _ => {}
        }
        self.frame(name, done);
        let content = open.content();
        if let Some(content) = &content {
            self.frame(
                "response.content_part.done",
                self.about(&open, "part", json!(content)),
            );
        }
        let item = open.item(status, content.into_iter().collect());
        let done = json!({ "output_index": self.items, "item": item });
        self.frame("response.output_item.done", done);
        self.output.push(item);
        self.items += 1;
    }

    /// A body that says something about the open item.
    fn about(&self, open: &Open, field: &str, value: Value) -> Value {
        let mut body = json!({ "item_id": open.id, "output_index": self.items });
        if let Some(index) = open.content_index() {
            body["content_index"] = json!(index);
        }
        body[field] = value;
        body
    }

    fn end(&mut self, ending: Ending) {
        self.close(status(ending.status, Some(ending.reason)));
        let state = State::ended(ending, take(&mut self.output), self.usage);
        let name = match state.status {
            COMPLETED => "response.completed",
            "failed" => "response.failed",
            // No event is called after being cancelled; the response in it says so.
            _ => "response.incomplete",
        };
        self.tell(name, &state);
    }
}

impl Open {
    /// The place of its content, for an item that has any.
    fn content_index(&self) -> Option<usize> {
        matches!(self.part, Writing::Text | Writing::Reasoning).then_some(0)
    }

    /// Its content so far, for an item that has any.
    fn content(&self) -> Option<Content> {
        let text = self.text.clone();
        match self.part {
            Writing::Text => Some(Content::said(MessageRole::Assistant, text)),
            Writing::Reasoning => Some(Content::Reasoning { text }),
            Writing::Call { .. } | Writing::Removed => None,
        }
    }

    fn item(&self, status: &'static str, content: Vec<Content>) -> Item {
        let id = self.id.clone();
        match &self.part {
            Writing::Reasoning => Item::reasoning(id, status, content),
            Writing::Call { id: call, name } => Item::call(
                id,
                status,
                ToolCall {
                    id: call.clone(),
                    name: name.clone(),
                    arguments: self.text.clone(),
                },
            ),
            Writing::Text | Writing::Removed => {
                Item::message(id, status, MessageRole::Assistant, content)
            }
        }
    }
}

#[cfg(test)]
mod tests;
