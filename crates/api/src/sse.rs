//! Event streams: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::convert::Infallible;

use axum::BoxError;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;

use crate::fault::Fault;
use crate::limits;

/// What is said about something that is no number of an event.
pub(crate) const NO_NUMBER: &str = "is not the number of an event";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An answer that goes on as long as there are events; a comment keeps a silent one alive.
pub(crate) fn answer(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    breakable(events)
}

/// As [`answer`]; an error breaks the connection, so that the client knows that there would be more.
pub(crate) fn breakable<E: Into<BoxError> + 'static>(
    events: impl Stream<Item = Result<Event, E>> + Send + 'static,
) -> Response {
    let ping = KeepAlive::new().interval(limits::PING_EVERY).text("ping");
    let mut response = Sse::new(events).keep_alive(ping).into_response();
    // nginx would gather the events otherwise.
    let buffering = HeaderName::from_static("x-accel-buffering");
    let headers = response.headers_mut();
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// An event: its number, its kind and its JSON.
pub(crate) fn event(id: i64, kind: &str, data: &impl Serialize) -> Event {
    with(Event::default().id(id.to_string()).event(kind), data)
}

/// An event that is nothing but its JSON.
pub(crate) fn data(data: &impl Serialize) -> Event {
    with(Event::default(), data)
}

fn with(event: Event, data: &impl Serialize) -> Event {
    // What fails here is a mistake of ours; a client then sees an event without data.
    match serde_json::to_string(data) {
        Ok(json) => event.data(json),
        Err(error) => {
            tracing::error!(%error, "an event can't be written as JSON");
            event
        }
    }
}

/// Behind which event a stream is to begin: a browser that connects again says so in a header, and
/// still has the parameter that it came with first.
pub(crate) fn after(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<i64>, Fault> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str());
    let (field, text) = match (header, parameter) {
        (Some(Ok("")) | None, None) => return Ok(None),
        (Some(Ok("")) | None, Some(text)) => ("after", text),
        (Some(text), _) => ("Last-Event-ID", text.unwrap_or_default()),
    };
    let number: Option<i64> = text.parse().ok().filter(|number| *number >= 0);
    number
        .map(Some)
        .ok_or_else(|| Fault::invalid(field, NO_NUMBER))
}
