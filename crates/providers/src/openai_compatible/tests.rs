use chat::contracts::Piece;
use chat::types::{Delta, ModelOptions, ReplyErrorKind, TokenUsage};

use super::*;

mod tools;

fn hear(events: &[&str]) -> Heard {
    let mut heard = Heard::default();
    for data in events {
        let event = Event {
            name: String::new(),
            data: (*data).to_owned(),
        };
        OpenAiCompatible.event(&event, &mut heard);
    }
    heard
}

fn pieces(heard: &mut Heard) -> Vec<Piece> {
    std::iter::from_fn(|| heard.next()).collect()
}

fn text(text: &str) -> Piece {
    Piece::Delta(Delta::Text(text.to_owned()))
}

fn reasoning(text: &str) -> Piece {
    Piece::Delta(Delta::Reasoning(text.to_owned()))
}

fn question(model: &str) -> Question {
    Question {
        model: model.to_owned(),
        system: "Be brief.".to_owned(),
        messages: vec![Turn::saying(MessageRole::User, "Hi")],
        options: ModelOptions {
            max_output_tokens: Some(7),
            temperature: Some(0.7),
            ..ModelOptions::default()
        },
    }
}

fn asked(question: &Question, plain: bool) -> Value {
    let body = OpenAiCompatible.question(question, plain).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_question_begins_with_what_the_system_says() {
    let expected = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": 7,
        "temperature": 0.7,
    });
    assert_eq!(asked(&question("m"), false), expected);
}

#[test]
fn a_plain_question_has_nothing_that_it_need_not_have() {
    let question = Question {
        system: String::new(),
        options: ModelOptions::default(),
        ..question("m")
    };
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let expected = json!({"model": "m", "messages": messages, "stream": true});
    assert_eq!(asked(&question, true), expected);
}

#[test]
fn reasoning_models_of_openai_get_their_limit_under_its_new_name() {
    let body = asked(&question("o3-mini"), false);
    assert_eq!(
        (&body["max_tokens"], &body["max_completion_tokens"]),
        (&Value::Null, &json!(7))
    );
}

#[test]
fn further_fields_are_sent_but_never_take_the_place_of_ours() {
    let mut question = question("m");
    let ours: Map<_, _> = OUR_FIELDS
        .map(|f| (f.to_owned(), json!("x")))
        .into_iter()
        .collect();
    let further =
        json!({"seed": 7, "stop": ["a", "b"], "response_format": {"type": "json_object"}});
    question.options.top_p = Some(0.9);
    let mut expected = asked(&question, true);
    for (field, value) in further.as_object().unwrap() {
        expected[field] = value.clone();
    }
    let mut all = further;
    all.as_object_mut().unwrap().extend(ours);
    question.options.further = Some(all.to_string());
    assert_eq!(asked(&question, true), expected);
    assert_eq!(
        (&expected["top_p"], &expected["seed"]),
        (&json!(0.9), &json!(7))
    );
}

#[test]
fn what_a_model_thinks_has_two_names_and_is_heard_once() {
    let mut heard = hear(&[
        r#"{"choices":[{"delta":{"reasoning_content":"a","reasoning":"a"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"b","content":"c"}}]}"#,
    ]);
    assert_eq!(
        pieces(&mut heard),
        [reasoning("a"), reasoning("b"), text("c")]
    );
}

#[test]
fn empty_deltas_are_skipped_and_nul_characters_removed() {
    let mut heard = hear(&[
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"content":null}}]}"#,
        r#"{"choices":[{"delta":{"content":"\u0000"}}]}"#,
        r#"{"choices":[{"delta":{"content":"a\u0000b"}}]}"#,
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        "{}",
        "",
    ]);
    assert_eq!(pieces(&mut heard), [text("ab")]);
    assert!(!heard.has_ended());
}

#[test]
fn usage_in_every_chunk_is_told_when_it_grows() {
    let chunk = |tokens: u64| json!({"usage": {"prompt_tokens": 5, "completion_tokens": tokens}});
    let chunks = [chunk(1), chunk(1), chunk(2), json!({"usage": null})].map(|c| c.to_string());
    let mut heard = hear(&chunks.each_ref().map(String::as_str));
    let usage = |output_tokens| {
        Piece::Usage(TokenUsage {
            input_tokens: 5,
            output_tokens,
        })
    };
    assert_eq!(pieces(&mut heard), [usage(1), usage(2)]);
}

#[test]
fn the_reason_why_it_finished_says_how_it_ended() {
    let end = |reason: &str| {
        let chunk = json!({"choices": [{"delta": {}, "finish_reason": reason}]});
        hear(&[&chunk.to_string()]).take_end().unwrap()
    };
    assert_eq!(end("stop"), Ok(EndOfAnswer::Complete));
    assert_eq!(end("length"), Ok(EndOfAnswer::Length));
    assert_eq!(end("eos"), Ok(EndOfAnswer::Complete));
    assert_eq!(
        end("content_filter").unwrap_err().error.kind,
        ReplyErrorKind::ContentFilter
    );
}

#[test]
fn an_error_in_the_middle_of_an_answer_ends_it() {
    for name in ["", "error"] {
        let mut heard = hear(&[r#"{"choices":[{"delta":{"content":"a"}}]}"#]);
        let event = Event {
            name: name.to_owned(),
            data: r#"{"error":{"code":429,"message":"slow down"}}"#.to_owned(),
        };
        OpenAiCompatible.event(&event, &mut heard);
        assert!(heard.is_closed());
        assert_eq!(pieces(&mut heard), [text("a")]);
        let fault = heard.take_end().unwrap().unwrap_err();
        assert_eq!(fault.error.kind, ReplyErrorKind::RateLimit);
    }
}

#[test]
fn an_answer_that_is_not_streamed_is_one_piece() {
    let mut heard = Heard::default();
    let body = br#"{"choices":[{"message":{"role":"assistant","content":"Hello"},
        "finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    OpenAiCompatible.whole(body, &mut heard);
    assert_eq!(heard.next(), Some(text("Hello")));
    assert_eq!(heard.take_end(), Some(Ok(EndOfAnswer::Length)));
}

#[test]
fn a_document_that_is_no_answer_is_a_fault() {
    for (body, kind) in [
        ("{}", ReplyErrorKind::Provider),
        ("[", ReplyErrorKind::Provider),
        (r#"{"error":{"code":429}}"#, ReplyErrorKind::RateLimit),
    ] {
        let mut heard = Heard::default();
        OpenAiCompatible.whole(body.as_bytes(), &mut heard);
        assert_eq!(heard.take_early_fault().unwrap().error.kind, kind, "{body}");
    }
}
