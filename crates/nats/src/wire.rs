//! News as they travel: a subject, which says what and whose, and some JSON.
//!
//! - `PREFIX.reply.OWNER.REPLY`: `{"deltas":[[7,"text","Hel"],[8,"reasoning","Hm"]]}`, each delta
//!   with its number; `{}` if the rows have to be read
//! - `PREFIX.changed.OWNER`: nothing
//! - `PREFIX.waiting.OWNER`: `{"session":1}`
//! - `PREFIX.stop.OWNER`: `{"session":1,"reply":"c…"}`
//! - `PREFIX.withdrawn`: nothing

use chat::contracts::News;
use chat::types::{Cuid, Delta, Event, NumberedEvent};
use serde::{Deserialize, Serialize};

/// The subjects that news have, below the prefix.
pub(crate) const SUBJECTS: [&str; 5] =
    ["reply.*.*", "changed.*", "waiting.*", "stop.*", "withdrawn"];

/// News on their way out.
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Frame<T> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deltas: Vec<(i64, Kind, T)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Reasoning,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    session: i64,
}

#[derive(Serialize, Deserialize)]
struct Stop<T> {
    session: i64,
    reply: T,
}

/// Makes what is sent of news. Events that would take more than `most` bytes stay behind.
pub(crate) fn write(prefix: &str, news: &News, most: usize) -> Outgoing {
    let (subject, payload) = match news {
        News::Reply {
            owner,
            reply,
            events,
        } => {
            let payload = write_events(events).filter(|payload| payload.len() <= most);
            let hint = || json(&Frame::<&str> { deltas: Vec::new() });
            let subject = format!("{prefix}.reply.{owner}.{reply}");
            (subject, payload.unwrap_or_else(hint))
        }
        News::Changed(owner) => (format!("{prefix}.changed.{owner}"), Vec::new()),
        News::Waiting { owner, session } => {
            let payload = json(&Waiting { session: *session });
            (format!("{prefix}.waiting.{owner}"), payload)
        }
        News::Stop {
            owner,
            session,
            reply,
        } => {
            let payload = json(&Stop {
                session: *session,
                reply: reply.as_str(),
            });
            (format!("{prefix}.stop.{owner}"), payload)
        }
        News::Withdrawn => (format!("{prefix}.withdrawn"), Vec::new()),
    };
    Outgoing { subject, payload }
}

/// `None` unless all of them are deltas: the others are rare, and long.
fn write_events(events: &[NumberedEvent]) -> Option<Vec<u8>> {
    let deltas = events.iter().map(|event| match &event.event {
        Event::Delta(Delta::Text(text)) => Some((event.number, Kind::Text, text.as_str())),
        Event::Delta(Delta::Reasoning(text)) => {
            Some((event.number, Kind::Reasoning, text.as_str()))
        }
        _ => None,
    });
    let deltas = deltas.collect::<Option<_>>()?;
    Some(json(&Frame { deltas }))
}

/// Numbers and text can always be written.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads what was sent; `None` if this node does not understand it.
pub(crate) fn read(prefix: &str, subject: &str, payload: &[u8]) -> Option<News> {
    let below = subject.strip_prefix(prefix)?.strip_prefix('.')?;
    let tokens: Vec<_> = below.split('.').collect();
    Some(match tokens[..] {
        ["reply", owner, reply] => News::Reply {
            owner: Cuid::parse(owner).ok()?,
            reply: Cuid::parse(reply).ok()?,
            events: read_events(payload)?.into(),
        },
        ["changed", owner] => News::Changed(Cuid::parse(owner).ok()?),
        ["waiting", owner] => {
            let Waiting { session } = serde_json::from_slice(payload).ok()?;
            News::Waiting {
                owner: Cuid::parse(owner).ok()?,
                session,
            }
        }
        ["stop", owner] => {
            let Stop::<String> { session, reply } = serde_json::from_slice(payload).ok()?;
            News::Stop {
                owner: Cuid::parse(owner).ok()?,
                session,
                reply: Cuid::parse(&reply).ok()?,
            }
        }
        ["withdrawn"] => News::Withdrawn,
        _ => return None,
    })
}

fn read_events(payload: &[u8]) -> Option<Vec<NumberedEvent>> {
    let Frame::<String> { deltas } = serde_json::from_slice(payload).ok()?;
    let events = deltas.into_iter().map(|(number, kind, text)| {
        // A delta is never empty.
        (!text.is_empty()).then_some(NumberedEvent {
            number,
            event: Event::Delta(match kind {
                Kind::Text => Delta::Text(text),
                Kind::Reasoning => Delta::Reasoning(text),
            }),
        })
    });
    events.collect()
}
