//! What messages that are about to be appended follow, and whether they may, as plain functions over
//! values: the same on both databases.

use std::collections::HashSet;
use std::ops::Range;

use chat::contracts::{Appended, Begun, NewReply, Prompt};
use chat::types::{
    Cuid, Message, MessageRole, ModelName, NewMessage, Parent, Part, ReplyStatus, Session,
    Timestamp,
};

/// A message that is about to be written, and the place of what it follows.
pub(crate) type Made = (Message, Option<i64>);

/// Why messages are not appended; with the place of the one at fault among them.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The session has no message that it is to follow.
    NoSuchParent(usize),
    /// Nothing that it follows makes a call that it brings an output of, or that has an output already.
    NoSuchCall(usize),
}

impl From<Refused> for Appended {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchParent(at) => Self::NoSuchParent(at),
            Refused::NoSuchCall(at) => Self::NoSuchCall(at),
        }
    }
}

impl From<Refused> for Begun {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchParent(at) => Self::NoSuchParent(at),
            Refused::NoSuchCall(at) => Self::NoSuchCall(at),
        }
    }
}

/// New messages as they will be, behind the place `last` of their session. Of what is there already
/// they need what [`named`] names, and what [`above`] names of that, and so on.
pub(crate) fn made(
    session: &Session,
    new: &[NewMessage],
    there: &[Message],
    last: i64,
    now: Timestamp,
) -> Result<Vec<Made>, Refused> {
    let mut made: Vec<Made> = Vec::with_capacity(new.len());
    for ((at, one), seq) in new.iter().enumerate().zip(last + 1..) {
        let parent = match follows(session, &one.parent, at) {
            Follows::Nothing => None,
            Follows::Before => made.last().map(|(before, _)| before),
            Follows::Message(id) => {
                let named = there.iter().find(|message| message.id == *id);
                let named = named.filter(|message| is_within(session, message));
                Some(named.ok_or(Refused::NoSuchParent(at))?)
            }
        };
        let all = there.iter().chain(made.iter().map(|(message, _)| message));
        if !is_of_calls(one, parent, all) {
            return Err(Refused::NoSuchCall(at));
        }
        let parent = parent.map(Place::of);
        let done = ReplyStatus::Done;
        let message = message_made(session, seq, one, parent.as_ref(), done, now);
        made.push((message, parent.map(|parent| parent.seq)));
    }
    Ok(made)
}

/// Whether each output that a new message brings is the first one of a call that what it follows makes:
/// the nearest message above it that is no tool's.
fn is_of_calls<'a>(
    new: &'a NewMessage,
    parent: Option<&'a Message>,
    all: impl Iterator<Item = &'a Message> + Clone,
) -> bool {
    if !brings_outputs(new) {
        return true;
    }
    let mut answered = HashSet::new();
    let mut caller = parent;
    while let Some(message) = caller.filter(|message| message.role == MessageRole::Tool) {
        answered.extend(answers(&message.content));
        let above = message.parent.as_ref();
        caller = above.and_then(|id| all.clone().find(|message| message.id == *id));
    }
    let made: HashSet<_> = caller
        .into_iter()
        .flat_map(|caller| caller.tool_calls().map(|call| &*call.id))
        .collect();
    answers(&new.content).all(|id| made.contains(id) && answered.insert(id))
}

/// Which calls the outputs among some parts are of.
fn answers(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match part {
        Part::ToolOutput(output) => Some(&*output.call),
        _ => None,
    })
}

fn brings_outputs(new: &NewMessage) -> bool {
    answers(&new.content).next().is_some()
}

/// The messages that new ones follow and that have to be there already.
pub(crate) fn named<'a>(session: &'a Session, new: &'a [NewMessage]) -> Vec<&'a Cuid> {
    let new = new.iter().enumerate();
    new.filter_map(|(at, new)| match follows(session, &new.parent, at) {
        Follows::Message(id) => Some(id),
        Follows::Nothing | Follows::Before => None,
    })
    .collect()
}

/// What the tools' messages among some that were read follow: calls may be made there. Nothing if the
/// new messages bring no outputs.
pub(crate) fn above(read: &[Message], new: &[NewMessage]) -> Vec<Cuid> {
    if !new.iter().any(brings_outputs) {
        return Vec::new();
    }
    let tools = read
        .iter()
        .filter(|message| message.role == MessageRole::Tool);
    tools.filter_map(|message| message.parent.clone()).collect()
}

/// What a new reply comes with.
pub(crate) struct Answer {
    /// The prompt and what comes before it, as far as they are new, and the empty message that the
    /// reply becomes.
    pub(crate) messages: Vec<Made>,
    pub(crate) prompt: Place,
    pub(crate) message: Place,
}

