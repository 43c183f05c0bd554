//! What a model is told: the system message and the newest messages that fit.

mod room;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::contracts::{Question, Turn, Work};
use crate::engine::Engine;
use crate::limits;
use crate::messages::MessageDraft;
use crate::models::Model;
use crate::reply_task::insist;
use crate::types::{
    Cuid, Message, MessageRole, MessageView, ModelOptions, PageSize, Part, ReplyError,
    ReplyErrorKind, ReplyOptions, SessionKey,
};
use room::{Room, Weight};

/// Tokens that a message takes besides its text, in the formats of the known providers.
const TOKENS_PER_MESSAGE: usize = 4;
/// The part of a model's window that is kept for its answer, if nothing is said about that.
const ANSWER_SHARE: u32 = 4;
/// What stands between the session's system message and the instructions of one reply.
const BETWEEN: &str = "\n\n";

/// What somebody asks a model.
pub(crate) struct Asked<'a> {
    /// The system message of the session; empty for none.
    pub(crate) system: &'a str,
    pub(crate) options: &'a ReplyOptions,
    /// The number of a session, and the place of a message in it: that message and what leads to it.
    pub(crate) path: Option<(i64, i64)>,
    /// What follows that, the newest last.
    pub(crate) latest: Vec<Said>,
}

impl<'a> Asked<'a> {
    /// What a reply answers.
    pub(crate) fn by(work: &'a Work) -> Self {
        Self {
            system: work.session.system_message.as_str(),
            options: &work.reply.options,
            path: Some((work.session.number, work.prompt_seq)),
            latest: Vec::new(),
        }
    }

    fn system(&self) -> String {
        match &self.options.instructions {
            Some(own) if self.system.is_empty() => own.as_str().to_owned(),
            Some(own) => [self.system, own.as_str()].join(BETWEEN),
            None => self.system.to_owned(),
        }
    }
}

/// A message, as far as a model may be told it.
pub(crate) struct Said {
    pub(crate) role: MessageRole,
    pub(crate) content: Vec<Part>,
    /// [`Message::depth`].
    pub(crate) depth: u32,
}

impl From<Message> for Said {
    fn from(message: Message) -> Self {
        Self {
            role: message.role,
            content: message.content,
            depth: message.depth,
        }
    }
}

impl From<&MessageDraft> for Said {
    fn from(draft: &MessageDraft) -> Self {
        Self {
            role: draft.role,
            content: draft.content.clone(),
            depth: 0,
        }
    }
}

/// The question to a model, and how many messages of the path did not fit.
pub(crate) async fn question(
    engine: &Arc<Engine>,
    owner: &Cuid,
    model: &Model,
    mut asked: Asked<'_>,
) -> Result<(Question, u32), ReplyError> {
    let options = options(model, &asked.options.model);
    let mut room = match asked.path {
        Some(_) => Room::new(
            model
                .window
                .saturating_sub(kept_for_answer(model, &options)) as usize,
        ),
        // A client that keeps the conversation itself is not told less than it said.
        None => Room::new(usize::MAX),
    };
    let system = asked.system();
    let before = Weight::of_beginning(&system, &options.tools);
    if room.take(model, vec![before]).await == 0 {
        return Err(too_long());
    }
    let mut turns = Vec::new();
    let mut left_out = 0;
    let mut rest: VecDeque<Said> = std::mem::take(&mut asked.latest)
        .into_iter()
        .rev()
        .collect();
    let mut path = asked.path;
    loop {
        let mut units = Vec::new();
        while let Some(unit) = next_unit(&mut rest, path.is_none()) {
            units.push(unit);
        }
        let fit = room
            .take(model, units.iter().map(Weight::of_unit).collect())
            .await;
        let all_fit = fit == units.len();
        left_out = units.get(fit).map_or(left_out, Unit::depth);
        turns.extend(units.into_iter().take(fit).flat_map(Unit::told));
        let Some((session, place)) = path.filter(|_| all_fit) else {
            break;
        };
        let (messages, next) = above(engine, owner, session, place).await?;
        rest.extend(messages.into_iter().map(Said::from));
        path = next.map(|next| (session, next));
    }
    if turns.is_empty() && left_out == 0 {
        return Err(nothing_said());
    }
    if turns.is_empty() {
        return Err(too_long());
    }
    turns.reverse();
    let question = Question {
        model: model.name.as_str().to_owned(),
        system,
        messages: turns,
        options,
    };
    Ok((question, left_out))
}

