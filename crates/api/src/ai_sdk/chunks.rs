//! A reply's log as a UI message stream. The same row always becomes the same chunks, but a stream that begins
//! once an attempt was given up leaves out what that one said.
//!
//! A chunk has no field that the first release that read such streams (5.0.0) would refuse; what else
//! there is to say is in the metadata of the message.

use chat::types::{
    Cuid, Delta, Ending, Event, FinishReason, Message, MessageRole, NumberedEvent, Part, Reply,
    ReplyStatus, Timestamp, TokenUsage,
};
use serde::Serialize;
use serde_json::Value;

use super::messages::{Metadata, input, output, output_of};

/// A line of the stream.
#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum Chunk {
    /// A message begins, or goes on.
    Start {
        message_id: String,
        message_metadata: Metadata,
    },
    StartStep,
    ReasoningStart {
        id: String,
    },
    ReasoningDelta {
        id: String,
        delta: String,
    },
    ReasoningEnd {
        id: String,
    },
    TextStart {
        id: String,
    },
    TextDelta {
        id: String,
        delta: String,
    },
    TextEnd {
        id: String,
    },
    ToolInputStart {
        tool_call_id: String,
        tool_name: String,
    },
    ToolInputDelta {
        tool_call_id: String,
        input_text_delta: String,
    },
    /// The call is whole; front ends run the tool now.
    ToolInputAvailable {
        tool_call_id: String,
        tool_name: String,
        input: Value,
    },
    ToolOutputAvailable {
        tool_call_id: String,
        output: Value,
    },
    /// What the step before said is void: a new attempt begins. No front end keeps it.
    DataReset {
        data: Attempt,
        transient: bool,
    },
    FinishStep,
    MessageMetadata {
        message_metadata: Metadata,
    },
    /// The end of an answer that is whole.
    Finish,
    /// The end of one that was stopped.
    Abort,
    /// The end of one that failed.
    Error {
        error_text: String,
    },
}

/// Counts how often a model was asked.
#[derive(Serialize)]
pub(super) struct Attempt {
    attempt: u32,
}

/// Makes chunks of a reply's events, which come in order from the first one on.
pub(super) struct Frames {
    /// What front ends call the message: by its first step.
    message: Cuid,
    began: Timestamp,
    /// How many steps the message has before this one.
    step: usize,
    steps_before: Vec<Chunk>,
    /// The attempt whose deltas come now.
    attempt: u32,
    /// The first one whose deltas are not known to be void.
    shown_from: u32,
    open: Option<Open>,
    usage: Option<TokenUsage>,
}

/// The part that deltas go into.
enum Open {
    Reasoning(String),
    Text(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

impl Frames {
    /// The chunks of a reply that goes on with a turn; with none if it begins one. A front end that has
    /// sent outputs of tools has the steps that the turn has so far.
    pub(super) fn of(reply: &Reply, turn: &[Message]) -> Self {
        let steps = turn.iter().filter(|step| is_step(step));
        let first = turn.first();
        Self {
            message: first.map_or(&reply.message, |first| &first.id).clone(),
            began: first.map_or(reply.created_at, |first| first.created_at),
            step: steps.count(),
            steps_before: Vec::new(),
            attempt: 1,
            shown_from: reply.attempt,
            open: None,
            usage: None,
        }
    }

    /// With the steps before it, for a front end that does not have them.
    pub(super) fn with_steps_before(mut self, turn: &[Message]) -> Self {
        self.steps_before = steps(turn);
        self
    }

    /// What an event becomes.
    pub(super) fn push(&mut self, NumberedEvent { number, event }: &NumberedEvent) -> Vec<Chunk> {
        match event {
            Event::Accepted { reply, .. } => self.start(reply),
            Event::Delta(_) if self.attempt < self.shown_from => Vec::new(),
            Event::Delta(delta) => self.delta(*number, delta),
            Event::Reset { attempt } => self.reset(*attempt),
            Event::Usage(usage) => {
                self.usage = Some(*usage);
                Vec::new()
            }
            Event::Finished(ending) => self.end(ending),
            Event::Started { .. } => Vec::new(),
        }
    }

    fn start(&mut self, reply: &Reply) -> Vec<Chunk> {
        let mut chunks = vec![Chunk::Start {
            message_id: self.message.as_str().to_owned(),
            message_metadata: Metadata::of_beginning(self.began, &reply.model),
        }];
        chunks.append(&mut self.steps_before);
        chunks.push(Chunk::StartStep);
        chunks
    }

    fn delta(&mut self, number: i64, delta: &Delta) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let id = || format!("{}-{number}", self.step);
        let begins = match (&self.open, delta) {
            (Some(Open::Reasoning(_)), Delta::Reasoning(_))
            | (Some(Open::Text(_)), Delta::Text(_))
            // Arguments of a call that has not begun are no provider's.
            | (_, Delta::Arguments(_)) => None,
            (_, Delta::Reasoning(_)) => Some(Open::Reasoning(id())),
            (_, Delta::Text(_)) => Some(Open::Text(id())),
            (_, Delta::ToolCall { id, name }) => Some(Open::Call {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            }),
        };
        if let Some(begins) = begins {
            chunks.extend(self.close(true));
            chunks.push(begins.start());
            self.open = Some(begins);
        }
        chunks.extend(self.open.as_mut().and_then(|open| open.add(delta.as_str())));
        chunks
    }

    /// Closes what is open. A call that is not whole stays as it is, or the tool would be run.
    fn close(&mut self, is_whole: bool) -> Option<Chunk> {
        match self.open.take()? {
            Open::Reasoning(id) => Some(Chunk::ReasoningEnd { id }),
            Open::Text(id) => Some(Chunk::TextEnd { id }),
            Open::Call {
                id,
                name,
                arguments,
            } => is_whole.then(|| Chunk::ToolInputAvailable {
                tool_call_id: id,
                tool_name: name,
                input: input(&arguments),
            }),
        }
    }

    /// What is void can't be taken back: it gets a step of its own, so that calls in it are not those
    /// that the front end is waited for with.
    fn reset(&mut self, attempt: u32) -> Vec<Chunk> {
        self.attempt = attempt;
        if attempt <= self.shown_from {
            return Vec::new();
        }
        let mut chunks = Vec::from_iter(self.close(false));
        chunks.push(Chunk::FinishStep);
        chunks.push(Chunk::DataReset {
            data: Attempt { attempt },
            transient: true,
        });
        chunks.push(Chunk::StartStep);
        chunks
    }

    fn end(&mut self, ending: &Ending) -> Vec<Chunk> {
        let mut chunks = Vec::from_iter(self.close(is_whole(ending.reason)));
        chunks.push(Chunk::FinishStep);
        chunks.push(Chunk::MessageMetadata {
            message_metadata: Metadata::of_end(ending.reason, self.usage),
        });
        chunks.push(match (&ending.error, ending.status) {
            (Some(error), _) => Chunk::Error {
                error_text: error.message.clone(),
            },
            (None, ReplyStatus::Stopped) => Chunk::Abort,
            (None, _) => Chunk::Finish,
        });
        chunks
    }
}

impl Open {
    fn start(&self) -> Chunk {
        match self {
            Self::Reasoning(id) => Chunk::ReasoningStart { id: id.clone() },
            Self::Text(id) => Chunk::TextStart { id: id.clone() },
            Self::Call { id, name, .. } => Chunk::ToolInputStart {
                tool_call_id: id.clone(),
                tool_name: name.clone(),
            },
        }
    }

