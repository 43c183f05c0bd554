//! What a store decides, as plain functions over values: the same on both databases.

use std::collections::HashMap;

use chat::contracts::{
    AccountChanged, Admission, Begun, Changes, Claim, Finish, Registered, StoreError, TokenMade,
    Work,
};
use chat::limits;
use chat::types::{
    Account, AccountChange, AccountUsage, Branch, Credentials, Cuid, DayUsage, Delta, Ending,
    Event, FinishReason, Message, NewAccount, NewSession, NewToken, NumberedEvent, Once, Page,
    PageSize, Reply, ReplyError, ReplyErrorKind, ReplyStatus, Role, Session, SessionChange,
    SessionStatus, Timestamp, Token, TokenKind, TokenUsage, Tries, WhenBusy,
};

use crate::rows::Found;

/// What a registration comes to.
pub(crate) enum Registration {
    /// This account is to be made.
    Make(Account),
    /// Nothing is to be made.
    Answer(Registered),
}

/// What a registration comes to, given whether there is any account, who has the e-mail address,
/// and whether that account was made with the same key.
pub(crate) fn registration(
    new: &NewAccount,
    admission: Admission,
    any: bool,
    known: Option<Credentials>,
    same_key: bool,
) -> Registration {
    let closed = admission == Admission::FirstOnly && any;
    match known {
        Some(known) if same_key => Registration::Answer(Registered::Again(known)),
        // Whoever may not register is not told who has.
        _ if closed => Registration::Answer(Registered::Closed),
        Some(_) => Registration::Answer(Registered::EmailTaken),
        None => Registration::Make(Account {
            id: new.id.clone(),
            email: new.email.clone(),
            name: new.name.clone(),
            role: if any { new.role } else { Role::Admin },
            disabled_at: None,
            created_at: new.created_at,
        }),
    }
}

/// What becomes of a change of an account, given it and the administrator's who asks for that, if one
/// does: whoever was demoted or disabled meanwhile changes nothing more.
pub(crate) fn account_changed(
    found: Vec<Account>,
    admin: Option<&Cuid>,
    id: &Cuid,
    change: AccountChange,
    now: Timestamp,
) -> AccountChanged {
    let may = |one: &Account| one.role == Role::Admin && one.disabled_at.is_none();
    let is_allowed = |admin: &Cuid| found.iter().any(|one| one.id == *admin && may(one));
    if !admin.is_none_or(is_allowed) {
        return AccountChanged::NotAdmin;
    }
    let Some(mut account) = found.into_iter().find(|one| one.id == *id) else {
        return AccountChanged::Missing;
    };
    if let Some(role) = change.role {
        account.role = role;
    }
    account.disabled_at = match change.disabled {
        Some(true) => account.disabled_at.or(Some(now)),
        Some(false) => None,
        None => account.disabled_at,
    };
    AccountChanged::Done(account)
}

/// The usage of accounts, given that of each of their days; those of an account stand together.
pub(crate) fn by_account(days: Vec<(Account, DayUsage)>) -> Vec<AccountUsage> {
    let mut all: Vec<AccountUsage> = Vec::new();
    for (account, day) in days {
        match all.last_mut().filter(|last| last.account.id == account.id) {
            Some(last) => {
                last.total += day.sum;
                last.days.push(day);
            }
            None => all.push(AccountUsage {
                account,
                total: day.sum,
                days: vec![day],
            }),
        }
    }
    all
}

/// Whether an account may have one more token.
pub(crate) enum Room {
    Free,
    /// If its oldest one of that kind goes.
    InsteadOfOldest,
    Full,
}

/// Whether an account with `count` tokens of a kind may have one more.
pub(crate) fn room_for_token(kind: TokenKind, count: u32) -> Room {
    match kind {
        _ if count < limits::TOKENS_PER_KIND => Room::Free,
        TokenKind::SignIn => Room::InsteadOfOldest,
        TokenKind::Personal => Room::Full,
    }
}

/// What comes of a token that has been made.
pub(crate) fn token_made(new: &NewToken) -> TokenMade {
    TokenMade::Made {
        token: Token {
            id: new.id.clone(),
            kind: new.kind,
            name: new.name.clone(),
            created_at: new.created_at,
            expires_at: new.expires_at,
            last_used_at: None,
        },
        sealed: new.sealed.clone(),
    }
}

/// The outcome that is kept under a key, given the request and the outcome of its row; of no account
/// for a first try.
pub(crate) fn remembered(
    once: &Once,
    row: Option<([u8; 32], Option<String>)>,
) -> Result<Option<String>, StoreError> {
    match row.filter(|_| once.tries != Tries::First) {
        Some((request, _)) if request != once.request => Err(StoreError::KeyReused),
        Some((_, None)) => Err(StoreError::Gone),
        Some((_, outcome)) => Ok(outcome),
        None => Ok(None),
    }
}