/// What a new reply comes with; as [`made`], of the messages that [`named_by`] names.
pub(crate) fn answer(
    session: &Session,
    new: &NewReply,
    model: &ModelName,
    there: &[Message],
    last: i64,
) -> Result<Answer, Box<Begun>> {
    let now = new.created_at;
    let (mut messages, prompt) = match &new.prompt {
        Prompt::Existing(id) => {
            let mut prompts = there.iter().filter(|message| is_prompt(session, message));
            let prompt = prompts.find(|message| message.id == *id);
            (Vec::new(), prompt.map(Place::of))
        }
        Prompt::New(new) => {
            let messages = made(session, new, there, last, now);
            let messages = messages.map_err(|refused| Box::new(refused.into()))?;
            let prompt = messages.last().map(|(prompt, _)| Place::of(prompt));
            (messages, prompt)
        }
    };
    let prompt = prompt.ok_or(Box::new(Begun::NoSuchPrompt))?;
    let empty = NewMessage {
        id: new.message.clone(),
        parent: Parent::Message(prompt.id.clone()),
        role: MessageRole::Assistant,
        content: Vec::new(),
        model: Some(model.clone()),
        reply: Some(new.id.clone()),
    };
    let seq = last + 1 + messages.len() as i64;
    let queued = ReplyStatus::Queued;
    let empty = message_made(session, seq, &empty, Some(&prompt), queued, now);
    let message = Place::of(&empty);
    messages.push((empty, Some(prompt.seq)));
    Ok(Answer {
        messages,
        prompt,
        message,
    })
}

/// The messages that a prompt names and that have to be there already.
pub(crate) fn named_by<'a>(session: &'a Session, prompt: &'a Prompt) -> Vec<&'a Cuid> {
    match prompt {
        Prompt::Existing(id) => vec![id],
        Prompt::New(new) => named(session, new),
    }
}

/// The new messages of a prompt.
pub(crate) fn new_of(prompt: &Prompt) -> &[NewMessage] {
    match prompt {
        Prompt::Existing(_) => &[],
        Prompt::New(new) => new,
    }
}

/// Whether a message can be answered in a session.
fn is_prompt(session: &Session, message: &Message) -> bool {
    let asks = matches!(message.role, MessageRole::User | MessageRole::Tool);
    asks && is_within(session, message)
}

/// Whether a message is in a session.
pub(crate) fn is_within(session: &Session, message: &Message) -> bool {
    message.session == session.id
}

/// A message with [`Part::Removed`] in the place of those of its parts; `None` if that changes nothing.
/// One that has not ended has no parts yet: what is there of it are events.
pub(crate) fn without_parts(message: &Message, parts: Range<usize>) -> Option<Message> {
    let mut rest = message.clone();
    let gone = rest.content.iter_mut().take(parts.end).skip(parts.start);
    gone.for_each(|part| *part = Part::Removed);
    (rest != *message).then_some(rest)
}

/// Where a message is.
pub(crate) struct Place {
    pub(crate) seq: i64,
    pub(crate) id: Cuid,
    depth: u32,
}

impl Place {
    fn of(message: &Message) -> Self {
        Self {
            seq: message.seq,
            id: message.id.clone(),
            depth: message.depth,
        }
    }
}

/// A message that is appended at the place `seq`.
fn message_made(
    session: &Session,
    seq: i64,
    new: &NewMessage,
    parent: Option<&Place>,
    status: ReplyStatus,
    now: Timestamp,
) -> Message {
    Message {
        seq,
        id: new.id.clone(),
        session: session.id.clone(),
        parent: parent.map(|parent| parent.id.clone()),
        depth: parent.map_or(1, |parent| parent.depth + 1),
        role: new.role,
        content: new.content.clone(),
        model: new.model.clone(),
        usage: None,
        finish_reason: None,
        reply: new.reply.clone(),
        status,
        created_at: now,
    }
}

/// What a message follows that is about to be appended.
enum Follows<'a> {
    /// It begins the session.
    Nothing,
    /// The one that is appended right before it.
    Before,
    /// This one, if the session has it.
    Message(&'a Cuid),
}

/// What a message follows that stands at the place `at` among those that are appended together.
fn follows<'a>(session: &'a Session, parent: &'a Parent, at: usize) -> Follows<'a> {
    match parent {
        Parent::Root => Follows::Nothing,
        Parent::Head if at > 0 => Follows::Before,
        Parent::Head => session
            .head
            .as_ref()
            .map_or(Follows::Nothing, Follows::Message),
        Parent::Message(id) => Follows::Message(id),
    }
}
