use axum::body::to_bytes;
use axum::response::{IntoResponse, Sse};
use chat::types::{Cuid, ModelName, ReplyOptions, ReplyStatus, Timestamp};
use futures_util::{FutureExt, stream};

use super::*;

fn reply(attempt: u32) -> Reply {
    let cuid = |text| Cuid::parse(text).unwrap();
    Reply {
        id: cuid("clqb6q2rl0005v3k8e1r9y3kq"),
        session: cuid("clqb6q2rl0003v3k8b2g8n5xd"),
        prompt: cuid("clqb6q2rl0004v3k8c7d1p0wz"),
        message: cuid("clqb6q2rl0006v3k8h5t2u8nb"),
        status: ReplyStatus::Running,
        attempt,
        model: ModelName::parse("demo").unwrap(),
        options: ReplyOptions::default(),
        hidden: false,
        usage: None,
        left_out: 0,
        error: None,
        created_at: Timestamp(0),
        finished_at: None,
    }
}

/// What a client reads that has asked for the stream during that attempt.
fn read(attempt: u32, log: &[Event]) -> String {
    let mut chunks = Chunks::new(&reply(0), false, attempt);
    let events = (0..).zip(log.iter().cloned());
    let events = events.map_while(|(number, event)| chunks.push(&NumberedEvent { number, event }));
    let events: Vec<_> = events.flatten().map(Ok::<_, Error>).collect();
    let body = Sse::new(stream::iter(events)).into_response().into_body();
    let bytes = to_bytes(body, usize::MAX).now_or_never().unwrap().unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn log(void: &[&str]) -> Vec<Event> {
    let said = |text: &str| Event::Delta(Delta::Text(text.into()));
    let began = |attempt| {
        let model = ModelName::parse("demo").unwrap();
        Event::Started { attempt, model }
    };
    let mut log = vec![began(1)];
    log.extend(void.iter().map(|text| said(text)));
    log.extend([Event::Reset { attempt: 2 }, began(2), said("good")]);
    log.push(Event::Finished(Ending {
        status: ReplyStatus::Done,
        reason: FinishReason::Stop,
        error: None,
    }));
    log
}

#[test]
fn a_stream_that_joins_a_second_attempt_has_that_one_alone() {
    for (attempt, void) in [(2, &["void", "too"][..]), (2, &[]), (1, &[]), (0, &[])] {
        let stream = read(attempt, &log(void));
        assert_eq!(stream.matches("assistant").count(), 1, "{stream}");
        assert!(
            stream.contains("good") && !stream.contains("void"),
            "{stream}"
        );
        assert!(!stream.contains("error"), "{stream}");
        assert!(stream.contains(r#""finish_reason":"stop""#), "{stream}");
        assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    }
}

#[test]
fn a_stream_that_has_said_something_ends_at_the_next_attempt() {
    for attempt in [0, 1] {
        let stream = read(attempt, &log(&["void"]));
        assert!(
            stream.contains("void") && !stream.contains("good"),
            "{stream}"
        );
        assert!(stream.contains("server_error"), "{stream}");
        assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    }
}
