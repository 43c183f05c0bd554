use std::collections::BTreeMap;

use chat::types::{
    Cuid, FinishReason, Message, Metadata, ModelName, Part, Reply, ReplyError, ReplyErrorKind,
    ReplyOptions, ReplyStatus, Timestamp, fold, unfold,
};
use proptest::prelude::*;

use super::*;
use crate::openai::responses::shown::output;

const MESSAGE: &str = "clqb6q2rl0006v3k8h5t2u8nb";

fn cuid(text: &str) -> Cuid {
    Cuid::parse(text).unwrap()
}

fn reply() -> Reply {
    let pairs = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    Reply {
        id: cuid("clqb6q2rl0005v3k8e1r9y3kq"),
        session: cuid("clqb6q2rl0003v3k8b2g8n5xd"),
        prompt: cuid("clqb6q2rl0004v3k8c7d1p0wz"),
        message: cuid(MESSAGE),
        status: ReplyStatus::Queued,
        attempt: 0,
        model: ModelName::parse("demo").unwrap(),
        options: ReplyOptions {
            metadata: Metadata::new(pairs).unwrap(),
            ..ReplyOptions::default()
        },
        hidden: false,
        usage: None,
        left_out: 0,
        error: None,
        created_at: Timestamp(1_700_000_000_123),
        finished_at: None,
    }
}

fn prompt() -> Message {
    Message {
        id: cuid("clqb6q2rl0004v3k8c7d1p0wz"),
        session: reply().session,
        seq: 1,
        depth: 1,
        parent: None,
        role: MessageRole::User,
        content: vec![Part::Text("hello".into())],
        model: None,
        usage: None,
        finish_reason: None,
        reply: None,
        status: ReplyStatus::Done,
        created_at: Timestamp(1_700_000_000_123),
    }
}

fn frames() -> Frames {
    Frames::new(Told {
        reply: reply(),
        previous: None,
        is_kept: true,
    })
}

fn all(log: &[NumberedEvent]) -> Vec<Frame> {
    let mut frames = frames();
    log.iter().flat_map(|event| frames.push(event)).collect()
}

/// Deltas as a model writes them: arguments only after the beginning of a call.
fn deltas() -> impl Strategy<Value = Vec<Delta>> {
    let some = prop::collection::vec((0..5_u8, "\\PC{1,6}"), 0..20);
    some.prop_map(|some| {
        let mut is_calling = false;
        let delta = |(kind, text): (u8, String)| {
            let delta = match kind {
                0 => Delta::Text(text),
                1 => Delta::Reasoning(text),
                2 | 3 if is_calling => Delta::Arguments(text),
                _ => Delta::ToolCall {
                    id: format!("call_{text}"),
                    name: text,
                },
            };
            is_calling = matches!(delta, Delta::ToolCall { .. } | Delta::Arguments(_));
            delta
        };
        some.into_iter().map(delta).collect()
    })
}

fn endings() -> impl Strategy<Value = Ending> {
    let failed = Ending::failed(ReplyError {
        kind: ReplyErrorKind::RateLimit,
        message: "too many requests".into(),
        retry_after: None,
    });
    prop_oneof![
        Just(Ending::done(FinishReason::Stop)),
        Just(Ending::done(FinishReason::ToolCalls)),
        Just(Ending::done(FinishReason::Length)),
        Just(Ending::stopped(FinishReason::Stopped)),
        Just(failed),
    ]
}

/// A log of some attempts; with the deltas of the last one, and their numbers.
fn log(attempts: &[Vec<Delta>], ending: &Ending) -> (Vec<NumberedEvent>, Vec<(i64, Delta)>) {
    let mut events = vec![Event::Accepted {
        reply: Box::new(reply()),
        prompt: Box::new(prompt()),
    }];
    let mut first = 0;
    for (attempt, deltas) in (1..).zip(attempts) {
        if attempt > 1 {
            events.push(Event::Reset { attempt });
        }
        events.push(Event::Started {
            attempt,
            model: reply().model,
        });
        first = events.len();
        events.extend(deltas.iter().cloned().map(Event::Delta));
    }
    let last = (first as i64..).zip(attempts.last().cloned().unwrap_or_default());
    let last = last.collect();
    events.push(Event::Usage(TokenUsage {
        input_tokens: 3,
        output_tokens: 4,
    }));
    events.push(Event::Finished(ending.clone()));
    let numbered = (0..).zip(events);
    let events = numbered.map(|(number, event)| NumberedEvent { number, event });
    (events.collect(), last)
}

