use std::collections::HashMap;

use chat::types::{ReplyError, ReplyErrorKind, fold};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::messages::UiMessage;
use super::super::samples::{call, message, output as brought, reply};
use super::*;

/// The fields that each kind of chunk has in the strictest release, 5.0.0.
const FIELDS: &[(&str, &[&str])] = &[
    ("start", &["messageId", "messageMetadata"]),
    ("start-step", &[]),
    ("reasoning-start", &["id"]),
    ("reasoning-delta", &["id", "delta"]),
    ("reasoning-end", &["id"]),
    ("text-start", &["id"]),
    ("text-delta", &["id", "delta"]),
    ("text-end", &["id"]),
    ("tool-input-start", &["toolCallId", "toolName"]),
    ("tool-input-delta", &["toolCallId", "inputTextDelta"]),
    ("tool-input-available", &["toolCallId", "toolName", "input"]),
    ("tool-output-available", &["toolCallId", "output"]),
    ("data-reset", &["data", "transient"]),
    ("finish-step", &[]),
    ("message-metadata", &["messageMetadata"]),
    ("finish", &[]),
    ("abort", &[]),
    ("error", &["errorText"]),
];

/// Puts chunks together as a front end does; fails where one would.
fn read(chunks: &[Value]) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut inputs: HashMap<String, (usize, String)> = HashMap::new();
    for chunk in chunks {
        let text = |name: &str| chunk[name].as_str().unwrap().to_owned();
        let kind = text("type");
        match kind.split_once('-') {
            Some(("text" | "reasoning", "start")) => {
                open.insert(text("id"), parts.len());
                let kind = kind.strip_suffix("-start").unwrap();
                parts.push(json!({ "type": kind, "text": "", "state": "streaming" }));
            }
            Some(("text" | "reasoning", "delta")) => {
                let part = &mut parts[open[&text("id")]]["text"];
                *part = json!(part.as_str().unwrap().to_owned() + &text("delta"));
            }
            Some(("text" | "reasoning", "end")) => {
                parts[open.remove(&text("id")).unwrap()]["state"] = json!("done");
            }
            Some(("tool", "input-start")) => {
                let (call, kind) = (text("toolCallId"), format!("tool-{}", text("toolName")));
                inputs.insert(call.clone(), (parts.len(), String::new()));
                parts.push(json!({ "type": kind, "state": "input-streaming", "toolCallId": call }));
            }
            Some(("tool", "input-delta")) => {
                let (at, input) = inputs.get_mut(&text("toolCallId")).unwrap();
                input.push_str(&text("inputTextDelta"));
                // What is no JSON yet is guessed at; that is of no matter here.
                if let Ok(value) = serde_json::from_str::<Value>(input) {
                    parts[*at]["input"] = value;
                }
            }
            Some(("tool", "input-available")) => {
                let part = &mut parts[inputs[&text("toolCallId")].0];
                part["state"] = json!("input-available");
                part["input"] = chunk["input"].clone();
            }
            Some(("tool", "output-available")) => {
                let part = &mut parts[inputs[&text("toolCallId")].0];
                part["state"] = json!("output-available");
                part["output"] = chunk["output"].clone();
            }
            Some(("start", "step")) => parts.push(json!({ "type": "step-start" })),
            _ => {}
        }
        if kind == "finish-step" {
            assert!(open.is_empty(), "{open:?} are open at the end of a step");
        }
    }
    parts
}

fn shown(mut frames: Frames, events: &[NumberedEvent]) -> Vec<Value> {
    let chunks = events.iter().flat_map(|event| frames.push(event));
    chunks
        .map(|chunk| serde_json::to_value(chunk).unwrap())
        .collect()
}

fn kinds(chunks: &[Value]) -> Vec<&str> {
    let kinds = chunks.iter().map(|chunk| chunk["type"].as_str());
    kinds.map(Option::unwrap).collect()
}

/// The log of an answer to the message of place 1, with a number for each row.
fn log(deltas: &[Delta], void: usize, ending: Ending) -> Vec<NumberedEvent> {
    let model = reply(2, 1).model;
    let mut events = vec![
        Event::Accepted {
            reply: Box::new(reply(2, 0)),
            prompt: Box::new(message(1, MessageRole::User, Vec::new())),
        },
        Event::Started { attempt: 1, model },
    ];
    events.extend(deltas[..void].iter().cloned().map(Event::Delta));
    if void > 0 {
        events.push(Event::Reset { attempt: 2 });
    }
    events.extend(deltas[void..].iter().cloned().map(Event::Delta));
    events.push(Event::Finished(ending));
    (0..)
        .zip(events)
        .map(|(number, event)| NumberedEvent { number, event })
        .collect()
}

fn endings() -> impl Strategy<Value = Ending> {
    let error = ReplyError {
        kind: ReplyErrorKind::Network,
        message: "the provider broke off".into(),
        retry_after: None,
    };
    prop_oneof![
        Just(Ending::done(FinishReason::Stop)),
        Just(Ending::done(FinishReason::ToolCalls)),
        Just(Ending::done(FinishReason::Length)),
        Just(Ending::stopped(FinishReason::Stopped)),
        Just(Ending::failed(error)),
    ]
}

