//! Messages and replies to test with.

use chat::types::{
    Cuid, FinishReason, Message, MessageRole, ModelName, Part, Reply, ReplyOptions, ReplyStatus,
    Timestamp, ToolCall, ToolOutput,
};

pub(super) fn cuid(text: &str) -> Cuid {
    Cuid::parse(&format!("c{text:0>7}")).unwrap()
}

/// The place of a message in its session is its name, too.
pub(super) fn message(seq: i64, role: MessageRole, content: Vec<Part>) -> Message {
    let is_answer = role == MessageRole::Assistant;
    Message {
        id: cuid(&seq.to_string()),
        session: cuid("session"),
        seq,
        depth: 1,
        parent: None,
        role,
        content,
        model: is_answer.then(|| ModelName::parse("demo").unwrap()),
        usage: None,
        finish_reason: is_answer.then_some(FinishReason::Stop),
        reply: is_answer.then(|| cuid(&format!("reply{seq}"))),
        status: ReplyStatus::Done,
        created_at: Timestamp(0),
    }
}

/// The reply that becomes the message of that place.
pub(super) fn reply(seq: i64, attempt: u32) -> Reply {
    Reply {
        id: cuid(&format!("reply{seq}")),
        session: cuid("session"),
        prompt: cuid(&(seq - 1).to_string()),
        message: cuid(&seq.to_string()),
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

pub(super) fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "weather".into(),
        arguments: arguments.into(),
    })
}

pub(super) fn output(call: &str, output: &str) -> Part {
    Part::ToolOutput(ToolOutput {
        call: call.into(),
        output: output.into(),
    })
}
