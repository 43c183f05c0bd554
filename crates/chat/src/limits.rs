//! Every limit of the product, with its unit.

use std::time::Duration;

/// Characters of a session's title.
pub const TITLE_CHARS: usize = 200;
/// Characters of what is looked for in titles.
pub const SEARCH_CHARS: usize = TITLE_CHARS;
/// Characters of a session's system message.
pub const SYSTEM_MESSAGE_CHARS: usize = 32_768;
/// Characters of a person's or a token's name.
pub const NAME_CHARS: usize = 100;
/// Characters of an e-mail address.
pub const EMAIL_CHARS: usize = 254;
/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password.
pub const PASSWORD_CHARS: usize = 128;
/// Characters of a message's text, and of a prompt.
pub const MESSAGE_CHARS: usize = 262_144;
/// Characters of a model's name.
pub const MODEL_NAME_CHARS: usize = 200;
/// Characters of a tool's name.
pub const TOOL_NAME_CHARS: usize = 64;
/// Characters of what a call of a tool is known by.
pub const CALL_ID_CHARS: usize = 256;
/// Tools that a model is told of.
pub const TOOLS: usize = 128;
/// Bytes of what is wanted of one reply: tools with their schemas, and further fields.
pub const OPTIONS_BYTES: usize = 256 << 10;
/// Characters of what a client calls a session.
pub const EXTERNAL_ID_CHARS: usize = 200;
/// Pairs of metadata.
pub const METADATA_PAIRS: usize = 16;
/// Characters of a key of metadata.
pub const METADATA_KEY_CHARS: usize = 64;
/// Characters of a value of metadata.
pub const METADATA_VALUE_CHARS: usize = 512;
/// Messages that are appended at once.
pub const MESSAGES_APPENDED: usize = 100;
/// Messages of a session's branches that are listed, the newest.
pub const BRANCHES_LISTED: u32 = 5_000;
/// Messages behind another one among which the newest is looked for, those next to it first.
pub const MESSAGES_BEHIND: u32 = 20_000;

