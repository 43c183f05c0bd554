use super::{Cuid, ExternalId, Metadata, ModelName, Search, SystemMessage, Timestamp, Title};

/// A chat session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// A number that no other session has or ever had; exact in a JavaScript number.
    pub number: i64,
    /// The same session's CUID.
    pub id: Cuid,
    /// The account that it belongs to.
    pub owner: Cuid,
    /// What it is called.
    pub title: Title,
    /// Whether somebody, or a model, gave it that title.
    pub named: bool,
    /// What it is about.
    pub kind: SessionKind,
    /// Whether it is in use.
    pub status: SessionStatus,
    /// What a model is told before the first message.
    pub system_message: SystemMessage,
    /// The model that its replies are written by; `None` for the server's first one.
    pub model: Option<ModelName>,
    /// The last message of the active path.
    pub head: Option<Cuid>,
    /// What a client calls it; no other session of its owner is called so.
    pub external_id: Option<ExternalId>,
    /// What a client notes with it.
    pub metadata: Metadata,
    /// Goes up with each change.
    pub version: Version,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Counts a session's changes, from 1.
pub type Version = i64;

/// A word that is none of those that a field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {0}")]
pub struct InvalidChoice(pub(crate) &'static str);

/// What a session is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Talk.
    Text,
    /// Talk about a file.
    File,
}

impl SessionKind {
    /// The kind's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::File => "file",
        }
    }

    /// Reads a kind's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "text" => Ok(Self::Text),
            "file" => Ok(Self::File),
            _ => Err(InvalidChoice("text, file")),
        }
    }
}

/// Whether a session is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// In use.
    Active,
    /// Put aside by its owner.
    Deactivated,
}

impl SessionStatus {
    /// The status's name, in the database and in the v1 dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
        }
    }

    /// Reads a status's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "active" => Ok(Self::Active),
            "deactivated" => Ok(Self::Deactivated),
            _ => Err(InvalidChoice("active, deactivated")),
        }
    }
}

/// How a client names a session: by its number or by its CUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKey {
    /// The session's number.
    Number(i64),
    /// The session's CUID.
    Cuid(Cuid),
}

/// The text is neither a number nor a CUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither a number nor a CUID")]
pub struct UnknownSessionKey;

impl SessionKey {
    /// Reads a number or a CUID.
    pub fn parse(text: &str) -> Result<Self, UnknownSessionKey> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number too large to have been given out names no session, but it is a number.
            return Ok(Self::Number(text.parse().unwrap_or(i64::MAX)));
        }
        Cuid::parse(text)
            .map(Self::Cuid)
            .map_err(|_| UnknownSessionKey)
    }
}

/// A session that is about to be made; the store gives it its number.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its CUID.
    pub id: Cuid,
    /// Whose it is.
    pub owner: Cuid,
    /// What it is called.
    pub title: Title,
    /// See [`Session::named`].
    pub named: bool,
    /// What it is about.
    pub kind: SessionKind,
    /// See [`Session::system_message`].
    pub system_message: SystemMessage,
    /// See [`Session::external_id`].
    pub external_id: Option<ExternalId>,
    /// See [`Session::metadata`].
    pub metadata: Metadata,
    /// Now.
    pub created_at: Timestamp,
}

/// What is to be different in a session; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct SessionChange {
    /// The new title.
    pub title: Option<Title>,
    /// The new system message.
    pub system_message: Option<SystemMessage>,
    /// The new status.
    pub status: Option<SessionStatus>,
    /// The new model; `Some(None)` for the server's first one.
    pub model: Option<Option<ModelName>>,
    /// Where the active path is to end.
    pub head: Option<Head>,
    /// The new metadata, in place of all that was there.
    pub metadata: Option<Metadata>,
}

/// Where an active path is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// At this message.
    At(Cuid),
    /// At the newest message behind this one, or at this one if nothing follows it.
    Behind(Cuid),
}

impl Head {
    /// The message that it names.
    pub fn message(&self) -> &Cuid {
        match self {
            Self::At(id) | Self::Behind(id) => id,
        }
    }
}

/// What must be true of a session for a change to happen (RFC 9110, 13.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// Its version is one of these.
    VersionIn(Vec<Version>),
}

impl Precondition {
    /// Whether a session of this version may be changed.
    pub fn allows(&self, version: Version) -> bool {
        match self {
            Self::None => true,
            Self::VersionIn(versions) => versions.contains(&version),
        }
    }
}

/// Which sessions a list shows; `None` shows all.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only those of this status.
    pub status: Option<SessionStatus>,
    /// Only those of this kind.
    pub kind: Option<SessionKind>,
    /// Only those with this in their title.
    pub title: Option<Search>,
}

/// A place in the list of sessions, which runs from the newest change to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionPosition {
    /// The last change of the session at that place.
    pub updated_at: Timestamp,
    /// Its number, which decides between changes of the same millisecond.
    pub number: i64,
}

impl Session {
    /// Where the session stands in the list.
    pub fn position(&self) -> SessionPosition {
        SessionPosition {
            updated_at: self.updated_at,
            number: self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_is_a_key(number in 0..i64::MAX) {
            prop_assert_eq!(SessionKey::parse(&number.to_string()), Ok(SessionKey::Number(number)));
        }

        #[test]
        fn a_number_of_any_length_is_a_key(digits in "[0-9]{1,60}") {
            prop_assert!(matches!(SessionKey::parse(&digits), Ok(SessionKey::Number(_))));
        }

        #[test]
        fn a_key_is_a_number_or_a_cuid_and_nothing_else(text: String) {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let key = SessionKey::parse(&text);
            prop_assert_eq!(key.is_ok(), digits || Cuid::parse(&text).is_ok());
        }
    }
}
