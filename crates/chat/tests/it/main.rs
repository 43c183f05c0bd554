//! The product with a real store and a provider that a test has in its hands.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat::contracts::{Clock, EndOfAnswer, Entropy, NoBus, Piece, Pieces, Provider, Question};
use chat::limits::LEASE;
use chat::types::{
    Caller, Delta, Email, Ending, Event, FinishReason, IdempotencyKey, MessageRole, ModelName,
    NumberedEvent, Once, Parent, Part, Reply, ReplyError, ReplyErrorKind, ReplyOptions,
    ReplyStatus, Role, SessionKey, Timestamp, Tries, WhenBusy,
};
use chat::{
    Chat, Error, MessageDraft, Model, Models, Options, Passing, PromptDraft, ReplyDraft,
    SessionDraft, TokenDraft, Unkept, WantedSession,
};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::timeout;

/// A clock that a test moves.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (byte, next) in bytes.iter_mut().zip(count.into_iter().cycle()) {
            *byte = next;
        }
    }
}

/// Panics or falls silent when it is told to, and counts how often it was asked what; and who still
/// waits for it.
#[derive(Default)]
struct Nervous(Mutex<HashMap<String, u32>>, Arc<()>);

impl Nervous {
    /// How many answers have fallen silent that somebody reads.
    fn stalled(&self) -> usize {
        Arc::strong_count(&self.1) - 1
    }
}

#[async_trait]
impl Provider for Nervous {
    async fn ask(&self, question: Question) -> Result<Pieces, ReplyError> {
        let text = question.messages.last().unwrap().text();
        *self.0.lock().unwrap().entry(text.clone()).or_default() += 1;
        assert!(text != "panic", "as a mistake of ours would");
        if text == "stall" {
            let piece = stream::once(async { Ok(Piece::Delta(Delta::Text("so far".into()))) });
            let waiting = self.1.clone();
            let silence = stream::once(async move {
                let _waiting = waiting;
                std::future::pending().await
            });
            return Ok(Box::pin(piece.chain(silence)));
        }
        let pieces = [
            Ok(Piece::Delta(Delta::Text("fine".into()))),
            Ok(Piece::End(EndOfAnswer::Complete)),
        ];
        Ok(Box::pin(stream::iter(pieces)))
    }

    fn count_tokens(&self, _: &str, text: &str) -> usize {
        text.len()
    }
}

struct Unobserved;

impl store::CommitObserver for Unobserved {
    fn committed(&self, _: usize, _: Duration) {}
}

