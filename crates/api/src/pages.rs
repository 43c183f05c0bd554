//! What a browser is shown. Everything is in the binary: no page loads anything from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat::{Chat, Error};

use crate::fault::Fault;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The pages load and call nothing but this server.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// `/docs`, and, while there is no account, `/setup/{code}`.
pub(crate) fn routes(setup_code: Option<String>) -> Router<Arc<Chat>> {
    let page = |kind, text: &'static str| get(async move || show(kind, text));
    let mut router = Router::new()
        .route("/docs", page(HTML, include_str!("pages/docs.html")))
        .route("/docs/docs.js", page(SCRIPT, include_str!("pages/docs.js")))
        .route("/docs/copy.js", page(SCRIPT, include_str!("pages/copy.js")))
        .route(
            "/docs/style.css",
            page(STYLE, include_str!("pages/style.css")),
        );
    if let Some(code) = setup_code {
        let first = async move |State(chat): State<Arc<Chat>>, path: RawPathParams| {
            let given = path.iter().any(|(_, given)| given == code);
            setup(&chat, given).await
        };
        router = router
            .route("/setup/{code}", get(first))
            .route("/setup.js", page(SCRIPT, include_str!("pages/setup.js")));
    }
    router
}

fn show(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], HEADERS, text).into_response()
}

/// The page that makes the first account; gone as soon as there is one.
async fn setup(chat: &Chat, code_given: bool) -> Result<Response, Fault> {
    if !code_given || !chat.is_new().await? {
        return Err(Fault::Chat(Error::NotFound));
    }
    Ok(show(HTML, include_str!("pages/setup.html")))
}
