//! What can go wrong with a provider, in words of ours: what it wrote itself may hold prompts and
//! keys, and is only looked through for what kind of fault it is.

use std::time::Duration;

use chat::types::{ReplyError, ReplyErrorKind};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The longest time after which a provider can say that it is worth trying again.
const RETRY_AFTER_MOST: Duration = Duration::from_hours(24);

/// How messages are refused that are too long: codes and phrases, in lower case.
const TOO_LONG: [&str; 8] = [
    "context_length_exceeded",
    "exceed_context_size",
    "request_too_large",
    "maximum context length",
    "available context size",
    "context window",
    "prompt is too long",
    "input is too long",
];

/// How messages are refused for what they say: codes, in lower case.
const FILTERED: [&str; 4] = [
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
];

/// Something that went wrong, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub error: ReplyError,
    pub remedy: Remedy,
}

/// What can be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: it would go wrong again.
    None,
    /// Asking again in a while.
    Later,
    /// Asking without what not every server knows.
    Plainer,
}

impl Fault {
    pub fn new(kind: ReplyErrorKind, message: impl Into<String>) -> Self {
        Self {
            error: ReplyError {
                kind,
                message: message.into(),
                retry_after: None,
            },
            remedy: Remedy::None,
        }
    }

    fn later(self) -> Self {
        Self {
            remedy: Remedy::Later,
            ..self
        }
    }
}

/// What an answer with a status other than success means.
pub(crate) fn of_response(status: StatusCode, headers: &HeaderMap, body: &str) -> Fault {
    let mut fault = of_status(Some(status.as_u16()), &body.to_lowercase());
    fault.error.retry_after = retry_after(headers).filter(|_| fault.remedy == Remedy::Later);
    fault
}

/// What the `error` of an answer means that began well.
pub(crate) fn of_error(error: &Value) -> Fault {
    of_status(status_of(error), &error.to_string().to_lowercase())
}

/// What a status means, with the words that came with it. `None` is an error whose status nobody
/// told.
fn of_status(status: Option<u16>, words: &str) -> Fault {
    use ReplyErrorKind::{Auth, ContentFilter, ContextTooLong, Provider, RateLimit};

    let has = |some: &[&str]| some.iter().any(|one| words.contains(one));
    if matches!(status, None | Some(400 | 413 | 422)) {
        if status == Some(413) || has(&TOO_LONG) {
            return Fault::new(
                ContextTooLong,
                "the messages do not fit into the model's window",
            );
        }
        if has(&FILTERED) {
            return Fault::new(ContentFilter, "the provider refused what was said");
        }
        if has(&["stream_options"]) {
            let fault = Fault::new(Provider, "the provider does not know a part of the request");
            return Fault {
                remedy: Remedy::Plainer,
                ..fault
            };
        }
    }
    match status {
        Some(401 | 403) => Fault::new(Auth, "the provider refused this server's key"),
        // It has the status of too many requests, but waiting does not help.
        Some(429) if has(&["insufficient_quota"]) => Fault::new(
            RateLimit,
            "the provider says that this server's quota is used up",
        ),
        Some(429) => Fault::new(RateLimit, "the provider has had too many requests").later(),
        Some(404) => unknown_model(),
        Some(400) if has(&["model_not_found"]) => unknown_model(),
        Some(300..400) => {
            let message = "the provider pointed to another address, and redirects are not followed";
            Fault::new(Provider, message)
        }
        None => Fault::new(Provider, "the provider had to give up").later(),
        Some(status @ (408 | 500..)) => Fault::new(
            Provider,
            format!("the provider had to give up (status {status})"),
        )
        .later(),
        Some(status) => Fault::new(
            Provider,
            format!("the provider refused the request (status {status})"),
        ),
    }
}

fn unknown_model() -> Fault {
    Fault::new(
        ReplyErrorKind::Model,
        "the provider does not know this model",
    )
}

/// The status that an error would have had, had it come before the answer began. OpenAI's dialect
/// has it as `code`, sometimes, and both dialects have names for the most common ones.
fn status_of(error: &Value) -> Option<u16> {
    let number = |code: &Value| code.as_u64().and_then(|code| u16::try_from(code).ok());
    let name = |code: &Value| {
        let status = match code.as_str()? {
            "invalid_request_error" => 400,
            "authentication_error" | "invalid_api_key" | "permission_error" => 401,
            "not_found_error" | "model_not_found" => 404,
            "request_too_large" => 413,
            "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => 429,
            "api_error" | "server_error" | "internal_server_error" | "timeout_error" => 500,
            "overloaded_error" => 529,
            code => code.parse().ok()?,
        };
        Some(status)
    };
    let known = [&error["code"], &error["type"], &error["status"]];
    let status = known
        .iter()
        .find_map(|code| number(code).or_else(|| name(code)));
    status.filter(|status| (400..600).contains(status))
}

/// `retry-after-ms`, or else `Retry-After` in seconds. Its other form, a date, would need to know
/// what time the provider thinks it is.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    let millis = number("retry-after-ms").map(Duration::from_millis);
    let after = millis.or_else(|| number("retry-after").map(Duration::from_secs));
    after.map(|after| after.min(RETRY_AFTER_MOST))
}

/// The question did not get there.
pub(crate) fn unreachable() -> Fault {
    Fault::new(ReplyErrorKind::Network, "the provider can't be reached").later()
}

/// The connection broke.
pub(crate) fn cut() -> Fault {
    Fault::new(
        ReplyErrorKind::Network,
        "the connection to the provider broke",
    )
    .later()
}

/// The connection was closed in an orderly way, but the answer had not ended.
pub(crate) fn broke_off() -> Fault {
    Fault::new(ReplyErrorKind::Network, "the provider broke off").later()
}

/// Nothing came for too long. Not tried again: whoever is slow is asked for more work that way, and
/// may bill for all of it.
pub(crate) fn silent() -> Fault {
    Fault::new(ReplyErrorKind::Network, "the provider went silent")
}

/// The whole answer takes too long.
pub(crate) fn too_slow() -> Fault {
    Fault::new(ReplyErrorKind::Network, "the provider took too long")
}

/// What came can't be read.
pub(crate) fn unreadable() -> Fault {
    Fault::new(
        ReplyErrorKind::Provider,
        "the provider answered something that is no answer",
    )
}

/// What came is longer than an answer may be.
pub(crate) fn too_long() -> Fault {
    Fault::new(
        ReplyErrorKind::Provider,
        "the provider answered more than is read",
    )
}

/// The model, or its provider, stopped it for what it says.
pub(crate) fn filtered() -> Fault {
    Fault::new(
        ReplyErrorKind::ContentFilter,
        "the provider stopped the answer for what it says",
    )
}

#[cfg(test)]
mod tests;
