//! The nouns. A value of one of these types is well-formed by construction.

mod account;
mod caller;
mod cuid;
mod event;
mod idempotency;
mod message;
mod model;
mod node;
mod options;
mod page;
mod reply;
mod session;
mod text;
mod time;
mod token;
mod tool;

pub use account::{Account, AccountChange, Credentials, NewAccount, Role};
pub use caller::{Admin, Caller};
pub use cuid::{Cuid, CuidMint, InvalidCuid};
pub use event::{Delta, Ending, Event, Folded, NumberedEvent, Run, fold, unfold};
pub use idempotency::{Fingerprint, IdempotencyKey, Once, Tries};
pub use message::{Branch, Message, MessageRole, MessageView, NewMessage, Parent, Part};
pub use model::{AccountUsage, DayUsage, SessionUsage, Span, TokenUsage, UsageReport, UsageSum};
pub use node::{Node, SeenNode};
pub use options::{InvalidMetadata, Metadata, ModelOptions, ReplyOptions};
pub use page::{InvalidPageSize, Page, PageSize};
pub use reply::{FinishReason, Reply, ReplyError, ReplyErrorKind, ReplyStatus, WhenBusy};
pub use session::{
    Head, InvalidChoice, NewSession, Precondition, Session, SessionChange, SessionFilter,
    SessionKey, SessionKind, SessionPosition, SessionStatus, UnknownSessionKey, Version,
};
pub use text::{
    CallId, Email, ExternalId, InvalidText, MessageText, ModelName, Name, Password, Search,
    SystemMessage, Title, ToolName, ToolText,
};
pub use time::Timestamp;
pub use token::{NewToken, Secret, SecretText, StoredToken, Token, TokenKind};
pub use tool::{Tool, ToolCall, ToolChoice, ToolOutput};
