//! Whoever stops listening has hung up.

use futures_util::StreamExt as _;
use providers::Kind;

use crate::asking::{model, question, settings};
use crate::server::{Server, Step, stream};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let script = vec![Step::Send(stream(DELTA)), Step::UntilClosed];
    let server = Server::start(vec![script]).await;
    let model = model(settings(Kind::OpenAiCompatible, &server.base));
    let mut pieces = model.provider.ask(question()).await.unwrap();
    assert!(pieces.next().await.unwrap().is_ok());
    drop(pieces);
    server.left().await;
}

#[tokio::test]
async fn dropping_a_question_closes_its_connection_before_and_after_the_headers() {
    for sent in [Vec::new(), stream(""), stream(": alive\n\n")] {
        let script = vec![Step::Send(sent), Step::UntilClosed];
        let server = Server::start(vec![script]).await;
        let model = model(settings(Kind::OpenAiCompatible, &server.base));
        tokio::select! {
            _ = model.provider.ask(question()) => panic!("nobody answers here"),
            () = server.asked() => {}
        }
        server.left().await;
    }
}

#[tokio::test]
async fn an_answer_that_has_ended_holds_no_connection_even_if_it_is_not_dropped() {
    let script = vec![
        Step::Send(stream(&format!("{DELTA}data: [DONE]\n\n"))),
        Step::UntilClosed,
    ];
    let server = Server::start(vec![script]).await;
    let model = model(settings(Kind::OpenAiCompatible, &server.base));
    let mut pieces = model.provider.ask(question()).await.unwrap();
    assert!(pieces.next().await.unwrap().is_ok());
    assert!(pieces.next().await.unwrap().is_ok());
    server.left().await;
    assert!(pieces.next().await.is_none());
}
