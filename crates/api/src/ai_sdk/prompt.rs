//! What is to be answered, given what a front end sent and what is kept here.

use chat::types::{Cuid, Message as Kept, MessageRole, Parent, Part, ToolOutput};
use chat::{Error, MessageDraft, PromptDraft};

use super::request::{Message, Request, Trigger};
use super::turns::Here;
use crate::fault::Fault;
use crate::limits;

/// The answer that a front end wants.
pub(super) struct Wanted {
    /// The steps of the turn that it goes on with; none if it begins one.
    pub(super) turn: Vec<Kept>,
    pub(super) answer: Answer,
}

/// Which answer that is.
pub(super) enum Answer {
    /// A new one, to that.
    To(PromptDraft),
    /// The reply that has been asked for already with the same outputs of tools.
    Known(Cuid),
}

impl Wanted {
    /// Finds out what a request wants in a session; `None` for a new one.
    pub(super) async fn by(request: &Request, here: Option<&Here<'_>>) -> Result<Self, Fault> {
        let last = request.messages.last();
        let said = Said::last_of(request);
        let answer = match (request.trigger(), said, here) {
            (Trigger::SubmitMessage, Some(said), Some(here)) if request.message_id.is_some() => {
                said.edited(here).await?
            }
            (Trigger::RegenerateMessage, said, Some(here)) => again(request, said, here).await?,
            // In a new session there is nothing yet that could be edited or answered again.
            (_, Some(said), _) => said.following(Parent::Head)?,
            (Trigger::RegenerateMessage, None, None) => return Err(Error::NotFound.into()),
            (Trigger::SubmitMessage, None, here) => {
                let last = last.ok_or_else(|| Fault::invalid("messages", "is empty"))?;
                return go_on(here, last, &place_of_last(request)).await;
            }
        };
        let turn = Vec::new();
        Ok(Self { turn, answer })
    }
}

/// What the last message of a request is called where something is wrong with it.
fn place_of_last(request: &Request) -> String {
    format!("messages[{}]", request.messages.len().saturating_sub(1))
}

/// Another answer to the message that the answer `messageId` answers; or else to the last message.
async fn again(
    request: &Request,
    said: Option<Said<'_>>,
    here: &Here<'_>,
) -> Result<Answer, Fault> {
    let named = match &request.message_id {
        Some(id) => here.message(id).await?,
        None => None,
    };
    let mut path = match (&named, said) {
        (Some(named), _) => here.up_to(named),
        (None, Some(said)) => return said.answered_again(here).await,
        (None, None) => here.path(),
    };
    while let Some(turn) = path.turn().await? {
        if let [.., last] = &turn[..]
            && last.role == MessageRole::User
        {
            return Ok(Answer::To(PromptDraft::Existing(last.id.clone())));
        }
    }
    Err(Fault::invalid("messageId", "answers no message of a user"))
}

/// The last message of a request, where a user says something.
struct Said<'a> {
    request: &'a Request,
    message: &'a Message,
    place: String,
}

impl<'a> Said<'a> {
    fn last_of(request: &'a Request) -> Option<Self> {
        let last = request.messages.last();
        let message = last.filter(|last| last.role == "user")?;
        let place = place_of_last(request);
        Some(Self {
            request,
            message,
            place,
        })
    }

    fn following(&self, parent: Parent) -> Result<Answer, Fault> {
        Ok(Answer::To(PromptDraft::New(vec![MessageDraft {
            parent,
            role: MessageRole::User,
            content: self.message.texts(&self.place)?,
            model: None,
        }])))
    }

    /// In the place of the message that it is another version of.
    async fn edited(&self, here: &Here<'_>) -> Result<Answer, Fault> {
        let edited = here.message(self.request.message_id.as_deref().unwrap_or_default());
        let parent = match edited.await? {
            Some(edited) => edited.parent,
            None => self.place_of(here).await?.after.map(|after| after.id),
        };
        self.following(parent.map_or(Parent::Root, Parent::Message))
    }

    /// The message as it is kept is answered once more, or, if it never got here, now.
    async fn answered_again(&self, here: &Here<'_>) -> Result<Answer, Fault> {
        let mut kept = here.message(&self.message.id).await?;
        if kept.is_none() {
            let texts = self.message.texts(&self.place)?;
            let said: String = texts.iter().map(Part::as_str).collect();
            let is_same = |kept: &Kept| kept.role == MessageRole::User && kept.text() == said;
            kept = self.place_of(here).await?.kept.filter(is_same);
        }
        match kept {
            Some(kept) => Ok(Answer::To(PromptDraft::Existing(kept.id))),
            None => self.following(Parent::Head),
        }
    }

