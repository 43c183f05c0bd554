use std::fmt;

use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Account, Cuid, Name, Timestamp};
use crate::contracts::Entropy;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 base-62 digits hold 256 bits.
const SECRET_DIGITS: usize = 43;
/// 6 base-62 digits hold a CRC-32.
const CHECKSUM_DIGITS: usize = 6;

/// A bearer token as its owner's list shows it: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token's identifier; it is also the readable part of the token's text.
    pub id: Cuid,
    /// Where it came from.
    pub kind: TokenKind,
    /// What its owner calls it.
    pub name: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Somebody signed in with a password.
    SignIn,
    /// Somebody made it to use it in a program.
    Personal,
}

impl TokenKind {
    /// The kind's name, in the database and on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Personal => "personal",
        }
    }

    /// What the text of such a token begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::SignIn => "ck_ses_",
            Self::Personal => "ck_pat_",
        }
    }
}

/// The whole text of a token: whoever holds it is its owner. Never printed, never stored.
///
/// `ck_pat_` or `ck_ses_`, the token's CUID (25 characters), a secret of 43 base-62 digits
/// (256 bits) and 6 base-62 digits of the CRC-32 of all that stands before. Prefix and checksum
/// let a scanner find a leaked token and tell it from look-alikes without asking the server.
#[derive(Clone)]
pub struct SecretText(String);

impl SecretText {
    /// The text that belongs to a token and its secret.
    pub fn new(kind: TokenKind, id: &Cuid, secret: &Secret) -> Self {
        let mut text = format!("{}{id}{}", kind.prefix(), secret.as_str());
        text.push_str(&checksum(&text));
        Self(text)
    }

