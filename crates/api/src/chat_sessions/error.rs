use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fault::Fault;

/// `{"errors": "Bad Request", "details": [{"field": …, "message": …}]}`: `errors` is the status's
/// standard phrase, `details` say more where there is more to say.
pub(super) fn body(fault: &Fault) -> Value {
    let errors = phrase(fault.status());
    match fault {
        Fault::Invalid { field, reason } => {
            json!({ "errors": errors, "details": [{ "field": field, "message": reason }] })
        }
        // The same for a session that never was, one that is gone and one of somebody else's.
        Fault::Chat(chat::Error::NotFound) | Fault::UnknownPath => json!({ "errors": errors }),
        Fault::Chat(_)
        | Fault::OtherSite
        | Fault::TooLarge { .. }
        | Fault::MethodNotAllowed
        | Fault::TimedOut => {
            json!({ "errors": errors, "details": [{ "message": fault.message() }] })
        }
    }
}

pub(super) fn schema(status: StatusCode) -> Value {
    json!({
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": { "const": phrase(status) },
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {
                        "field": { "type": "string" },
                        "message": { "type": "string" },
                    },
                },
            },
        },
    })
}

fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Internal Server Error")
}