/// What models write: arguments come only after the call that they belong to.
fn deltas() -> impl Strategy<Value = Vec<Delta>> {
    let piece = (0..4_u8, "[{}\"a1: ]{1,4}");
    prop::collection::vec(piece, 0..30).prop_map(|pieces| {
        let mut is_calling = false;
        let written = pieces.into_iter().enumerate().map(|(at, (kind, text))| {
            let delta = match kind {
                0 => Delta::Text(text),
                1 => Delta::Reasoning(text),
                2 if is_calling => Delta::Arguments(text),
                _ => Delta::ToolCall {
                    id: format!("call-{at}"),
                    name: "weather".into(),
                },
            };
            is_calling = matches!(delta, Delta::ToolCall { .. } | Delta::Arguments(_));
            delta
        });
        written.collect()
    })
}

proptest! {
    #[test]
    fn whatever_happens_to_an_answer_every_front_end_can_read_it(
        deltas in deltas(),
        void in 0..30_usize,
        ending in endings(),
    ) {
        let log = log(&deltas, void.min(deltas.len()), ending);
        let chunks = shown(Frames::of(&reply(2, 0), &[]), &log);
        for chunk in &chunks {
            let kind = chunk["type"].as_str().unwrap();
            let (_, fields) = FIELDS.iter().find(|(known, _)| *known == kind).unwrap();
            let mut own = chunk.as_object().unwrap().keys().filter(|key| *key != "type");
            prop_assert!(own.all(|key| fields.contains(&key.as_str())), "{chunk}");
        }
        read(&chunks);
        let kinds = kinds(&chunks);
        prop_assert_eq!(&kinds[..2], &["start", "start-step"]);
        let is_end = |kind: &&&str| matches!(**kind, "finish" | "abort" | "error");
        prop_assert_eq!(kinds.iter().filter(is_end).count(), 1);
        prop_assert!(is_end(&kinds.last().unwrap()));
    }

    #[test]
    fn an_answer_that_was_watched_reads_like_the_one_that_is_listed(
        deltas in deltas(),
        ending in endings(),
    ) {
        let log = log(&deltas, 0, ending.clone());
        let watched = read(&shown(Frames::of(&reply(2, 1), &[]), &log));
        let mut kept = message(2, MessageRole::Assistant, fold((2..).zip(deltas)).0);
        kept.finish_reason = Some(ending.reason);
        prop_assert_eq!(without_guesses(watched), listed(&[kept]));
    }

    #[test]
    fn a_stream_that_resumes_leaves_out_what_is_void(
        deltas in deltas(),
        void in 1..30_usize,
        ending in endings(),
    ) {
        let log = log(&deltas, void.min(deltas.len()), ending);
        let resumed = shown(Frames::of(&reply(2, 2), &[]), &log);
        let reset = log.iter().position(|row| matches!(row.event, Event::Reset { .. }));
        let after = &log[reset.map_or(2, |reset| reset + 1)..];
        let never_broken = [&log[..2], after].concat();
        prop_assert_eq!(resumed, shown(Frames::of(&reply(2, 1), &[]), &never_broken));
    }

    #[test]
    fn the_steps_before_an_answer_read_like_those_that_are_listed(
        first in deltas(),
        outputs in prop::collection::vec("[{}\"a1: ]{0,6}", 30),
        last in deltas(),
    ) {
        let first = message(0, MessageRole::Assistant, fold((2..).zip(first)).0);
        let outputs = first.tool_calls().zip(&outputs);
        let outputs = outputs.map(|(call, text)| brought(&call.id, text)).collect();
        let before = vec![first, message(1, MessageRole::Tool, outputs)];
        let ending = Ending::done(FinishReason::Stop);
        let frames = Frames::of(&reply(2, 1), &before).with_steps_before(&before);
        let chunks = shown(frames, &log(&last, 0, ending));
        let runs = kinds(&chunks).iter().filter(|kind| **kind == "tool-input-available").count();
        let kept = message(2, MessageRole::Assistant, fold((2..).zip(last)).0);
        prop_assert_eq!(runs, kept.tool_calls().count(), "no tool is run once more");
        let turn = [&before[..], &[kept]].concat();
        prop_assert_eq!(without_guesses(read(&chunks)), listed(&turn));
    }
}

fn listed(turn: &[Message]) -> Vec<Value> {
    let message = serde_json::to_value(UiMessage::of(turn).unwrap()).unwrap();
    message["parts"].as_array().unwrap().clone()
}

/// A front end shows the arguments of a call that is not whole as far as it can guess them.
fn without_guesses(mut parts: Vec<Value>) -> Vec<Value> {
    for part in &mut parts {
        if part["state"] == "input-streaming" {
            part.as_object_mut()
                .map(|part: &mut Map<_, _>| part.remove("input"));
        }
    }
    parts
}

#[test]
fn an_answer_that_goes_on_keeps_the_identifier_of_its_first_step() {
    let before = [
        message(3, MessageRole::Assistant, vec![call("one", "{}")]),
        message(4, MessageRole::Tool, vec![brought("one", "rain")]),
    ];
    let log = log(
        &[Delta::Text("Rain.".into())],
        0,
        Ending::done(FinishReason::Stop),
    );
    let chunks = shown(Frames::of(&reply(5, 1), &before), &log);
    assert_eq!(chunks[0]["messageId"], before[0].id.as_str());
    let expected = [
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "message-metadata",
        "finish",
    ];
    assert_eq!(kinds(&chunks), expected);
    assert_eq!(chunks[2]["id"], "1-2");
}
