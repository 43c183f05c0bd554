use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::answer::json;
use crate::fault::Fault;
use crate::{chat_sessions, v1};

/// A way to speak about the product: here, how it says that something went wrong.
pub(crate) struct Dialect {
    /// What the OpenAPI document calls it.
    pub(crate) name: &'static str,
    /// How a token is sent.
    pub(crate) security: &'static str,
    /// The JSON of an error.
    pub(crate) error: fn(&Fault) -> Value,
    /// The JSON Schema of an error with that status.
    pub(crate) error_schema: fn(StatusCode) -> Value,
}

impl Dialect {
    /// The dialect that is spoken at a path.
    pub(crate) fn at(path: &str) -> &'static Self {
        let seed = path == "/api" || (path.starts_with("/api/") && !path.starts_with("/api/v1"));
        if seed {
            &chat_sessions::DIALECT
        } else {
            &v1::DIALECT
        }
    }

    /// The answer that a fault becomes.
    pub(crate) fn answer(&self, fault: &Fault) -> Response {
        let mut response = json(fault.status(), &(self.error)(fault));
        let headers = response.headers_mut();
        if let Some(wait) = fault.retry_after() {
            // Whole seconds, and never so early that the next try is refused too.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        if fault.status() == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"chatkeep\""),
            );
        }
        response
    }
}
