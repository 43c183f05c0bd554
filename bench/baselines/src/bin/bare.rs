//! The least that axum can do: `bare ADDRESS SESSION_FILE LIST_FILE` answers with the two files,
//! which hold answers of the product, so that it moves as many bytes.

use std::error::Error;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, session, list] = args.as_slice() else {
        return Err("usage: bare ADDRESS SESSION_FILE LIST_FILE".into());
    };
    let session = Bytes::from(std::fs::read(session)?);
    let list = Bytes::from(std::fs::read(list)?);
    let router = Router::new()
        .route("/api/v1/chat", get(async || json(list)))
        .route("/api/v1/chat/{id}", get(async || json(session)));
    Ok(baselines::serve(address, router).await?)
}

fn json(body: Bytes) -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}
