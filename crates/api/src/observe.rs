use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chat::Error;
use futures_util::FutureExt;

use crate::browser;
use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::leftover::Leftover;
use crate::limits;
use crate::metrics::Metrics;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing is taken for what it is not called, and no link tells where it stood.
const FOR_BROWSERS: [(HeaderName, &str); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];
/// What is said where nobody has said otherwise: it may be somebody's own. A proxy keeps no answer to a
/// request with `Authorization`, but of a cookie it knows nothing.
const KEPT_BY_NOBODY: HeaderValue = HeaderValue::from_static("no-store");
/// How long a browser that was here over TLS comes back in no other way.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Around every request: gives it an id and a time limit, catches a panic, gives a fault the shape
/// of the dialect, says what every browser is to hear, counts and logs. What went wrong inside is
/// logged here and only here; no body, token or e-mail address is.
pub(crate) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let dialect = Dialect::at(request.uri().path());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let id = request_id(&request, &metrics);
    let is_over_tls = browser::is_over_tls(request.headers());

    let (leftover, request) = Leftover::of(request);
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(dialect.request_time, run).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Fault::Chat(Error::Internal("a handler panicked".into())).into_response(),
        Err(_) => Fault::TimedOut.into_response(),
    };
    if let Some(fault) = response.extensions_mut().remove::<Arc<Fault>>() {
        if fault.status().is_server_error() {
            let request_id = id.to_str().unwrap_or_default();
            tracing::error!(request_id, %method, route, error = fault.inside());
        }
        leftover.discard().await;
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        response = dialect.answer(&fault);
        // Those that others have set: `Allow`, and what a page from elsewhere may see.
        headers.extend(response.headers_mut().drain());
        *response.headers_mut() = headers;
    }

    let took = started.elapsed();
    let status = response.status();
    metrics.answered(&method, route, status, took);
    tracing::debug!(
        request_id = id.to_str().unwrap_or_default(),
        %method,
        route,
        status = status.as_u16(),
        ms = took.as_secs_f64() * 1e3,
        "answered"
    );
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    for (name, value) in FOR_BROWSERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(KEPT_BY_NOBODY);
    if is_over_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    response
}

/// The id that the client chose, if it is fit for a log, or a new one.
fn request_id(request: &Request, metrics: &Metrics) -> HeaderValue {
    let chosen = request.headers().get(REQUEST_ID).filter(|id| {
        (1..=limits::REQUEST_ID_CHARS).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    match chosen {
        Some(id) => id.clone(),
        None => metrics.next_request_id(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    /// What a handler's answer becomes, on a clock that moves when everybody waits.
    async fn observed(path: &str) -> (u16, String) {
        async fn panics() -> &'static str {
            panic!("as a mistake of ours would")
        }
        let metrics = Arc::new(Metrics::new(1));
        let router = Router::new()
            .route("/api/v1/panics", get(panics))
            .route("/api/panics", get(panics))
            .route("/api/v1/hangs", get(std::future::pending::<&'static str>))
            .layer(axum::middleware::from_fn_with_state(metrics, observe));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert!(response.headers().contains_key(REQUEST_ID));
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1_000).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_in_the_dialects_shape() {
        let (status, body) = observed("/api/v1/panics").await;
        let message = r#"{"success":false,"statusCode":500,"message":"internal server error"}"#;
        assert_eq!((status, body.as_str()), (500, message));
        let (status, body) = observed("/api/panics").await;
        assert_eq!(status, 500);
        assert!(
            body.starts_with(r#"{"errors":"Internal Server Error""#),
            "{body}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_answered() {
        let (status, body) = observed("/api/v1/hangs").await;
        assert_eq!(status, 503);
        assert!(body.contains("took too long"), "{body}");
    }
}
