//! What a model is told: the system message and the newest messages that fit.

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
    ReplyErrorKind, ReplyOptions, SessionKey, Tool,
};

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
    let answer = options.max_output_tokens;
    let answer = answer.unwrap_or(model.window / ANSWER_SHARE);
    let mut room = Room::new(model.window.saturating_sub(answer) as usize);
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

/// How many tokens are left.
struct Room {
    tokens: usize,
    /// What was taken without being counted: a token has a byte at least, so what has fewer bytes
    /// than there are tokens left fits for certain.
    uncounted: Vec<Weight>,
}

/// What something is counted by.
struct Weight {
    text: String,
    messages: usize,
}

impl Weight {
    /// What a model is told before the first message.
    fn of_beginning(system: &str, tools: &[Tool]) -> Self {
        let tools = tools.iter().flat_map(|tool| {
            let texts = [tool.description.as_deref(), tool.parameters.as_deref()];
            [Some(tool.name.as_str())]
                .into_iter()
                .chain(texts)
                .flatten()
        });
        let text = [system].into_iter().chain(tools).collect();
        Self { text, messages: 1 }
    }

    fn of_unit(unit: &Unit) -> Self {
        let parts = unit.0.iter().flat_map(|said| &said.content);
        let texts = parts.flat_map(|part| match part {
            Part::ToolCall(call) => [call.name.as_str(), &call.arguments],
            part => ["", part.as_str()],
        });
        Self {
            text: texts.collect(),
            messages: unit.0.len(),
        }
    }

    /// The most tokens that it can have.
    fn most(&self) -> usize {
        self.text.len() + self.messages * TOKENS_PER_MESSAGE
    }
}

impl Room {
    fn new(tokens: usize) -> Self {
        Self {
            tokens,
            uncounted: Vec::new(),
        }
    }

    /// Takes things in, the first ones first, as long as they fit; tells how many that are.
    async fn take(&mut self, model: &Model, new: Vec<Weight>) -> usize {
        let most: usize = self.uncounted.iter().chain(&new).map(Weight::most).sum();
        if most <= self.tokens {
            let fit = new.len();
            self.uncounted.extend(new);
            return fit;
        }
        let before = self.uncounted.len();
        let mut counted = std::mem::take(&mut self.uncounted);
        counted.extend(new);
        let mut fit = 0;
        for count in count(model, counted).await {
            if count > self.tokens {
                break;
            }
            self.tokens -= count;
            fit += 1;
        }
        // What was taken before has fewer tokens than bytes, so it still fits.
        fit - before.min(fit)
    }
}

/// Counts the tokens of each, on a thread where that may take its time.
async fn count(model: &Model, weights: Vec<Weight>) -> Vec<usize> {
    let (provider, name) = (model.provider.clone(), model.name.clone());
    let count = move || {
        let count = |weight: &Weight| {
            provider.count_tokens(name.as_str(), &weight.text)
                + weight.messages * TOKENS_PER_MESSAGE
        };
        weights.iter().map(count).collect()
    };
    // What can't be counted does not fit.
    tokio::task::spawn_blocking(count).await.unwrap_or_default()
}

