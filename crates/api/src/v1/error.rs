use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fault::Fault;

/// The envelope without data; its message says what is wrong, and which field.
pub(super) fn body(fault: &Fault) -> Value {
    json!({
        "success": false,
        "statusCode": fault.status().as_u16(),
        "message": fault.message(),
    })
}

pub(super) fn schema(status: StatusCode) -> Value {
    json!({
        "type": "object",
        "required": ["success", "statusCode", "message"],
        "properties": {
            "success": { "const": false },
            "statusCode": { "const": status.as_u16() },
            "message": { "type": "string" },
        },
        "additionalProperties": false,
    })
}
