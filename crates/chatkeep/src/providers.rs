//! The `[[provider]]` sections of the settings, and the models that they make.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use chat::Models;
use chat::types::ModelName;
use providers::{Client, Key, Kind, ModelSettings, ProviderSettings, SettingsError, Timeouts};
use serde::{Deserialize, Deserializer, de};

use crate::cli;

/// Bytes of a file that holds a key.
const KEY_BYTES: u64 = 4_096;

/// Somebody who has models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    name: String,
    #[serde(deserialize_with = "kind")]
    kind: Kind,
    base_url: Option<String>,
    /// The variable that holds the key.
    key_env: Option<String>,
    /// The file that holds the key.
    key_file: Option<PathBuf>,
    #[serde(default)]
    models: Vec<Model>,
    window: Option<u32>,
    max_output_tokens: Option<u32>,
    temperature: Option<f64>,
    connect_timeout: Option<Span>,
    first_token_timeout: Option<Span>,
    token_timeout: Option<Span>,
    timeout: Option<Span>,
    retries: Option<u32>,
    words: Option<u32>,
    words_per_second: Option<u32>,
}

/// A model: its name, or its name and what is special about it.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a model is its name, or { name = \"…\", window = … }"
)]
enum Model {
    Name(String),
    Special(SpecialModel),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecialModel {
    name: String,
    window: Option<u32>,
    max_output_tokens: Option<u32>,
}

/// A span of time such as `30s`.
#[derive(Clone, Copy, Debug)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        cli::span(&text)
            .map(Self)
            .map_err(|reason| de::Error::custom(format!("{text:?} {reason}")))
    }
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "openai" => Ok(Kind::OpenAiCompatible),
        "anthropic" => Ok(Kind::Anthropic),
        "demo" => Ok(Kind::Demo),
        other => Err(de::Error::unknown_variant(
            other,
            &["openai", "anthropic", "demo"],
        )),
    }
}

/// The models of these providers; the demo, if there are none.
///
/// Errors: a setting that can't be used, by its provider and name; a key that can't be found.
pub fn models(configured: &[Provider]) -> anyhow::Result<Models> {
    let demo = || ProviderSettings {
        name: "demo".into(),
        kind: Kind::Demo,
        ..ProviderSettings::default()
    };
    let mut settings = configured
        .iter()
        .map(Provider::settings)
        .collect::<anyhow::Result<Vec<_>>>()?;
    if settings.is_empty() {
        settings.push(demo());
    }
    let models = providers::models(&Client::new()?, settings).map_err(as_set)?;
    Models::new(models)
        .map_err(|name| anyhow::anyhow!("two providers have a model that is called {name}"))
}

/// The error with the field called as the file of settings calls it.
fn as_set(error: SettingsError) -> SettingsError {
    let field = match error.field.as_str() {
        "key" => "key_env or key_file",
        "timeouts.connect" => "connect_timeout",
        "timeouts.first_token" => "first_token_timeout",
        "timeouts.between_tokens" => "token_timeout",
        "timeouts.whole" => "timeout",
        same => same,
    };
    SettingsError {
        field: field.to_owned(),
        ..error
    }
}

impl Model {
    fn settings(&self) -> anyhow::Result<ModelSettings> {
        let (name, window, max_output_tokens) = match self {
            Self::Name(name) => (name, None, None),
            Self::Special(model) => (&model.name, model.window, model.max_output_tokens),
        };
        let name = ModelName::parse(name)
            .map_err(|error| anyhow::anyhow!("the name of a model {error}"))?;
        Ok(ModelSettings {
            name,
            window,
            max_output_tokens,
        })
    }
}

impl Provider {
    fn settings(&self) -> anyhow::Result<ProviderSettings> {
        let models = self.models.iter().map(Model::settings);
        let models = models
            .collect::<anyhow::Result<_>>()
            .with_context(|| format!("provider {}", self.name))?;
        let defaults = ProviderSettings::default();
        let or = |span: Option<Span>, default| span.map_or(default, |Span(span)| span);
        Ok(ProviderSettings {
            name: self.name.clone(),
            kind: self.kind,
            base_url: self.base_url.clone(),
            key: self
                .key()
                .with_context(|| format!("provider {}", self.name))?,
            models,
            window: self.window.unwrap_or(defaults.window),
            max_output_tokens: self.max_output_tokens,
            temperature: self.temperature,
            timeouts: Timeouts {
                connect: or(self.connect_timeout, defaults.timeouts.connect),
                first_token: or(self.first_token_timeout, defaults.timeouts.first_token),
                between_tokens: or(self.token_timeout, defaults.timeouts.between_tokens),
                whole: or(self.timeout, defaults.timeouts.whole),
            },
            retries: self.retries.unwrap_or(defaults.retries),
            words: self.words.unwrap_or(defaults.words),
            words_per_second: self.words_per_second.unwrap_or(defaults.words_per_second),
        })
    }

    fn key(&self) -> anyhow::Result<Option<Key>> {
        let text = match (&self.key_env, &self.key_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => bail!("has both a key_env and a key_file"),
            (Some(variable), None) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the settings name the variable that holds the key"
                )]
                let key = std::env::var(variable);
                key.with_context(|| format!("the variable {variable} of key_env is not set"))?
            }
            (None, Some(file)) => {
                let fault = || format!("the file {} of key_file can't be read", file.display());
                let size = fs::metadata(file).with_context(fault)?.len();
                if size > KEY_BYTES {
                    bail!(
                        "the file {} of key_file is no key: it is too long",
                        file.display()
                    );
                }
                fs::read_to_string(file).with_context(fault)?
            }
        };
        if text.trim().is_empty() {
            bail!("the key is empty");
        }
        Ok(Some(Key::new(&text)))
    }
}
