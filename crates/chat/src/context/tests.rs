use proptest::prelude::*;

use super::*;
use crate::types::{ToolCall, ToolOutput};

fn said(role: MessageRole, content: Vec<Part>) -> Said {
    Said {
        role,
        content,
        depth: 1,
    }
}

fn call(id: u8) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_string(),
        name: "look".into(),
        arguments: "{}".into(),
    })
}

fn output(id: u8) -> Part {
    Part::ToolOutput(ToolOutput {
        call: id.to_string(),
        output: "seen".into(),
    })
}

/// A message of somebody's, and with which calls or outputs.
fn message((role, ids): (u8, Vec<u8>)) -> Said {
    let text = Part::Text("well".into());
    match role {
        0 => said(MessageRole::User, vec![text]),
        1 => said(
            MessageRole::Assistant,
            [text]
                .into_iter()
                .chain(ids.into_iter().map(call))
                .collect(),
        ),
        _ => said(MessageRole::Tool, ids.into_iter().map(output).collect()),
    }
}

/// What a model is told of messages, the oldest first, read in pages of that many.
fn told(messages: Vec<Said>, page: usize) -> Vec<Turn> {
    let mut unread: VecDeque<Said> = messages.into_iter().rev().collect();
    let (mut rest, mut turns) = (VecDeque::new(), Vec::new());
    loop {
        while let Some(unit) = next_unit(&mut rest, unread.is_empty()) {
            turns.extend(unit.told());
        }
        if unread.is_empty() {
            turns.reverse();
            return turns;
        }
        rest.extend(unread.drain(..page.min(unread.len())));
    }
}

fn calls(turn: &Turn) -> Vec<&str> {
    let parts = turn.content.iter();
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.id.as_str()),
        _ => None,
    });
    calls.collect()
}

fn outputs(turn: &Turn) -> Vec<&str> {
    let parts = turn.content.iter();
    let outputs = parts.filter_map(|part| match part {
        Part::ToolOutput(output) => Some(output.call.as_str()),
        _ => None,
    });
    outputs.collect()
}

#[test]
fn a_call_and_its_outputs_are_told_as_they_are() {
    let messages = vec![
        message((0, vec![])),
        message((1, vec![1, 2])),
        message((2, vec![2])),
        message((2, vec![1])),
        message((1, vec![])),
    ];
    let turns = told(messages, 2);
    let roles: Vec<_> = turns.iter().map(|turn| turn.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant"]);
    assert_eq!(calls(&turns[1]), ["1", "2"]);
    assert_eq!(outputs(&turns[2]), ["2"]);
}

proptest! {
    #[test]
    fn a_model_is_told_each_call_with_its_output_and_no_output_without_its_call(
        messages in prop::collection::vec(
            (0..3_u8, prop::collection::vec(0..4_u8, 0..3)), 0..12
        ),
        page in 1..5_usize,
    ) {
        let turns = told(messages.into_iter().map(message).collect(), page);
        let mut open = Vec::new();
        for turn in &turns {
            prop_assert!(!turn.content.is_empty());
            if turn.role == MessageRole::Tool {
                for output in outputs(turn) {
                    let at = open.iter().position(|call| *call == output);
                    prop_assert!(at.is_some(), "{turns:?}");
                    open.remove(at.unwrap());
                }
            } else {
                prop_assert!(open.is_empty(), "{turns:?}");
                open = calls(turn);
            }
        }
        prop_assert!(open.is_empty(), "{turns:?}");
    }
}
