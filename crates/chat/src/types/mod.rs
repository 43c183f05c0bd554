//! The nouns. A value of one of these types is well-formed by construction.

mod account;
mod caller;
mod cuid;
mod idempotency;
mod page;
mod session;
mod text;
mod time;
mod token;

pub use account::{Account, Credentials, NewAccount, Role};
pub use caller::Caller;
pub use cuid::{Cuid, CuidMint, InvalidCuid};
pub use idempotency::{Fingerprint, IdempotencyKey, Once};
pub use page::{InvalidPageSize, Page, PageSize};
pub use session::{
    InvalidChoice, NewSession, Precondition, Session, SessionChange, SessionFilter, SessionKey,
    SessionKind, SessionPosition, SessionStatus, UnknownSessionKey, Version,
};
pub use text::{Email, InvalidText, Name, Password, SystemMessage, Title};
pub use time::Timestamp;
pub use token::{NewToken, Secret, SecretText, StoredToken, Token, TokenKind};
