//! What a browser adds to its requests: the cookie of a sign-in, and where they come from.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};

use crate::fault::Fault;

/// The token that the request's cookie holds.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    // Over HTTP/2 each cookie may have a header of its own.
    let all = headers.get_all(header::COOKIE).into_iter();
    let (name, _) = cookie_name(headers);
    // Bytes at first: what else is on this host may have put anything beside it.
    all.flat_map(|some| some.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .find_map(|(found, token)| (found == name).then_some(token))
}

/// The header that makes a browser keep a token for that long; no time at all makes it forget.
pub(crate) fn cookie(
    headers: &HeaderMap,
    token: &str,
    kept: Duration,
) -> [(HeaderName, String); 1] {
    let (name, secure) = cookie_name(headers);
    let seconds = kept.as_secs();
    let cookie =
        format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    [(header::SET_COOKIE, cookie)]
}

/// What the cookie is called, and what is said of it besides. Of a cookie with that prefix browsers make
/// sure that it is of this very host and came over TLS: so no other is looked at there.
fn cookie_name(headers: &HeaderMap) -> (&'static str, &'static str) {
    if is_over_tls(headers) {
        ("__Host-chatkeep", "; Secure")
    } else {
        ("chatkeep", "")
    }
}

/// Whether the client speaks TLS, with the proxy that stands before this server.
pub(crate) fn is_over_tls(headers: &HeaderMap) -> bool {
    let schemes = text(headers, "x-forwarded-proto").unwrap_or_default();
    // Each proxy adds its own behind those before it.
    let scheme = schemes.split(',').next().unwrap_or_default();
    scheme.trim().eq_ignore_ascii_case("https")
}

/// Refuses a request that a page from elsewhere may have made: a browser adds the cookie whoever asks.
pub(crate) fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Fault> {
    let is_own = if let Some(site) = text(headers, "sec-fetch-site") {
        ["same-origin", "none"].contains(&site)
    } else {
        // A browser that is old, or that came without TLS.
        let origin = text(headers, "origin").and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, host)| text(headers, "host") == Some(host))
    };
    is_own.then_some(()).ok_or(Fault::OtherSite)
}

/// Whether a page asks, as a browser says; programs say nothing of the kind.
pub(crate) fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
