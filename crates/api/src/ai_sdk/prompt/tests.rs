use chat::types::ToolCall;

use super::super::samples::{call, cuid, message, output};
use super::*;

/// A turn of a step that makes two calls, and what is behind it.
fn turn(behind: Vec<Kept>) -> Vec<Kept> {
    let calls = vec![call("one", "{}"), call("two", "{}")];
    let mut turn = vec![message(2, MessageRole::Assistant, calls)];
    turn.extend(behind);
    turn
}

fn answer(turn: Vec<Kept>, outputs: &[(&str, &str)]) -> Wanted {
    let outputs = outputs.iter().map(|(call, output)| ToolOutput {
        call: (*call).into(),
        output: (*output).into(),
    });
    answer_to(turn, 0, outputs).unwrap()
}

fn new(wanted: &Wanted) -> (&Parent, &[Part]) {
    match &wanted.answer {
        Answer::To(PromptDraft::New(messages)) => (&messages[0].parent, &messages[0].content),
        _ => panic!("no new message"),
    }
}

#[test]
fn outputs_of_open_calls_follow_the_step_that_makes_them() {
    let wanted = answer(
        turn(Vec::new()),
        &[("one", "1"), ("two", "2"), ("other", "3")],
    );
    let (parent, content) = new(&wanted);
    assert_eq!(*parent, Parent::Message(cuid("2")));
    assert_eq!(content, [output("one", "1"), output("two", "2")]);
    assert_eq!(wanted.turn.len(), 1);
}

#[test]
fn an_output_that_comes_later_follows_those_that_are_there() {
    let first = message(3, MessageRole::Tool, vec![output("one", "1")]);
    let wanted = answer(turn(vec![first]), &[("one", "1"), ("two", "2")]);
    let (parent, content) = new(&wanted);
    assert_eq!(*parent, Parent::Message(cuid("3")));
    assert_eq!(content, [output("two", "2")]);
    assert_eq!(wanted.turn.len(), 2);
}

#[test]
fn outputs_that_have_been_sent_before_join_the_reply_to_them() {
    let both = vec![output("one", "1"), output("two", "2")];
    let tool = message(3, MessageRole::Tool, both);
    let next = message(4, MessageRole::Assistant, Vec::new());
    let wanted = answer(turn(vec![tool, next]), &[("one", "1"), ("two", "2")]);
    assert!(matches!(wanted.answer, Answer::Known(reply) if reply == cuid("reply4")));
    assert_eq!(
        wanted.turn.len(),
        2,
        "the step that is watched is not before itself"
    );
}

#[test]
fn outputs_that_nobody_has_answered_yet_are_answered_now() {
    let both = vec![output("one", "1"), output("two", "2")];
    let wanted = answer(
        turn(vec![message(3, MessageRole::Tool, both)]),
        &[("one", "1")],
    );
    let Answer::To(PromptDraft::Existing(prompt)) = wanted.answer else {
        panic!("no answer to what is there");
    };
    assert_eq!(prompt, cuid("3"));
}

#[test]
fn a_call_may_have_an_identifier_that_an_earlier_step_used_too() {
    let again = Part::ToolCall(ToolCall {
        id: "one".into(),
        name: "weather".into(),
        arguments: String::new(),
    });
    let behind = vec![
        message(
            3,
            MessageRole::Tool,
            vec![output("one", "1"), output("two", "2")],
        ),
        message(4, MessageRole::Assistant, vec![again]),
    ];
    let brought = ToolOutput {
        call: "one".into(),
        output: "3".into(),
    };
    let wanted = answer_to(turn(behind), 2, [brought].into_iter()).unwrap();
    let (parent, content) = new(&wanted);
    assert_eq!(*parent, Parent::Message(cuid("4")));
    assert_eq!(content, [output("one", "3")]);
}
