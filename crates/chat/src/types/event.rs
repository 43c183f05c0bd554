//! What happens to a reply, as rows: numbered from 0 without a gap.

use super::{
    FinishReason, Message, ModelName, Part, Reply, ReplyError, ReplyStatus, TokenUsage, ToolCall,
};

/// An event of a reply, with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedEvent {
    /// Counts the reply's events, from 0 and without a gap.
    pub number: i64,
    /// What happened.
    pub event: Event,
}

/// What happens to a reply, from its acceptance to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The reply and its prompt are on disk.
    Accepted {
        /// The reply, as it was then.
        reply: Box<Reply>,
        /// Its prompt.
        prompt: Box<Message>,
    },
    /// A model is about to be asked.
    Started {
        /// Counts the attempts, from 1.
        attempt: u32,
        /// Which one.
        model: ModelName,
    },
    /// The model wrote something.
    Delta(Delta),
    /// All deltas so far are void, since a new attempt begins.
    Reset {
        /// The attempt that begins.
        attempt: u32,
    },
    /// What the reply cost.
    Usage(TokenUsage),
    /// It has ended; no event follows.
    Finished(Ending),
}

/// How a reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// One of the statuses that are an end.
    pub status: ReplyStatus,
    /// Why.
    pub reason: FinishReason,
    /// What went wrong, if something did.
    pub error: Option<ReplyError>,
}

impl Ending {
    /// The end of a reply that is complete.
    pub fn done(reason: FinishReason) -> Self {
        Self {
            status: ReplyStatus::Done,
            reason,
            error: None,
        }
    }

    /// The end of a reply that somebody stopped.
    pub fn stopped(reason: FinishReason) -> Self {
        Self {
            status: ReplyStatus::Stopped,
            reason,
            error: None,
        }
    }

    /// The end of a reply that went wrong.
    pub fn failed(error: ReplyError) -> Self {
        Self {
            status: ReplyStatus::Failed,
            reason: FinishReason::Error,
            error: Some(error),
        }
    }
}

/// A piece of what a model writes: never empty, never a part of a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Of what it says.
    Text(String),
    /// Of what it thinks before.
    Reasoning(String),
    /// It begins to call a tool.
    ToolCall {
        /// [`ToolCall::id`].
        id: String,
        /// [`ToolCall::name`].
        name: String,
    },
    /// Of the arguments of the call that has begun last.
    Arguments(String),
}

impl Delta {
    /// The piece itself; that a call begins has none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Reasoning(text) | Self::Arguments(text) => text,
            Self::ToolCall { .. } => "",
        }
    }

    /// Bytes that it takes to keep.
    pub fn size(&self) -> usize {
        match self {
            Self::ToolCall { id, name } => id.len() + name.len(),
            _ => self.as_str().len(),
        }
    }

    /// Takes in a piece of the same kind; gives one of another kind back.
    pub fn join(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Text(text), Self::Text(next))
            | (Self::Reasoning(text), Self::Reasoning(next))
            | (Self::Arguments(text), Self::Arguments(next)) => {
                text.push_str(&next);
                None
            }
            (_, next) => Some(next),
        }
    }
}

/// Where the deltas of a reply's last attempt lie in its message, so that they need not be kept
/// twice: for each part of the message the numbers and lengths of the deltas that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded(pub Vec<Run>);

/// The deltas that made one part of a message. For a call of a tool the first one is its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the first delta; the others follow without a gap.
    pub first: i64,
    /// Bytes of each delta, as [`Delta::as_str`] gives it.
    pub lengths: Vec<usize>,
}

