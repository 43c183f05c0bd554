//! What a browser is shown besides [`ui`](crate::ui): the API's reference, which loads nothing from
//! elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;
use chat::Chat;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// It loads and calls nothing but this server.
const HEADERS: [(HeaderName, &str); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-cache"),
];

/// `/docs`.
pub(crate) fn routes() -> Router<Arc<Chat>> {
    let page = |kind: &'static str, text: &'static str| {
        get(async move || ([(header::CONTENT_TYPE, kind)], HEADERS, text))
    };
    Router::new()
        .route("/docs", page(HTML, include_str!("pages/docs.html")))
        .route("/docs/docs.js", page(SCRIPT, include_str!("pages/docs.js")))
        .route("/docs/copy.js", page(SCRIPT, include_str!("pages/copy.js")))
        .route(
            "/docs/style.css",
            page(STYLE, include_str!("pages/style.css")),
        )
}
