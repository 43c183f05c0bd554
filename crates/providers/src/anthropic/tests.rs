use chat::contracts::{Piece, Turn};
use chat::types::{Delta as Written, MessageRole, ModelOptions, ReplyErrorKind, TokenUsage};
use serde_json::json;

use super::*;

mod tools;

fn hear(events: &[Value]) -> Heard {
    let mut heard = Heard::default();
    for data in events {
        let event = Event {
            name: String::new(),
            data: data.to_string(),
        };
        Anthropic.event(&event, &mut heard);
    }
    heard
}

fn question(messages: Vec<Turn>) -> Question {
    Question {
        model: "m".to_owned(),
        system: "Be brief.".to_owned(),
        messages,
        options: ModelOptions::default(),
    }
}

fn asked(question: &Question) -> Value {
    serde_json::from_slice(&Anthropic.question(question, false).unwrap()).unwrap()
}

/// What the system and the messages become of these turns.
fn arranged(said: &[(MessageRole, &str)]) -> (Value, Value) {
    let turns = said.iter().map(|(role, text)| Turn::saying(*role, *text));
    let mut body = asked(&question(turns.collect()));
    (body["system"].take(), body["messages"].take())
}

fn messages(messages: &[(&str, &str)]) -> Value {
    let message = |(role, text): &(&str, &str)| json!({"role": role, "content": text});
    messages.iter().map(message).collect()
}

use MessageRole::{Assistant, System, User};

#[test]
fn a_question_has_the_system_apart_and_always_a_limit() {
    let mut question = question(vec![Turn::saying(User, "Hi")]);
    question.options.temperature = Some(0.5);
    let expected = json!({
        "model": "m",
        "max_tokens": 4096,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": true,
        "temperature": 0.5,
    });
    assert_eq!(asked(&question), expected);
}

#[test]
fn how_freely_it_writes_is_said_once_and_in_the_range_of_the_api() {
    let mut question = question(vec![Turn::saying(User, "Hi")]);
    question.options.top_p = Some(0.5);
    let body = asked(&question);
    assert_eq!(
        (&body["temperature"], &body["top_p"]),
        (&Value::Null, &json!(0.5))
    );
    question.options.temperature = Some(1.5);
    let body = asked(&question);
    assert_eq!(
        (&body["temperature"], &body["top_p"]),
        (&json!(1.0), &Value::Null)
    );
}

#[test]
fn of_the_further_fields_the_api_is_told_where_to_stop() {
    for (further, expected) in [
        (json!({"stop": "a", "seed": 1}), json!(["a"])),
        (json!({"stop": ["a", "\n", "b"]}), json!(["a", "b"])),
        (json!({"stop": null}), Value::Null),
        (json!({"stop": "\n"}), Value::Null),
    ] {
        let mut question = question(vec![Turn::saying(User, "Hi")]);
        question.options.further = Some(further.to_string());
        let body = asked(&question);
        assert_eq!(
            (&body["stop_sequences"], &body["seed"]),
            (&expected, &Value::Null)
        );
    }
}

#[test]
fn what_the_system_says_in_between_is_added_to_what_it_said_before() {
    let (system, said) = arranged(&[(User, "a"), (System, "T"), (User, "b")]);
    assert_eq!(system, "Be brief.\n\nT");
    assert_eq!(said, messages(&[("user", "a\n\nb")]));
}

#[test]
fn turns_of_one_role_become_one() {
    let said = [
        (User, "a"),
        (User, "b"),
        (Assistant, "c"),
        (Assistant, "d"),
        (User, "e"),
    ];
    let expected = messages(&[("user", "a\n\nb"), ("assistant", "c\n\nd"), ("user", "e")]);
    assert_eq!(arranged(&said).1, expected);
}

#[test]
fn a_greeting_of_the_model_is_kept_behind_an_opening_of_ours() {
    let expected = messages(&[("user", "…"), ("assistant", "Hello!"), ("user", "Hi")]);
    assert_eq!(arranged(&[(Assistant, "Hello!"), (User, "Hi")]).1, expected);
    assert_eq!(arranged(&[(System, "T")]).1, messages(&[("user", "…")]));
}

#[test]
fn usage_counts_what_the_cache_read_and_wrote() {
    let mut heard = hear(&[
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 5,
            "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100,
            "output_tokens": 1}}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 30}}),
    ]);
    let usage = |output_tokens| {
        Piece::Usage(TokenUsage {
            input_tokens: 115,
            output_tokens,
        })
    };
    assert_eq!(
        (heard.next(), heard.next()),
        (Some(usage(1)), Some(usage(30)))
    );
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::Complete)));
}

#[test]
fn text_and_thinking_are_heard_and_other_deltas_are_not() {
    let delta = |delta: Value| json!({"type": "content_block_delta", "delta": delta});
    let mut heard = hear(&[
        json!({"type": "ping"}),
        json!({"type": "something_new", "data": [1]}),
        json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
        delta(json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(json!({"type": "signature_delta", "signature": "x"})),
        delta(json!({"type": "text_delta", "text": "a\u{0}"})),
    ]);
    assert_eq!(
        heard.next(),
        Some(Piece::Delta(Written::Reasoning("hm".to_owned())))
    );
    assert_eq!(
        heard.next(),
        Some(Piece::Delta(Written::Text("a".to_owned())))
    );
    assert_eq!(heard.next(), None);
}

#[test]
fn the_reason_why_it_stopped_says_how_it_ended() {
    let end = |reason: &str| {
        let event = json!({"type": "message_delta", "delta": {"stop_reason": reason}});
        hear(&[event]).take_end().unwrap()
    };
    assert_eq!(end("end_turn"), Ok(EndOfAnswer::Complete));
    assert_eq!(end("max_tokens"), Ok(EndOfAnswer::Length));
    assert_eq!(
        end("refusal").unwrap_err().error.kind,
        ReplyErrorKind::ContentFilter
    );
}

#[test]
fn an_error_event_ends_the_answer() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}});
    let mut heard = hear(&[error]);
    let fault = heard.take_early_fault().unwrap();
    assert_eq!(fault.error.kind, ReplyErrorKind::Provider);
}
