use std::sync::{Arc, LazyLock};

use chat::contracts::{
    AccountChanged, Admission, Append, Appended, Begun, Changed, Changes, Claim, Claimed, Deleted,
    Entropy, Finish, Finished, InSession, Kept, NewReply, Prompt, Registered, Store, Work,
};
use chat::types::{
    Account, AccountChange, Cuid, CuidMint, Delta, Email, Ending, Event, FinishReason, Head,
    IdempotencyKey, Message, MessageRole, MessageView, Metadata, ModelName, ModelOptions,
    NewAccount, NewMessage, NewSession, NewToken, NumberedEvent, Once, Page, PageSize, Parent,
    Part, Precondition, Reply, ReplyOptions, ReplyStatus, Role, Session, SessionChange, SessionKey,
    SessionKind, SystemMessage, Timestamp, Title, TokenKind, TokenUsage, Tool, ToolChoice,
    ToolName, Tries, WhenBusy,
};

/// Counts instead of drawing: a test's identifiers differ, and that is all it needs.
struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (place, byte) in bytes.iter_mut().zip(count.to_le_bytes().iter().cycle()) {
            *place = *byte;
        }
    }
}

pub fn cuid() -> Cuid {
    static MINT: LazyLock<(CuidMint, Counting)> =
        LazyLock::new(|| (CuidMint::default(), Counting(0.into())));
    MINT.0.mint(Timestamp(1_700_000_000_000), &MINT.1)
}

pub fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

pub fn once(key: &str, request: u8) -> Once {
    Once {
        key: IdempotencyKey::parse(key).unwrap(),
        request: [request; 32],
        tries: Tries::Keyed,
    }
}

pub fn new_account(email: &str) -> NewAccount {
    NewAccount {
        id: cuid(),
        email: Email::parse(email).unwrap(),
        name: None,
        role: Role::User,
        password_hash: Some("hash".into()),
        created_at: Timestamp(1),
    }
}

pub async fn account(store: &dyn Store, email: &str) -> Account {
    let made = store.create_account(new_account(email), Admission::Anybody, None);
    match made.await.unwrap() {
        Registered::Made(account) => account,
        other => panic!("{other:?}"),
    }
}

/// Disables an account, or enables it.
pub async fn disable(store: &dyn Store, id: &Cuid, disabled: bool, at: i64) -> Account {
    let change = AccountChange {
        disabled: Some(disabled),
        ..AccountChange::default()
    };
    let changed = store.change_account(None, id.clone(), change, Timestamp(at));
    match changed.await.unwrap() {
        AccountChanged::Done(account) => account,
        other => panic!("{other:?}"),
    }
}

pub fn new_session(owner: &Cuid, text: &str, at: i64) -> NewSession {
    NewSession {
        id: cuid(),
        owner: owner.clone(),
        title: title(text),
        named: true,
        kind: SessionKind::Text,
        system_message: SystemMessage::parse("").unwrap(),
        external_id: None,
        metadata: Metadata::default(),
        created_at: Timestamp(at),
    }
}

pub async fn session(store: &dyn Store, owner: &Cuid, text: &str, at: i64) -> Session {
    let new = new_session(owner, text, at);
    store.create_session(new, None).await.unwrap()
}

pub fn new_token(owner: &Cuid, kind: TokenKind) -> NewToken {
    NewToken {
        id: cuid(),
        owner: owner.clone(),
        kind,
        name: None,
        hash: [7; 32],
        created_at: Timestamp(1),
        expires_at: None,
        sealed: None,
    }
}

pub fn metadata(key: &str, value: &str) -> Metadata {
    Metadata::new([(key.into(), value.into())].into()).unwrap()
}

