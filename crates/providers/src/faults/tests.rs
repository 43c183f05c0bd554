use serde_json::json;

use super::*;

fn of(status: u16, body: &str) -> (ReplyErrorKind, Remedy) {
    let status = StatusCode::from_u16(status).unwrap();
    let fault = of_response(status, &HeaderMap::new(), body);
    (fault.error.kind, fault.remedy)
}

#[test]
fn every_status_has_a_kind() {
    use Remedy::{Later, None};
    use ReplyErrorKind::{Auth, ContextTooLong, Model, Provider, RateLimit};

    assert_eq!(of(401, ""), (Auth, None));
    assert_eq!(of(403, "no"), (Auth, None));
    assert_eq!(of(404, "{}"), (Model, None));
    assert_eq!(of(413, ""), (ContextTooLong, None));
    assert_eq!(of(429, ""), (RateLimit, Later));
    assert_eq!(of(302, ""), (Provider, None));
    assert_eq!(of(400, "bad"), (Provider, None));
    assert_eq!(of(418, ""), (Provider, None));
    assert_eq!(of(500, ""), (Provider, Later));
    assert_eq!(of(503, ""), (Provider, Later));
    assert_eq!(of(529, ""), (Provider, Later));
}

#[test]
fn messages_that_are_too_long_are_known_by_code_and_by_phrase() {
    for body in [
        r#"{"error":{"code":"context_length_exceeded"}}"#,
        "This model's Maximum context length is 8192 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size",
    ] {
        assert_eq!(of(400, body).0, ReplyErrorKind::ContextTooLong, "{body}");
        assert_eq!(of(422, body).0, ReplyErrorKind::ContextTooLong, "{body}");
        assert_eq!(of(500, body).0, ReplyErrorKind::Provider, "{body}");
    }
}

#[test]
fn a_filter_and_an_unknown_model_are_known_by_their_codes() {
    assert_eq!(
        of(400, r#"{"code":"content_filter"}"#).0,
        ReplyErrorKind::ContentFilter
    );
    assert_eq!(
        of(400, r#"{"code":"model_not_found"}"#).0,
        ReplyErrorKind::Model
    );
}

#[test]
fn a_quota_that_is_used_up_is_not_waited_for() {
    let body = r#"{"error":{"code":"insufficient_quota"}}"#;
    assert_eq!(of(429, body), (ReplyErrorKind::RateLimit, Remedy::None));
}

#[test]
fn a_time_to_wait_is_read_in_seconds_and_in_milliseconds_and_never_grows_over_a_day() {
    let after = |name: &'static str, value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let fault = of_response(StatusCode::TOO_MANY_REQUESTS, &headers, "");
        fault.error.retry_after
    };
    assert_eq!(after("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(
        after("retry-after-ms", "250"),
        Some(Duration::from_millis(250))
    );
    assert_eq!(
        after("retry-after", "18446744073709551615"),
        Some(RETRY_AFTER_MOST)
    );
    assert_eq!(after("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), None);
    assert_eq!(after("retry-after", "-1"), None);
}

#[test]
fn an_error_in_the_middle_of_an_answer_is_known_by_number_and_by_name() {
    use ReplyErrorKind::{Auth, ContextTooLong, Provider, RateLimit};

    let kind = |error: Value| of_error(&error).error.kind;
    assert_eq!(kind(json!({"code": 429})), RateLimit);
    assert_eq!(kind(json!({"code": "429"})), RateLimit);
    assert_eq!(kind(json!({"type": "rate_limit_error"})), RateLimit);
    assert_eq!(kind(json!({"type": "overloaded_error"})), Provider);
    assert_eq!(
        kind(json!({"code": null, "type": "authentication_error"})),
        Auth
    );
    assert_eq!(
        kind(json!({"type": "invalid_request_error", "message": "prompt is too long"})),
        ContextTooLong
    );
    assert_eq!(
        kind(json!("the maximum context length is 5")),
        ContextTooLong
    );
    for strange in [
        json!(null),
        json!([1]),
        json!({"code": 7}),
        json!({"code": 1e300}),
        json!(-1),
    ] {
        assert_eq!(kind(strange), Provider);
    }
}

#[test]
fn nothing_that_a_provider_wrote_gets_into_a_message() {
    for status in [300, 302, 400, 401, 403, 404, 413, 418, 422, 429, 500, 599] {
        let status = StatusCode::from_u16(status).unwrap();
        let body = "SECRET context window content_filter stream_options";
        for body in [body, "SECRET"] {
            let fault = of_response(status, &HeaderMap::new(), body);
            assert!(!format!("{fault:?}").contains("SECRET"));
        }
    }
}
