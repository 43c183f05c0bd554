//! What the product's parsers accept, as patterns for the OpenAPI document.

/// [`Title`](chat::types::Title) and [`Name`](chat::types::Name), but for their length.
pub(crate) const NOT_BLANK: &str = r"^[^\x00]*[^\s\x00][^\x00]*$";
/// [`SystemMessage`](chat::types::SystemMessage), but for its length.
pub(crate) const NO_NUL: &str = r"^[^\x00]*$";
/// [`Cuid`](chat::types::Cuid).
pub(crate) const CUID: &str = "^c[0-9a-z]{7,31}$";
/// [`SessionKey`](chat::types::SessionKey).
pub(crate) const SESSION_KEY: &str = "^([0-9]{1,16}|c[0-9a-z]{7,31})$";
/// [`ToolName`](chat::types::ToolName).
pub(crate) const TOOL_NAME: &str = "^[A-Za-z0-9_-]{1,64}$";
/// A cursor that this server made: 16 bytes in base64url.
pub(crate) const CURSOR: &str = "^[A-Za-z0-9_-]{21}[AQgw]$";
/// A cursor of the list of accounts: an e-mail address in base64url.
pub(crate) const ACCOUNT_CURSOR: &str = "^[A-Za-z0-9_-]+$";
/// As [`CURSOR`], of 8 bytes.
pub(crate) const MESSAGE_CURSOR: &str = "^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$";
