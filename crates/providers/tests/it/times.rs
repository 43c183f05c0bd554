//! How long a provider may take.

use std::time::Duration;

use chat::contracts::EndOfAnswer;
use chat::types::ReplyErrorKind;
use providers::{Kind, ProviderSettings};
use tokio::time::Instant;

use crate::asking::{KINDS, Said, model, said, settings};
use crate::server::{Server, Step, good, stream};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
/// What a provider has in these tests.
const SHORT: Duration = Duration::from_millis(200);
/// What nothing here may take.
const LONG: Duration = Duration::from_secs(3);

async fn said_in_time(settings: ProviderSettings) -> Said {
    let begin = Instant::now();
    let said = said(&model(settings)).await;
    assert!(begin.elapsed() >= SHORT, "{:?}", begin.elapsed());
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    said
}

#[tokio::test]
async fn a_provider_that_does_not_begin_is_given_up_and_not_asked_again() {
    for kind in KINDS {
        for sent in [Vec::new(), stream(": alive\n\n")] {
            let script = vec![Step::Send(sent), Step::UntilClosed];
            let server = Server::start(vec![script]).await;
            let mut settings = settings(kind, &server.base);
            settings.timeouts.first_token = SHORT;
            settings.retries = 2;
            let said = said_in_time(settings).await;
            assert_eq!(said.error().kind, ReplyErrorKind::Network);
            assert_eq!(said.error().message, "the provider went silent");
            server.left().await;
            assert_eq!(server.calls(), 1);
        }
    }
}

#[tokio::test]
async fn a_provider_that_goes_silent_is_given_up_however_alive_it_says_it_is() {
    let alive = [Step::Wait(SHORT / 4), Step::Send(b": alive\n\n".to_vec())];
    let mut script = vec![Step::Send(stream(DELTA))];
    script.extend(alive.into_iter().cycle().take(200));
    let server = Server::start(vec![script]).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.between_tokens = SHORT;
    let said = said_in_time(settings).await;
    assert_eq!(
        (said.text.as_str(), said.error().kind),
        ("a", ReplyErrorKind::Network)
    );
    assert_eq!(said.error().message, "the provider went silent");
}

#[tokio::test]
async fn a_provider_that_never_comes_to_an_end_is_given_up() {
    let word = [Step::Wait(SHORT / 8), Step::Send(DELTA.as_bytes().to_vec())];
    let mut script = vec![Step::Send(stream(DELTA))];
    script.extend(word.into_iter().cycle().take(500));
    let server = Server::start(vec![script]).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.whole = SHORT;
    let said = said_in_time(settings).await;
    assert!(said.deltas > 1, "{said:?}");
    assert_eq!(said.error().message, "the provider took too long");
}

#[tokio::test]
async fn what_is_tried_again_counts_into_the_whole_time() {
    let server = Server::saying(crate::server::plain("503 Oops", "", "")).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.whole = SHORT;
    settings.retries = 10;
    let said = said_in_time(settings).await;
    assert_eq!(said.error().message, "the provider took too long");
}

#[tokio::test]
async fn a_slow_provider_that_keeps_writing_is_listened_to() {
    let wait = SHORT * 3 / 4;
    let script = vec![
        Step::Wait(wait),
        Step::Send(stream(DELTA)),
        Step::Wait(wait),
        Step::Send(DELTA.as_bytes().to_vec()),
        Step::Wait(wait),
        Step::Send(FINISH.as_bytes().to_vec()),
    ];
    let server = Server::start(vec![script]).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.first_token = SHORT;
    settings.timeouts.between_tokens = SHORT;
    let said = said_in_time(settings).await;
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
}

#[tokio::test]
async fn an_answer_that_has_ended_is_complete_even_if_its_usage_never_comes() {
    let script = vec![
        Step::Send(stream(&format!("{DELTA}{FINISH}"))),
        Step::UntilClosed,
    ];
    let server = Server::start(vec![script]).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.between_tokens = SHORT;
    let said = said_in_time(settings).await;
    assert_eq!(said.end, Some(Ok(EndOfAnswer::Complete)));
    server.left().await;
}

#[tokio::test]
async fn the_first_piece_does_not_wait_for_the_second() {
    let bytes = stream(good(Kind::OpenAiCompatible));
    let first = bytes.windows(4).position(|b| b == b"\"hm\"").unwrap() + 40;
    let script = vec![Step::Send(bytes[..first].to_vec()), Step::UntilClosed];
    let server = Server::start(vec![script]).await;
    let mut settings = settings(Kind::OpenAiCompatible, &server.base);
    settings.timeouts.between_tokens = SHORT;
    assert_eq!(said_in_time(settings).await.reasoning, "hm");
}
