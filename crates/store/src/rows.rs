//! Between columns and the product's types, for both databases. A stored value that its type
//! refuses is damage.

use std::error::Error;
use std::time::Duration;

use chat::types::{
    Account, Credentials, Cuid, DayUsage, Email, ExternalId, FinishReason, Folded, Message,
    MessageRole, ModelName, Name, Node, Reply, ReplyError, ReplyErrorKind, ReplyStatus, Role,
    SeenNode, Session, SessionKind, SessionStatus, StoredToken, SystemMessage, Timestamp, Title,
    Token, TokenKind, TokenUsage, UsageSum,
};

use crate::options::{read_metadata, read_options};
use crate::saved::{self, Damage};

/// A row of either database.
pub(crate) trait Columns {
    /// What the database's client calls an error.
    type Error;

    fn text(&self, at: usize) -> Result<Option<&str>, Self::Error>;
    fn int(&self, at: usize) -> Result<Option<i64>, Self::Error>;
    fn flag(&self, at: usize) -> Result<bool, Self::Error>;
    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, Self::Error>;

    /// The error of a column whose value can't be read.
    fn damaged(at: usize, why: impl Error + Send + Sync + 'static) -> Self::Error;
}

/// The columns of an account, for [`account`].
macro_rules! account_columns {
    () => {
        "account.id, account.email, account.name, account.role, account.disabled_at, \
         account.created_at"
    };
}
pub(crate) use account_columns;

/// Reads what [`account_columns`] names, from column `at` on.
pub(crate) fn account<R: Columns>(row: &R, at: usize) -> Result<Account, R::Error> {
    Ok(Account {
        id: cuid(row, at)?,
        email: parsed(row, at + 1, Email::parse)?,
        name: optional(row, at + 2, Name::parse)?,
        role: parsed(row, at + 3, Role::parse)?,
        disabled_at: row.int(at + 4)?.map(Timestamp),
        created_at: time(row, at + 5)?,
    })
}

/// Reads what [`account_columns`] names, and the hash of its password behind it.
pub(crate) fn credentials<R: Columns>(row: &R) -> Result<Credentials, R::Error> {
    Ok(Credentials {
        account: account(row, 0)?,
        password_hash: row.text(6)?.map(str::to_owned),
    })
}

/// The columns of a token, for [`token`].
macro_rules! token_columns {
    () => {
        "token.id, token.kind, token.name, token.created_at, token.expires_at, token.last_used_at"
    };
}
pub(crate) use token_columns;

/// Reads what [`token_columns`] names.
pub(crate) fn token<R: Columns>(row: &R) -> Result<Token, R::Error> {
    Ok(Token {
        id: cuid(row, 0)?,
        kind: parsed(row, 1, token_kind)?,
        name: optional(row, 2, Name::parse)?,
        created_at: time(row, 3)?,
        expires_at: row.int(4)?.map(Timestamp),
        last_used_at: row.int(5)?.map(Timestamp),
    })
}

/// Reads what [`token_columns`] names, the token's hash behind it, and then its account.
pub(crate) fn stored_token<R: Columns>(row: &R) -> Result<StoredToken, R::Error> {
    Ok(StoredToken {
        token: token(row)?,
        hash: hash(row, 6)?,
        account: account(row, 7)?,
    })
}

/// Reads the name of a token's kind.
pub(crate) fn token_kind(text: &str) -> Result<TokenKind, Damage> {
    match text {
        "sign-in" => Ok(TokenKind::SignIn),
        "personal" => Ok(TokenKind::Personal),
        _ => Err(Damage::new("is a word that the schema does not allow")),
    }
}

/// The columns of a session, for [`session`].
macro_rules! session_columns {
    () => {
        "session.number, session.id, session.owner, session.title, session.kind, session.status, \
         session.system_message, session.version, session.created_at, session.updated_at, \
         session.named, session.model, session.head, session.external_id, session.metadata"
    };
}
pub(crate) use session_columns;

/// Reads what [`session_columns`] names.
pub(crate) fn session<R: Columns>(row: &R) -> Result<Session, R::Error> {
    Ok(Session {
        number: number(row, 0)?,
        id: cuid(row, 1)?,
        owner: cuid(row, 2)?,
        title: parsed(row, 3, Title::parse)?,
        kind: parsed(row, 4, SessionKind::parse)?,
        status: parsed(row, 5, SessionStatus::parse)?,
        system_message: parsed(row, 6, SystemMessage::parse)?,
        version: number(row, 7)?,
        created_at: time(row, 8)?,
        updated_at: time(row, 9)?,
        named: row.flag(10)?,
        model: optional(row, 11, ModelName::parse)?,
        head: optional(row, 12, Cuid::parse)?,
        external_id: optional(row, 13, ExternalId::parse)?,
        metadata: parsed(row, 14, read_metadata)?,
    })
}

/// The columns of a message, for [`message`].
macro_rules! message_columns {
    () => {
        "message.seq, message.id, message.session_id, message.parent_id, message.role, \
         message.content, message.model, message.input_tokens, message.output_tokens, \
         message.finish_reason, message.status, message.created_at, message.depth, message.reply"
    };
}
pub(crate) use message_columns;

/// Reads what [`message_columns`] names.
pub(crate) fn message<R: Columns>(row: &R) -> Result<Message, R::Error> {
    Ok(Message {
        seq: number(row, 0)?,
        id: cuid(row, 1)?,
        session: cuid(row, 2)?,
        parent: optional(row, 3, Cuid::parse)?,
        role: parsed(row, 4, MessageRole::parse)?,
        content: parsed(row, 5, saved::read_parts)?,
        model: optional(row, 6, ModelName::parse)?,
        usage: usage(row, 7)?,
        finish_reason: optional(row, 9, FinishReason::parse)?,
        status: parsed(row, 10, ReplyStatus::parse)?,
        created_at: time(row, 11)?,
        depth: number(row, 12)?,
        reply: optional(row, 13, Cuid::parse)?,
    })
}

/// Reads what a message follows, and which it is.
pub(crate) fn branching<R: Columns>(row: &R) -> Result<(Option<Cuid>, Cuid), R::Error> {
    Ok((optional(row, 0, Cuid::parse)?, cuid(row, 1)?))
}

/// A reply with what only its row tells.
pub(crate) struct Found {
    pub(crate) reply: Reply,
    /// The number of its session.
    pub(crate) session: i64,
    /// The place of its prompt.
    pub(crate) prompt_seq: i64,
    /// The place of the message that it becomes.
    pub(crate) message_seq: i64,
    /// Until when it belongs to whoever writes it.
    pub(crate) lease_until: Option<Timestamp>,
    /// Why it is to end, if it is.
    pub(crate) stop: Option<FinishReason>,
    /// Which deltas its message was made of, once it has ended.
    pub(crate) folded: Option<Folded>,
}

/// The columns of a reply, for [`found`].
macro_rules! reply_columns {
    () => {
        "reply.id, reply.session_id, reply.prompt_id, reply.message_id, reply.status, \
         reply.attempt, reply.model, reply.input_tokens, reply.output_tokens, reply.left_out, \
         reply.error_kind, reply.error_message, reply.error_retry_after, reply.created_at, \
         reply.finished_at, reply.session, reply.prompt, reply.message, reply.lease_until, \
         reply.stop, reply.folded, reply.options, reply.hidden"
    };
}
pub(crate) use reply_columns;

/// Reads what [`reply_columns`] names.
pub(crate) fn found<R: Columns>(row: &R) -> Result<Found, R::Error> {
    Ok(Found {
        reply: Reply {
            id: cuid(row, 0)?,
            session: cuid(row, 1)?,
            prompt: cuid(row, 2)?,
            message: cuid(row, 3)?,
            status: parsed(row, 4, ReplyStatus::parse)?,
            attempt: number(row, 5)?,
            model: parsed(row, 6, ModelName::parse)?,
            options: optional(row, 21, read_options)?.unwrap_or_default(),
            hidden: row.flag(22)?,
            usage: usage(row, 7)?,
            left_out: number(row, 9)?,
            error: reply_error(row, 10)?,
            created_at: time(row, 13)?,
            finished_at: row.int(14)?.map(Timestamp),
        },
        session: number(row, 15)?,
        prompt_seq: number(row, 16)?,
        message_seq: number(row, 17)?,
        lease_until: row.int(18)?.map(Timestamp),
        stop: optional(row, 19, FinishReason::parse)?,
        folded: optional(row, 20, saved::read_folded)?,
    })
}

/// The kinds of events that are deltas, as [`saved::read_delta`] reads them.
macro_rules! delta_kinds {
    () => {
        "'text', 'reasoning', 'tool_call', 'arguments'"
    };
}
pub(crate) use delta_kinds;

/// What the row of a delta holds in the place of its data once that is gone.
macro_rules! blank_delta {
    () => {
        "CASE kind WHEN 'tool_call' THEN '[\"\",\"\"]' ELSE '' END"
    };
}
pub(crate) use blank_delta;

fn reply_error<R: Columns>(row: &R, at: usize) -> Result<Option<ReplyError>, R::Error> {
    let Some(kind) = optional(row, at, ReplyErrorKind::parse)? else {
        return Ok(None);
    };
    let wait: Option<u64> = optional_number(row, at + 2)?;
    Ok(Some(ReplyError {
        kind,
        message: parsed(row, at + 1, str::parse)?,
        retry_after: wait.map(Duration::from_millis),
    }))
}

/// Reads two columns of tokens, from column `at` on.
fn usage<R: Columns>(row: &R, at: usize) -> Result<Option<TokenUsage>, R::Error> {
    let input = optional_number(row, at)?;
    let output = optional_number(row, at + 1)?;
    Ok(input
        .zip(output)
        .map(|(input_tokens, output_tokens)| TokenUsage {
            input_tokens,
            output_tokens,
        }))
}

/// Reads how many answers there were and the sums of their two kinds of tokens, from column `at` on.
pub(crate) fn usage_sum<R: Columns>(row: &R, at: usize) -> Result<UsageSum, R::Error> {
    Ok(UsageSum {
        answers: number(row, at)?,
        tokens: TokenUsage {
            input_tokens: number(row, at + 1)?,
            output_tokens: number(row, at + 2)?,
        },
    })
}

/// Reads an account, a day and what was used on it.
pub(crate) fn day_of_account<R: Columns>(row: &R) -> Result<(Account, DayUsage), R::Error> {
    let day = DayUsage {
        day: number(row, 6)?,
        sum: usage_sum(row, 7)?,
    };
    Ok((account(row, 0)?, day))
}

/// The columns of a node, for [`seen_node`].
macro_rules! node_columns {
    () => {
        "node.id, node.name, node.version, node.started_at, node.replies, node.draining"
    };
}
pub(crate) use node_columns;

/// Reads what [`node_columns`] names, and behind it for how many milliseconds it has been silent.
pub(crate) fn seen_node<R: Columns>(row: &R) -> Result<SeenNode, R::Error> {
    // Clocks of two nodes may differ: one that was heard of in the future has said nothing for 0 ms.
    let silent: i64 = number(row, 6)?;
    Ok(SeenNode {
        node: Node {
            id: cuid(row, 0)?,
            name: parsed(row, 1, str::parse)?,
            version: parsed(row, 2, str::parse)?,
            started_at: time(row, 3)?,
            replies: number(row, 4)?,
            draining: row.flag(5)?,
        },
        silent: Duration::from_millis(silent.max(0).unsigned_abs()),
    })
}

pub(crate) fn cuid<R: Columns>(row: &R, at: usize) -> Result<Cuid, R::Error> {
    parsed(row, at, Cuid::parse)
}

pub(crate) fn time<R: Columns>(row: &R, at: usize) -> Result<Timestamp, R::Error> {
    number(row, at).map(Timestamp)
}

/// Reads the 32 bytes of a SHA-256.
pub(crate) fn hash<R: Columns>(row: &R, at: usize) -> Result<[u8; 32], R::Error> {
    let bytes = row.bytes(at)?.ok_or_else(|| missing::<R>(at))?;
    bytes.try_into().map_err(|error| R::damaged(at, error))
}

/// Reads an integer column as whatever integer it is.
pub(crate) fn number<R: Columns, N>(row: &R, at: usize) -> Result<N, R::Error>
where
    N: TryFrom<i64, Error: Error + Send + Sync + 'static>,
{
    optional_number(row, at)?.ok_or_else(|| missing::<R>(at))
}

/// As [`number`], for a column that may be NULL.
fn optional_number<R: Columns, N>(row: &R, at: usize) -> Result<Option<N>, R::Error>
where
    N: TryFrom<i64, Error: Error + Send + Sync + 'static>,
{
    let number = row.int(at)?.map(N::try_from);
    number.transpose().map_err(|error| R::damaged(at, error))
}

/// Reads a text column with a type's own parser.
pub(crate) fn parsed<R: Columns, T, E: Error + Send + Sync + 'static>(
    row: &R,
    at: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, R::Error> {
    optional(row, at, parse)?.ok_or_else(|| missing::<R>(at))
}

/// As [`parsed`], for a column that may be NULL.
pub(crate) fn optional<R: Columns, T, E: Error + Send + Sync + 'static>(
    row: &R,
    at: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, R::Error> {
    let read = row.text(at)?.map(parse);
    read.transpose().map_err(|error| R::damaged(at, error))
}

fn missing<R: Columns>(at: usize) -> R::Error {
    R::damaged(at, Damage::new("is NULL"))
}
