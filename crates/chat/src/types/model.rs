use std::ops::{AddAssign, Range};

use super::{Account, Timestamp};

/// What a model costs: tokens in and out, as its provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens that it read.
    pub input_tokens: u64,
    /// Tokens that it wrote.
    pub output_tokens: u64,
}

/// Usage within a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// For each session, the one with the newest use first; those beyond the limit are only in the
    /// sum.
    pub sessions: Vec<SessionUsage>,
    /// The sum, with that of sessions which have been deleted since.
    pub total: UsageSum,
}

/// Usage of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUsage {
    /// The session's CUID.
    pub session: super::Cuid,
    /// Its sum.
    pub sum: UsageSum,
}

/// Usage of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUsage {
    /// The account.
    pub account: Account,
    /// Its sum.
    pub total: UsageSum,
    /// The days on which it has used something, in order.
    pub days: Vec<DayUsage>,
}

/// Usage of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// The day, see [`Timestamp::day`].
    pub day: i64,
    /// Its sum.
    pub sum: UsageSum,
}

/// How often a model was asked, and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// Answers of a model that were counted: replies, titles, and what was passed on without being kept.
    pub answers: u64,
    /// Their tokens.
    pub tokens: TokenUsage,
}

impl AddAssign for UsageSum {
    fn add_assign(&mut self, other: Self) {
        self.answers += other.answers;
        self.tokens.input_tokens += other.tokens.input_tokens;
        self.tokens.output_tokens += other.tokens.output_tokens;
    }
}

/// From one moment up to, and without, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is no longer in it.
    pub to: Timestamp,
}

impl Span {
    /// The days that it touches, see [`Timestamp::day`].
    pub fn days(self) -> Range<i64> {
        let end = Timestamp(self.to.0.saturating_sub(1))
            .day()
            .saturating_add(1);
        self.from.day()..end.max(self.from.day())
    }
}