    /// Reads what a client sent; nothing that this server could not have made gets past.
    pub fn parse(text: &str) -> Option<(Cuid, Self)> {
        let typed = [TokenKind::Personal, TokenKind::SignIn]
            .iter()
            .find_map(|kind| text.strip_prefix(kind.prefix()))?;
        let id_length = typed
            .len()
            .checked_sub(SECRET_DIGITS + CHECKSUM_DIGITS)
            .filter(|at| typed.is_char_boundary(*at))?;
        let id = Cuid::parse(&typed[..id_length]).ok()?;
        let checked = text.len() - CHECKSUM_DIGITS;
        if !text.is_ascii() || checksum(&text[..checked]) != text[checked..] {
            return None;
        }
        Some((id, Self(text.to_owned())))
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// Whether this is the text that `hash` was made from; takes the same time whatever differs.
    pub fn matches(&self, hash: &[u8; 32]) -> bool {
        self.hash().ct_eq(hash).into()
    }

    /// The text, for its owner's eyes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Hides `secret` from everybody who does not hold this token, or brings it back.
    ///
    /// `id` is the CUID of the secret's own token: a pad is never used twice.
    pub(crate) fn seal(&self, id: &Cuid, secret: [u8; SECRET_DIGITS]) -> [u8; SECRET_DIGITS] {
        let pad = Sha512::new()
            .chain_update("chatkeep: a token's secret\0")
            .chain_update(&self.0)
            .chain_update(id.as_str())
            .finalize();
        std::array::from_fn(|at| secret[at] ^ pad[at])
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

/// The secret part of a token: 43 base-62 digits, 256 bits.
#[derive(Clone)]
pub struct Secret([u8; SECRET_DIGITS]);

impl Secret {
    /// Draws a new one.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut digits = [0; SECRET_DIGITS];
        let mut filled = 0;
        while filled < SECRET_DIGITS {
            let mut random = [0; SECRET_DIGITS];
            entropy.fill(&mut random);
            // Of 64 six-bit numbers the two that are no base-62 digit are drawn again.
            let drawn = random
                .iter()
                .filter_map(|byte| BASE62.get(usize::from(byte & 63)));
            for (place, digit) in digits[filled..].iter_mut().zip(drawn) {
                *place = *digit;
                filled += 1;
            }
        }
        Self(digits)
    }

    fn as_str(&self) -> &str {
        // Base-62 digits are ASCII; what was sealed with another token need not be.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The secret as it is stored beside an idempotency key: sealed with the token that asked.
    pub(crate) fn sealed(&self, id: &Cuid, with: &SecretText) -> Vec<u8> {
        with.seal(id, self.0).to_vec()
    }

    /// Opens what [`Secret::sealed`] made; `None` if it has not the right length.
    pub(crate) fn unsealed(sealed: &[u8], id: &Cuid, with: &SecretText) -> Option<Self> {
        Some(Self(with.seal(id, sealed.try_into().ok()?)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

fn checksum(text: &str) -> String {
    let mut number = crc32fast::hash(text.as_bytes());
    let mut digits = [0; CHECKSUM_DIGITS];
    for place in digits.iter_mut().rev() {
        *place = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// A token that is about to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its identifier.
    pub id: Cuid,
    /// Whose it is.
    pub owner: Cuid,
    /// Where it comes from.
    pub kind: TokenKind,
    /// What its owner calls it.
    pub name: Option<Name>,
    /// The SHA-256 of its text.
    pub hash: [u8; 32],
    /// Now.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The secret, sealed so that only a retry by the same caller can open it.
    pub sealed: Option<Vec<u8>>,
}

/// A token as the database keeps it, with the account that it stands for.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// The SHA-256 of its text.
    pub hash: [u8; 32],
    /// Whose it is.
    pub account: Account,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives the same bytes each time, and each time others.
    struct Scripted(std::sync::atomic::AtomicU64);

    impl Entropy for Scripted {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                *byte = Sha256::digest(count.to_le_bytes())[0];
            }
        }
    }

    fn made(start: u64, kind: TokenKind) -> (Cuid, SecretText) {
        let entropy = Scripted(start.into());
        let id = crate::types::CuidMint::default().mint(Timestamp(1_700_000_000_000), &entropy);
        let text = SecretText::new(kind, &id, &Secret::draw(&entropy));
        (id, text)
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(start in 0..1_000_000_u64, personal: bool) {
            let kind = if personal { TokenKind::Personal } else { TokenKind::SignIn };
            let (id, text) = made(start, kind);
            prop_assert_eq!(text.expose().len(), 7 + 25 + 43 + 6);
            let (read_id, read) = SecretText::parse(text.expose()).unwrap();
            prop_assert_eq!((read_id, read.expose()), (id, text.expose()));
            prop_assert!(read.matches(&text.hash()));
            let (_, other) = made(start + 1_000_000, kind);
            prop_assert!(!read.matches(&other.hash()));
        }

        #[test]
        fn a_token_with_any_other_byte_is_refused(
            start in 0..1_000_000_u64,
            at in 0..81_usize,
            other in 0x20..0x7f_u8,
        ) {
            let (_, text) = made(start, TokenKind::Personal);
            let mut bytes = text.expose().as_bytes().to_vec();
            prop_assume!(bytes[at] != other);
            bytes[at] = other;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(SecretText::parse(&changed).is_none());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            prop_assert!(SecretText::parse(&text).is_none());
            let prefixed = format!("ck_pat_{text}");
            prop_assert!(SecretText::parse(&prefixed).is_none());
        }

        #[test]
        fn a_sealed_secret_is_opened_by_its_token_alone(start in 0..1_000_000_u64) {
            let (_, asking) = made(start, TokenKind::SignIn);
            let (_, other) = made(start + 1_000_000, TokenKind::SignIn);
            let (id, _) = made(start + 2_000_000, TokenKind::Personal);
            let secret = Secret::draw(&Scripted(start.into()));
            let sealed = secret.sealed(&id, &asking);
            prop_assert_ne!(&sealed[..], secret.as_str().as_bytes());
            let opened = |with| Secret::unsealed(&sealed, &id, with).unwrap().0;
            prop_assert_eq!(opened(&asking), secret.0);
            prop_assert_ne!(opened(&other), secret.0);
            prop_assert!(Secret::unsealed(&sealed[1..], &id, &asking).is_none());
        }
    }

    #[test]
    fn secrets_are_not_shown_in_debug_output() {
        let (_, text) = made(7, TokenKind::Personal);
        let shown = format!("{text:?} {:?}", Secret::draw(&Scripted(7.into())));
        assert_eq!(shown, "SecretText(***) Secret(***)");
    }
}
