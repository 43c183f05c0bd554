use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::Chat;
use chat::types::{AccountUsage, DayUsage, Name, Span};
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use crate::answer::json;
use crate::extract::Params;
use crate::fault::Fault;
use crate::time::Day;
use crate::v1::envelope::{Envelope, envelope};
use crate::v1::models::{Sum, UsageQuery};

pub(super) async fn report(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
    Params(query): Params<UsageQuery>,
) -> Result<Response, Fault> {
    let (from, to) = query.moments()?;
    let (span, accounts) = chat.usage_of_all(&admin, from, to).await?;
    let usage = Usage::new(span, &accounts);
    Ok(json(StatusCode::OK, &reported(usage)))
}

pub(super) fn reported(usage: Usage<'_>) -> Envelope<Usage<'_>> {
    envelope(StatusCode::OK, "Usage retrieved successfully", usage)
}

/// What models have cost all accounts. Days are those of UTC.
#[derive(Serialize, JsonSchema)]
pub(super) struct Usage<'a> {
    /// All days of the span, 366 at most: the last 30 if nothing is said about it.
    days: Vec<Day>,
    /// Those that have used something, the one with the most tokens first; at most 1,000.
    accounts: Vec<OfAccount<'a>>,
}

/// What models have cost an account.
#[derive(Serialize, JsonSchema)]
struct OfAccount<'a> {
    id: &'a str,
    email: &'a str,
    name: Option<&'a str>,
    total: Sum,
    /// The days on which it has used something.
    days: Vec<OfDay>,
}

/// What models have cost on a day.
#[derive(Serialize, JsonSchema)]
struct OfDay {
    day: Day,
    #[serde(flatten)]
    sum: Sum,
}

impl<'a> Usage<'a> {
    fn new(span: Span, accounts: &'a [AccountUsage]) -> Self {
        let day = |one: &DayUsage| OfDay {
            day: Day(one.day),
            sum: Sum::from(one.sum),
        };
        let account = |one: &'a AccountUsage| OfAccount {
            id: one.account.id.as_str(),
            email: one.account.email.as_str(),
            name: one.account.name.as_ref().map(Name::as_str),
            total: Sum::from(one.total),
            days: one.days.iter().map(day).collect(),
        };
        Self {
            days: span.days().map(Day).collect(),
            accounts: accounts.iter().map(account).collect(),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            days: vec![Day::EXAMPLE],
            accounts: Vec::new(),
        }
    }
}
