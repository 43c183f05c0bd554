use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::answer::json;
use crate::fault::Fault;
use crate::{ai_sdk, chat_sessions, limits, openai, v1};

pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A way to speak about the product: here, how it says that something went wrong.
pub(crate) struct Dialect {
    /// What the OpenAPI document calls it.
    pub(crate) name: &'static str,
    /// How a token is sent.
    pub(crate) security: &'static str,
    /// Bytes of a request's body.
    pub(crate) body_bytes: usize,
    /// The status of an error.
    pub(crate) status: fn(&Fault) -> StatusCode,
    /// The JSON of an error; where that is a text, it is the whole answer, and no JSON.
    pub(crate) error: fn(&Fault) -> Value,
    /// The JSON Schema of an error with that status.
    pub(crate) error_schema: fn(StatusCode) -> Value,
    /// Whether a client that retries by itself is told not to.
    pub(crate) is_final: fn(&Fault) -> bool,
    /// What a malformed identifier in a path is: a mistake, or the name of nothing.
    pub(crate) malformed_id: StatusCode,
    /// Whether its clients' counts of their tries stand in for a key, at that path.
    pub(crate) counts_tries: fn(&str) -> bool,
    /// How long a request may take until its answer begins.
    pub(crate) request_time: Duration,
}

impl Dialect {
    /// What most dialects are like.
    pub(crate) const fn plain(
        name: &'static str,
        security: &'static str,
        error: fn(&Fault) -> Value,
        error_schema: fn(StatusCode) -> Value,
    ) -> Self {
        Self {
            name,
            security,
            body_bytes: limits::BODY_BYTES,
            status: Fault::status,
            error,
            error_schema,
            is_final: |_| false,
            malformed_id: StatusCode::BAD_REQUEST,
            counts_tries: |_| false,
            request_time: limits::REQUEST_TIME,
        }
    }

    /// The dialect that is spoken at a path.
    pub(crate) fn at(path: &str) -> &'static Self {
        let seed = path == "/api" || (path.starts_with("/api/") && !path.starts_with("/api/v1"));
        if seed {
            &chat_sessions::DIALECT
        } else if path == "/v1" || path.starts_with("/v1/") {
            &openai::DIALECT
        } else if path == "/ai" || path.starts_with("/ai/") {
            &ai_sdk::DIALECT
        } else {
            &v1::DIALECT
        }
    }

    /// The answer that a fault becomes.
    pub(crate) fn answer(&self, fault: &Fault) -> Response {
        let status = (self.status)(fault);
        let mut response = match (self.error)(fault) {
            Value::String(text) => (status, text).into_response(),
            error => json(status, &error),
        };
        let headers = response.headers_mut();
        if let Some(wait) = fault.retry_after() {
            // Whole seconds, and never so early that the next try is refused too.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        if (self.is_final)(fault) {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"chatkeep\""),
            );
        }
        response
    }
}