fn replace(log: &mut [NumberedEvent], events: Vec<NumberedEvent>) {
    for event in events {
        let place = usize::try_from(event.number).unwrap();
        log[place] = event;
    }
}

fn parsed(frames: &[Frame]) -> Vec<Value> {
    let data = frames.iter().map(|frame| &frame.data);
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Reads a stream as an SDK does, and gives the items that it is left with.
fn read(frames: &[Value]) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    let mut open = None;
    for frame in frames {
        let at = frame["output_index"].as_u64().map(|at| at as usize);
        let kind = frame["type"].as_str().unwrap();
        if kind == "response.output_item.added" {
            assert_eq!(at, Some(items.len()), "items come one after the other");
            assert_eq!(open.replace(items.len()), None);
            items.push(frame["item"].clone());
            continue;
        }
        let Some(at) = at else { continue };
        assert_eq!(Some(at), open, "{kind} belongs to the open item");
        let item = &mut items[at];
        if kind != "response.output_item.done" {
            assert_eq!(frame["item_id"], item["id"]);
        }
        match kind {
            "response.content_part.added" => {
                item["content"]
                    .as_array_mut()
                    .unwrap()
                    .push(frame["part"].clone());
            }
            "response.output_text.delta" | "response.reasoning_text.delta" => {
                let text =
                    &mut item["content"][frame["content_index"].as_u64().unwrap() as usize]["text"];
                *text = json!(format!(
                    "{}{}",
                    text.as_str().unwrap(),
                    frame["delta"].as_str().unwrap()
                ));
            }
            "response.function_call_arguments.delta" => {
                let text = item["arguments"].as_str().unwrap();
                item["arguments"] = json!(format!("{text}{}", frame["delta"].as_str().unwrap()));
            }
            "response.output_text.done" | "response.reasoning_text.done" => {
                assert_eq!(frame["text"], item["content"][0]["text"]);
            }
            "response.function_call_arguments.done" => {
                assert_eq!(frame["arguments"], item["arguments"]);
                assert_eq!(frame["name"], item["name"]);
            }
            "response.content_part.done" => assert_eq!(frame["part"], item["content"][0]),
            "response.output_item.done" => {
                item["status"] = frame["item"]["status"].clone();
                assert_eq!(frame["item"], *item);
                open = None;
            }
            other => panic!("what is {other}"),
        }
    }
    assert_eq!(open, None, "every item is ended");
    items
}

