use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::Chat;
use chat::types::{self, Cuid};
use schemars::JsonSchema;
use serde::Serialize;

use super::envelope::{Envelope, envelope};
use crate::answer::json;
use crate::auth::Auth;
use crate::extract::SessionInPath;
use crate::fault::Fault;

pub(super) async fn list(
    State(chat): State<Arc<Chat>>,
    Auth(caller): Auth,
    SessionInPath(key): SessionInPath,
) -> Result<Response, Fault> {
    let branches = chat.branches(&caller, &key).await?;
    let branches = branches.iter().map(Branch::from).collect();
    Ok(json(StatusCode::OK, &listed(Branches { branches })))
}

pub(super) fn listed(branches: Branches<'_>) -> Envelope<Branches<'_>> {
    envelope(StatusCode::OK, "Branches retrieved successfully", branches)
}

/// Where the chat's paths part.
#[derive(Serialize, JsonSchema)]
pub(super) struct Branches<'a> {
    /// Those with the oldest message first; of 5,000 messages at most, the newest.
    branches: Vec<Branch<'a>>,
}

/// Messages that follow the same one.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Branch<'a> {
    /// What they follow; null if they begin the chat.
    parent_id: Option<&'a str>,
    /// Two at least, the oldest first.
    message_ids: Vec<&'a str>,
}

impl<'a> From<&'a types::Branch> for Branch<'a> {
    fn from(branch: &'a types::Branch) -> Self {
        Self {
            parent_id: branch.parent.as_ref().map(Cuid::as_str),
            message_ids: branch.messages.iter().map(Cuid::as_str).collect(),
        }
    }
}

impl Branches<'_> {
    pub(super) fn example() -> Self {
        let branches = Vec::new();
        Self { branches }
    }
}
