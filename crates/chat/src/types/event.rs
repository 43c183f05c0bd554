//! What happens to a reply, as rows: numbered from 0 without a gap.

use super::{FinishReason, Message, ModelName, Part, Reply, ReplyError, ReplyStatus, TokenUsage};

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

/// A piece of what a model writes: never empty, never a part of a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Of what it says.
    Text(String),
    /// Of what it thinks before.
    Reasoning(String),
}

impl Delta {
    /// The piece itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Reasoning(text) => text,
        }
    }

    /// Takes in a piece of the same kind; gives one of another kind back.
    pub fn join(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Text(text), Self::Text(next))
            | (Self::Reasoning(text), Self::Reasoning(next)) => {
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

/// The deltas that made one part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the first delta; the others follow without a gap.
    pub first: i64,
    /// Bytes of each delta.
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
            | (Some(Part::Reasoning(text)), Some(run), Delta::Reasoning(delta)) => {
                text.push_str(&delta);
                run.lengths.push(length);
            }
            (_, _, delta) => {
                parts.push(match delta {
                    Delta::Text(text) => Part::Text(text),
                    Delta::Reasoning(text) => Part::Reasoning(text),
                });
                runs.push(Run {
                    first: number,
                    lengths: vec![length],
                });
            }
        }
    }
    (parts, Folded(runs))
}

/// The deltas that [`fold`] made those parts of, those numbered `from` and higher.
pub fn unfold(parts: &[Part], folded: &Folded, from: i64) -> Vec<NumberedEvent> {
    let mut events = Vec::new();
    for (part, run) in parts.iter().zip(&folded.0) {
        let mut rest = part.as_str();
        for (number, length) in (run.first..).zip(&run.lengths) {
            // A length that does not fit would be damage; what is left then is not split.
            let (piece, after) = rest.split_at_checked(*length).unwrap_or((rest, ""));
            rest = after;
            if number >= from {
                let piece = piece.to_owned();
                let delta = match part {
                    Part::Text(_) => Delta::Text(piece),
                    Part::Reasoning(_) => Delta::Reasoning(piece),
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
            pieces in prop::collection::vec((any::<bool>(), "\\PC{1,6}", 0..3_i64), 0..40),
            from in 0..120_i64,
        ) {
            let mut number = 2;
            let mut deltas = Vec::new();
            for (reasoning, text, gap) in pieces {
                number += 1 + gap / 2;
                let delta = if reasoning { Delta::Reasoning(text) } else { Delta::Text(text) };
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
