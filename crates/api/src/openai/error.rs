use axum::http::StatusCode;
use chat::Error;
use chat::types::ReplyErrorKind;
use serde_json::{Value, json};

use super::responses::PREVIOUS;
use crate::fault::Fault;

/// `{"error": {"message": …, "type": …, "param": …, "code": …}}`; `param` is the field that is at fault.
pub(super) fn body(fault: &Fault) -> Value {
    json!({
        "error": {
            "message": fault.message(),
            "type": kind(status(fault)),
            "param": param(fault),
            "code": code(fault),
        },
    })
}

/// The status that its SDKs know such a fault by.
pub(super) fn status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Chat(Error::SessionBusy) => StatusCode::BAD_REQUEST,
        Fault::Chat(Error::UnknownModel) => StatusCode::NOT_FOUND,
        Fault::Chat(Error::ReplyFailed(error)) => match error.kind {
            ReplyErrorKind::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            ReplyErrorKind::ContextTooLong | ReplyErrorKind::ContentFilter => {
                StatusCode::BAD_REQUEST
            }
            ReplyErrorKind::Model => StatusCode::NOT_FOUND,
            ReplyErrorKind::Auth
            | ReplyErrorKind::Network
            | ReplyErrorKind::Provider
            | ReplyErrorKind::Interrupted => StatusCode::BAD_GATEWAY,
        },
        other => other.status(),
    }
}

/// Whether the SDKs, which retry by themselves, would do so in vain: a retry only joins the reply that
/// has failed, and most conflicts do not go away.
pub(super) fn is_final(fault: &Fault) -> bool {
    match fault {
        Fault::Chat(Error::ReplyFailed(_)) => true,
        Fault::Chat(Error::StillRunning) => false,
        other => other.status() == StatusCode::CONFLICT,
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

fn param(fault: &Fault) -> Option<&str> {
    match fault {
        Fault::Invalid { field, .. } if field != "body" => Some(field),
        Fault::Chat(Error::SessionBusy) => Some("conversation"),
        Fault::Chat(Error::UnknownModel) => Some("model"),
        _ => None,
    }
}

fn code(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Invalid { field, .. } if field == PREVIOUS => Some("previous_response_not_found"),
        Fault::Chat(error) => match error {
            Error::Unauthenticated => Some("invalid_api_key"),
            Error::SessionBusy => Some("conversation_locked"),
            Error::UnknownModel => Some("model_not_found"),
            Error::ReplyFailed(error) => match error.kind {
                ReplyErrorKind::RateLimit => Some("rate_limit_exceeded"),
                ReplyErrorKind::ContextTooLong => Some("context_length_exceeded"),
                ReplyErrorKind::ContentFilter => Some("content_filter"),
                ReplyErrorKind::Model => Some("model_not_found"),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn schema(status: StatusCode) -> Value {
    let text_or_null = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": { "type": "string" },
                    "type": { "const": kind(status) },
                    "param": text_or_null,
                    "code": text_or_null,
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat::types::ReplyError;

    use super::*;

    fn failed(kind: ReplyErrorKind) -> Fault {
        Fault::Chat(Error::ReplyFailed(ReplyError {
            kind,
            message: "it went wrong".into(),
            retry_after: Some(Duration::from_secs(1)),
        }))
    }

    #[test]
    fn a_fault_has_the_status_and_the_code_that_an_sdk_knows() {
        for (fault, expected) in [
            (
                Fault::Chat(Error::Unauthenticated),
                "401 authentication_error - invalid_api_key",
            ),
            (
                Fault::Chat(Error::NotFound),
                "404 invalid_request_error - -",
            ),
            (Fault::UnknownPath, "404 invalid_request_error - -"),
            (
                Fault::invalid("limit", "is wrong"),
                "400 invalid_request_error limit -",
            ),
            (
                Fault::invalid("body", "is no JSON"),
                "400 invalid_request_error - -",
            ),
            (
                Fault::invalid(PREVIOUS, "is unknown"),
                "400 invalid_request_error previous_response_id previous_response_not_found",
            ),
            (
                Fault::Chat(Error::SessionBusy),
                "400 invalid_request_error conversation conversation_locked",
            ),
            (
                Fault::Chat(Error::UnknownModel),
                "404 invalid_request_error model model_not_found",
            ),
            (
                failed(ReplyErrorKind::RateLimit),
                "429 rate_limit_error - rate_limit_exceeded",
            ),
            (
                failed(ReplyErrorKind::ContextTooLong),
                "400 invalid_request_error - context_length_exceeded",
            ),
            (
                failed(ReplyErrorKind::ContentFilter),
                "400 invalid_request_error - content_filter",
            ),
            (
                failed(ReplyErrorKind::Model),
                "404 invalid_request_error - model_not_found",
            ),
            (failed(ReplyErrorKind::Network), "502 server_error - -"),
            (Fault::Chat(Error::StillWriting), "504 server_error - -"),
            (Fault::Chat(Error::Busy), "503 server_error - -"),
        ] {
            let error = &body(&fault)["error"];
            let text = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
            let status = status(&fault).as_u16();
            let found = format!(
                "{status} {} {} {}",
                text("type"),
                text("param"),
                text("code")
            );
            assert_eq!(found, expected, "{fault:?}");
        }
    }

    #[test]
    fn an_sdk_is_told_not_to_retry_what_stays_as_it_is() {
        for fault in [
            failed(ReplyErrorKind::RateLimit),
            Fault::Chat(Error::QueueFull),
            Fault::Chat(Error::DeletedSince),
        ] {
            assert!(is_final(&fault), "{fault:?}");
        }
        for fault in [
            Fault::Chat(Error::StillRunning),
            Fault::Chat(Error::StillWriting),
            Fault::TimedOut,
        ] {
            assert!(!is_final(&fault), "{fault:?}");
        }
    }
}