proptest! {
    #[test]
    fn the_frames_of_any_log_are_numbered_without_a_gap(
        attempts in prop::collection::vec(deltas(), 1..4),
        ending in endings(),
    ) {
        let (log, _) = log(&attempts, &ending);
        let frames = all(&log);
        for (number, (frame, data)) in frames.iter().zip(parsed(&frames)).enumerate() {
            prop_assert_eq!(frame.number, number as u64);
            prop_assert_eq!(&data["sequence_number"], &json!(number));
            prop_assert_eq!(&data["type"], &json!(frame.name));
            prop_assert_eq!(&data["error"], &Value::Null, "an SDK takes that for a failure");
        }
    }

    #[test]
    fn each_item_is_begun_written_and_ended_and_the_end_has_those_of_the_last_attempt(
        attempts in prop::collection::vec(deltas(), 1..4),
        ending in endings(),
    ) {
        let (log, last) = log(&attempts, &ending);
        let frames = parsed(&all(&log));
        prop_assert_eq!(&frames[0]["type"], &json!("response.created"));
        prop_assert_eq!(&frames[1]["type"], &json!("response.in_progress"));
        let items = read(&frames);
        let mut ids: Vec<_> = items.iter().map(|item| item["id"].to_string()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        prop_assert_eq!(ids.len(), count, "no two items have one name");
        let end = &frames.last().unwrap()["response"];
        let ended = end["output"].as_array().unwrap();
        prop_assert_eq!(ended, &items[items.len() - ended.len()..]);
        // As the message has it that is read later.
        let kept = output(&cuid(MESSAGE), fold(last).0, &ending, attempts.len() as u32);
        prop_assert_eq!(&json!(kept), &end["output"]);
        prop_assert_eq!(&end["usage"]["total_tokens"], &json!(7));
    }

    #[test]
    fn a_log_that_was_folded_gives_the_same_frames_from_any_number(
        attempts in prop::collection::vec(deltas(), 1..3),
        ending in endings(),
        after in 0..40_u64,
    ) {
        let (mut log, last) = log(&attempts, &ending);
        let whole = all(&log);
        let (parts, folded) = fold(last);
        replace(&mut log, unfold(&parts, &folded, 0));
        let again = all(&log);
        let tail = |frames: &[Frame]| -> Vec<Frame> {
            let new = frames.iter().filter(|frame| frame.number > after);
            new.cloned().collect()
        };
        prop_assert_eq!(tail(&again), tail(&whole));
    }
}

#[test]
fn a_reply_with_reasoning_text_and_a_call_is_told_in_the_order_of_openai() {
    let deltas = vec![
        Delta::Reasoning("hm".into()),
        Delta::Text("Let ".into()),
        Delta::Text("me".into()),
        Delta::ToolCall {
            id: "call_1".into(),
            name: "look".into(),
        },
        Delta::Arguments("{}".into()),
    ];
    let (log, _) = log(&[deltas], &Ending::done(FinishReason::ToolCalls));
    let frames = all(&log);
    let names: Vec<_> = frames.iter().map(|frame| frame.name).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.reasoning_text.delta",
            "response.reasoning_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(
        frames[10].data,
        format!(
            r#"{{"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_{MESSAGE}_1","output_index":1,"content_index":0,"delta":"Let ","logprobs":[]}}"#
        )
    );
}

#[test]
fn the_end_says_how_the_reply_ended() {
    let ended = |ending: &Ending| {
        let (log, _) = log(&[vec![Delta::Text("hi".into())]], ending);
        let last = all(&log).pop().unwrap();
        let data: Value = serde_json::from_str(&last.data).unwrap();
        (last.name, data["response"].clone())
    };
    let (name, response) = ended(&Ending::done(FinishReason::Length));
    assert_eq!(
        (name, &response["status"]),
        ("response.incomplete", &json!("incomplete"))
    );
    assert_eq!(
        response["incomplete_details"],
        json!({ "reason": "max_output_tokens" })
    );
    assert_eq!(response["output"][0]["status"], "incomplete");

    let (name, response) = ended(&Ending::stopped(FinishReason::Stopped));
    assert_eq!(
        (name, &response["status"]),
        ("response.incomplete", &json!("cancelled"))
    );
    assert_eq!(response["incomplete_details"], Value::Null);

    let (name, response) = ended(&Ending::failed(ReplyError {
        kind: ReplyErrorKind::Network,
        message: "the provider broke off".into(),
        retry_after: None,
    }));
    assert_eq!(
        (name, &response["status"]),
        ("response.failed", &json!("failed"))
    );
    let error = json!({ "code": "server_error", "message": "the provider broke off" });
    assert_eq!(response["error"], error);
}

#[test]
fn what_was_removed_says_nothing_and_keeps_its_place() {
    let deltas = [Delta::Reasoning("hm".into()), Delta::Text("hello".into())];
    let (mut log, last) = log(&[deltas.to_vec()], &Ending::done(FinishReason::Stop));
    let (mut parts, folded) = fold(last);
    parts[0] = Part::Removed;
    replace(&mut log, unfold(&parts, &folded, 0));
    let frames = parsed(&all(&log));
    let end = &frames.last().unwrap()["response"]["output"];
    let kept = output(&cuid(MESSAGE), parts, &Ending::done(FinishReason::Stop), 1);
    assert_eq!(end, &json!(kept));
    assert_eq!(end[0]["id"], format!("msg_{MESSAGE}_1"));
}