/// What a wish for a reply comes to, given what is kept under its key; `None` if a new one is to begin:
/// who counts tries, and tries again so late, asks anew.
pub(crate) fn begun_before(once: &Once, kept: Option<Found>, now: Timestamp) -> Option<Begun> {
    let Some(found) = kept else {
        return Some(Begun::Missing);
    };
    let ended = found.reply.finished_at;
    let is_late = ended.is_some_and(|at| at < before(now, limits::RETRY_AWAITED));
    let is_anew = once.tries == Tries::Later && is_late;
    (!is_anew).then_some(Begun::Done {
        reply: found.reply,
        session: found.session,
        interrupted: None,
    })
}

/// A session that is made under a number.
pub(crate) fn session_made(new: &NewSession, number: i64) -> Session {
    Session {
        number,
        id: new.id.clone(),
        owner: new.owner.clone(),
        title: new.title.clone(),
        named: new.named,
        kind: new.kind,
        status: SessionStatus::Active,
        system_message: new.system_message.clone(),
        model: None,
        head: None,
        external_id: new.external_id.clone(),
        metadata: new.metadata.clone(),
        version: 1,
        created_at: new.created_at,
        updated_at: new.created_at,
    }
}

/// A session with a change applied, given the message at which its active path is to end, if that
/// changes.
pub(crate) fn changed(
    mut session: Session,
    change: &SessionChange,
    head: Option<Cuid>,
    now: Timestamp,
) -> Session {
    if let Some(title) = &change.title {
        session.title = title.clone();
        session.named = true;
    }
    if let Some(message) = &change.system_message {
        session.system_message = message.clone();
    }
    if let Some(status) = change.status {
        session.status = status;
    }
    if let Some(model) = &change.model {
        session.model.clone_from(model);
    }
    if head.is_some() {
        session.head = head;
    }
    if let Some(metadata) = &change.metadata {
        session.metadata = metadata.clone();
    }
    session.version += 1;
    session.updated_at = now;
    session
}

/// The branches of a session, given the messages that others stand beside, the newest first, each behind
/// what it follows.
pub(crate) fn branches(newest_first: Vec<(Option<Cuid>, Cuid)>) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::new();
    let mut places = HashMap::new();
    for (parent, message) in newest_first.into_iter().rev() {
        let at = *places.entry(parent.clone()).or_insert(branches.len());
        if at == branches.len() {
            let messages = Vec::new();
            branches.push(Branch { parent, messages });
        }
        branches[at].messages.push(message);
    }
    // The others may be older than all that is listed.
    branches.retain(|branch| branch.messages.len() > 1);
    branches
}

/// The page that messages begin with; they must be one more than its size if there is a next page.
pub(crate) fn page_of_messages<E>(
    messages: impl IntoIterator<Item = Result<Message, E>>,
    size: PageSize,
) -> Result<Page<Message, i64>, E> {
    let (mut items, mut bytes) = (Vec::new(), PageBytes::default());
    for message in messages {
        let message = message?;
        if items.len() == size.get() as usize || bytes.are_spent() {
            let next = Some(message.seq);
            return Ok(Page { items, next });
        }
        bytes.spend(&message);
        items.push(message);
    }
    Ok(Page { items, next: None })
}

/// Bytes of messages on a page. The first one is always there, however large it is.
#[derive(Default)]
pub(crate) struct PageBytes(usize);

impl PageBytes {
    pub(crate) fn are_spent(&self) -> bool {
        self.0 >= limits::PAGE_BYTES
    }

    pub(crate) fn spend(&mut self, message: &Message) {
        let parts = message.content.iter();
        self.spend_stored(parts.map(|part| part.as_str().len()).sum());
    }

    /// As [`PageBytes::spend`], of a message that has not been read.
    pub(crate) fn spend_stored(&mut self, bytes: usize) {
        self.0 += bytes;
    }
}

/// Behind which number a feed is read on, or that it has to be read anew; given its last number and
/// that of the last deletion that is no longer known.
pub(crate) fn behind(after: Option<i64>, last: i64, swept: i64) -> Result<i64, Changes> {
    after
        .filter(|after| (swept..=last).contains(after))
        .ok_or(Changes::Reset(last))
}

/// Which open reply makes place for a new one, if any has to; or why the new one is refused. The
/// one whose turn it is comes first among them.
pub(crate) fn admit(open: &[Found], when_busy: WhenBusy) -> Result<Option<&Found>, Box<Begun>> {
    // One that need not wait is queued too, until it is claimed.
    let queued = open
        .iter()
        .filter(|one| one.reply.status == ReplyStatus::Queued);
    match (when_busy, open.first()) {
        (WhenBusy::Reject, Some(_)) => Err(Box::new(Begun::Busy)),
        _ if queued.count() >= limits::REPLIES_QUEUED => Err(Box::new(Begun::QueueFull)),
        (WhenBusy::Interrupt, first) => Ok(first),
        (WhenBusy::Queue | WhenBusy::Reject, _) => Ok(None),
    }
}

