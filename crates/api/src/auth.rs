use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use chat::types::Caller;
use chat::{Chat, Error};

use crate::fault::Fault;

/// Who is asking. The one place where that is decided; it comes first in every handler, so that
/// nothing else of a stranger's request is judged.
pub(crate) struct Auth(pub(crate) Caller);

impl FromRequestParts<Arc<Chat>> for Auth {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(bare)
            .ok_or(Error::Unauthenticated)?;
        Ok(Self(chat.authenticate(token).await?))
    }
}

/// The token in a header's value: `Bearer <token>`, or, as the first dialect has it, just the token.
fn bare(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value.trim(),
    }
}