fn too_long() -> ReplyError {
    ReplyError {
        kind: ReplyErrorKind::ContextTooLong,
        message: "the system message and the prompt do not fit into the model's window".into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use proptest::prelude::*;

    use super::*;
    use crate::contracts::{Pieces, Provider};
    use crate::types::{ModelName, ToolCall, ToolOutput};

    /// Counts a token for every two bytes.
    struct Halves;

    #[async_trait]
    impl Provider for Halves {
        async fn ask(&self, _: Question) -> Result<Pieces, ReplyError> {
            Err(too_long())
        }

        fn count_tokens(&self, _: &str, text: &str) -> usize {
            text.len().div_ceil(2)
        }
    }

    fn model() -> Model {
        Model {
            name: ModelName::parse("halves").unwrap(),
            provider_name: "test".into(),
            is_demo: false,
            window: 0,
            max_output_tokens: None,
            provider: Arc::new(Halves),
        }
    }

    fn said(role: MessageRole, content: Vec<Part>) -> Said {
        Said {
            role,
            content,
            depth: 1,
        }
    }

    fn call(id: u8) -> Part {
        Part::ToolCall(ToolCall {
            id: id.to_string(),
            name: "look".into(),
            arguments: "{}".into(),
        })
    }

    fn output(id: u8) -> Part {
        Part::ToolOutput(ToolOutput {
            call: id.to_string(),
            output: "seen".into(),
        })
    }

    /// A message of somebody's, and with which calls or outputs.
    fn message((role, ids): (u8, Vec<u8>)) -> Said {
        let text = Part::Text("well".into());
        match role {
            0 => said(MessageRole::User, vec![text]),
            1 => said(
                MessageRole::Assistant,
                [text]
                    .into_iter()
                    .chain(ids.into_iter().map(call))
                    .collect(),
            ),
            _ => said(MessageRole::Tool, ids.into_iter().map(output).collect()),
        }
    }

    /// What a model is told of messages, the oldest first, read in pages of that many.
    fn told(messages: Vec<Said>, page: usize) -> Vec<Turn> {
        let mut unread: VecDeque<Said> = messages.into_iter().rev().collect();
        let (mut rest, mut turns) = (VecDeque::new(), Vec::new());
        loop {
            while let Some(unit) = next_unit(&mut rest, unread.is_empty()) {
                turns.extend(unit.told());
            }
            if unread.is_empty() {
                turns.reverse();
                return turns;
            }
            rest.extend(unread.drain(..page.min(unread.len())));
        }
    }

    fn calls(turn: &Turn) -> Vec<&str> {
        let parts = turn.content.iter();
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        });
        calls.collect()
    }

    fn outputs(turn: &Turn) -> Vec<&str> {
        let parts = turn.content.iter();
        let outputs = parts.filter_map(|part| match part {
            Part::ToolOutput(output) => Some(output.call.as_str()),
            _ => None,
        });
        outputs.collect()
    }

    #[test]
    fn a_call_and_its_outputs_are_told_as_they_are() {
        let messages = vec![
            message((0, vec![])),
            message((1, vec![1, 2])),
            message((2, vec![2])),
            message((2, vec![1])),
            message((1, vec![])),
        ];
        let turns = told(messages, 2);
        let roles: Vec<_> = turns.iter().map(|turn| turn.role.as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant"]);
        assert_eq!(calls(&turns[1]), ["1", "2"]);
        assert_eq!(outputs(&turns[2]), ["2"]);
    }

    proptest! {
        #[test]
        fn a_model_is_told_each_call_with_its_output_and_no_output_without_its_call(
            messages in prop::collection::vec(
                (0..3_u8, prop::collection::vec(0..4_u8, 0..3)), 0..12
            ),
            page in 1..5_usize,
        ) {
            let turns = told(messages.into_iter().map(message).collect(), page);
            let mut open = Vec::new();
            for turn in &turns {
                prop_assert!(!turn.content.is_empty());
                if turn.role == MessageRole::Tool {
                    for output in outputs(turn) {
                        let at = open.iter().position(|call| *call == output);
                        prop_assert!(at.is_some(), "{turns:?}");
                        open.remove(at.unwrap());
                    }
                } else {
                    prop_assert!(open.is_empty(), "{turns:?}");
                    open = calls(turn);
                }
            }
            prop_assert!(open.is_empty(), "{turns:?}");
        }

        #[test]
        fn as_many_texts_fit_as_have_tokens_however_they_are_handed_in(
            lengths in prop::collection::vec(0..60_usize, 0..20),
            tokens in 0..400_usize,
            portion in 1..7_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let fit = runtime.block_on(async {
                let mut room = Room::new(tokens);
                let mut fit = 0;
                for lengths in lengths.chunks(portion) {
                    let weights = lengths.iter().map(|length| Weight {
                        text: "x".repeat(*length),
                        messages: 1,
                    });
                    let took = room.take(&model(), weights.collect()).await;
                    fit += took;
                    if took < lengths.len() {
                        break;
                    }
                }
                fit
            });
            let mut left = tokens;
            let expected = lengths.iter().take_while(|length| {
                let count = length.div_ceil(2) + TOKENS_PER_MESSAGE;
                let fits = count <= left;
                left = left.saturating_sub(count);
                fits
            });
            prop_assert_eq!(fit, expected.count());
        }
    }
}