/// The product, somebody who uses it, and what a test can turn.
struct Bench {
    chat: Arc<Chat>,
    caller: Caller,
    clock: Arc<Hands>,
    provider: Arc<Nervous>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
        let purpose = store::Purpose::Serve;
        let options = store::Options::new(purpose, clock.now(), Arc::new(Unobserved));
        let database = store::Database::Folder(folder.path().to_owned());
        let store = store::open(&database, options).await;
        let provider = Arc::new(Nervous::default());
        let model = Model {
            name: ModelName::parse("nervous").unwrap(),
            provider_name: "test".into(),
            provider_kind: "test",
            provider_url: None,
            is_demo: false,
            window: 1_000,
            max_output_tokens: None,
            provider: provider.clone(),
        };
        let options = Options {
            models: Models::new(vec![model]).unwrap(),
            ..Options::default()
        };
        let entropy = Arc::new(Counting(AtomicU64::new(0)));
        let chat = Chat::new(
            store.unwrap(),
            Arc::new(NoBus::Alone),
            clock.clone(),
            entropy,
            options,
        )
        .unwrap();
        let chat = Arc::new(chat);
        let writing = chat.clone();
        tokio::spawn(async move { writing.write_replies().await });
        let email = Email::parse("ada@example.com").unwrap();
        let account = chat.create_account(email, None, Role::User, None, None);
        let account = account.await.unwrap();
        let token = chat.create_token_for(&account, TokenDraft::default());
        let token = token.await.unwrap();
        Self {
            caller: chat.authenticate(token.text.expose()).await.unwrap(),
            chat,
            clock,
            provider,
            _folder: folder,
        }
    }

    async fn session(&self) -> SessionKey {
        let draft = SessionDraft::default();
        let made = self.chat.create_session(&self.caller, draft, None).await;
        SessionKey::Number(made.unwrap().number)
    }

    async fn ask(&self, session: &SessionKey, text: &str) -> Reply {
        let begun = self.begin(session, text, WhenBusy::Queue).await;
        begun.unwrap()
    }

    async fn begin(
        &self,
        session: &SessionKey,
        text: &str,
        when_busy: WhenBusy,
    ) -> Result<Reply, Error> {
        let draft = ReplyDraft {
            session: WantedSession::Existing(session.clone()),
            prompt: PromptDraft::New(vec![said(text)]),
            model: None,
            when_busy,
            options: ReplyOptions::default(),
            hidden: false,
        };
        self.chat.begin_reply(&self.caller, draft, None).await
    }

    /// Asks for an answer that is not kept, in the try of that number.
    async fn pass(&self, text: &str, once: Option<Once>) -> Result<Passing, Error> {
        let unkept = Unkept {
            after: None,
            messages: vec![said(text)],
            model: None,
            options: ReplyOptions::default(),
        };
        self.chat.answer_unkept(&self.caller, unkept, once).await
    }

    fn times_asked(&self, text: &str) -> u32 {
        let asked = self.provider.0.lock().unwrap();
        asked.get(text).copied().unwrap_or_default()
    }

    /// Asks for an answer that stalls, and waits for what there is of it.
    async fn stalled(&self, session: &SessionKey) -> Reply {
        let reply = self.ask(session, "stall").await;
        let watch = self.chat.watch_reply(&self.caller, session, &reply.id, 2);
        let first = watch.await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(first.event, Event::Delta(Delta::Text("so far".into())));
        reply
    }

    /// Why a reply ended, without any lease running out.
    async fn reason(&self, session: &SessionKey, reply: &Reply) -> FinishReason {
        let watch = self.chat.watch_reply(&self.caller, session, &reply.id, 2);
        let mut watch = watch.await.unwrap();
        let most = Duration::from_secs(20);
        while let Some(event) = timeout(most, watch.next()).await.unwrap().unwrap() {
            if let Event::Finished(ending) = event.event {
                assert_eq!(ending.status, ReplyStatus::Stopped);
                return ending.reason;
            }
        }
        panic!("the stream ended without an end");
    }

    /// The reply once it has ended, while lease after lease runs out.
    async fn end_of(&self, session: &SessionKey, reply: &Reply) -> Reply {
        loop {
            let second = Duration::from_secs(1);
            let waiting = self
                .chat
                .wait_for_reply(&self.caller, session, &reply.id, second);
            let now = waiting.await.unwrap();
            if now.status.is_end() {
                return now;
            }
            let lease = LEASE.as_millis() as i64 + 1;
            self.clock.0.fetch_add(lease, Ordering::Relaxed);
        }
    }
}

fn said(text: &str) -> MessageDraft {
    MessageDraft {
        parent: Parent::Head,
        role: MessageRole::User,
        content: vec![Part::Text(text.to_owned())],
        model: None,
    }
}

/// The first or a later try of a request.
fn try_of(request: u8, is_first: bool) -> Once {
    Once {
        key: IdempotencyKey::parse("try").unwrap(),
        request: [request; 32],
        tries: if is_first { Tries::First } else { Tries::Later },
    }
}