    /// A further piece; that a call begins has none.
    fn add(&mut self, piece: &str) -> Option<Chunk> {
        if piece.is_empty() {
            return None;
        }
        let delta = piece.to_owned();
        Some(match self {
            Self::Reasoning(id) => Chunk::ReasoningDelta {
                id: id.clone(),
                delta,
            },
            Self::Text(id) => Chunk::TextDelta {
                id: id.clone(),
                delta,
            },
            Self::Call { id, arguments, .. } => {
                arguments.push_str(piece);
                Chunk::ToolInputDelta {
                    tool_call_id: id.clone(),
                    input_text_delta: delta,
                }
            }
        })
    }
}

/// Whether a reply that ended so wrote its last call to the end.
pub(super) fn is_whole(reason: FinishReason) -> bool {
    matches!(reason, FinishReason::Stop | FinishReason::ToolCalls)
}

/// Whether a message is a step of a turn, and not what came of one.
pub(super) fn is_step(message: &Message) -> bool {
    message.role == MessageRole::Assistant
}

/// The steps of a turn, as a front end would have seen them.
fn steps(turn: &[Message]) -> Vec<Chunk> {
    let (mut chunks, mut step) = (Vec::new(), 0);
    for (next, message) in (1..).zip(turn).filter(|(_, message)| is_step(message)) {
        chunks.push(Chunk::StartStep);
        for (at, part) in message.content.iter().enumerate() {
            chunks.extend(replayed(part, format!("{step}-{at}"), &turn[next..]));
        }
        chunks.push(Chunk::FinishStep);
        step += 1;
    }
    chunks
}

/// A part of a step, given what is `behind` that in its turn.
fn replayed(part: &Part, id: String, behind: &[Message]) -> Vec<Chunk> {
    let mut open = match part {
        Part::Reasoning(_) => Open::Reasoning(id),
        Part::Text(_) => Open::Text(id),
        Part::ToolCall(call) => Open::Call {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: String::new(),
        },
        Part::ToolOutput(_) | Part::Removed => return Vec::new(),
    };
    let mut chunks = vec![open.start()];
    // `tool-input-available` would make the front end run the tool once more. It takes the input out of
    // the deltas as well; and one that is no JSON as a text in JSON.
    let text = match part {
        Part::ToolCall(call) => input(&call.arguments).to_string(),
        part => part.as_str().to_owned(),
    };
    chunks.extend(open.add(&text));
    chunks.extend(match open {
        Open::Reasoning(id) => Some(Chunk::ReasoningEnd { id }),
        Open::Text(id) => Some(Chunk::TextEnd { id }),
        Open::Call { id, .. } => output_of(&id, behind).map(|text| Chunk::ToolOutputAvailable {
            tool_call_id: id,
            output: output(text),
        }),
    });
    chunks
}

#[cfg(test)]
mod tests;
