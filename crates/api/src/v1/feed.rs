use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chat::contracts::Change;
use chat::{Chat, News};
use futures_util::stream;
use serde_json::json;

use super::chats::ChatInFull;
use super::messages::Message;
use super::replies::{EventQuery, Reply};
use crate::auth::Auth;
use crate::extract::Params;
use crate::fault::Fault;
use crate::sse;

pub(super) async fn watch(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let after = sse::after(&headers, query.after.as_deref())?;
    let feed = chat.watch_changes(&caller, after)?;
    Ok(sse::answer(stream::unfold(feed, async |mut feed| {
        match feed.next().await {
            Ok(news) => news.map(|news| (Ok(written(&news)), feed)),
            Err(error) => {
                // The client comes back for the rest.
                tracing::error!(%error, "changes can't be watched");
                None
            }
        }
    })))
}

/// A change as docs/streaming.md has it.
fn written(news: &News) -> axum::response::sse::Event {
    let fresh = match news {
        News::Reset(cursor) => return sse::event(*cursor, "reset", &json!({})),
        News::Fresh(fresh) => fresh,
    };
    match &fresh.change {
        Change::Session(session) => sse::event(fresh.number, "chat", &ChatInFull::from(session)),
        Change::Message(message) => sse::event(fresh.number, "message", &Message::from(message)),
        Change::Reply(reply) => sse::event(fresh.number, "reply", &Reply::from(reply)),
        Change::Deleted(id) => {
            sse::event(fresh.number, "deleted", &json!({ "chatId": id.as_str() }))
        }
    }
}

/// How the feed begins.
pub(super) const STREAM: &str = "id: 7\nevent: reset\ndata: {}\n\n\
    id: 8\nevent: chat\ndata: {\"id\":\"clqb6q2rl0003v3k8b2g8n5xd\",…}\n\n…";
