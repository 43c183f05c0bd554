//! What goes wrong, what is tried again, and what nobody gets to read.

use std::time::Duration;

use chat::contracts::EndOfAnswer;
use chat::types::ReplyErrorKind;
use providers::Kind;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::asking::{KEY, KINDS, model, said, settings};
use crate::server::{Server, Step, good, plain, stream};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";

fn scripts(answers: Vec<Vec<u8>>) -> Vec<Vec<Step>> {
    answers
        .into_iter()
        .map(|bytes| vec![Step::Send(bytes)])
        .collect()
}

#[tokio::test]
async fn a_refused_key_is_told_at_once() {
    for kind in KINDS {
        let server = Server::saying(plain("401 Unauthorized", "", "{}")).await;
        let mut settings = settings(kind, &server.base);
        settings.retries = 3;
        let said = said(&model(settings)).await;
        assert_eq!(
            (said.error().kind, server.calls()),
            (ReplyErrorKind::Auth, 1)
        );
    }
}

#[tokio::test]
async fn a_provider_in_trouble_is_asked_again_until_it_answers() {
    for kind in KINDS {
        let server = Server::start(scripts(vec![
            plain("500 Oops", "", "{}"),
            plain("529 Overloaded", "retry-after: 0\r\n", "{}"),
            stream(good(kind)),
        ]))
        .await;
        let mut settings = settings(kind, &server.base);
        settings.retries = 2;
        let said = said(&model(settings)).await;
        assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)), "{kind:?}");
        assert_eq!((said.text.as_str(), server.calls()), ("Hällo 😀", 3));
    }
}

#[tokio::test]
async fn a_provider_in_trouble_is_not_asked_more_often_than_the_settings_say() {
    let server = Server::saying(plain("503 Oops", "", "{}")).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.retries = 1;
    let said = said(&model(settings)).await;
    assert_eq!(
        (said.error().kind, server.calls()),
        (ReplyErrorKind::Provider, 2)
    );
}

