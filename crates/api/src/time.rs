use std::borrow::Cow;

use chat::types::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A time as every dialect writes it: RFC 3339 in UTC, `2024-01-01T00:00:00.000Z`.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    /// The time of the examples: 2024-01-01T00:00:00.000Z.
    pub(crate) const EXAMPLE: Self = Self(Timestamp(1_704_067_200_000));
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_millisecond(self.0.0).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A day of UTC as administrators read it, `2024-01-01`: days since 1970-01-01.
#[derive(Clone, Copy)]
pub(crate) struct Day(pub(crate) i64);

impl Day {
    /// The day of the examples: 2024-01-01.
    pub(crate) const EXAMPLE: Self = Self(19_723);
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = Timestamp::of_day(self.0);
        let start = jiff::Timestamp::from_millisecond(start.0).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&start.strftime("%Y-%m-%d"))
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

/// A time in whole seconds since 1970.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000)
}

/// What is said about something that is no time.
pub(crate) const NO_TIME: &str = "is not a time in RFC 3339, such as 2030-01-01T00:00:00Z";

/// Reads an RFC 3339 time.
pub(crate) fn read(text: &str) -> Result<Timestamp, &'static str> {
    let time: jiff::Timestamp = text.parse().map_err(|_| NO_TIME)?;
    Ok(Timestamp(time.as_millisecond()))
}
