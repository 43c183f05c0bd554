use super::{Cuid, Email, InvalidChoice, Name, Timestamp};

/// Somebody who owns sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's identifier, and the owner in the key of everything that it owns.
    pub id: Cuid,
    /// Unique among all accounts.
    pub email: Email,
    /// What the person wants to be called.
    pub name: Option<Name>,
    /// What the account may do.
    pub role: Role,
    /// Since when it has been disabled; a disabled account can neither sign in nor use a token.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything; the first account is one.
    Admin,
    /// What concerns its own sessions.
    User,
}

impl Role {
    /// The role's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }

    /// Reads a role's name.
    pub fn parse(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "admin" => Ok(Self::Admin),
            "user" => Ok(Self::User),
            _ => Err(InvalidChoice("admin, user")),
        }
    }
}

/// What is to be different in an account; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountChange {
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

/// An account that is about to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its identifier.
    pub id: Cuid,
    /// Its e-mail address.
    pub email: Email,
    /// Its name.
    pub name: Option<Name>,
    /// Its role; the first account becomes [`Role::Admin`] whatever stands here.
    pub role: Role,
    /// The Argon2id hash of its password; without one only tokens let it in.
    pub password_hash: Option<String>,
    /// Now.
    pub created_at: Timestamp,
}

/// An account with what its password is checked against.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// The hash of its password, in PHC format.
    pub password_hash: Option<String>,
}
