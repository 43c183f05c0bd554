//! The OpenAI dialect: `/v1`, as OpenAI's SDKs speak it. A conversation is a session, a response is a
//! reply, and a message of ours is one item or several.

mod completions;
mod conversations;
mod error;
mod events;
mod ids;
mod items;
mod models;
mod options;
mod responses;
mod text_or;

use axum::http::StatusCode as S;
use chat::Error;
use chat::types::{ReplyError, ReplyErrorKind};

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::limits;
use crate::route::{Route, delete, get, post};
use completions::{Completion, NewCompletion};
use conversations::{
    Conversation, ConversationChange, ConversationQuery, Conversations, Deleted, NewConversation,
};
use ids::{ConversationId, ItemIdText, ResponseId};
use items::NewItems;
use items::shown::Item;
use items::walk::{ItemQuery, Items};
use models::{Model, ModelId, Models};
use responses::{FindQuery, NewResponse, Response};

pub(crate) const DIALECT: Dialect = Dialect {
    body_bytes: limits::CONVERSATION_BYTES,
    status: error::status,
    is_final: error::is_final,
    malformed_id: S::NOT_FOUND,
    counts_tries,
    request_time: limits::WHOLE_ANSWER_REQUEST_TIME,
    ..Dialect::plain("openai", "bearer", error::body, error::schema)
};

/// Not where a conversation is made. Many people's are asked for in the same words, such as `{}`: a retry
/// whose first try never arrived would be given somebody else's. A spare empty one harms nobody.
fn counts_tries(path: &str) -> bool {
    path != "/v1/conversations"
}

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/v1/models", "List models, the default one first", models::list)
            .answers(S::OK, &Models::example()),
        get("/v1/models/{id}", "Get a model", models::find)
            .id::<ModelId>()
            .answers(S::OK, &Model::example())
            .refuses([Fault::Chat(Error::UnknownModel)]),

        get("/v1/conversations", "List conversations, the newest first", conversations::list)
            .query::<ConversationQuery>()
            .answers(S::OK, &Conversations::example()),
        post("/v1/conversations", "Create a conversation", conversations::create)
            .body(&NewConversation::example()).once()
            .answers(S::OK, &Conversation::example()),
        get("/v1/conversations/{id}", "Get a conversation", conversations::find)
            .id::<ConversationId>()
            .answers(S::OK, &Conversation::example()),
        post("/v1/conversations/{id}", "Change a conversation", conversations::change)
            .id::<ConversationId>().body(&ConversationChange::example()).once()
            .answers(S::OK, &Conversation::example()),
        delete("/v1/conversations/{id}", "Delete a conversation and everything in it", conversations::delete)
            .id::<ConversationId>().once()
            .answers(S::OK, &Deleted::example_conversation()),

        get("/v1/conversations/{id}/items", "List items of the active path, the newest first", items::list)
            .id::<ConversationId>().query::<ItemQuery>()
            .answers(S::OK, &Items::example()),
        post("/v1/conversations/{id}/items", "Append items", items::create)
            .id::<ConversationId>().body(&NewItems::example()).once()
            .answers(S::OK, &Items::example()),
        get("/v1/conversations/{id}/items/{rid}", "Get an item", items::find)
            .id::<ConversationId>().rid::<ItemIdText>()
            .answers(S::OK, &Item::example()),
        delete("/v1/conversations/{id}/items/{rid}", "Remove an item for ever", items::delete)
            .id::<ConversationId>().rid::<ItemIdText>()
            .answers(S::OK, &Conversation::example()),

        post("/v1/responses", "Ask a model", responses::create)
            .body(&NewResponse::example()).once()
            .answers(S::OK, &Response::example()).streams(responses::STREAM)
            .errors([S::NOT_FOUND])
            .refuses(failures()),
        get("/v1/responses/{id}", "Get a response, or watch it being written", responses::find)
            .id::<ResponseId>().query::<FindQuery>()
            .answers(S::OK, &Response::example()).streams(responses::STREAM),
        delete("/v1/responses/{id}", "Forget a response; its items stay in their conversation", responses::delete)
            .id::<ResponseId>()
            .answers(S::OK, &Deleted::example_response()),
        post("/v1/responses/{id}/cancel", "Stop a response and keep what is there of it", responses::cancel)
            .id::<ResponseId>()
            .answers(S::OK, &Response::example()),
        get("/v1/responses/{id}/input_items", "List what a response answers, the newest first", responses::input_items)
            .id::<ResponseId>().query::<ItemQuery>()
            .answers(S::OK, &Items::example()),

        post("/v1/chat/completions", "Ask a model, with the whole conversation in the request", completions::create)
            .body(&NewCompletion::example()).once()
            .answers(S::OK, &Completion::example()).streams(completions::STREAM)
            .refuses(failures().chain([Fault::Chat(Error::UnknownModel)])),
    ]
}

/// How a request fails that waits for a model's whole answer.
fn failures() -> impl Iterator<Item = Fault> {
    let failed = |kind, message: &str| {
        Fault::Chat(Error::ReplyFailed(ReplyError {
            kind,
            message: message.into(),
            retry_after: None,
        }))
    };
    [
        failed(ReplyErrorKind::Network, "the provider can't be reached"),
        failed(
            ReplyErrorKind::RateLimit,
            "the provider has had too many requests",
        ),
        Fault::Chat(Error::StillWriting),
    ]
    .into_iter()
}
