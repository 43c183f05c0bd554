//! The dialect of Vercel's AI SDK: `/ai/chat`, the UI message stream, and errors as plain text.
//!
//! A front end sends the conversation as it has it; what counts is the one that is kept here, and only
//! the last message is taken from there.

mod answers;
mod chunks;
mod error;
mod messages;
mod prompt;
mod request;
#[cfg(test)]
mod samples;
mod turns;

use axum::http::StatusCode as S;
use chat::Error;
use chat::types::InvalidText;
use schemars::JsonSchema;

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::route::{Route, get, post};
use crate::{limits, schema};
use messages::{MessageQuery, UiMessage};
use request::Request;

pub(crate) const DIALECT: Dialect = Dialect {
    body_bytes: limits::CONVERSATION_BYTES,
    ..Dialect::plain("ai_sdk", "bearer", error::body, error::schema)
};

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    let no_name = || [Fault::invalid("id", InvalidText::Blank)];
    vec![
        post("/ai/chat", "Send a message, an edit or outputs of tools, or ask for another answer", answers::send)
            .body(&Request::example()).once()
            .streams(answers::STREAM)
            .refuses([Fault::Chat(Error::SessionBusy), Fault::Chat(Error::NotFound)]),
        get("/ai/chat/{id}/stream", "Watch the answer that is being written from its beginning", answers::resume)
            .id::<ChatName>()
            .streams(answers::STREAM).answers_nothing()
            .refuses(no_name()),
        post("/ai/chat/{id}/stop", "Stop all answers of a chat and keep what is there of them", answers::stop)
            .id::<ChatName>()
            .answers_nothing()
            .refuses(no_name()),
        get("/ai/chat/{id}/messages", "List messages of the active path, the oldest first", messages::list)
            .id::<ChatName>().query::<MessageQuery>()
            .answers(S::OK, &vec![UiMessage::example()])
            .refuses(no_name()),
    ]
}

/// The CUID of a chat, or what its client calls it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ChatName(
    #[schemars(
        length(min = 1, max = chat::limits::EXTERNAL_ID_CHARS),
        regex(pattern = schema::NOT_BLANK)
    )]
    String,
);
