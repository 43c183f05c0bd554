//! The chat-session dialect: `/api/chat_sessions`, snake_case, `{"data": …}` and `{"errors": …}`.

mod error;
mod sessions;

use axum::http::StatusCode;

use crate::dialect::Dialect;
use crate::route::{Route, delete, get, post, put};
use sessions::{Listed, NewSession, Removed, SessionChange, SessionId, SessionQuery, Shown};

pub(crate) const DIALECT: Dialect = Dialect {
    name: "chat_sessions",
    security: "token",
    error: error::body,
    error_schema: error::schema,
};

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    let update = |path| {
        put(path, "Update a chat session", sessions::update)
            .id::<SessionId>().body(&SessionChange::example()).once().if_match()
            .entity_tag().answers(StatusCode::OK, &Shown::example())
    };
    let remove = |path| {
        delete(path, "Remove a chat session", sessions::remove)
            .id::<SessionId>().once().if_match()
            .answers(StatusCode::OK, &Removed { data: true })
    };
    vec![
        get("/api/chat_sessions", "List chat sessions, the newest change first", sessions::list)
            .query::<SessionQuery>()
            .answers(StatusCode::OK, &Listed::example()),
        post("/api/chat_sessions", "Create a chat session", sessions::create)
            .body(&NewSession::example()).once()
            .entity_tag().answers(StatusCode::CREATED, &Shown::example()),
        get("/api/chat_sessions/{id}", "Get a chat session", sessions::find)
            .id::<SessionId>()
            .entity_tag().answers(StatusCode::OK, &Shown::example()),
        update("/api/chat_sessions/{id}"),
        remove("/api/chat_sessions/{id}"),
        // As the specification that this dialect comes from writes these two.
        update("/api/contacts/{id}").deprecated(),
        remove("/api/chat_session/{id}").deprecated(),
    ]
}
