//! Answers that are passed on and not kept: for a client that keeps the conversation itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::chat::Chat;
use crate::context::{self, Asked, Said};
use crate::contracts::{Piece, Pieces};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits;
use crate::lock::lock;
use crate::messages::MessageDraft;
use crate::models::Model;
use crate::types::{
    Caller, Cuid, Ending, Event, Fingerprint, FinishReason, Message, ModelName, NumberedEvent,
    Once, Reply, ReplyError, ReplyErrorKind, ReplyOptions, ReplyStatus, SessionKey, TokenUsage,
    Tries,
};
use crate::watch::Permit;

/// Bytes that an event takes besides its text, about.
const EVENT_BYTES: usize = 32;

/// What a client asks without wanting it to be kept.
#[derive(Clone, Debug)]
pub struct Unkept {
    /// A message of a session: that one and what leads to it come first.
    pub after: Option<(SessionKey, Cuid)>,
    /// What follows, the newest last. One at least.
    pub messages: Vec<MessageDraft>,
    /// Who is to answer; `None` for the server's first model.
    pub model: Option<ModelName>,
    /// What is wanted beyond an answer.
    pub options: ReplyOptions,
}

/// The events of an answer that is not kept, each once and in order, up to its end: those that a reply
/// would have. It is written as long as somebody reads it.
pub struct Passing {
    answer: Arc<Answer>,
    grown: watch::Receiver<usize>,
    next: usize,
    ended: bool,
    engine: Arc<Engine>,
    permit: Permit,
}

/// An answer, as far as it has been written.
struct Answer {
    events: Mutex<Vec<NumberedEvent>>,
    /// How many events there are.
    count: watch::Sender<usize>,
    /// What it has cost so far.
    usage: Mutex<Option<TokenUsage>>,
    request: Option<Fingerprint>,
}

/// Answers that are being written, or ended just now: by owner and key, for retries.
pub(crate) struct Answers {
    known: Mutex<HashMap<Name, Arc<Answer>>>,
    slots: Arc<Semaphore>,
}

/// An owner, and the key that names a request.
type Name = (Cuid, String);

impl Default for Answers {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            slots: Arc::new(Semaphore::new(limits::PASSING)),
        }
    }
}

