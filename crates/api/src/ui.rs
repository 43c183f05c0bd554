//! The web page, out of the binary: what `web/` is built to, as `build.rs` has packed it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat::{Chat, Error};

use crate::fault::Fault;

/// A file of the page.
struct File {
    path: &'static str,
    media_type: &'static str,
    /// The SHA-256 of its bytes.
    hash: &'static str,
    bytes: &'static [u8],
    /// Compressed, unless that would make it longer.
    gzip: Option<&'static [u8]>,
}

const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
const INDEX: &str = "/index.html";
/// Where the files are that have a hash in their names.
const HASHED: &str = "/assets/";

/// The paths that the page itself tells apart.
const PLACES: [&str; 7] = [
    "/",
    "/c/{id}",
    "/settings",
    "/settings/{*place}",
    "/admin",
    "/admin/{*place}",
    "/signin",
];

/// The page loads and calls nothing but this server, shows no image from elsewhere (which would tell
/// that it is seen), and makes no text a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types svelte-trusted-html dompurify chatkeep";

/// The page, its files, and, while there is no account, `/setup/{code}`.
pub(crate) fn routes(setup_code: Option<String>) -> Router<Arc<Chat>> {
    let index = async |headers: HeaderMap| show(INDEX, &headers);
    let file = async |uri: Uri, headers: HeaderMap| show(uri.path(), &headers);
    let mut router = Router::new().route("/assets/{*name}", get(file));
    for place in PLACES {
        router = router.route(place, get(index));
    }
    for one in FILES.iter().filter(|one| !one.path.starts_with(HASHED)) {
        router = router.route(one.path, get(file));
    }
    if let Some(code) = setup_code {
        let first =
            async move |State(chat): State<Arc<Chat>>, path: RawPathParams, headers: HeaderMap| {
                let is_given = path.iter().any(|(_, given)| given == code);
                if !is_given || !chat.is_new().await? {
                    return Err(Fault::Chat(Error::NotFound));
                }
                show(INDEX, &headers)
            };
        router = router.route("/setup/{code}", get(first));
    }
    router
}

fn show(path: &str, headers: &HeaderMap) -> Result<Response, Fault> {
    let file = FILES.iter().find(|file| file.path == path);
    let file = file.ok_or(Fault::UnknownPath)?;
    let cache = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    // Weak, since it is of the bytes before they were compressed.
    let tag = format!("W/\"{}\"", file.hash);
    let is_known = values(headers, header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.trim_start_matches("W/") == &tag[2..]);
    let about = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let kind = [(header::CONTENT_TYPE, file.media_type)];
    let takes_gzip = values(headers, header::ACCEPT_ENCODING).any(is_gzip);
    Ok(match file.gzip.filter(|_| takes_gzip) {
        Some(gzip) => (about, kind, [(header::CONTENT_ENCODING, "gzip")], gzip).into_response(),
        None => (about, kind, file.bytes).into_response(),
    })
}

/// The values of a header that is a list.
fn values(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let all = headers.get_all(name).into_iter();
    let all = all.filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether an encoding that is taken is gzip, and not only named to be refused.
fn is_gzip(encoding: &str) -> bool {
    let (name, quality) = encoding.split_once(";q=").unwrap_or((encoding, "1"));
    name.eq_ignore_ascii_case("gzip") && quality.parse() != Ok(0.0)
}
