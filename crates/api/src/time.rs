use chat::types::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

static MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// A time as every dialect writes it: RFC 3339 in UTC, `2024-01-01T00:00:00.000Z`.
pub(crate) fn write(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::MAX);
    MILLISECONDS.timestamp_to_string(&time)
}

/// Reads an RFC 3339 time.
pub(crate) fn read(text: &str) -> Result<Timestamp, &'static str> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "is not a time in RFC 3339, such as 2030-01-01T00:00:00Z")?;
    Ok(Timestamp(time.as_millisecond()))
}
