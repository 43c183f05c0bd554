use super::{Account, Cuid, SecretText};

/// Who is asking: an account that has proven itself with a token.
///
/// Only [`Chat::authenticate`](crate::Chat::authenticate) makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) account: Account,
    pub(crate) token: Cuid,
    pub(crate) secret: SecretText,
}

impl Caller {
    /// The account that is asking.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The owner of whatever this caller makes or may see.
    pub fn id(&self) -> &Cuid {
        &self.account.id
    }

    /// The token that this is proven by.
    pub fn token(&self) -> &Cuid {
        &self.token
    }
}

/// A caller who is an administrator.
///
/// Only [`Chat::admin`](crate::Chat::admin) makes one.
#[derive(Clone, Debug)]
pub struct Admin(pub(crate) Caller);
