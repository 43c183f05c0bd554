//! The limits of HTTP, with their units.

use std::time::Duration;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES: usize = 1 << 20;
/// The same where clients send all of a conversation with each message.
pub(crate) const CONVERSATION_BYTES: usize = 8 << 20;
/// Messages of a conversation that are looked at, from the newest on, for one that the server knows.
pub(crate) const MESSAGES_TRACED: usize = 20;
/// Bytes of a refused body that are still read and thrown away, and how long that may take.
pub(crate) const DISCARDED_BYTES: usize = 16 << 20;
/// See [`DISCARDED_BYTES`].
pub(crate) const DISCARDING_TIME: Duration = Duration::from_secs(5);
/// How long a request may take until its answer begins: the longest wait for a reply, and half a
/// minute.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(90);
/// The same where clients expect a whole answer, however long a model writes it.
pub(crate) const WHOLE_ANSWER_REQUEST_TIME: Duration = Duration::from_mins(11);
/// Items that a conversation is given at once.
pub(crate) const ITEMS_CREATED: usize = 20;
/// Items, or messages, of one request that asks a model.
pub(crate) const INPUT_ITEMS: usize = 1_000;
/// Seconds that a request may wait for the end of a reply.
pub(crate) const WAIT_SECONDS: u32 = 60;
/// How long an event stream is silent at most.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);
/// Characters of a request id that a client may choose.
pub(crate) const REQUEST_ID_CHARS: usize = 64;
/// Entity tags in one `If-Match`.
pub(crate) const IF_MATCH_TAGS: usize = 20;
