use std::process::Command;

use crate::server::Server;

/// The shell blocks of the README, and of the page on streams, that call the API.
fn curls() -> Vec<&'static str> {
    let readme = include_str!("../../../../README.md");
    let streaming = include_str!("../../../../docs/streaming.md");
    let blocks = [readme, streaming].map(|page| page.split("```sh\n").skip(1));
    let blocks = blocks.into_iter().flatten();
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.contains("curl")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curls_of_the_readme_work_when_pasted() {
    let server = Server::start();
    let script = format!(
        "set -eu; curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{}",
        curls().join("\n")
    );
    assert_eq!(script.matches("127.0.0.1:8642").count(), 10);
    let output = Command::new("bash")
        .args(["-c", &script.replace("http://127.0.0.1:8642", &server.base)])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(r#""chatName":"Holiday plans for May""#),
        "{text}"
    );
    assert!(text.contains("Words in it: 4."), "{text}");
    assert_eq!(text.matches("event: finished").count(), 2, "{text}");
    let completed = text.matches("event: response.completed").count();
    assert_eq!(completed, 1, "{text}");
    assert!(
        text.contains(r#"{"data":{"id":1,"title":"Holiday plans for May""#),
        "{text}"
    );
}

#[tokio::test]
async fn every_path_in_the_readme_is_served() {
    let server = Server::start();
    let document = crate::every_route::document(&server).await;
    let readme = include_str!("../../../../README.md");
    for word in readme.split(|c: char| c.is_whitespace() || "`'\"|,".contains(c)) {
        let path = word.split('?').next().unwrap();
        if path.starts_with("/api/") && !path.ends_with("/…") {
            assert!(document["paths"].get(path).is_some(), "{path}");
        }
    }
    for path in ["/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"] {
        assert!(readme.contains(path));
        assert_eq!(server.stranger().get(path).await.status, 200, "{path}");
    }
}
