//! The limits of the bus, each with its unit.

use std::time::Duration;

/// Bytes of a reply's events that travel at once; beyond it they are read from the rows.
pub const FRAME_BYTES: usize = 512 * 1024;
/// News that wait to be sent; further ones are dropped.
pub const TOLD: usize = 1_024;
/// Bytes of news that wait to be sent.
pub const TOLD_BYTES: usize = 16 << 20;
/// News that wait to be heard; one more, and all of them are dropped for a gap.
pub const HEARD: usize = 4_096;
/// Bytes of news that wait to be heard.
pub const HEARD_BYTES: usize = 64 << 20;
/// News and subscriptions between the queue of what is told and the connection.
pub const COMMANDS: usize = 64;
/// Characters of a prefix.
pub const PREFIX_CHARS: usize = 64;
/// How long a silent connection is trusted before the server is asked for a sign of life. The
/// third that would have to be asked for without an answer ends the connection.
pub const PING: Duration = Duration::from_secs(5);
/// How long the server may take to say that it has the subscriptions of a new connection.
pub const ANSWER: Duration = Duration::from_secs(2);
/// How long to wait before the first attempt to connect. It doubles with each further one.
pub const RETRY: Duration = Duration::from_millis(50);
/// The longest wait before an attempt to connect.
pub const RETRY_MOST: Duration = Duration::from_secs(2);
