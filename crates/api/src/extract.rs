//! What handlers take out of a request. Each refusal names the field that is at fault.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use chat::Chat;
use chat::types::{
    Cuid, ExternalId, Fingerprint, IdempotencyKey, Once, PageSize, Precondition, SessionKey, Tries,
    Version,
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::limits;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What is said about something that is no key.
pub(crate) const NO_KEY: &str = "must be 1 to 255 visible ASCII characters";
/// How often a client of OpenAI's has tried before.
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// A change with a JSON body.
pub(crate) struct Change<T> {
    pub(crate) body: T,
    pub(crate) terms: Terms,
}

/// Under which terms a change is to happen. Taken alone by a change without a body.
pub(crate) struct Terms {
    /// From `Idempotency-Key`, or from the count of tries of an SDK.
    pub(crate) once: Option<Once>,
    /// From `If-Match`.
    pub(crate) precondition: Precondition,
}

impl<T: DeserializeOwned> FromRequest<Arc<Chat>> for Change<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Chat>) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let limit = Dialect::at(parts.uri.path()).body_bytes;
        let bytes = read(body, limit).await?;
        Ok(Self {
            body: parse(&bytes)?,
            terms: terms(&parts, &bytes)?,
        })
    }
}

impl FromRequestParts<Arc<Chat>> for Terms {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Chat>) -> Result<Self, Fault> {
        terms(parts, b"")
    }
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    let mut chunks = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Fault::invalid("body", "could not be read to its end"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(Fault::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    // Serde would take an array for the fields of a struct in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Fault::invalid("body", "is not a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(refusal)?;
    json.end()
        .map_err(|error| Fault::invalid("body", format!("is not JSON: {error}")))?;
    Ok(body)
}

fn refusal(error: serde_path_to_error::Error<serde_json::Error>) -> Fault {
    if error.inner().is_data() {
        at_fault("body", &error)
    } else {
        Fault::invalid("body", format!("is not JSON: {}", error.inner()))
    }
}

/// Names the field: the path to it, or the name that serde misses or has met twice. If it is none of
/// some words, these are named too.
fn at_fault<E: ToString>(whole: &str, error: &serde_path_to_error::Error<E>) -> Fault {
    let text = error.inner().to_string();
    let path = error.path().to_string();
    let named = |problem| text.strip_prefix(problem)?.split('`').next();
    let words = |text: &str| {
        let words = text.rsplit_once("expected one of ")?.1;
        Some(words.split(" at line ").next()?.replace('`', ""))
    };
    let words = text.strip_prefix("unknown variant `").and_then(words);
    let (name, reason) = match (named("missing field `"), named("duplicate field `"), words) {
        (Some(name), ..) => (name, "is required".to_owned()),
        (_, Some(name), _) => (name, "is there twice".to_owned()),
        (.., Some(words)) => ("", format!("must be one of: {words}")),
        _ => ("", format!("is not what it should be: {text}")),
    };
    let field = match (path.as_str(), name) {
        (".", "") => whole.to_owned(),
        (".", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) => format!("{path}.{name}"),
    };
    Fault::invalid(field, reason)
}

/// For `#[serde(deserialize_with)]` of a field that may be left out but not be null.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// As [`present`], for a field that may also be null.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}

fn terms(parts: &Parts, body: &[u8]) -> Result<Terms, Fault> {
    Ok(Terms {
        once: once(parts, body)?,
        precondition: precondition(parts)?,
    })
}

fn once(parts: &Parts, body: &[u8]) -> Result<Option<Once>, Fault> {
    let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
        return Ok(counted(parts, body));
    };
    let key = value.to_str().ok().and_then(IdempotencyKey::parse);
    let key = key.ok_or_else(|| Fault::invalid("Idempotency-Key", NO_KEY))?;
    let request = fingerprint(parts, body);
    Ok(Some(Once {
        key,
        request,
        tries: Tries::Keyed,
    }))
}

/// What stands in for a key where a client counts its own tries: who asks for what.
///
/// Such a client asks for the same again without meaning the same: only a try after the first one
/// looks for what was done.
fn counted(parts: &Parts, body: &[u8]) -> Option<Once> {
    let count = parts.headers.get(RETRY_COUNT)?.to_str().ok()?;
    let count: u32 = count.parse().ok()?;
    let path = parts.uri.path();
    if !(Dialect::at(path).counts_tries)(path) {
        return None;
    }
    let request = fingerprint(parts, body);
    let token = parts.headers.get(header::AUTHORIZATION)?.as_bytes();
    let digest = Sha256::new().chain_update(request).chain_update(token);
    Some(Once {
        key: hashed_key("sdk-", digest.finalize().into())?,
        request,
        tries: if count == 0 {
            Tries::First
        } else {
            Tries::Later
        },
    })
}