/// Bytes that a model may write in one reply; it ends there as if it had reached its own limit.
pub const REPLY_BYTES: usize = 4 << 20;
/// How often a model is asked for one reply before it is given up.
pub const REPLY_ATTEMPTS: u32 = 2;
/// Replies of one session that may wait for their turn.
pub const REPLIES_QUEUED: usize = 10;
/// Replies that one process writes at the same time; further ones wait for their turn.
pub const REPLIES_RUNNING: usize = 4_096;
/// How long a reply belongs to the process that writes it, unless that says that it still does.
pub const LEASE: Duration = Duration::from_secs(10);
/// How often that is said.
pub const LEASE_RENEWED: Duration = Duration::from_secs(3);
/// How long a reply keeps what its model writes while the store is away, before it is left to
/// whoever finds it.
pub const STORE_AWAY: Duration = Duration::from_mins(10);
/// How long writers have to renew their leases when the store was away, before what seems to be left is
/// taken up.
pub const STORE_BACK: Duration = Duration::from_secs(5);
/// How often a node says that it is alive.
pub const NODE_BEAT: Duration = Duration::from_secs(3);
/// How long after it has said so a node is taken to be alive.
pub const NODE_ALIVE: Duration = Duration::from_secs(10);
/// How long a node that says nothing any more is shown.
pub const NODE_KEPT: Duration = Duration::from_hours(1);
/// How often replies are looked for that nobody writes any more.
pub const RECOVERY: Duration = Duration::from_secs(1);
/// How long what models write is gathered before it is committed, for all replies together; the
/// first piece after a silence does not wait.
pub const TICK: Duration = Duration::from_millis(30);
/// Bytes of one delta before it is committed without waiting for the tick.
pub const DELTA_BYTES: usize = 1_024;
/// Events of a reply that a watcher may lag behind before it reads the rows again.
pub const EVENTS_LIVE: usize = 64;
/// Events, and changes, that are read at once.
pub const EVENTS_READ: u32 = 256;
/// Streams that one process keeps open; further ones are refused.
pub const STREAMS: usize = 50_000;
/// Titles that are made at the same time; a session that gets none then gets one later.
pub const TITLES_AT_ONCE: usize = 16;
/// How often a node looks at whether there is something new for those who watch, while it can't
/// hear of it.
pub const LOOK: Duration = Duration::from_secs(1);
/// The same while it can: what tells it may lose something.
pub const LOOK_HEARING: Duration = Duration::from_secs(5);
/// How often the tokens of those who watch are checked, unless something tells that one was withdrawn.
pub const TOKENS_CHECKED: Duration = Duration::from_secs(2);
/// How long after the last check a stream stays open whose token can't be checked; that is seen when
/// the next check fails.
pub const TOKENS_UNCHECKED: Duration = Duration::from_secs(3);
/// Rows that are asked for by their keys at once.
pub const KEYS_LOOKED_UP: usize = 1_000;
/// How long a deletion stays in the feed of changes.
pub const DELETIONS_KEPT: Duration = Duration::from_hours(30 * 24);
/// Sessions that a usage report names.
pub const USAGE_SESSIONS: u32 = 1_000;
/// Accounts that a report about all of them names.
pub const USAGE_ACCOUNTS: u32 = 1_000;
/// Days that such a report spans.
pub const USAGE_DAYS: i64 = 366;
/// Days that it spans if nobody says from when on.
pub const USAGE_DAYS_DEFAULT: i64 = 30;
/// How long a model may take that is tested.
pub const MODEL_TEST_TIME: Duration = Duration::from_secs(30);
/// Models that are tested at the same time.
pub const MODEL_TESTS: usize = 4;
/// Requests that one address may make as a guest in a row, and the span after which it gets another.
pub const GUESTS_PER_ADDRESS: (u32, Duration) = (10, Duration::from_secs(6));
/// Guests that are answered at the same time.
pub const GUESTS_AT_ONCE: usize = 64;
/// How long a request that wants a whole answer waits for its end.
pub const ANSWER_TIME: Duration = Duration::from_mins(1);
/// How long a request waits for an answer whose client expects it whole: as long as a provider may take
/// for it by default, and a little more.
pub const WHOLE_ANSWER_TIME: Duration = Duration::from_secs(630);
/// Answers that are written at the same time without being kept.
pub const PASSING: usize = 4_096;
/// How long a retry of a request is awaited whose connection broke, by a client that counts its tries.
pub const RETRY_AWAITED: Duration = Duration::from_secs(30);
/// How long it is known what the first try of a request did, by such a client.
pub const TRIES_KEPT: Duration = Duration::from_mins(12);
/// How long a request that stops a reply waits for its end.
pub const STOP_TIME: Duration = Duration::from_secs(5);

/// Most items on a page.
pub const PAGE_ITEMS: u32 = 100;
/// Bytes of messages after which a page ends, however few they are.
pub const PAGE_BYTES: usize = 2 << 20;
/// Items on a page when the client names no number.
pub const PAGE_ITEMS_DEFAULT: u32 = 20;

/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How long an idempotency key and its answer are kept.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_hours(24);
/// Keys that may be in use by running requests at one moment; further ones wait for none, but are
/// refused.
pub const IDEMPOTENCY_RUNNING: usize = 65_536;

/// How long a token from a sign-in is good.
pub const SIGN_IN_KEPT: Duration = Duration::from_hours(30 * 24);
/// Tokens of one kind that an account has at most. A sign-in beyond it replaces the oldest one; a
/// personal token beyond it is refused.
pub const TOKENS_PER_KIND: u32 = 100;
/// How precisely a token's last use is known: at most one write per token and span.
pub const LAST_USED_PRECISION: Duration = Duration::from_mins(1);

/// Sign-ins that one account may try in a row, and the span after which it gets another.
pub const SIGN_INS_PER_ACCOUNT: (u32, Duration) = (10, Duration::from_secs(6));
/// Sign-ins that one address may try in a row, and the span after which it gets another.
pub const SIGN_INS_PER_ADDRESS: (u32, Duration) = (100, Duration::from_secs(1));
/// Accounts or addresses that are remembered before the idle ones are forgotten.
pub const SIGN_INS_REMEMBERED: usize = 10_000;
/// Password hashes that may wait for a core.
pub const HASHES_WAITING: usize = 64;

/// Rows that one sweep deletes at most, so that it never holds the writer for long.
pub const SWEEP_ROWS: u32 = 1_000;
