//! Every limit of the product, with its unit.

use std::time::Duration;

/// Characters of a session's title.
pub const TITLE_CHARS: usize = 200;
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

/// Most items on a page.
pub const PAGE_ITEMS: u32 = 100;
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