/// A key that is made of a digest.
pub(crate) fn hashed_key(prefix: &str, digest: [u8; 32]) -> Option<IdempotencyKey> {
    let digest = URL_SAFE_NO_PAD.encode(digest);
    IdempotencyKey::parse(&format!("{prefix}{digest}"))
}

fn fingerprint(parts: &Parts, body: &[u8]) -> Fingerprint {
    // A method and a path hold no line break, so no two requests run together.
    Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update("\n")
        .chain_update(parts.uri.path())
        .chain_update("\n")
        .chain_update(body)
        .finalize()
        .into()
}

/// Reads `If-Match` (RFC 9110, 13.1.1). A weak tag never matches there, and nor does one that this
/// server did not make.
fn precondition(parts: &Parts) -> Result<Precondition, Fault> {
    let mut versions = Vec::new();
    let mut any = false;
    let mut present = false;
    for value in parts.headers.get_all(header::IF_MATCH) {
        present = true;
        let value = value
            .to_str()
            .map_err(|_| Fault::invalid("If-Match", "is not ASCII"))?;
        for tag in value.split(',').map(str::trim) {
            any |= tag == "*";
            let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            // Tags are compared as they are written: "01" is not "1".
            let version = bare.and_then(|tag| tag.parse::<Version>().ok());
            versions.extend(version.filter(|version| bare == Some(version.to_string().as_str())));
        }
        if versions.len() > limits::IF_MATCH_TAGS {
            return Err(Fault::invalid("If-Match", "has too many entity tags"));
        }
    }
    Ok(if any || !present {
        Precondition::None
    } else {
        Precondition::VersionIn(versions)
    })
}

/// The session that a path names, by its number or by its CUID.
pub(crate) struct SessionInPath(pub(crate) SessionKey);

impl FromRequestParts<Arc<Chat>> for SessionInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        session_key(&segment(parts, chat, "id").await?, "id").map(Self)
    }
}

/// What a path calls a session: its CUID, or a name that its client gave it.
pub(crate) struct NamedInPath(pub(crate) ExternalId);

impl FromRequestParts<Arc<Chat>> for NamedInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        ExternalId::parse(&segment(parts, chat, "id").await?)
            .map(Self)
            .map_err(|error| Fault::invalid("id", error))
    }
}

/// The reply that a path names, and its session.
pub(crate) struct ReplyInPath(pub(crate) SessionKey, pub(crate) Cuid);

impl FromRequestParts<Arc<Chat>> for ReplyInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        let session = session_key(&segment(parts, chat, "id").await?, "id")?;
        let reply = cuid(&segment(parts, chat, "rid").await?, "rid")?;
        Ok(Self(session, reply))
    }
}

/// The CUID in a path.
pub(crate) struct CuidInPath(pub(crate) Cuid);

impl FromRequestParts<Arc<Chat>> for CuidInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        cuid(&segment(parts, chat, "id").await?, "id").map(Self)
    }
}

/// Reads what a field says about a session.
pub(crate) fn session_key(text: &str, field: &str) -> Result<SessionKey, Fault> {
    SessionKey::parse(text).map_err(|error| Fault::invalid(field, error))
}

/// Reads a field that holds a CUID.
pub(crate) fn cuid(text: &str, field: &str) -> Result<Cuid, Fault> {
    Cuid::parse(text).map_err(|error| Fault::invalid(field, error))
}

pub(crate) async fn segment(
    parts: &mut Parts,
    chat: &Arc<Chat>,
    name: &str,
) -> Result<String, Fault> {
    let all = RawPathParams::from_request_parts(parts, chat)
        .await
        .map_err(|_| Fault::invalid(name, "is not UTF-8"))?;
    let mut all = all.iter();
    let found = all.find(|(found, _)| *found == name);
    Ok(found.map_or_else(String::new, |(_, text)| text.to_owned()))
}

/// The parameters behind the `?`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Chat>> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Chat>) -> Result<Self, Fault> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| at_fault("query", &error))
    }
}

/// Which part of a list the parameters `cursor` and `limit` ask for.
pub(crate) fn paging<P: Cursor>(
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<(Option<P>, PageSize), Fault> {
    let after = cursor
        .map(|cursor| P::read(cursor).map_err(|error| Fault::invalid("cursor", error)))
        .transpose()?;
    let size = match limit {
        Some(limit) => PageSize::new(limit).map_err(|error| Fault::invalid("limit", error))?,
        None => PageSize::default(),
    };
    Ok((after, size))
}
