//! `docs/clients.md` does what it says.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::installed;
use crate::client::{Client, send};
use crate::server::Server;
use crate::sse::{Event, Events};

const ADDRESS: &str = "http://127.0.0.1:8642";

/// The blocks of the page in a language, as they would be pasted against this server.
fn blocks(language: &str, server: &Server) -> Vec<String> {
    let page = include_str!("../../../../../docs/clients.md");
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    let blocks: Vec<String> = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .map(|block| block.replace(ADDRESS, &server.base))
        .collect();
    assert!(!blocks.is_empty(), "{language}");
    blocks
}

/// Runs it as somebody with a token does; gives what it prints.
fn pasted(mut program: Command, arguments: &[&str], ada: &Client) -> String {
    let program = program
        .args(arguments)
        .current_dir(installed())
        .env("TOKEN", ada.token.as_ref().unwrap());
    let Output {
        status,
        stdout,
        stderr,
    } = program.output().unwrap();
    let (said, errors) = (String::from_utf8(stdout), String::from_utf8(stderr));
    assert!(status.success(), "{}", errors.unwrap());
    said.unwrap()
}

fn node() -> Command {
    Command::new(installed().join("node"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_python_work_when_pasted() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let script = blocks("python", &server).join("\n");
    let python = Command::new(installed().join("venv/bin/python"));
    let said = pasted(python, &["-c", &script], &ada);
    assert_eq!(said.matches("This is the demo model.").count(), 2, "{said}");
    assert!(said.contains("4 response.output_text.delta\n"), "{said}");
    assert!(said.ends_with(" response.completed\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_node_work_when_pasted() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let script = &blocks("js", &server)[0];
    let said = pasted(node(), &["--input-type=module", "-e", script], &ada);
    assert_eq!(said.matches("This is the demo model.").count(), 2, "{said}");
    assert!(said.contains("user Where to in May?\nassistant "), "{said}");
}

/// The component itself needs a page and a compiler; its transport and its history do not.
#[tokio::test(flavor = "multi_thread")]
async fn the_transport_for_the_ai_sdk_works_when_pasted() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let used = "const parts = [{ type: 'text', text: 'Where to in May?' }];
        const messages = [{ id: 'mine', role: 'user', parts }];
        const trigger = 'submit-message';
        const stream = await transport.sendMessages({ chatId: 'holiday', messages, trigger });
        const chunks = await Array.fromAsync(stream);
        const late = await transport.reconnectToStream({ chatId: 'holiday' });
        const { status } = await stop('holiday');
        const roles = (await history('holiday')).map(({ role }) => role);
        console.log(JSON.stringify({ end: chunks.at(-1).type, late, status, roles }));";
    let block = blocks("js", &server)[1].clone();
    for version in ["ai5", "ai6", "ai7"] {
        let block = block.replace("from 'ai'", &format!("from '{version}'"));
        let block = block.replace("export ", "");
        let script = format!("{block}\n{}", used.replace("holiday", version));
        let said = pasted(node(), &["--input-type=module", "-e", &script], &ada);
        let expected =
            json!({ "end": "finish", "late": null, "status": 204, "roles": ["user", "assistant"] });
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_curl_work_when_pasted() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let script = format!(
        "set -eu; curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{}",
        blocks("sh", &server).join("\n")
    );
    let said = pasted(Command::new("bash"), &["-c", &script], &ada);
    assert!(said.contains(r#""object":"chat.completion""#), "{said}");
    assert!(said.contains("event: response.completed"), "{said}");
    assert_eq!(
        said.matches(r#""object":"conversation""#).count(),
        2,
        "{said}"
    );
}

/// What these programs send, as their sources have it; they themselves are too large to be run here.
#[tokio::test]
async fn front_ends_find_what_they_ask_for_at_the_address_on_the_page() {
    let server = Server::start();
    let ada = server.user("ada@example.com");
    let open_webui = setting(&blocks("env", &server)[0], "OPENAI_API_BASE_URL=");
    let libre_chat = setting(&blocks("yaml", &server)[0], "baseURL: ");
    let words = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hello" }]);
    let parts = json!([{ "role": "user", "content": [{ "type": "text", "text": "Hello" }] }]);
    let chats = [
        // Open WebUI: a message, and the name that it gives to a chat.
        (
            &open_webui,
            json!({ "stream": true, "model": "demo", "messages": words,
            "stream_options": { "include_usage": true }, "reasoning": { "effort": "low" } }),
        ),
        (
            &open_webui,
            json!({ "stream": false, "model": "demo", "messages": words, "max_completion_tokens": 1_000 }),
        ),
        // LibreChat: the same.
        (
            &libre_chat,
            json!({ "model": "demo", "temperature": 0.7, "top_p": 1, "presence_penalty": 0,
            "frequency_penalty": 0, "n": 1, "user": "65f0", "stream": true,
            "stream_options": { "include_usage": true }, "messages": parts }),
        ),
        (
            &libre_chat,
            json!({ "model": "demo", "temperature": 0.2, "stream": false, "messages": parts }),
        ),
    ];
    for (base, body) in chats {
        let path = base.strip_prefix(&server.base).unwrap();
        let models = ada.get(&format!("{path}/models")).await;
        assert_eq!(models.body["data"][0]["id"], "demo", "{models:?}");
        let asked = ada.request("POST", &format!("{path}/chat/completions"));
        // Headers that nobody knows do no harm.
        let asked = asked.header("X-OpenWebUI-User-Name", "Ada").json(&body);
        let text = if body["stream"] == true {
            whole(asked).await
        } else {
            let answer = send(asked).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body["choices"][0]["message"]["content"].to_string()
        };
        assert!(text.contains("This is the demo model."), "{text}");
    }
}

fn setting(block: &str, name: &str) -> String {
    let found = block
        .lines()
        .find_map(|line| line.trim().strip_prefix(name));
    found.unwrap().into()
}

/// The text of a streamed completion, which must end as these programs expect it.
async fn whole(request: reqwest::RequestBuilder) -> String {
    let mut events = Events::open(request).await.rest().await;
    assert_eq!(events.pop().unwrap().data, "[DONE]");
    let usage = events.pop().unwrap().json();
    assert!(usage["usage"]["total_tokens"].as_u64() > Some(0), "{usage}");
    let deltas = events.iter().map(Event::json);
    let texts = deltas.map(|delta| delta["choices"][0]["delta"]["content"].clone());
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
