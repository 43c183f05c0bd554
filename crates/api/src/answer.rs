use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::types::Session;
use serde::Serialize;

use crate::fault::Fault;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let json = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json)], bytes).into_response()
        }
        Err(error) => Fault::Chat(chat::Error::Internal(error.to_string())).into_response(),
    }
}

/// A JSON answer about one session, with the entity tag of its version.
pub(crate) fn session(status: StatusCode, session: &Session, body: &impl Serialize) -> Response {
    let mut response = json(status, body);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", session.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// As [`session`], for one that was just made and is found at `path`.
pub(crate) fn created(session: &Session, path: &str, body: &impl Serialize) -> Response {
    at(path, self::session(StatusCode::CREATED, session, body))
}

/// An answer about something that is found at `path`.
pub(crate) fn at(path: &str, mut response: Response) -> Response {
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}
