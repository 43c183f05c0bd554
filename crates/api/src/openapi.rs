//! The OpenAPI 3.1 document, made of the route tables themselves: a route can't be left out of it.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use chat::Error;
use chat::types::{InvalidCuid, InvalidPageSize, UnknownSessionKey};
use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::extract::NO_KEY;
use crate::fault::Fault;
use crate::operating;
use crate::route::{Route, Success};
use crate::{sse, time};

const REQUEST_ID: &str = "The request's name in the log: the client's own, or a new one.";

/// The document of these routes, as JSON.
pub(crate) fn document(routes: impl Iterator<Item = Route>) -> Bytes {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    for (path, summary, kind, example) in operating::DESCRIBED {
        let content = json!({ *kind: { "schema": { "type": "string" }, "example": example } });
        paths.insert((*path).to_owned(), operating_path(path, summary, content));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chatkeep",
            "description": "The server that keeps chat sessions.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            {
                "name": "chat_sessions",
                "description": "Sessions, in snake_case: the smaller of two ways to speak about \
                                the same things.",
            },
            {
                "name": "v1",
                "description": "Accounts, tokens, sessions, messages and replies, in camelCase and one \
                                envelope.",
            },
            {
                "name": "openai",
                "description": "The same sessions and replies as OpenAI's SDKs speak about them: \
                                conversations, responses and chat completions.",
            },
            {
                "name": "ai_sdk",
                "description": "What Vercel's AI SDK speaks: UI message streams, and errors as plain text.",
            },
            { "name": "operating", "description": "For an operator's tools. They need no token." },
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer <token>`; without it a browser's cookie is \
                                    taken, for changes from this server's own page alone.",
                },
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Authorization: <token>`; `Bearer <token>` is taken as well.",
                },
            },
        },
    });
    Bytes::from(document.to_string())
}

fn operation(route: &Route) -> Value {
    let dialect = Dialect::at(route.path);
    let mut operation = json!({
        "operationId": operation_id(&route.method, route.path),
        "tags": [dialect.name],
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses(route, dialect),
    });
    if route.deprecated {
        operation["deprecated"] = json!(true);
    }
    if !route.open {
        operation["security"] = json!([{ dialect.security: [] }]);
    }
    if let Some(body) = &route.body {
        let content = content(&(body.schema)(), &body.example);
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// What an operator's tools ask for: text, not JSON.
fn operating_path(path: &str, summary: &str, content_of_success: Value) -> Value {
    let mut operation = json!({
        "operationId": operation_id(&Method::GET, path),
        "tags": ["operating"],
        "summary": summary,
        "responses": {
            "200": {
                "description": "OK",
                "headers": { "X-Request-Id": header(REQUEST_ID) },
                "content": content_of_success,
            },
        },
    });
    if path == "/readyz" {
        let schema = (crate::v1::DIALECT.error_schema)(StatusCode::SERVICE_UNAVAILABLE);
        let example = (crate::v1::DIALECT.error)(&Fault::Chat(Error::Unavailable(String::new())));
        operation["responses"]["503"] =
            json!({ "description": "Service Unavailable", "content": content(&schema, &example) });
    }
    json!({ "get": operation })
}

fn operation_id(method: &Method, path: &str) -> String {
    let words = path
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let method = method.as_str().to_ascii_lowercase();
    std::iter::once(method.as_str())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

fn parameters(route: &Route) -> Value {
    let mut parameters = Vec::new();
    for (name, schema) in &route.ids {
        parameters
            .push(json!({ "name": name, "in": "path", "required": true, "schema": schema() }));
    }
    if let Some(query) = route.query {
        for (name, schema) in query()["properties"].as_object().into_iter().flatten() {
            parameters.push(json!({
                "name": name,
                "in": "query",
                "description": schema["description"],
                "schema": schema,
            }));
        }
    }
    if route.once {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The change happens once per key, for 24 hours; a retry gets the first \
                            answer again.",
            "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
        }));
    }
    if route.if_match {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            "description": "The change happens only if the session still has this `ETag`.",
            "schema": { "type": "string", "pattern": "^(\\*|\"[0-9]{1,18}\")$" },
        }));
    }
    Value::Array(parameters)
}

fn responses(route: &Route, dialect: &Dialect) -> Value {
    let mut responses = Map::new();
    for (status, success) in &route.success {
        let answer = responses
            .entry(status.as_str().to_owned())
            .or_insert_with(|| {
                json!({
                    "description": status.canonical_reason().unwrap_or_default(),
                    "headers": headers(route),
                    "content": {},
                })
            });
        match success {
            Success::Json(body) => {
                answer["content"]["application/json"] =
                    json!({ "schema": (body.schema)(), "example": body.example });
            }
            Success::Events(example) => {
                // A schema would be one for each event, and they differ.
                answer["content"]["text/event-stream"] = json!({ "example": example });
            }
            Success::Nothing => {}
        }
    }
    for status in errors(route, dialect) {
        let schema = (dialect.error_schema)(status);
        let example = match refusal(status, route, dialect) {
            Some(refusal) => (dialect.error)(refusal),
            None => (dialect.error)(&sample(status, route, dialect)),
        };
        let answer = json!({
            "description": status.canonical_reason().unwrap_or_default(),
            "headers": error_headers(status),
            "content": content(&schema, &example),
        });
        responses.insert(status.as_str().to_owned(), answer);
    }
    Value::Object(responses)
}