/// Something of everything that can be wanted of a reply.
pub fn options() -> ReplyOptions {
    let name = || ToolName::parse("look_up").unwrap();
    ReplyOptions {
        instructions: Some(SystemMessage::parse("Be \u{1F9EF}.").unwrap()),
        metadata: metadata("k\"", "v"),
        model: ModelOptions {
            temperature: Some(0.7),
            top_p: Some(1.0),
            max_output_tokens: Some(u32::MAX),
            tools: vec![Tool {
                name: name(),
                description: Some("Looks\nup.".into()),
                parameters: Some(r#"{"type":"object"}"#.into()),
                strict: None,
            }],
            tool_choice: Some(ToolChoice::Tool(name())),
            parallel_tool_calls: Some(false),
            further: Some(r#"{"seed":1}"#.into()),
        },
    }
}

pub fn key(session: &Session) -> SessionKey {
    SessionKey::Number(session.number)
}

pub async fn find(store: &dyn Store, session: &Session) -> Session {
    let found = store.session(&session.owner, &key(session)).await.unwrap();
    found.unwrap()
}

pub async fn change(
    store: &dyn Store,
    session: &Session,
    change: SessionChange,
    at: i64,
) -> Changed {
    let (owner, any) = (session.owner.clone(), Precondition::None);
    let changed = store.change_session(owner, key(session), change, any, Timestamp(at), None);
    changed.await.unwrap()
}

pub async fn move_head(store: &dyn Store, session: &Session, to: &Cuid, at: i64) -> Changed {
    let head = SessionChange {
        head: Some(Head::At(to.clone())),
        ..SessionChange::default()
    };
    change(store, session, head, at).await
}

pub async fn delete(store: &dyn Store, session: &Session, at: i64) {
    let (owner, any) = (session.owner.clone(), Precondition::None);
    let deleted = store.delete_session(owner, key(session), any, Timestamp(at), None);
    assert_eq!(deleted.await.unwrap(), Deleted::Done);
}

pub fn model() -> ModelName {
    ModelName::parse("some-model").unwrap()
}

pub fn says(text: &str) -> Vec<Part> {
    vec![Part::Text(text.into())]
}

/// A person's message that follows the head.
pub fn new_message(text: &str) -> NewMessage {
    NewMessage {
        id: cuid(),
        parent: Parent::Head,
        role: MessageRole::User,
        content: says(text),
        model: None,
        reply: None,
    }
}

pub async fn append(
    store: &dyn Store,
    session: &Session,
    new: Vec<NewMessage>,
    at: i64,
) -> Vec<Message> {
    let owner = session.owner.clone();
    let appended = store.append_messages(owner, key(session), new, Timestamp(at), None);
    match appended.await.unwrap() {
        Appended::Done(messages) => messages,
        other => panic!("{other:?}"),
    }
}

/// Appends persons' messages that follow the head and one another.
pub async fn append_texts(
    store: &dyn Store,
    session: &Session,
    texts: &[&str],
    at: i64,
) -> Vec<Message> {
    let new = texts.iter().map(|text| new_message(text)).collect();
    append(store, session, new, at).await
}

/// A page of a session's messages, from the place `from` on.
pub async fn page(
    store: &dyn Store,
    session: &Session,
    view: MessageView,
    from: Option<i64>,
    size: u32,
) -> Page<Message, i64> {
    let (key, size) = (key(session), PageSize::new(size).unwrap());
    let page = store.messages(&session.owner, &key, view, from, size);
    page.await.unwrap().unwrap()
}

/// All messages of a view, the newest first, read in pages of that size.
pub async fn messages(
    store: &dyn Store,
    session: &Session,
    view: MessageView,
    size: u32,
) -> Vec<Message> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = page(store, session, view, from, size).await;
        assert!(page.items.len() <= size as usize);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        assert!(from.is_none_or(|from| next < from), "{next}");
        from = Some(next);
    }
}

pub async fn message(store: &dyn Store, session: &Session, id: &Cuid) -> Message {
    let all = messages(store, session, MessageView::Tree, 100).await;
    all.into_iter().find(|one| one.id == *id).unwrap()
}

/// A reply to a new message that follows the head; it waits if it has to.
pub fn new_reply(session: &Session, text: &str, at: i64) -> NewReply {
    NewReply {
        id: cuid(),
        owner: session.owner.clone(),
        session: InSession::Existing(key(session)),
        prompt: Prompt::New(vec![new_message(text)]),
        message: cuid(),
        model: Some(model()),
        when_busy: WhenBusy::Queue,
        options: ReplyOptions::default(),
        hidden: false,
        created_at: Timestamp(at),
    }
}

pub async fn begin(store: &dyn Store, session: &Session, text: &str, at: i64) -> Reply {
    let begun = store.begin_reply(new_reply(session, text, at), None);
    match begun.await.unwrap() {
        Begun::Done { reply, .. } => reply,
        other => panic!("{other:?}"),
    }
}

pub async fn claim(store: &dyn Store, session: &Session, at: i64) -> Claimed {
    let owner = session.owner.clone();
    let claimed = store.claim_reply(owner, session.number, Timestamp(at));
    claimed.await.unwrap()
}

