//! What is sent, and how answers are read.

use chat::contracts::EndOfAnswer;
use chat::types::ReplyErrorKind;
use providers::Kind;

use crate::asking::{KEY, KINDS, model, said, settings, usage};
use crate::server::{Server, Step, chunked, good, plain, stream};

#[tokio::test]
async fn an_answer_comes_with_its_thoughts_its_text_and_its_usage() {
    for kind in KINDS {
        for bytes in [stream(good(kind)), chunked(good(kind))] {
            let server = Server::saying(bytes).await;
            let said = said(&model(settings(kind, &server.base))).await;
            assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)), "{kind:?}");
            assert_eq!(
                (said.reasoning.as_str(), said.text.as_str()),
                ("hm", "Hällo 😀")
            );
            assert_eq!((said.deltas, said.usage), (3, Some(usage(5, 3))));
        }
    }
}

#[tokio::test]
async fn a_question_goes_to_the_path_of_its_dialect_with_the_key_in_its_header() {
    for (kind, path, key) in [
        (
            Kind::OpenAiCompatible,
            "/base/chat/completions",
            format!("authorization: Bearer {KEY}"),
        ),
        (
            Kind::Anthropic,
            "/base/v1/messages",
            format!("x-api-key: {KEY}"),
        ),
    ] {
        let server = Server::saying(stream(good(kind))).await;
        said(&model(settings(kind, &server.base))).await;
        let request = server.requests().remove(0);
        assert!(
            request.starts_with(&format!("POST {path} HTTP/1.1\r\n")),
            "{request}"
        );
        assert!(request.contains(&format!("{key}\r\n")), "{request}");
        assert!(
            request.contains("content-type: application/json\r\n"),
            "{request}"
        );
        assert!(!request.contains("accept-encoding"), "{request}");
        assert!(request.contains(r#""content":"How are you?""#), "{request}");
        let version = request.contains("anthropic-version: 2023-06-01\r\n");
        assert_eq!(version, kind == Kind::Anthropic, "{request}");
    }
}

#[tokio::test]
async fn carriage_returns_comments_and_a_missing_done_are_no_fault() {
    for kind in KINDS {
        let text = good(kind)
            .replace("data: [DONE]\n\n", "")
            .replace("\n\n", "\n\n: alive\n\n");
        let server = Server::saying(stream(&text.replace('\n', "\r\n"))).await;
        let said = said(&model(settings(kind, &server.base))).await;
        assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)), "{kind:?}");
        assert_eq!(
            (said.text.as_str(), said.usage),
            ("Hällo 😀", Some(usage(5, 3)))
        );
    }
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    for kind in KINDS {
        let bytes = stream(good(kind));
        let script = bytes.iter().map(|byte| Step::Send(vec![*byte])).collect();
        let server = Server::start(vec![script]).await;
        let said = said(&model(settings(kind, &server.base))).await;
        assert_eq!(
            (said.text.as_str(), said.deltas),
            ("Hällo 😀", 3),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn usage_may_come_with_the_last_words() {
    let server = Server::saying(stream(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}],\
         \"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}\n\n",
    ))
    .await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!((said.text.as_str(), said.usage), ("a", Some(usage(7, 1))));
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Length)));
}

#[tokio::test]
async fn a_done_is_enough_of_an_end() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    let server = Server::saying(stream(body)).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
}

#[tokio::test]
async fn an_answer_without_a_word_is_an_answer() {
    let body = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let server = Server::saying(stream(body)).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(
        (said.deltas, said.end),
        (0, Some(Ok(EndOfAnswer::Complete)))
    );
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read_in_one_piece() {
    let json = "content-type: application/json\r\n";
    let body = r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":4,"completion_tokens":2}}"#;
    let server = Server::saying(plain("200 OK", json, body)).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(
        (said.text.as_str(), said.deltas, said.usage),
        ("Hello", 1, Some(usage(4, 2)))
    );
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_has_a_most_length() {
    let json = "content-type: application/json\r\n";
    let server = Server::saying(plain("200 OK", json, &" ".repeat((8 << 20) + 1))).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert_eq!(
        said.error().message,
        "the provider answered more than is read"
    );
}

#[tokio::test]
async fn a_server_that_does_not_know_stream_options_is_asked_without_them() {
    for status in ["400 Bad Request", "422 Unprocessable Entity"] {
        let body = r#"{"error":{"message":"Unknown field: stream_options"}}"#;
        let server = Server::start(vec![
            vec![Step::Send(plain(status, "", body))],
            vec![Step::Send(stream(good(Kind::OpenAiCompatible)))],
        ])
        .await;
        let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
        assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
        let has = server
            .requests()
            .iter()
            .map(|r| r.contains("stream_options"))
            .collect::<Vec<_>>();
        assert_eq!(has, [true, false], "{status}");
    }
}

#[tokio::test]
async fn a_server_that_goes_on_about_stream_options_is_asked_twice_and_no_more() {
    let server = Server::saying(plain("400 Bad Request", "", "stream_options")).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.retries = 5;
    let said = said(&model(settings)).await;
    assert_eq!(
        (said.error().kind, server.calls()),
        (ReplyErrorKind::Provider, 2)
    );
}

#[tokio::test]
async fn a_page_for_people_is_no_answer() {
    for kind in KINDS {
        let page = plain("200 OK", "content-type: text/html\r\n", "<h1>Sign in</h1>");
        let server = Server::saying(page).await;
        let said = said(&model(settings(kind, &server.base))).await;
        assert_eq!(said.error().kind, ReplyErrorKind::Provider, "{kind:?}");
    }
}
