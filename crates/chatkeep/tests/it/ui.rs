//! The web page as it comes out of the binary; `web/` has the tests of what it does.

use std::io::Read;

use crate::client::{Answer, send};
use crate::server::Server;

/// The asset that the page begins with.
async fn script(server: &Server) -> String {
    let index = server.stranger().get("/").await.text;
    let at = index.find("/assets/").unwrap();
    index[at..].split('"').next().unwrap().into()
}

async fn get(server: &Server, path: &str, header: (&str, &str)) -> Answer {
    let request = server.stranger().request("GET", path);
    send(request.header(header.0, header.1)).await
}

#[tokio::test]
async fn every_place_of_the_page_is_the_page_and_nothing_else_is() {
    let server = Server::start();
    let nobody = server.stranger();
    let index = nobody.get("/").await;
    assert!(index.text.starts_with("<!doctype html>"), "{index:?}");
    for path in [
        "/",
        "/c/clqb6q2rl0000v3k8s9x1m4zt",
        "/settings",
        "/settings/tokens",
        "/admin",
        "/admin/usage",
        "/signin",
    ] {
        let answer = nobody.get(path).await;
        assert_eq!((answer.status, &answer.text), (200, &index.text), "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none';",
            "script-src 'self';",
            "img-src 'self';",
            "frame-ancestors 'none';",
            "require-trusted-types-for 'script';",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains(':'),
            "{policy}"
        );
    }
    for path in [
        "/c",
        "/c/1/2",
        "/sign-in",
        "/assets",
        "/assets/",
        "/assets/a.js",
    ] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body["message"], "there is nothing at this path");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    assert_eq!(nobody.post("/", serde_json::json!({})).await.status, 405);
}

#[tokio::test]
async fn the_page_is_sent_again_only_when_it_has_changed() {
    let server = Server::start();
    for path in ["/".to_owned(), script(&server).await] {
        let first = server.stranger().get(&path).await;
        let tag = first.header("etag");
        let bare = tag.strip_prefix("W/").unwrap();
        assert!(bare.len() > 40 && bare.starts_with('"') && bare.ends_with('"'));
        let listed = format!("\"other\", {tag}");
        for known in [tag, bare, "*", &listed] {
            let answer = get(&server, &path, ("If-None-Match", known)).await;
            assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{known}");
            for name in ["etag", "cache-control", "content-security-policy"] {
                assert_eq!(answer.header(name), first.header(name), "{name}");
            }
        }
        for unknown in ["\"other\"", "", bare.trim_matches('"')] {
            let answer = get(&server, &path, ("If-None-Match", unknown)).await;
            assert_eq!((answer.status, &answer.text), (200, &first.text));
        }
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever() {
    let server = Server::start();
    let answer = server.stranger().get(&script(&server).await).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        answer.header("content-type"),
        "text/javascript; charset=utf-8"
    );
}

#[tokio::test]
async fn the_page_comes_compressed_to_who_takes_that() {
    let server = Server::start();
    let script = script(&server).await;
    let plain = server.stranger().get(&script).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.header("vary"), "accept-encoding");
    for taken in ["gzip", "br, GZIP", "deflate;q=0.5, gzip;q=0.5"] {
        let request = server.stranger().request("GET", &script);
        let answer = request.header("Accept-Encoding", taken).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{taken}");
        assert_eq!(answer.headers()["vary"], "accept-encoding");
        assert_eq!(answer.headers()["etag"], plain.header("etag"));
        let compressed = answer.bytes().await.unwrap();
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(&compressed[..]);
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text);
    }
    for taken in ["identity", "br", "gzip;q=0", "gzip; q=0.0"] {
        let answer = get(&server, &script, ("Accept-Encoding", taken)).await;
        assert_eq!(answer.header("content-encoding"), "", "{taken}");
        assert_eq!(answer.text, plain.text);
    }
}