fn headers(route: &Route) -> Value {
    let mut headers = json!({ "X-Request-Id": header(REQUEST_ID) });
    if route.entity_tag {
        headers["ETag"] = header("The session's version, for `If-Match`.");
    }
    if route.location {
        headers["Location"] = header("The path of what was made.");
    }
    headers
}

fn error_headers(status: StatusCode) -> Value {
    let mut headers = json!({ "X-Request-Id": header(REQUEST_ID) });
    if [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status)
    {
        headers["Retry-After"] = header("Seconds after which it is worth trying again.");
    }
    headers
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

fn content(schema: &Value, example: &Value) -> Value {
    let kind = match example {
        Value::String(_) => "text/plain",
        _ => "application/json",
    };
    json!({ kind: { "schema": schema, "example": example } })
}

/// What a route can answer besides its success.
fn errors(route: &Route, dialect: &Dialect) -> BTreeSet<StatusCode> {
    let mut errors: BTreeSet<_> = route.errors.iter().copied().collect();
    errors.extend(route.refusals.iter().map(dialect.status));
    errors.extend([
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
    ]);
    if !route.open {
        errors.insert(StatusCode::UNAUTHORIZED);
    }
    if !route.ids.is_empty() {
        errors.insert(dialect.malformed_id);
        let is_something = |(_, success): &_| !matches!(success, Success::Nothing);
        // Where something or nothing is the answer, what is missing gets nothing.
        if route.success.len() == 1 || route.success.iter().all(is_something) {
            errors.insert(StatusCode::NOT_FOUND);
        }
    }
    if route.query.is_some() {
        errors.insert(StatusCode::BAD_REQUEST);
    }
    if route.body.is_some() {
        errors.extend([StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE]);
    }
    if route.once {
        errors.extend([
            StatusCode::BAD_REQUEST,
            StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY,
        ]);
    }
    if route.if_match {
        errors.insert(StatusCode::PRECONDITION_FAILED);
    }
    errors
}

/// A refusal of the route's own that has that status.
fn refusal<'a>(status: StatusCode, route: &'a Route, dialect: &Dialect) -> Option<&'a Fault> {
    let mut own = route.refusals.iter();
    own.find(|refusal| (dialect.status)(refusal) == status)
}

/// A fault that has that status on any route like this.
fn sample(status: StatusCode, route: &Route, dialect: &Dialect) -> Fault {
    match status {
        StatusCode::BAD_REQUEST if !route.ids.is_empty() && dialect.malformed_id == status => {
            if route.path.contains("/tokens/") || route.path.contains("/accounts/") {
                Fault::invalid("id", InvalidCuid)
            } else {
                Fault::invalid("id", UnknownSessionKey)
            }
        }
        StatusCode::BAD_REQUEST if has_parameter(route, "limit") => {
            Fault::invalid("limit", InvalidPageSize)
        }
        StatusCode::BAD_REQUEST if has_parameter(route, "after") => {
            Fault::invalid("after", sse::NO_NUMBER)
        }
        StatusCode::BAD_REQUEST if has_parameter(route, "from") => {
            Fault::invalid("from", time::NO_TIME)
        }
        StatusCode::BAD_REQUEST if has_parameter(route, "starting_after") => {
            Fault::invalid("starting_after", "needs stream")
        }
        StatusCode::BAD_REQUEST if route.body.is_none() => {
            Fault::invalid("Idempotency-Key", NO_KEY)
        }
        StatusCode::BAD_REQUEST => Fault::invalid(
            "body",
            "is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        StatusCode::UNAUTHORIZED if route.open => Fault::Chat(Error::WrongPassword),
        StatusCode::UNAUTHORIZED => Fault::Chat(Error::Unauthenticated),
        StatusCode::FORBIDDEN => Fault::Chat(Error::RegistrationClosed),
        StatusCode::NOT_FOUND => Fault::Chat(Error::NotFound),
        StatusCode::CONFLICT => Fault::Chat(Error::StillRunning),
        StatusCode::PRECONDITION_FAILED => Fault::Chat(Error::PreconditionFailed),
        StatusCode::PAYLOAD_TOO_LARGE => Fault::TooLarge {
            limit: dialect.body_bytes,
        },
        StatusCode::UNPROCESSABLE_ENTITY => Fault::Chat(Error::KeyReused),
        StatusCode::TOO_MANY_REQUESTS => Fault::Chat(Error::TooManyFailures {
            retry_after: std::time::Duration::from_secs(5),
        }),
        StatusCode::SERVICE_UNAVAILABLE => Fault::Chat(Error::Busy),
        _ => Fault::Chat(Error::Internal(String::new())),
    }
}

fn has_parameter(route: &Route, name: &str) -> bool {
    let query = route.query.map(|query| query());
    query.is_some_and(|query| query["properties"].get(name).is_some())
}
