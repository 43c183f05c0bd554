//! Tools: what is sent about them, and how calls are read.

use chat::contracts::{EndOfAnswer, Question, Turn};
use chat::types::{MessageRole, ModelOptions, Part, Tool, ToolCall, ToolName, ToolOutput};
use providers::Kind;
use serde_json::{Value, json};

use crate::asking::{KINDS, Said, answer, model, question, said, settings, usage};
use crate::server::{Server, Step, calling, chunked, ended_at, plain, stream};

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

/// The calls of the answer [`calling`].
fn calls() -> [ToolCall; 2] {
    let city = call("a", "weather", r#"{"city":"Köln"}"#);
    [city, call("b", "now", "{}")]
}

fn has_called(said: &Said) -> bool {
    said.calls == calls() && said.end == Some(Ok(EndOfAnswer::ToolCalls))
}

/// The body of the only request.
fn body(server: &Server) -> Value {
    let request = server.requests().remove(0);
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn calls_come_with_their_arguments_and_the_usage() {
    for kind in KINDS {
        let whole = stream(calling(kind));
        let bytewise = whole.iter().map(|byte| Step::Send(vec![*byte])).collect();
        let in_chunks = vec![Step::Send(chunked(calling(kind)))];
        let server = Server::start(vec![vec![Step::Send(whole)], in_chunks, bytewise]).await;
        let model = model(settings(kind, &server.base));
        for _ in 0..3 {
            let said = said(&model).await;
            assert!(has_called(&said), "{kind:?} {said:?}");
            assert_eq!((said.text.as_str(), said.usage), ("", Some(usage(5, 3))));
        }
    }
}

#[tokio::test]
async fn calls_that_break_off_are_a_beginning_and_nobody_waits_for_their_outputs() {
    for kind in KINDS {
        let whole = stream(calling(kind));
        let ended = ended_at(&whole, calling(kind));
        let scripts = (0..=whole.len()).map(|cut| vec![Step::Send(whole[..cut].to_vec())]);
        let server = Server::start(scripts.collect()).await;
        let model = model(settings(kind, &server.base));
        for cut in 0..=whole.len() {
            let said = said(&model).await;
            let is_begun = said.calls.iter().zip(calls()).all(|(begun, call)| {
                (&begun.id, &begun.name) == (&call.id, &call.name)
                    && call.arguments.starts_with(&begun.arguments)
            });
            assert!(is_begun && said.calls.len() <= 2, "{cut} {said:?}");
            assert_eq!(has_called(&said), cut >= ended, "{cut} {said:?}");
            assert_eq!(said.end.unwrap().is_err(), cut < ended, "{cut}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_calls_too() {
    let body = json!({"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [
        {"id": "a", "function": {"name": "weather", "arguments": {"city": "Köln"}}},
        {"id": "b", "function": {"name": "now", "arguments": {}}},
    ]}}]});
    let json = "content-type: application/json\r\n";
    let server = Server::saying(plain("200 OK", json, &body.to_string())).await;
    let said = said(&model(settings(Kind::OpenAiCompatible, &server.base))).await;
    assert!(has_called(&said), "{said:?}");
}

#[tokio::test]
async fn a_question_holds_tools_calls_and_outputs() {
    let calling_turn = Turn {
        role: MessageRole::Assistant,
        content: vec![Part::ToolCall(call("x", "now", "{}"))],
    };
    let output = Part::ToolOutput(ToolOutput {
        call: "x".to_owned(),
        output: "noon".to_owned(),
    });
    let question = Question {
        messages: vec![
            Turn::saying(MessageRole::User, "Hello"),
            calling_turn,
            Turn {
                role: MessageRole::Tool,
                content: vec![output],
            },
        ],
        options: ModelOptions {
            tools: vec![Tool {
                name: ToolName::parse("now").unwrap(),
                description: None,
                parameters: None,
                strict: None,
            }],
            further: Some(r#"{"stop":"."}"#.to_owned()),
            ..ModelOptions::default()
        },
        ..question()
    };
    let told = |kind| match kind {
        Kind::Anthropic => json!({"stop_sequences": ["."], "tool": "now", "output": [
            {"type": "tool_result", "tool_use_id": "x", "content": "noon"}]}),
        _ => json!({"stop": ".", "tool": {"name": "now"}, "output": "noon"}),
    };
    for kind in KINDS {
        let server = Server::saying(stream(calling(kind))).await;
        answer(&model(settings(kind, &server.base)), question.clone()).await;
        let (mut body, told) = (body(&server), told(kind));
        let last = body["messages"].as_array_mut().unwrap().pop().unwrap();
        let tool = &body["tools"][0];
        assert_eq!(last["content"], told["output"], "{kind:?}");
        assert_eq!(*tool.get("function").unwrap_or(&tool["name"]), told["tool"]);
        assert_eq!(body["stop_sequences"], told["stop_sequences"], "{kind:?}");
        assert_eq!(body["stop"], told["stop"], "{kind:?}");
    }
}

#[tokio::test]
async fn how_freely_a_model_writes_is_for_the_question_to_say_and_else_for_the_settings() {
    for kind in KINDS {
        for (temperature, top_p, expected) in [
            (None, None, json!([0.25, null])),
            (Some(0.75), None, json!([0.75, null])),
            (None, Some(0.5), json!([null, 0.5])),
        ] {
            let server = Server::saying(stream(calling(kind))).await;
            let mut settings = settings(kind, &server.base);
            settings.temperature = Some(0.25);
            let mut question = question();
            question.options.temperature = temperature;
            question.options.top_p = top_p;
            answer(&model(settings), question).await;
            let body = body(&server);
            assert_eq!(
                json!([body["temperature"], body["top_p"]]),
                expected,
                "{kind:?}"
            );
        }
    }
}