/// What is to be done about a reply that somebody wants to end.
pub(crate) enum Stopping {
    /// Nobody writes it yet, so it ends.
    End(End),
    /// Whoever writes it is to be asked.
    Ask,
    /// It has ended.
    Nothing,
}

/// What is to be done about a reply that is to end for that reason.
pub(crate) fn stopping(found: &Found, reason: FinishReason) -> Stopping {
    match found.reply.status {
        ReplyStatus::Queued => Stopping::End(End::of(Ending::stopped(reason))),
        ReplyStatus::Running => Stopping::Ask,
        _ => Stopping::Nothing,
    }
}

/// What is to be done about the reply whose turn it is.
pub(crate) enum Turn {
    /// Somebody writes it.
    Leave,
    /// Nobody writes it any more, and nobody tries again.
    End(End),
    /// It is to be written: with this attempt, which begins with these events.
    Take(u32, Vec<Event>),
}

/// What is to be done about the reply whose turn it is; given whether its lease is over.
pub(crate) fn turn(next: &Found, lease_is_over: bool) -> Turn {
    if next.reply.status == ReplyStatus::Running {
        if !lease_is_over {
            return Turn::Leave;
        }
        if let Some(ending) = end_of_stranded(next) {
            return Turn::End(End::of(ending));
        }
    }
    let attempt = next.reply.attempt + 1;
    let mut events = Vec::with_capacity(2);
    if attempt > 1 {
        events.push(Event::Reset { attempt });
    }
    events.push(Event::Started {
        attempt,
        model: next.reply.model.clone(),
    });
    Turn::Take(attempt, events)
}

/// How a reply ends whose writer is gone, if it is not tried again.
fn end_of_stranded(found: &Found) -> Option<Ending> {
    if let Some(reason) = found.stop {
        return Some(Ending::stopped(reason));
    }
    (found.reply.attempt >= limits::REPLY_ATTEMPTS).then(|| {
        Ending::failed(ReplyError {
            kind: ReplyErrorKind::Interrupted,
            message: format!(
                "the server broke off {} times while this was being written",
                found.reply.attempt
            ),
            retry_after: None,
        })
    })
}

/// The work of whoever has taken a reply.
pub(crate) fn work(
    next: Found,
    session: Session,
    attempt: u32,
    events: Vec<NumberedEvent>,
) -> Work {
    Work {
        reply: Reply {
            status: ReplyStatus::Running,
            attempt,
            ..next.reply
        },
        session,
        prompt_seq: next.prompt_seq,
        message_seq: next.message_seq,
        events,
    }
}

/// Whether a claim still gives the right to write a reply: nobody has taken it since. That the lease
/// is over takes nothing away.
pub(crate) fn holds(found: &Found, claim: &Claim) -> bool {
    found.reply.status == ReplyStatus::Running && found.reply.attempt == claim.attempt
}

/// The last of a reply.
pub(crate) struct End {
    pub(crate) deltas: Vec<Delta>,
    pub(crate) usage: Option<TokenUsage>,
    /// Messages that were left out; `None` leaves what is known.
    pub(crate) left_out: Option<u32>,
    pub(crate) ending: Ending,
}

impl End {
    /// An end that nothing comes before.
    fn of(ending: Ending) -> Self {
        Self {
            deltas: Vec::new(),
            usage: None,
            left_out: None,
            ending,
        }
    }

    /// The end that the writer of a reply wants. Why one was stopped says its row.
    pub(crate) fn wanted(finish: Finish, found: &Found) -> Self {
        let mut ending = finish.ending;
        if let Some(stop) = found.stop.filter(|_| ending.status == ReplyStatus::Stopped) {
            ending.reason = stop;
        }
        Self {
            deltas: finish.deltas,
            usage: finish.usage,
            left_out: Some(finish.left_out),
            ending,
        }
    }

    /// The last events of the reply.
    pub(crate) fn events(&self) -> Vec<Event> {
        let deltas = self.deltas.iter().cloned().map(Event::Delta);
        let usage = self.usage.map(Event::Usage);
        let finished = Event::Finished(self.ending.clone());
        deltas.chain(usage).chain([finished]).collect()
    }
}

/// Events with their numbers, from `first` on.
pub(crate) fn numbered(first: i64, events: Vec<Event>) -> Vec<NumberedEvent> {
    let numbered = (first..).zip(events);
    numbered
        .map(|(number, event)| NumberedEvent { number, event })
        .collect()
}

/// The moment that lies `span` earlier.
pub(crate) fn before(now: Timestamp, span: std::time::Duration) -> Timestamp {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_sub(span))
}
