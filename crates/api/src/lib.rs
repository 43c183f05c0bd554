//! Chatkeep over HTTP: the only crate that knows HTTP and JSON.
//!
//! A request travels: [`observe`] (request id, time limit, metrics, the shape of errors) → a
//! dialect's route table → extractors (who asks, which session, what is wanted) → a handler → one
//! verb of [`Chat`] → the dialect's own answer.
//!
//! - [`chat_sessions`], [`v1`], [`openai`] and [`ai_sdk`]: the dialects; each begins with its route table.
//! - [`operating`]: health and metrics. [`ui`] and [`pages`]: the web page, and the API's reference.
//! - [`auth`] (with [`browser`]) and [`extract`]: what handlers take. [`fault`]: what they refuse with.
//! - [`tools`]: what replies are asked for with, checked for every dialect.
//! - [`route`] and [`openapi`]: a route, and the document made of all of them.

mod ai_sdk;
mod answer;
mod auth;
mod browser;
mod chat_sessions;
mod cursor;
mod dialect;
mod extract;
mod fault;
mod leftover;
mod limits;
mod metrics;
mod observe;
mod openai;
mod openapi;
mod operating;
mod pages;
mod route;
mod schema;
mod sse;
mod time;
mod tools;
mod ui;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, header};
use chat::Chat;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, CorsLayer};

pub use axum::http::HeaderValue as Origin;
pub use metrics::Metrics;

use fault::Fault;
use observe::observe;
use route::Route;

/// What an operator decides about the HTTP side.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Origins whose pages may call the API from a browser; none by default.
    pub cors_origins: Vec<Origin>,
    /// The code of the one-time link to the page that makes the first account.
    pub setup_code: Option<String>,
}

/// Everything that is served.
pub fn router(chat: Arc<Chat>, metrics: Arc<Metrics>, options: Options) -> Router {
    let router = routes()
        .fold(Router::new(), |router, route| {
            router.route(route.path, route.handler)
        })
        .merge(operating::routes(metrics.clone()))
        .merge(pages::routes())
        .merge(ui::routes(options.setup_code))
        .fallback(async || Fault::UnknownPath)
        .method_not_allowed_fallback(async || Fault::MethodNotAllowed)
        .with_state(chat);
    let router = if options.cors_origins.is_empty() {
        router
    } else {
        router.layer(cors(options.cors_origins))
    };
    router
        .layer(axum::middleware::from_fn_with_state(metrics, observe))
        .layer(CompressionLayer::new())
}

/// The routes of all dialects.
fn routes() -> impl Iterator<Item = Route> {
    let tables = [
        chat_sessions::routes,
        v1::routes,
        openai::routes,
        ai_sdk::routes,
    ];
    tables.into_iter().flat_map(|table| table())
}

fn cors(origins: Vec<Origin>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        // SDKs send what they like, and what is not known is ignored.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            observe::REQUEST_ID,
            dialect::SHOULD_RETRY,
        ])
}
