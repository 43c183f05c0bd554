//! Texts that users write, each with its own rule.

use std::fmt;

use crate::limits;

/// Why a text was refused; reads on after the field's name: "title *is blank*".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Empty, or nothing but white space.
    #[error("is blank")]
    Blank,
    /// More than `limit` characters.
    #[error("is longer than {limit} characters")]
    TooLong {
        /// The most characters that are allowed.
        limit: usize,
    },
    /// Fewer than `limit` characters.
    #[error("is shorter than {limit} characters")]
    TooShort {
        /// The fewest characters that are allowed.
        limit: usize,
    },
    /// Holds U+0000, which no database's text can keep.
    #[error("holds a NUL character")]
    Nul,
    /// Other characters than the name of a tool may have.
    #[error("has other characters than ASCII letters, digits, _ and -")]
    NotAName,
    /// No address that mail could be sent to.
    #[error("is not an e-mail address")]
    NotAnEmail,
}

fn at_most(text: &str, limit: usize) -> Result<&str, InvalidText> {
    // The byte length bounds the character count, and is known without a walk.
    if text.len() > limit && text.chars().count() > limit {
        Err(InvalidText::TooLong { limit })
    } else if text.contains('\0') {
        Err(InvalidText::Nul)
    } else {
        Ok(text)
    }
}

fn not_blank(text: &str) -> Result<&str, InvalidText> {
    if text.chars().all(char::is_whitespace) {
        Err(InvalidText::Blank)
    } else {
        Ok(text)
    }
}

/// The text in lower case, a character at a time: what a part of a text becomes is a part of what the
/// whole becomes. (`str::to_lowercase` writes a Σ at the end of a word in another way.)
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Reads the text, as a client or a database wrote it.
            pub fn parse(text: &str) -> Result<Self, InvalidText> {
                let rule: fn(&str) -> Result<String, InvalidText> = $parse;
                rule(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type! {
    /// A session's title: 1 to 200 characters, not blank, kept as it was written.
    Title, |text| at_most(not_blank(text)?, limits::TITLE_CHARS).map(str::to_owned)
}

text_type! {
    /// What is looked for in titles, as [`Title::folded`] writes them: 1 to 200 characters, not blank.
    Search, |text| at_most(not_blank(text)?, limits::SEARCH_CHARS).map(folded)
}

text_type! {
    /// What a model is told before a session's first message; may be empty, at most 32,768 characters.
    SystemMessage, |text| at_most(text, limits::SYSTEM_MESSAGE_CHARS).map(str::to_owned)
}

text_type! {
    /// What a person or a token is called: 1 to 100 characters, not blank.
    Name, |text| at_most(not_blank(text)?, limits::NAME_CHARS).map(str::to_owned)
}

text_type! {
    /// What a message says: 1 to 262,144 characters, not blank, kept as it was written.
    MessageText, |text| at_most(not_blank(text)?, limits::MESSAGE_CHARS).map(str::to_owned)
}

text_type! {
    /// A model's name, as clients and providers write it: 1 to 200 characters, not blank.
    ModelName, |text| at_most(not_blank(text)?, limits::MODEL_NAME_CHARS).map(str::to_owned)
}

text_type! {
    /// What a client calls a tool: 1 to 64 ASCII letters, digits, `_` and `-`, as providers want it.
    ToolName, |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let text = at_most(not_blank(text)?, limits::TOOL_NAME_CHARS)?;
        if text.chars().all(fits) { Ok(text.to_owned()) } else { Err(InvalidText::NotAName) }
    }
}

text_type! {
    /// What a call of a tool is known by: 1 to 256 characters, not blank.
    CallId, |text| at_most(not_blank(text)?, limits::CALL_ID_CHARS).map(str::to_owned)
}

text_type! {
    /// The arguments of a call, or its output: at most 262,144 characters, maybe none.
    ToolText, |text| at_most(text, limits::MESSAGE_CHARS).map(str::to_owned)
}

text_type! {
    /// What a client calls a session, instead of its CUID: 1 to 200 characters, not blank.
    ExternalId, |text| at_most(not_blank(text)?, limits::EXTERNAL_ID_CHARS).map(str::to_owned)
}

text_type! {
    /// An e-mail address in lower case, at most 254 characters (RFC 5321, 4.5.3.1.3).
    ///
    /// The check is loose on purpose: only the mail server knows which addresses exist.
    Email, |text| {
        // Lower case can be longer; what is kept has to pass when it is read again.
        let text = text.trim().to_lowercase();
        let text = at_most(&text, limits::EMAIL_CHARS)?;
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidText::NotAnEmail)?;
        let strange = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        if local.is_empty() || domain.is_empty() || text.replacen('@', "", 1).contains(strange) {
            return Err(InvalidText::NotAnEmail);
        }
        Ok(text.to_owned())
    }
}