/// Tokens of a model's window that its answer is left: no client can leave the question nothing.
fn kept_for_answer(model: &Model, options: &ModelOptions) -> u32 {
    let most = model
        .max_output_tokens
        .unwrap_or(model.window / ANSWER_SHARE);
    options.max_output_tokens.unwrap_or(most).min(most)
}

/// What a model is asked for: no more tokens than the server's settings allow.
fn options(model: &Model, wanted: &ModelOptions) -> ModelOptions {
    let most = [wanted.max_output_tokens, model.max_output_tokens];
    ModelOptions {
        max_output_tokens: most.into_iter().flatten().min(),
        ..wanted.clone()
    }
}

/// Messages that a model is told together or not at all, the newest first: one message, or the outputs
/// of tools with the message that calls these.
struct Unit(Vec<Said>);

/// Takes the newest unit off; `None` if there is none, or if it may go on with what has not been read.
fn next_unit(rest: &mut VecDeque<Said>, is_all: bool) -> Option<Unit> {
    let tools = rest
        .iter()
        .take_while(|said| said.role == MessageRole::Tool);
    let tools = tools.count();
    if tools == rest.len() && !is_all {
        return None;
    }
    let mut length = tools;
    if rest.get(tools)?.role == MessageRole::Assistant || tools == 0 {
        length += 1;
    }
    let mut unit = Unit(rest.drain(..length).collect());
    unit.pair();
    Some(unit)
}

impl Unit {
    /// Leaves out what a provider would refuse, since it belongs to nothing: calls without their output,
    /// outputs without their call; and what no provider wants back.
    fn pair(&mut self) {
        let parts = self.0.iter().flat_map(|said| &said.content);
        let mut calls: HashSet<String> = parts
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call.id.clone()),
                _ => None,
            })
            .collect();
        let mut answered = HashSet::new();
        for said in &mut self.0 {
            said.content.retain(|part| match part {
                Part::Text(_) => true,
                Part::Reasoning(_) | Part::Removed => false,
                Part::ToolOutput(output) => {
                    let is_first = calls.remove(&output.call);
                    if is_first {
                        answered.insert(output.call.clone());
                    }
                    is_first
                }
                // Of calls by the same name the first one.
                Part::ToolCall(call) => answered.remove(&call.id),
            });
        }
    }

    /// How many messages lead to its newest one, that one among them.
    fn depth(&self) -> u32 {
        self.0.first().map_or(0, |newest| newest.depth)
    }

    /// What of it a model is told. An answer that was stopped before its first word says nothing.
    fn told(self) -> impl Iterator<Item = Turn> {
        let said = self.0.into_iter();
        said.filter(|said| !said.content.is_empty())
            .map(|said| Turn {
                role: said.role,
                content: said.content,
            })
    }
}

/// A part of the path, the newest first, and where the part before it ends.
async fn above(
    engine: &Engine,
    owner: &Cuid,
    session: i64,
    place: i64,
) -> Result<(Vec<Message>, Option<i64>), ReplyError> {
    let size = PageSize::new(limits::PAGE_ITEMS).unwrap_or_default();
    let key = SessionKey::Number(session);
    let read = || {
        let store = &engine.store;
        store.messages(owner, &key, MessageView::Path, Some(place), size)
    };
    match insist(read).await {
        Some(Some(page)) => Ok((page.items, page.next)),
        // The session was deleted, and the reply with it.
        Some(None) => Ok((Vec::new(), None)),
        // By now the lease is over, and the next attempt is under way.
        None => Err(ReplyError {
            kind: ReplyErrorKind::Interrupted,
            message: "the server can't use its database at the moment".into(),
            retry_after: None,
        }),
    }
}

fn nothing_said() -> ReplyError {
    ReplyError {
        kind: ReplyErrorKind::ContextTooLong,
        message: "there is nothing to answer: no text, and no output of a call".into(),
        retry_after: None,
    }
}

fn too_long() -> ReplyError {
    ReplyError {
        kind: ReplyErrorKind::ContextTooLong,
        message: "the system message and the prompt do not fit into the model's window".into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
