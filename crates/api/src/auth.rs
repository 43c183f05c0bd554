use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use chat::types::Caller;
use chat::{Chat, Error};

use crate::browser;
use crate::fault::Fault;

/// Who is asking. The one place where that is decided; it comes first in every handler, so that
/// nothing else of a stranger's request is judged.
pub(crate) struct Auth(pub(crate) Caller);

impl FromRequestParts<Arc<Chat>> for Auth {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        let token = match parts.headers.get(header::AUTHORIZATION) {
            Some(value) => value.to_str().ok().map(bare),
            None => of_the_cookie(parts)?,
        };
        let token = token.ok_or(Error::Unauthenticated)?;
        Ok(Self(chat.authenticate(token).await?))
    }
}

/// The token in the cookie, unless a page from elsewhere may want to change something with it.
fn of_the_cookie(parts: &Parts) -> Result<Option<&str>, Fault> {
    let token = browser::token(&parts.headers);
    if token.is_some() && !parts.method.is_safe() {
        browser::refuse_other_sites(&parts.headers)?;
    }
    Ok(token)
}

/// The token in a header's value: `Bearer <token>`, or, as the first dialect has it, just the token.
fn bare(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value.trim(),
    }
}