impl Default for SystemMessage {
    /// None.
    fn default() -> Self {
        Self(String::new())
    }
}

/// Characters of a title that was not given by a person.
const GIVEN_TITLE_CHARS: usize = 60;

impl Title {
    /// The title that a text gives a session: its first line without quotation marks, cut at a word;
    /// `None` if there is none.
    pub fn of_text(text: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        let line = line.trim_matches(|c: char| "\"'`*#“”„«» ".contains(c));
        let mut title: String = line.chars().take(GIVEN_TITLE_CHARS).collect();
        if title.len() < line.len() {
            let whole = title.rfind(' ').unwrap_or(title.len());
            title.truncate(whole);
            title.push('…');
        }
        Self::parse(title.trim()).ok()
    }

    /// The title as a search compares it: in Unicode's lower case, whatever the language.
    pub fn folded(&self) -> String {
        folded(&self.0)
    }

    /// What a session is called that nobody gave a title.
    pub fn of_the_unnamed() -> Self {
        Self("New Chat".to_owned())
    }
}

/// A password as it was typed: 8 to 128 characters, of any kind. Never printed.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Reads a password that is being chosen.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if text.chars().count() < limits::PASSWORD_CHARS_MIN {
            return Err(InvalidText::TooShort {
                limit: limits::PASSWORD_CHARS_MIN,
            });
        }
        at_most(text, limits::PASSWORD_CHARS).map(|text| Self(text.to_owned()))
    }

    /// What somebody typed who claims to know a password: any text, since it need not be right.
    pub fn attempt(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The password's bytes, for the hash.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_title_is_kept_as_it_was_written(text in "\\PC{1,200}") {
            prop_assume!(text.chars().any(|c| !c.is_whitespace()));
            let title = Title::parse(&text).unwrap();
            prop_assert_eq!(title.as_str(), text);
        }

        #[test]
        fn no_text_gets_around_the_rule_of_titles(text in ".{0,260}") {
            let blank = text.chars().all(char::is_whitespace);
            let long = text.chars().count() > limits::TITLE_CHARS;
            let refused = blank || long || text.contains('\0');
            prop_assert_eq!(Title::parse(&text).is_err(), refused);
        }

        #[test]
        fn an_address_is_read_in_lower_case_and_then_stays(text in "[A-Za-z.+-]{1,20}@[A-Za-z.-]{1,20}") {
            let email = Email::parse(&format!(" {text} ")).unwrap();
            prop_assert_eq!(email.as_str(), text.to_lowercase());
            prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
        }

        #[test]
        fn what_was_accepted_as_an_address_is_accepted_again(text in "[İa-zA-ZÄß]{1,260}@x") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        #[test]
        fn no_text_makes_a_reader_panic(text: String) {
            let _ = (Email::parse(&text), Name::parse(&text), SystemMessage::parse(&text));
            let _ = Password::parse(&text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b c", "a@b\n.c",
        ] {
            assert_eq!(Email::parse(text), Err(InvalidText::NotAnEmail), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_part_of_a_title_is_found_in_it_in_any_case(
            before in "[ -~ΣςσßẞİıǅÄä\u{1F600}]{0,20}",
            part in "[!-~ΣςσßẞİǅÄ]{1,20}",
            after in "[ -~Σςß]{0,20}",
        ) {
            let title = Title::parse(&format!("{before}{part}{after}")).unwrap();
            for text in [part.clone(), folded(&part)] {
                let search = Search::parse(&text).unwrap();
                prop_assert!(title.folded().contains(search.as_str()), "{title} {search}");
            }
        }

        #[test]
        fn whatever_a_model_says_makes_a_short_title_or_none(text: String) {
            if let Some(title) = Title::of_text(&text) {
                prop_assert!(title.as_str().chars().count() <= GIVEN_TITLE_CHARS + 1);
                prop_assert!(!title.as_str().contains('\n'));
            }
        }
    }

    #[test]
    fn a_title_is_one_line_without_marks_cut_at_a_word() {
        let title = |text| Title::of_text(text).map(|title| title.to_string());
        assert_eq!(
            title("\n \"Plans for May\"\n\nOr so"),
            Some("Plans for May".into())
        );
        let long = "What is the difference between a process and a thread in Linux?";
        let short = "What is the difference between a process and a thread in…";
        assert_eq!(title(long), Some(short.into()));
        assert_eq!(title("  \n "), None);
    }
}
