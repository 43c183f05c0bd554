//! The API's reference, in a real browser.

use std::process::Command;

use crate::every_route::document;
use crate::server::Server;

/// What a browser has made of a page, once its scripts have run.
fn seen(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=10000", "--dump-dom", url])
        .output()
        .expect("chromium is needed; ./test installs it");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_show_every_operation_of_the_document() {
    let server = Server::start();
    let document = document(&server).await;
    let page = seen(&format!("{}/docs", server.base));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{path}: {page}");
        }
    }
    assert!(
        page.contains("My File Chat") && page.contains("# EOF"),
        "{page}"
    );
    assert!(!page.contains("can't be shown"), "{page}");
}