impl Chat {
    /// Asks a model, and keeps nothing but what it cost. A retry on this node joins the answer of the
    /// first try, as long as that is being written and a moment beyond.
    ///
    /// Errors: [`Error::NotFound`], [`Error::UnknownModel`], [`Error::NoModels`], [`Error::Busy`],
    /// [`Error::KeyReused`]. What goes wrong with the model comes as the end of the answer.
    pub async fn answer_unkept(
        &self,
        caller: &Caller,
        unkept: Unkept,
        once: Option<Once>,
    ) -> Result<Passing, Error> {
        let engine = &self.engine;
        let permit = Permit::new(engine, caller)?;
        let name = once
            .as_ref()
            .map(|once| (caller.id().clone(), once.key.as_str().to_owned()));
        let joined = engine.answers.find(name.as_ref(), once.as_ref())?;
        if let Some(answer) = joined {
            return Ok(Passing::new(engine, answer, permit));
        }
        let slot = engine.answers.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| Error::Busy)?;
        let asking = self.begin_unkept(caller, unkept).await?;
        let answer = Arc::new(Answer {
            events: Mutex::default(),
            count: watch::Sender::new(0),
            usage: Mutex::default(),
            request: once.map(|once| once.request),
        });
        answer.push(Event::Accepted {
            reply: Box::new(asking.reply.clone()),
            prompt: Box::new(asking.prompt.clone()),
        });
        let passing = Passing::new(engine, answer.clone(), permit);
        if let Some(name) = &name {
            lock(&engine.answers.known).insert(name.clone(), answer.clone());
        }
        let (engine, owner) = (engine.clone(), caller.id().clone());
        self.engine.spawn(async move {
            // Held as long as the answer is.
            let _slot = slot;
            let (id, model) = (asking.reply.id.clone(), asking.reply.model.clone());
            let end = Unended(answer.clone());
            let was_read = tokio::select! {
                () = asking.write(&engine, &owner, &answer) => true,
                () = unread(&answer, name.is_some()) => false,
                () = engine.closing.cancelled() => false,
            };
            drop(end);
            note_usage(&engine, owner, id, model, &answer).await;
            let Some(name) = name else { return };
            if was_read {
                // Its last words may have been lost on their way.
                let closing = &engine.closing;
                closing
                    .run_until_cancelled(sleep(limits::RETRY_AWAITED))
                    .await;
            }
            engine.answers.forget(&name, &answer);
        });
        Ok(passing)
    }

    /// Finds what is asked, and makes what stands for the reply and its prompt.
    async fn begin_unkept(&self, caller: &Caller, unkept: Unkept) -> Result<Asking, Error> {
        let now = self.clock.now();
        let mut system = String::new();
        let mut path = None;
        let session = match &unkept.after {
            Some((key, message)) => {
                let session = self.session(caller, key).await?;
                let message = self.message(caller, key, message).await?;
                session.system_message.as_str().clone_into(&mut system);
                path = Some((session.number, message.seq));
                session.id
            }
            None => self.mint(now),
        };
        let model = self.model_named(unkept.model)?;
        let last = unkept.messages.last().ok_or(Error::NoSuchPrompt)?;
        let prompt = Message {
            id: self.mint(now),
            session: session.clone(),
            seq: 0,
            depth: 0,
            parent: None,
            role: last.role,
            content: last.content.clone(),
            model: None,
            usage: None,
            finish_reason: None,
            reply: None,
            status: ReplyStatus::Done,
            created_at: now,
        };
        let reply = Reply {
            id: self.mint(now),
            session,
            prompt: prompt.id.clone(),
            message: self.mint(now),
            status: ReplyStatus::Queued,
            attempt: 0,
            model: model.name.clone(),
            options: unkept.options,
            hidden: true,
            usage: None,
            left_out: 0,
            error: None,
            created_at: now,
            finished_at: None,
        };
        Ok(Asking {
            reply,
            prompt,
            model: model.clone(),
            system,
            path,
            messages: unkept.messages,
        })
    }
}

/// An answer that is about to be written.
struct Asking {
    reply: Reply,
    prompt: Message,
    model: Model,
    /// What comes before the messages of the request.
    system: String,
    path: Option<(i64, i64)>,
    messages: Vec<MessageDraft>,
}

impl Passing {
    fn new(engine: &Arc<Engine>, answer: Arc<Answer>, permit: Permit) -> Self {
        Self {
            grown: answer.count.subscribe(),
            answer,
            next: 0,
            ended: false,
            engine: engine.clone(),
            permit,
        }
    }

    /// The next event; `None` after the last one, when the server ends, and when the reader's token
    /// does not hold any longer.
    pub async fn next(&mut self) -> Option<NumberedEvent> {
        if self.ended {
            return None;
        }
        let next = self.next;
        tokio::select! {
            biased;
            () = self.permit.end(&self.engine) => return None,
            grown = self.grown.wait_for(|count| *count > next) => grown.ok()?,
        };
        let event = lock(&self.answer.events).get(next).cloned()?;
        self.next += 1;
        self.ended = matches!(event.event, Event::Finished(_));
        Some(event)
    }
}

impl Answer {
    fn push(&self, event: Event) {
        let mut events = lock(&self.events);
        let number = events.len() as i64;
        events.push(NumberedEvent { number, event });
        let count = events.len();
        drop(events);
        self.count.send_replace(count);
    }

    fn has_ended(&self) -> bool {
        let events = lock(&self.events);
        matches!(events.last(), Some(last) if matches!(last.event, Event::Finished(_)))
    }
}

