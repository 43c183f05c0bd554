use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fault::Fault;

/// The message and nothing around it: the SDK shows the whole body to the user.
pub(super) fn body(fault: &Fault) -> Value {
    Value::String(fault.message())
}

pub(super) fn schema(_: StatusCode) -> Value {
    json!({ "type": "string" })
}