    /// Where on the active path a message belongs that has an identifier of its client's own: behind the
    /// turn of the last message before it that has one of ours.
    async fn place_of(&self, here: &Here<'_>) -> Result<Place, Fault> {
        let mut known = None;
        let before = self.request.messages.iter().enumerate().rev().skip(1);
        for (at, message) in before.take(limits::MESSAGES_TRACED) {
            if let Some(message) = here.message(&message.id).await? {
                known = Some((at, message));
                break;
            }
        }
        let (mut path, mut kept) = (here.path(), None);
        while let Some(mut turn) = path.turn().await? {
            let is_here = |(_, known): &(usize, Kept)| turn.iter().any(|step| step.id == known.id);
            if known.as_ref().is_some_and(is_here) {
                let after = turn.pop();
                return Ok(Place { after, kept });
            }
            kept = turn.into_iter().next();
        }
        match known {
            Some((at, _)) => Err(Fault::invalid(format!("messages[{at}].id"), ELSEWHERE)),
            None => Ok(Place { after: None, kept }),
        }
    }
}

const ELSEWHERE: &str =
    "is no message of the chat's active path, which has changed since it was read";

/// A place on the active path.
struct Place {
    /// The message that it follows; `None` at the beginning.
    after: Option<Kept>,
    /// The message that is there.
    kept: Option<Kept>,
}

/// An answer goes on with what came of the tools that it called.
async fn go_on(here: Option<&Here<'_>>, message: &Message, place: &str) -> Result<Wanted, Fault> {
    if message.role != "assistant" {
        let reason = "must be one of: user, assistant";
        return Err(Fault::invalid(format!("{place}.role"), reason));
    }
    let here = here.ok_or(Error::NotFound)?;
    let outputs = message.outputs(place)?;
    let Some((_, first)) = outputs.first() else {
        let reason = "have no output of a tool in their last step";
        return Err(Fault::invalid(format!("{place}.parts"), reason));
    };
    let turn = here.path().turn().await?.unwrap_or_default();
    let is_last = turn.iter().any(|step| step.id.as_str() == message.id);
    if !is_last {
        let reason =
            "is not the last message of the chat, which may have changed since it was read";
        return Err(Fault::invalid(format!("{place}.id"), reason));
    }
    let calls = |step: &Kept| {
        let mut calls = step.tool_calls();
        calls.any(|call| outputs.iter().any(|(output, _)| output.call == call.id))
    };
    let Some(caller) = turn.iter().rposition(calls) else {
        let reason = "is no call of the chat's last message";
        return Err(Fault::invalid(format!("{first}.toolCallId"), reason));
    };
    answer_to(turn, caller, outputs.into_iter().map(|(output, _)| output))
}

/// The answer to outputs of calls that the step `caller` of a turn makes.
fn answer_to(
    mut turn: Vec<Kept>,
    caller: usize,
    outputs: impl Iterator<Item = ToolOutput>,
) -> Result<Wanted, Fault> {
    let is_tool = |step: &&Kept| step.role == MessageRole::Tool;
    let answered = turn[caller + 1..].iter().take_while(is_tool).count();
    let behind = turn.split_off(caller + 1 + answered);
    let is_new = |output: &ToolOutput| {
        let mut known = turn[caller + 1..].iter().flat_map(Kept::tool_outputs);
        let mut calls = turn[caller].tool_calls();
        calls.any(|call| call.id == output.call) && known.all(|known| known.call != output.call)
    };
    let new: Vec<Part> = outputs.filter(is_new).map(Part::ToolOutput).collect();
    let last = turn.last().map(|last| last.id.clone());
    let last = last.ok_or(Error::NotFound)?;
    let answer = match behind.first().map(|next| &next.reply) {
        Some(Some(reply)) if new.is_empty() => Answer::Known(reply.clone()),
        _ if new.is_empty() => Answer::To(PromptDraft::Existing(last)),
        _ => Answer::To(PromptDraft::New(vec![MessageDraft {
            parent: Parent::Message(last),
            role: MessageRole::Tool,
            content: new,
            model: None,
        }])),
    };
    Ok(Wanted { turn, answer })
}

#[cfg(test)]
mod tests;
