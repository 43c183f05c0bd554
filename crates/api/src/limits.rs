//! The limits of HTTP, with their units.

use std::time::Duration;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES: usize = 1 << 20;
/// Bytes of a larger body that are read and thrown away, so that its sender gets to read the answer.
pub(crate) const BODY_BYTES_DISCARDED: usize = 16 << 20;
/// How long a request may take until its answer begins.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Characters of a request id that a client may choose.
pub(crate) const REQUEST_ID_CHARS: usize = 64;
/// Entity tags in one `If-Match`.
pub(crate) const IF_MATCH_TAGS: usize = 20;
