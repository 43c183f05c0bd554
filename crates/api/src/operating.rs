use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::routing::get;
use chat::Chat;

use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::openapi;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// For the OpenAPI document: a path, what it is for, the media type of its answer and an example.
pub(crate) const DESCRIBED: &[(&str, &str, &str, &str)] = &[
    (
        "/healthz",
        "Tell that the server lives",
        "text/plain",
        "ok\n",
    ),
    (
        "/readyz",
        "Tell that the server can read its database",
        "text/plain",
        "ok\n",
    ),
    (
        "/metrics",
        "Get counts and latencies for Prometheus",
        "application/openmetrics-text",
        "# HELP chatkeep_commit_operations Operations that one commit held.\n…\n# EOF\n",
    ),
];

/// Made when it is asked for: most servers never are.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document(crate::routes()));

/// What an operator's tools ask for: whether it lives, whether it works, how it does, what it offers.
pub(crate) fn routes(metrics: Arc<Metrics>) -> Router<Arc<Chat>> {
    let document = async || {
        (
            [(header::CONTENT_TYPE, "application/json")],
            DOCUMENT.clone(),
        )
    };
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(async move |State(chat): State<Arc<Chat>>| {
                let page = metrics.page(chat.load());
                ([(header::CONTENT_TYPE, OPEN_METRICS)], page)
            }),
        )
        .route("/openapi.json", get(document))
}

async fn ready(State(chat): State<Arc<Chat>>) -> Result<&'static str, Fault> {
    chat.check().await?;
    Ok("ok\n")
}
