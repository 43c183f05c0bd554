use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// What every answer of this dialect is wrapped in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<T> {
    #[schemars(extend("const" = true))]
    success: bool,
    /// The HTTP status.
    status_code: u16,
    message: &'static str,
    data: T,
}

/// An envelope around nothing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Empty {
    #[schemars(extend("const" = true))]
    success: bool,
    /// The HTTP status.
    status_code: u16,
    message: &'static str,
}

pub(super) fn envelope<T>(status: StatusCode, message: &'static str, data: T) -> Envelope<T> {
    Envelope {
        success: true,
        status_code: status.as_u16(),
        message,
        data,
    }
}

pub(super) fn empty(message: &'static str) -> Empty {
    Empty {
        success: true,
        status_code: StatusCode::OK.as_u16(),
        message,
    }
}