/// Ends an answer that has no end when it is dropped, however that came about: nobody must wait for it
/// in vain.
struct Unended(Arc<Answer>);

impl Drop for Unended {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.push(Event::Finished(Ending {
                status: ReplyStatus::Failed,
                reason: FinishReason::Error,
                error: Some(ReplyError {
                    kind: ReplyErrorKind::Interrupted,
                    message: "the server broke off".into(),
                    retry_after: None,
                }),
            }));
        }
    }
}

impl Answers {
    /// The answer that an earlier try of a request began. Errors: [`Error::KeyReused`].
    fn find(&self, name: Option<&Name>, once: Option<&Once>) -> Result<Option<Arc<Answer>>, Error> {
        let (Some(name), Some(once)) = (name, once) else {
            return Ok(None);
        };
        let known = lock(&self.known);
        match known.get(name).filter(|_| once.tries != Tries::First) {
            Some(answer) if answer.request != Some(once.request) => Err(Error::KeyReused),
            found => Ok(found.cloned()),
        }
    }

    fn forget(&self, name: &Name, answer: &Arc<Answer>) {
        let mut known = lock(&self.known);
        if known.get(name).is_some_and(|one| Arc::ptr_eq(one, answer)) {
            known.remove(name);
        }
    }
}

/// Waits until nobody reads an answer, nor comes back for it within the time that a retry is awaited.
async fn unread(answer: &Answer, is_awaited: bool) {
    loop {
        answer.count.closed().await;
        if !is_awaited {
            return;
        }
        sleep(limits::RETRY_AWAITED).await;
        if answer.count.is_closed() {
            return;
        }
    }
}

impl Asking {
    /// Asks the model, and writes what it answers to the end.
    async fn write(self, engine: &Arc<Engine>, owner: &Cuid, answer: &Answer) {
        let attempt = 1;
        let model = self.model.name.clone();
        answer.push(Event::Started { attempt, model });
        let ending = match self.ask(engine, owner).await {
            Ok(pieces) => pass(pieces, answer).await,
            Err(error) => Ending::failed(error),
        };
        let usage = *lock(&answer.usage);
        if let Some(usage) = usage {
            answer.push(Event::Usage(usage));
        }
        answer.push(Event::Finished(ending));
    }

    async fn ask(self, engine: &Arc<Engine>, owner: &Cuid) -> Result<Pieces, ReplyError> {
        let asked = Asked {
            system: &self.system,
            options: &self.reply.options,
            path: self.path,
            latest: self.messages.iter().map(Said::from).collect(),
        };
        let (question, _) = context::question(engine, owner, &self.model, asked).await?;
        self.model.provider.ask(question).await
    }
}

/// Writes down what comes, up to the end.
async fn pass(mut pieces: Pieces, answer: &Answer) -> Ending {
    let mut bytes = 0;
    loop {
        match pieces.next().await {
            Some(Ok(Piece::Delta(delta))) => {
                bytes += delta.size() + EVENT_BYTES;
                answer.push(Event::Delta(delta));
                if bytes >= limits::REPLY_BYTES {
                    return Ending::done(FinishReason::Length);
                }
            }
            Some(Ok(Piece::Usage(cost))) => *lock(&answer.usage) = Some(cost),
            Some(Ok(Piece::End(end))) => return Ending::done(end.into()),
            Some(Err(error)) => return Ending::failed(error),
            None => return Ending::failed(ReplyError::broken_off()),
        }
    }
}

/// Notes what an answer has cost, also one that was broken off.
async fn note_usage(engine: &Engine, owner: Cuid, id: Cuid, model: ModelName, answer: &Answer) {
    let usage = *lock(&answer.usage);
    let Some(usage) = usage else { return };
    let now = engine.clock.now();
    let noted = engine.store.note_usage(owner, None, id, model, usage, now);
    if let Err(error) = noted.await {
        tracing::error!(%error, "what an answer cost can't be noted");
    }
}
