use super::*;

const HALF: usize = limits::OPTIONS_BYTES / 2;

fn options(description: usize, stop: usize) -> ModelOptions {
    let tool = Tool {
        name: ToolName::parse("look").unwrap(),
        description: Some("x".repeat(description)),
        parameters: None,
        strict: None,
    };
    let further = serde_json::json!({ "seed": 7, "stop": "x".repeat(stop) });
    ModelOptions {
        tools: vec![tool],
        further: Some(further.to_string()),
        ..ModelOptions::default()
    }
}

#[test]
fn what_is_wanted_of_one_reply_is_bounded_as_a_whole() {
    let around = options(0, 0).further.unwrap().len() + "look".len();
    let fits = options(HALF, HALF - around);
    assert!(bounded(fits, |field| field).is_ok());
    for (tools, stop, field) in [
        (HALF + 1, HALF - around, "tools"),
        (HALF - around, HALF + 1, "end"),
    ] {
        let named = |field: &str| if field == "stop" { "end" } else { "other" };
        let refused = bounded(options(tools, stop), named).unwrap_err();
        assert!(
            matches!(&refused, Fault::Invalid { field: at, .. } if at == field),
            "{refused:?}"
        );
    }
}
