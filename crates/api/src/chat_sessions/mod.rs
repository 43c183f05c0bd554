//! The chat-session dialect: `/api/chat_sessions`, snake_case, `{"data": …}` and `{"errors": …}`.

mod error;
mod sessions;

use axum::http::StatusCode;

use crate::dialect::Dialect;
use crate::route::{Route, delete, get, post, put};
use sessions::{Listed, NewSession, Removed, SessionChange, SessionId, SessionQuery, Shown};

pub(crate) const DIALECT: Dialect =
    Dialect::plain("chat_sessions", "token", error::body, error::schema);

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    let update = |path, summary| {
        put(path, summary, sessions::update)
            .id::<SessionId>().body(&SessionChange::example()).once().if_match()
            .entity_tag().answers(StatusCode::OK, &Shown::example("new chat updated"))
    };
    let remove = |path, summary| {
        delete(path, summary, sessions::remove)
            .id::<SessionId>().once().if_match()
            .answers(StatusCode::OK, &Removed { data: true })
    };
    vec![
        get("/api/chat_sessions", "List chat sessions, the newest change first", sessions::list)
            .query::<SessionQuery>()
            .answers(StatusCode::OK, &Listed::example()),
        post("/api/chat_sessions", "Create a chat session", sessions::create)
            .body(&NewSession::example()).once()
            .entity_tag().answers(StatusCode::CREATED, &Shown::example("new chat")),
        get("/api/chat_sessions/{id}", "Get a chat session", sessions::find)
            .id::<SessionId>()
            .entity_tag().answers(StatusCode::OK, &Shown::example("new chat")),
        update("/api/chat_sessions/{id}", "Update a chat session"),
        remove("/api/chat_sessions/{id}", "Remove a chat session"),
        // As the specification that this dialect comes from writes these two.
        update("/api/contacts/{id}", "As PUT /api/chat_sessions/{id}").deprecated(),
        remove("/api/chat_session/{id}", "As DELETE /api/chat_sessions/{id}").deprecated(),
    ]
}