#[tokio::test]
async fn a_provider_that_asks_to_wait_is_given_that_time() {
    let server = Server::start(scripts(vec![
        plain("429 Slow down", "retry-after: 1\r\n", "{}"),
        stream(good(Kind::OpenAiCompatible)),
    ]))
    .await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.retries = 1;
    let begin = Instant::now();
    let said = said(&model(settings)).await;
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_provider_that_asks_for_a_long_wait_is_not_waited_for() {
    let server = Server::saying(plain("429 Slow down", "Retry-After: 11\r\n", "{}")).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.retries = 3;
    let said = said(&model(settings)).await;
    let error = said.error();
    assert_eq!(error.kind, ReplyErrorKind::RateLimit);
    assert_eq!(error.retry_after, Some(Duration::from_secs(11)));
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_before_its_first_piece_is_asked_for_again() {
    for broken in [
        "",
        ": hello\n\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
    ] {
        let answers = vec![stream(broken), stream(good(Kind::OpenAiCompatible))];
        let server = Server::start(scripts(answers)).await;
        let mut settings = settings(Kind::OpenAiCompatible, &server.base);
        settings.retries = 1;
        let said = said(&model(settings)).await;
        assert_eq!(
            (said.text.as_str(), server.calls()),
            ("Hällo 😀", 2),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_after_its_first_piece_is_not_asked_for_again() {
    let server = Server::saying(stream(DELTA)).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.retries = 3;
    let said = said(&model(settings)).await;
    assert_eq!((said.text.as_str(), server.calls()), ("a", 1));
    assert_eq!(said.error().kind, ReplyErrorKind::Network);
    assert_eq!(said.error().message, "the provider broke off");
}

#[tokio::test]
async fn an_error_in_the_middle_comes_after_what_was_said() {
    let error = "data: {\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}}\n\n";
    let server = Server::saying(stream(&format!("{DELTA}{error}{DELTA}"))).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(
        (said.text.as_str(), said.error().kind),
        ("a", ReplyErrorKind::RateLimit)
    );
}

#[tokio::test]
async fn an_answer_that_is_stopped_for_what_it_says_is_an_error_with_its_usage() {
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n";
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n";
    let server = Server::saying(stream(&format!("{DELTA}{end}{usage}data: [DONE]\n\n"))).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(said.error().kind, ReplyErrorKind::ContentFilter);
    assert_eq!(said.usage, Some(crate::asking::usage(5, 1)));
}

#[tokio::test]
async fn messages_that_are_too_long_are_told_as_such() {
    for (kind, body) in [
        (
            Kind::OpenAiCompatible,
            r#"{"error":{"code":"context_length_exceeded"}}"#,
        ),
        (
            Kind::Anthropic,
            r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
        ),
    ] {
        let server = Server::saying(plain("400 Bad Request", "", body)).await;
        let said = said(&model(settings(kind, &server.base))).await;
        assert_eq!(said.error().kind, ReplyErrorKind::ContextTooLong);
    }
}

#[tokio::test]
async fn a_refusal_without_end_is_not_read_to_its_end() {
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-length: 99999999999\r\n\r\n";
    let body = format!("{head}maximum context length {}", "x".repeat(70_000)).into_bytes();
    let server = Server::start(vec![vec![Step::Send(body), Step::UntilClosed]]).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(said.error().kind, ReplyErrorKind::ContextTooLong);
    server.left().await;
}

#[tokio::test]
async fn an_event_without_end_is_not_read_to_its_end() {
    let bytes = stream(&format!("{DELTA}data: {}", "x".repeat((1 << 20) + 1)));
    let server = Server::start(vec![vec![Step::Send(bytes), Step::UntilClosed]]).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(
        said.error().message,
        "the provider answered more than is read"
    );
    server.left().await;
}

#[tokio::test]
async fn nobody_is_followed_to_another_address() {
    for kind in KINDS {
        for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
            let other = Server::saying(stream(good(kind))).await;
            let location = format!("location: {}/v1/messages\r\n", other.base);
            let server = Server::saying(plain(status, &location, "")).await;
            let said = said(&model(settings(kind, &server.base))).await;
            assert_eq!(said.error().kind, ReplyErrorKind::Provider);
            assert!(said.error().message.contains("redirects are not followed"));
            assert_eq!((server.calls(), other.calls()), (1, 0));
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut settings = settings(Kind::OpenAiCompatible, &base);
    settings.retries = 1;
    let begin = Instant::now();
    let said = said(&model(settings)).await;
    assert_eq!(said.error().message, "the provider can't be reached");
    assert!(
        begin.elapsed() >= Duration::from_millis(250),
        "was not tried again"
    );
}

#[tokio::test]
async fn no_error_repeats_the_key_the_address_or_what_the_provider_wrote() {
    let leak = format!("leaked {KEY}");
    let body = format!(r#"{{"error":{{"message":"{leak}"}}}}"#);
    let event = format!("data: {body}\n\n");
    let nonsense = format!("data: {leak}\n\n");
    let mut answers = vec![stream(&event), stream(&nonsense), leak.clone().into_bytes()];
    for status in [302, 400, 401, 403, 404, 413, 422, 429, 500, 529] {
        let location = format!("location: http://{KEY}@127.0.0.1/?{KEY}\r\n");
        answers.push(plain(&format!("{status} {leak}"), &location, &body));
    }
    for kind in KINDS {
        for answer in answers.clone() {
            let server = Server::saying(answer).await;
            let said = said(&model(settings(kind, &server.base))).await;
            let told = format!("{said:?} {:#?}", said.error());
            assert!(server.requests()[0].contains(KEY));
            for secret in [KEY, "leaked", "127.0.0.1", "/base"] {
                assert!(!told.contains(secret), "{told}");
            }
        }
    }
}