/// Makes the parts of a message of the deltas of its last attempt, in order.
pub fn fold(deltas: impl IntoIterator<Item = (i64, Delta)>) -> (Vec<Part>, Folded) {
    let (mut parts, mut runs): (Vec<Part>, Vec<Run>) = (Vec::new(), Vec::new());
    for (number, delta) in deltas {
        let length = delta.as_str().len();
        let next = |run: &Run| run.first + run.lengths.len() as i64 == number;
        match (
            parts.last_mut(),
            runs.last_mut().filter(|run| next(run)),
            delta,
        ) {
            (Some(Part::Text(text)), Some(run), Delta::Text(delta))
            | (Some(Part::Reasoning(text)), Some(run), Delta::Reasoning(delta))
            | (
                Some(Part::ToolCall(ToolCall {
                    arguments: text, ..
                })),
                Some(run),
                Delta::Arguments(delta),
            ) => {
                text.push_str(&delta);
                run.lengths.push(length);
            }
            (_, _, delta) => {
                parts.push(begin(delta));
                runs.push(Run {
                    first: number,
                    lengths: vec![length],
                });
            }
        }
    }
    (parts, Folded(runs))
}

/// The part that a delta begins.
fn begin(delta: Delta) -> Part {
    match delta {
        Delta::Text(text) => Part::Text(text),
        Delta::Reasoning(text) => Part::Reasoning(text),
        Delta::ToolCall { id, name } => Part::ToolCall(ToolCall {
            id,
            name,
            arguments: String::new(),
        }),
        // No provider gives the arguments of a call that has not begun.
        Delta::Arguments(arguments) => Part::ToolCall(ToolCall {
            id: String::new(),
            name: String::new(),
            arguments,
        }),
    }
}

/// The deltas that [`fold`] made those parts of, those numbered `from` and higher. What was removed
/// since says nothing, but keeps its numbers.
pub fn unfold(parts: &[Part], folded: &Folded, from: i64) -> Vec<NumberedEvent> {
    let mut events = Vec::new();
    for (part, run) in parts.iter().zip(&folded.0) {
        let mut rest = part.as_str();
        for (number, length) in (run.first..).zip(&run.lengths) {
            // A length that does not fit would be damage, or is that of a part that was removed; what
            // is left then is not split.
            let (piece, after) = rest.split_at_checked(*length).unwrap_or((rest, ""));
            rest = after;
            if number >= from {
                let piece = piece.to_owned();
                let delta = match part {
                    Part::Reasoning(_) => Delta::Reasoning(piece),
                    Part::ToolCall(call) if number == run.first && *length == 0 => {
                        Delta::ToolCall {
                            id: call.id.clone(),
                            name: call.name.clone(),
                        }
                    }
                    Part::ToolCall(_) => Delta::Arguments(piece),
                    Part::Text(_) | Part::ToolOutput(_) | Part::Removed => Delta::Text(piece),
                };
                let event = Event::Delta(delta);
                events.push(NumberedEvent { number, event });
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_folded_unfolds_to_the_same_events_from_any_number(
            pieces in prop::collection::vec((0..4_u8, "\\PC{1,6}", 0..3_i64), 0..40),
            from in 0..120_i64,
        ) {
            let mut number = 2;
            let mut deltas = Vec::new();
            let mut is_calling = false;
            for (kind, text, gap) in pieces {
                number += 1 + gap / 2;
                let delta = match kind {
                    0 => Delta::Text(text),
                    1 => Delta::Reasoning(text),
                    2 if is_calling && gap < 2 => Delta::Arguments(text),
                    _ => Delta::ToolCall { id: text.clone(), name: text },
                };
                is_calling = matches!(delta, Delta::ToolCall { .. } | Delta::Arguments(_));
                deltas.push((number, delta));
            }
            let (parts, folded) = fold(deltas.clone());
            let expected: Vec<_> = deltas
                .iter()
                .filter(|(number, _)| *number >= from)
                .map(|(number, delta)| NumberedEvent {
                    number: *number,
                    event: Event::Delta(delta.clone()),
                })
                .collect();
            prop_assert_eq!(unfold(&parts, &folded, from), expected);
            let whole: String = parts.iter().map(Part::as_str).collect();
            let pieces: String = deltas.iter().map(|(_, delta)| delta.as_str()).collect();
            prop_assert_eq!(whole, pieces);
        }
    }
}