pub async fn claim_work(store: &dyn Store, session: &Session, at: i64) -> Work {
    match claim(store, session, at).await {
        Claimed::Work(work) => *work,
        other => panic!("{other:?}"),
    }
}

pub fn claim_of(session: &Session, work: &Work) -> Claim {
    Claim {
        owner: session.owner.clone(),
        reply: work.reply.id.clone(),
        attempt: work.reply.attempt,
    }
}

pub fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

/// The deltas of a call of a tool, with those pieces of its arguments.
pub fn call(id: &str, name: &str, arguments: &[&str]) -> Vec<Delta> {
    let mut deltas = vec![Delta::ToolCall {
        id: id.into(),
        name: name.into(),
    }];
    deltas.extend(arguments.iter().map(|one| Delta::Arguments((*one).into())));
    deltas
}

/// Deltas with their numbers, the first of which is `from`.
pub fn numbered(from: i64, deltas: Vec<Delta>) -> Arc<[NumberedEvent]> {
    let events = (from..).zip(deltas);
    events
        .map(|(number, delta)| NumberedEvent {
            number,
            event: Event::Delta(delta),
        })
        .collect()
}

/// Appends deltas of text, the first with the number `from`, without a renewal of the lease.
pub async fn write(store: &dyn Store, claim: &Claim, from: i64, texts: &[&str], at: i64) -> Kept {
    let append = Append {
        claim: claim.clone(),
        events: numbered(from, texts.iter().map(|one| text(one)).collect()),
        renew: false,
    };
    let kept = store.append_events(vec![append], Timestamp(at)).await;
    kept.unwrap()[0]
}

pub fn tokens(input_tokens: u64, output_tokens: u64) -> TokenUsage {
    TokenUsage {
        input_tokens,
        output_tokens,
    }
}

pub fn ending(status: ReplyStatus, reason: FinishReason) -> Ending {
    Ending {
        status,
        reason,
        error: None,
    }
}

/// The end of a reply that is complete.
pub fn new_finish(claim: &Claim, at: i64) -> Finish {
    Finish {
        claim: claim.clone(),
        deltas: Vec::new(),
        usage: None,
        left_out: 0,
        ending: ending(ReplyStatus::Done, FinishReason::Stop),
        now: Timestamp(at),
    }
}

pub async fn finish(store: &dyn Store, finish: Finish) -> Vec<NumberedEvent> {
    match store.finish_reply(finish).await.unwrap() {
        Finished::Done(events) => events,
        Finished::Fenced => panic!("it is fenced"),
    }
}

pub async fn reply(store: &dyn Store, session: &Session, id: &Cuid) -> Reply {
    let found = store.reply(&session.owner, &key(session), id).await;
    found.unwrap().unwrap()
}

/// All events of a reply from that number on, however many reads that takes.
pub async fn events(
    store: &dyn Store,
    owner: &Cuid,
    reply: &Cuid,
    from: i64,
) -> Vec<NumberedEvent> {
    let mut all: Vec<NumberedEvent> = Vec::new();
    loop {
        let next = all.last().map_or(from, |last| last.number + 1);
        let read = store.events(owner, reply, next).await.unwrap().unwrap();
        let Some(first) = read.first() else {
            return all;
        };
        assert!(first.number >= next, "{} from {next}", first.number);
        all.extend(read);
    }
}

/// The cursor behind everything that has changed so far.
pub async fn cursor(store: &dyn Store, owner: &Cuid) -> i64 {
    match store.changes(owner, None).await.unwrap() {
        Changes::Reset(last) => last,
        Changes::These(changes) => panic!("{changes:?}"),
    }
}

/// Everything that can be seen of a session, to find out whether something was written.
pub async fn look(
    store: &dyn Store,
    session: &Session,
) -> (Session, Vec<Message>, Vec<Reply>, i64) {
    let (owner, number) = (&session.owner, key(session));
    let open = store.open_replies(owner, &number).await.unwrap();
    (
        find(store, session).await,
        messages(store, session, MessageView::Tree, 100).await,
        open.unwrap(),
        cursor(store, owner).await,
    )
}

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 up to, and without, `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % sides as u64).unwrap()
    }

    /// One of `items`; `None` if there is none.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() {
            return None;
        }
        Some(items[self.below(items.len())].clone())
    }
}
