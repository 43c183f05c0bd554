//! What the server's settings say about a provider.

use std::fmt;
use std::time::Duration;

use chat::types::ModelName;

/// What the settings say about a provider.
///
/// [`Default`] is an OpenAI-compatible one without models or a key; [`crate::models()`] checks the
/// whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderSettings {
    /// What it is called, in errors and in lists of models.
    pub name: String,
    /// How one speaks with it.
    pub kind: Kind,
    /// Where it is: `http` or `https`, with the path up to what its dialect adds; `None` for where
    /// the company behind the dialect is. No user, query or fragment.
    ///
    /// An OpenAI-compatible one gets `/chat/completions` added, Anthropic's `/v1/messages`.
    pub base_url: Option<String>,
    /// What it knows this server by. Anthropic's needs one.
    pub key: Option<Key>,
    /// Its models, the default one first. The demo needs none: it has one called `demo`.
    pub models: Vec<ModelSettings>,
    /// Tokens that a model reads and writes in one go, unless the model says otherwise. At least 1.
    pub window: u32,
    /// The most tokens that a model may write, unless the model says otherwise; `None` for the
    /// provider's own limit. Fewer than the window.
    pub max_output_tokens: Option<u32>,
    /// How freely it writes, from 0 to 2, where a question says nothing about that; `None` for the
    /// provider's own idea of it. Some models refuse to be told.
    pub temperature: Option<f64>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// How often it is asked again if it fails before the first piece of its answer.
    pub retries: u32,
    /// Words of an answer of the demo, at least. At most 100,000; the others ignore it.
    pub words: u32,
    /// Words a second that the demo writes, from 1 to 1,000,000; the others ignore it.
    pub words_per_second: u32,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: Kind::OpenAiCompatible,
            base_url: None,
            key: None,
            models: Vec::new(),
            window: 32_768,
            max_output_tokens: None,
            temperature: None,
            timeouts: Timeouts::default(),
            retries: 2,
            words: 40,
            words_per_second: 30,
        }
    }
}

/// How one speaks with a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Chat Completions API: OpenAI, and most servers that one runs oneself.
    OpenAiCompatible,
    /// Anthropic's Messages API.
    Anthropic,
    /// Nobody is behind it; it stands in until a provider is configured.
    Demo,
}

impl Kind {
    /// The kind's name, as people read it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiCompatible => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::Demo => "demo",
        }
    }
}

/// What the settings say about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSettings {
    /// What clients and its provider call it.
    pub name: ModelName,
    /// Tokens that it reads and writes in one go; `None` for what its provider's settings say.
    pub window: Option<u32>,
    /// The most tokens that it may write; `None` for what its provider's settings say.
    pub max_output_tokens: Option<u32>,
}

impl ModelSettings {
    /// A model of which only the name is known.
    pub fn named(name: ModelName) -> Self {
        Self {
            name,
            window: None,
            max_output_tokens: None,
        }
    }
}

/// How long a provider may take. None may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From sending the question to the first piece of the answer, each time that it is asked.
    pub first_token: Duration,
    /// From one piece of the answer to the next; what keeps a connection alive is no piece.
    pub between_tokens: Duration,
    /// For the whole answer, with everything that is tried again.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_mins(1),
            between_tokens: Duration::from_mins(1),
            whole: Duration::from_mins(10),
        }
    }
}

/// What a provider knows this server by. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// This key, without the white space around it: a key from a file ends with a line break.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The key's text, for the one header that carries it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_can_be_printed_without_giving_the_key_away() {
        let settings = ProviderSettings {
            key: Some(Key::new("sk-very-secret")),
            ..ProviderSettings::default()
        };
        let printed = format!("{settings:?} {settings:#?}");
        assert!(!printed.contains("very-secret"), "{printed}");
        assert!(printed.contains("Key(***)"), "{printed}");
    }

    #[test]
    fn a_key_from_a_file_is_taken_without_its_line_break() {
        assert_eq!(Key::new(" sk-1\r\n").as_str(), "sk-1");
    }
}
