//! What goes into the methods of [`Store`](super::Store) and comes out of them, besides the nouns.

use crate::types::{
    Account, Credentials, Cuid, Delta, Ending, Message, ModelName, NewMessage, NewSession,
    NumberedEvent, Reply, ReplyOptions, Session, SessionKey, Timestamp, Token, TokenUsage,
    WhenBusy,
};

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever comes first.
    FirstOnly,
    /// Anybody.
    Anybody,
}

/// What became of a wish for an account.
#[derive(Clone, Debug)]
pub enum Registered {
    /// It was made.
    Made(Account),
    /// It had been made with the same key before; its password is still to be compared.
    Again(Credentials),
    /// Somebody has that e-mail address.
    EmailTaken,
    /// There is an account, and only the first one was free.
    Closed,
}

/// What became of a change of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChanged {
    /// It was done.
    Done(Account),
    /// There is no such account.
    Missing,
    /// Whoever asks is not, or no longer, an administrator.
    NotAdmin,
}

/// What became of a wish for a token.
#[derive(Clone, Debug)]
pub enum TokenMade {
    /// It was made, now or before; with what was sealed when it was made.
    Made {
        /// The token.
        token: Token,
        /// [`NewToken::sealed`].
        sealed: Option<Vec<u8>>,
    },
    /// Its owner has as many as allowed.
    TooMany,
}

/// What became of a change to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is looked at once; a box would cost more"
)]
pub enum Changed {
    /// It was made: the session as it is now.
    Done(Session),
    /// The owner has no such session.
    Missing,
    /// The precondition did not hold.
    Stale,
    /// The session has no such message to end its active path at.
    NoSuchMessage,
}

/// What became of a wish to delete a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Done,
    /// The owner has no such session.
    Missing,
    /// The precondition did not hold.
    Stale,
}

/// What became of messages that were to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They were; as they are now.
    Done(Vec<Message>),
    /// The owner has no such session.
    Missing,
    /// The session has no message that the one at this place among them is to follow.
    NoSuchParent(usize),
    /// Nothing that the one at this place among them follows makes the call that it brings an output of,
    /// or that call has an output already.
    NoSuchCall(usize),
}

/// A reply that is about to be accepted.
#[derive(Clone, Debug)]
pub struct NewReply {
    /// Its identifier.
    pub id: Cuid,
    /// Whose it is.
    pub owner: Cuid,
    /// The session.
    pub session: InSession,
    /// What it answers.
    pub prompt: Prompt,
    /// The identifier of the message that it becomes.
    pub message: Cuid,
    /// Who writes it; `None` if nobody can, and only a reply that was accepted before is of use.
    pub model: Option<ModelName>,
    /// What happens if the session has another one.
    pub when_busy: WhenBusy,
    /// See [`Reply::options`].
    pub options: ReplyOptions,
    /// See [`Reply::hidden`].
    pub hidden: bool,
    /// Now.
    pub created_at: Timestamp,
}

/// The session of a new reply.
#[derive(Clone, Debug)]
pub enum InSession {
    /// One that is there.
    Existing(SessionKey),
    /// A new one; or the one that has its external identifier already.
    New(Box<NewSession>),
}

/// What a reply answers.
#[derive(Clone, Debug)]
pub enum Prompt {
    /// New messages, one at least, which are appended as [`Store::append_messages`] does it: the last
    /// of them.
    ///
    /// [`Store::append_messages`]: super::Store::append_messages
    New(Vec<NewMessage>),
    /// A person's message, or a tool's, that is there already.
    Existing(Cuid),
}

/// What became of a wish for a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is looked at once; a box would cost more"
)]
pub enum Begun {
    /// It was accepted, now or before with the same key.
    Done {
        /// The reply.
        reply: Reply,
        /// The number of its session.
        session: i64,
        /// The reply that makes place for it.
        interrupted: Option<Interrupted>,
    },
    /// The owner has no such session, or no such reply any more.
    Missing,
    /// The session has no message that the new one at this place is to follow.
    NoSuchParent(usize),
    /// As [`Appended::NoSuchCall`].
    NoSuchCall(usize),
    /// The session has no such message of a person's or a tool's.
    NoSuchPrompt,
    /// Nobody can write it.
    NoModel,
    /// The session has a reply that has not ended.
    Busy,
    /// As many replies wait as may.
    QueueFull,
}

/// A reply that makes place for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The reply.
    pub reply: Cuid,
    /// Its last events, if it was still waiting and has ended; a running one is to end.
    pub ended: Option<Vec<NumberedEvent>>,
}

/// What became of the wish to take a session's next reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is to be written.
    Work(Box<Work>),
    /// It has ended instead; there may be another one.
    Ended {
        /// The reply.
        reply: Cuid,
        /// Its last events.
        events: Vec<NumberedEvent>,
    },
    /// There is none, or somebody else writes it.
    Nothing,
}

/// A reply to write, and what is needed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The reply, with its attempt: what fences its writer.
    pub reply: Reply,
    /// Its session.
    pub session: Session,
    /// The place of its prompt in the session.
    pub prompt_seq: i64,
    /// The place of the message that it becomes.
    pub message_seq: i64,
    /// The events that were appended, the newest last.
    pub events: Vec<NumberedEvent>,
}

/// The right to write a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub owner: Cuid,
    /// The reply.
    pub reply: Cuid,
    /// The attempt that has the right.
    pub attempt: u32,
}

/// Deltas to append to a reply.
#[derive(Clone, Debug)]
pub struct Append {
    /// The right to do it.
    pub claim: Claim,
    /// The deltas, numbered on from what is there.
    pub events: std::sync::Arc<[NumberedEvent]>,
    /// Whether the lease is renewed.
    pub renew: bool,
}

/// Whether an append was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was.
    Yes,
    /// It was, and somebody wants the reply to end.
    ToStop,
    /// It was refused: somebody else has the reply, or it has ended or is gone.
    Fenced,
}

/// How a reply is to end.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The right to end it.
    pub claim: Claim,
    /// Deltas that have not been appended yet.
    pub deltas: Vec<Delta>,
    /// What it cost.
    pub usage: Option<TokenUsage>,
    /// Messages that were left out of what the model read.
    pub left_out: u32,
    /// How it ends.
    pub ending: Ending,
    /// Now.
    pub now: Timestamp,
}

/// What became of the wish to end a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It has ended; with the events that were appended.
    Done(Vec<NumberedEvent>),
    /// As [`Kept::Fenced`].
    Fenced,
}

/// What became of the wish to stop a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was queued and has ended, with these events.
    Ended(Vec<NumberedEvent>),
    /// It is running, in the session of that number, and is to end.
    Asked(i64),
    /// It had ended before.
    Before,
}

/// What has changed behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These, in order.
    These(Vec<Fresh>),
    /// Nobody can tell any more, or it is a first look: what is known has to be read anew, and the
    /// feed goes on behind this cursor.
    Reset(i64),
}

/// A change, with the cursor behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The cursor.
    pub number: i64,
    /// What is new.
    pub change: Change,
}

/// Something that has changed, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A session is new or has changed.
    Session(Session),
    /// A message is new, has ended, or parts of it were removed.
    Message(Message),
    /// A reply is new, has started, or has ended.
    Reply(Reply),
    /// A session was deleted, with everything in it.
    Deleted(Cuid),
}
