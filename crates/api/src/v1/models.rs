use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::Chat;
use chat::types::{SessionUsage, Span, Timestamp, UsageReport, UsageSum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::Params;
use crate::fault::Fault;
use crate::time::{self, Time};

pub(super) async fn list(State(chat): State<Arc<Chat>>, Auth(_): Auth) -> Response {
    let models = chat.models().iter().enumerate();
    let models = models.map(|(at, model)| Model {
        id: model.name.as_str(),
        provider: &model.provider_name,
        label: label(model.is_demo),
        context_window: model.window,
        max_output_tokens: model.max_output_tokens,
        is_default: at == 0,
        is_demo: model.is_demo,
    });
    let models = models.collect();
    json(StatusCode::OK, &listed(Models { models }))
}

pub(super) async fn usage(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    Params(query): Params<UsageQuery>,
) -> Result<Response, Fault> {
    let span = query.parse()?;
    let report = chat.usage(&caller, span).await?;
    Ok(json(StatusCode::OK, &reported(Usage::new(span, &report))))
}

pub(super) fn listed(models: Models<'_>) -> Envelope<Models<'_>> {
    envelope(StatusCode::OK, "Models retrieved successfully", models)
}

pub(super) fn reported(usage: Usage<'_>) -> Envelope<Usage<'_>> {
    envelope(StatusCode::OK, "Usage retrieved successfully", usage)
}

/// What a person reads about a model besides its name.
fn label(is_demo: bool) -> Option<&'static str> {
    is_demo.then_some("Demo: stands in until a provider is configured")
}

/// A model that replies can be written by.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Model<'a> {
    id: &'a str,
    /// What its provider is called in the settings.
    provider: &'a str,
    label: Option<&'static str>,
    /// Tokens that it can read and write in one go.
    context_window: u32,
    /// The most tokens that it may write; null for its provider's own limit.
    max_output_tokens: Option<u32>,
    /// Whether it is taken where none is named.
    is_default: bool,
    /// Whether it only stands in for a model.
    is_demo: bool,
}

/// All models, the default one first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Models<'a> {
    models: Vec<Model<'a>>,
}

impl Models<'_> {
    pub(super) fn example() -> Self {
        Self {
            models: vec![Model {
                id: "demo",
                provider: "demo",
                label: label(true),
                context_window: 32_768,
                max_output_tokens: None,
                is_default: true,
                is_demo: true,
            }],
        }
    }
}

/// Which span of time is reported.
#[derive(Deserialize, JsonSchema)]
pub(super) struct UsageQuery {
    /// From this moment on; if left out, from the beginning, or, for all accounts, of the last 30 days.
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: Option<String>,
    /// Up to this moment, which is no longer in it; up to now if left out.
    #[schemars(with = "String", extend("format" = "date-time"))]
    to: Option<String>,
}

impl UsageQuery {
    fn parse(&self) -> Result<Span, Fault> {
        let (from, to) = self.moments()?;
        Ok(Span {
            from: from.unwrap_or(Timestamp(i64::MIN)),
            to: to.unwrap_or(Timestamp(i64::MAX)),
        })
    }

    /// Both moments, as far as they are told.
    pub(super) fn moments(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Fault> {
        let read = |text: Option<&str>, field| {
            let read = |text| time::read(text).map_err(|error| Fault::invalid(field, error));
            text.map(read).transpose()
        };
        let from = read(self.from.as_deref(), "from")?;
        let to = read(self.to.as_deref(), "to")?;
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Fault::invalid("to", "lies before from"));
        }
        Ok((from, to))
    }
}

/// What models have cost.
#[derive(Serialize, JsonSchema)]
pub(super) struct Usage<'a> {
    /// Null from the beginning on.
    from: Option<Time>,
    /// Null up to now.
    to: Option<Time>,
    /// With that of chats which have been deleted since.
    total: Sum,
    /// The chats with the newest use first; at most 1,000.
    chats: Vec<ChatUsage<'a>>,
}

/// A number of answers, and their tokens.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sum {
    /// Replies, and titles that models gave.
    answers: u64,
    input_tokens: u64,
    output_tokens: u64,
}

/// What models have cost in one chat.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ChatUsage<'a> {
    chat_id: &'a str,
    #[serde(flatten)]
    sum: Sum,
}

impl From<UsageSum> for Sum {
    fn from(sum: UsageSum) -> Self {
        Self {
            answers: sum.answers,
            input_tokens: sum.tokens.input_tokens,
            output_tokens: sum.tokens.output_tokens,
        }
    }
}

impl<'a> Usage<'a> {
    fn new(span: Span, report: &'a UsageReport) -> Self {
        let chat = |usage: &'a SessionUsage| ChatUsage {
            chat_id: usage.session.as_str(),
            sum: Sum::from(usage.sum),
        };
        let named = |moment: Timestamp, open| (moment.0 != open).then_some(Time(moment));
        Self {
            from: named(span.from, i64::MIN),
            to: named(span.to, i64::MAX),
            total: Sum::from(report.total),
            chats: report.sessions.iter().map(chat).collect(),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            from: None,
            to: None,
            total: Sum {
                answers: 0,
                input_tokens: 0,
                output_tokens: 0,
            },
            chats: Vec::new(),
        }
    }
}