async fn all(mut answer: Passing) -> Vec<NumberedEvent> {
    let mut events = Vec::new();
    while let Some(event) = answer.next().await {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn an_answer_that_is_not_kept_has_the_events_of_a_reply() {
    let bench = Bench::new().await;
    let events = all(bench.pass("go on", None).await.unwrap()).await;
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert!(matches!(&events[0].event, Event::Accepted { prompt, .. } if prompt.text() == "go on"));
    assert!(matches!(events[1].event, Event::Started { attempt: 1, .. }));
    assert_eq!(events[2].event, Event::Delta(Delta::Text("fine".into())));
    let done = Event::Finished(Ending::done(FinishReason::Stop));
    assert_eq!(events[3].event, done);
}

#[tokio::test]
async fn a_panic_ends_an_answer_that_is_not_kept() {
    let bench = Bench::new().await;
    let events = all(bench.pass("panic", None).await.unwrap()).await;
    let Some(Event::Finished(ending)) = events.last().map(|last| &last.event) else {
        panic!("it has no end");
    };
    assert_eq!(ending.status, ReplyStatus::Failed);
}

#[tokio::test]
async fn a_later_try_joins_the_answer_of_the_first_and_a_new_first_one_does_not() {
    let bench = Bench::new().await;
    let first = bench.pass("go on", Some(try_of(1, true))).await.unwrap();
    let second = bench.pass("go on", Some(try_of(1, false))).await.unwrap();
    let events = all(first).await;
    assert_eq!(all(second).await, events);
    // Also when all of it was written, and lost on its way.
    let third = bench.pass("go on", Some(try_of(1, false))).await.unwrap();
    assert_eq!(all(third).await, events);
    assert_eq!(bench.times_asked("go on"), 1);
    let other = bench.pass("go off", Some(try_of(2, false))).await;
    assert!(matches!(other, Err(Error::KeyReused)));
    let again = bench.pass("go on", Some(try_of(1, true))).await.unwrap();
    assert_ne!(all(again).await, events);
    assert_eq!(bench.times_asked("go on"), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_any_more_is_not_asked_for_any_longer() {
    let bench = Bench::new().await;
    let mut answer = bench.pass("stall", None).await.unwrap();
    while let Some(event) = answer.next().await {
        if matches!(event.event, Event::Delta(_)) {
            break;
        }
    }
    assert_eq!(bench.provider.stalled(), 1);
    drop(answer);
    while bench.provider.stalled() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_costs_an_attempt_and_not_the_session() {
    let bench = Bench::new().await;
    let session = bench.session().await;
    let broken = bench.ask(&session, "panic").await;
    let behind = bench.ask(&session, "go on").await;
    let broken = bench.end_of(&session, &broken).await;
    assert_eq!((broken.status, broken.attempt), (ReplyStatus::Failed, 2));
    assert_eq!(broken.error.unwrap().kind, ReplyErrorKind::Interrupted);
    let behind = bench.end_of(&session, &behind).await;
    assert_eq!((behind.status, behind.attempt), (ReplyStatus::Done, 1));
    let asked = bench.provider.0.lock().unwrap().clone();
    assert_eq!((asked["panic"], asked["go on"]), (2, 1));
    while bench.chat.load().replies_running > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stop_and_an_interruption_count_although_their_clients_hang_up() {
    let bench = Bench::new().await;
    let session = bench.session().await;
    let stopped = bench.stalled(&session).await;
    // Polled once, and dropped.
    let stop = bench.chat.stop_reply(&bench.caller, &session, &stopped.id);
    assert!(stop.now_or_never().is_none());
    assert_eq!(
        bench.reason(&session, &stopped).await,
        FinishReason::Stopped
    );

    let interrupted = bench.stalled(&session).await;
    let begin = bench.begin(&session, "go on", WhenBusy::Interrupt);
    let mut begin = Box::pin(begin);
    // It reads the session, and then it waits for the commit.
    while (&mut begin).now_or_never().is_none() {
        let open = bench.chat.open_replies(&bench.caller, &session).await;
        if open.unwrap().len() != 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(begin);
    let reason = bench.reason(&session, &interrupted).await;
    assert_eq!(reason, FinishReason::Interrupted);
}
