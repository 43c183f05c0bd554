//! Checks the settings of all providers, and makes the product's models of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat::Model;
use chat::contracts::Provider;
use chat::types::ModelName;
use reqwest::Url;

use crate::anthropic::Anthropic;
use crate::client::Client;
use crate::demo::{DEMO_MODEL, Demo};
use crate::dialect::Dialect;
use crate::openai_compatible::OpenAiCompatible;
use crate::remote::Remote;
use crate::settings::{Kind, ModelSettings, ProviderSettings};

/// How often a provider can be asked again.
const RETRIES_MOST: u32 = 10;
/// The longest that anything may take.
const TIMEOUT_MOST: Duration = Duration::from_hours(24);
/// The range of what is sent as temperature.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.0..=2.0;
/// Words of an answer of the demo.
const WORDS_MOST: u32 = 100_000;
/// Words a second that the demo writes.
const SPEED_MOST: u32 = 1_000_000;

/// What is wrong with a provider's settings; names neither keys nor addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("provider {provider}: {field} {problem}")]
pub struct SettingsError {
    /// The provider at fault, by name, or by its place from 1 if it has none.
    pub provider: String,
    /// The field at fault, as [`ProviderSettings`] calls it.
    pub field: String,
    /// What is wrong with it; reads on after the field's name: "key *is missing*".
    pub problem: String,
}

/// Makes the product's models of the settings of all providers, in their order.
///
/// That two models have the same name is for [`chat::Models::new`] to find. Errors: the first
/// setting that can't be used.
pub fn models(
    client: &Client,
    settings: Vec<ProviderSettings>,
) -> Result<Vec<Model>, SettingsError> {
    let mut models = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (place, settings) in settings.into_iter().enumerate() {
        let check = Check(match settings.name.trim() {
            "" => format!("number {}", place + 1),
            name => name.to_owned(),
        });
        check.that(!settings.name.trim().is_empty(), "name", "is blank")?;
        check.that(
            !names.contains(&settings.name),
            "name",
            "is that of another provider",
        )?;
        names.push(settings.name.clone());
        models.extend(check.provider(client, settings)?);
    }
    Ok(models)
}

/// Checks one provider, by name.
struct Check(String);

impl Check {
    fn fault(&self, field: impl fmt::Display, problem: impl fmt::Display) -> SettingsError {
        SettingsError {
            provider: self.0.clone(),
            field: field.to_string(),
            problem: problem.to_string(),
        }
    }

    fn that(
        &self,
        holds: bool,
        field: impl fmt::Display,
        problem: impl fmt::Display,
    ) -> Result<(), SettingsError> {
        if holds {
            Ok(())
        } else {
            Err(self.fault(field, problem))
        }
    }

    fn provider(
        &self,
        client: &Client,
        settings: ProviderSettings,
    ) -> Result<Vec<Model>, SettingsError> {
        let dialect: Option<&'static dyn Dialect> = match settings.kind {
            Kind::OpenAiCompatible => Some(&OpenAiCompatible),
            Kind::Anthropic => Some(&Anthropic),
            Kind::Demo => None,
        };
        let base = dialect.map(|dialect| settings.base_url.as_deref().unwrap_or(dialect.home()));
        let (provider, own_limit): (Arc<dyn Provider>, _) = match (dialect, base) {
            (Some(dialect), Some(base)) => self.remote(client, &settings, dialect, base)?,
            _ => (Arc::new(self.demo(&settings)?), None),
        };
        let mut of_provider = settings.models;
        if of_provider.is_empty() && settings.kind == Kind::Demo {
            let name = ModelName::parse(DEMO_MODEL).map_err(|error| self.fault("models", error))?;
            of_provider.push(ModelSettings::named(name));
        }
        self.that(!of_provider.is_empty(), "models", "is empty")?;
        let models = of_provider.into_iter().map(|model| {
            let name = &model.name;
            let window = model.window.unwrap_or(settings.window);
            self.that(window > 0, format!("window of {name}"), "is 0")?;
            let limit = model
                .max_output_tokens
                .or(settings.max_output_tokens)
                .or(own_limit);
            let field = format!("max_output_tokens of {name}");
            self.that(limit != Some(0), &field, "is 0")?;
            let fits = limit.is_none_or(|limit| limit < window);
            self.that(
                fits,
                &field,
                format!("leaves no room in its window of {window}"),
            )?;
            Ok(Model {
                name: model.name,
                provider_name: settings.name.clone(),
                provider_kind: settings.kind.as_str(),
                provider_url: base.map(str::to_owned),
                is_demo: settings.kind == Kind::Demo,
                window,
                max_output_tokens: limit,
                provider: Arc::clone(&provider),
            })
        });
        models.collect()
    }

    /// A provider that is asked over HTTP, and what its dialect says is the most that it writes.
    fn remote(
        &self,
        client: &Client,
        settings: &ProviderSettings,
        dialect: &'static dyn Dialect,
        base: &str,
    ) -> Result<(Arc<dyn Provider>, Option<u32>), SettingsError> {
        let url = url(base, dialect.path()).map_err(|problem| self.fault("base_url", problem))?;
        match &settings.key {
            Some(key) => self.that(!key.as_str().is_empty(), "key", "is blank")?,
            None => self.that(!dialect.needs_key(), "key", "is missing")?,
        }
        let headers = dialect.headers(settings.key.as_ref());
        let headers = headers.map_err(|_| self.fault("key", "has a character that no key has"))?;
        if let Some(temperature) = settings.temperature {
            self.that(
                TEMPERATURES.contains(&temperature),
                "temperature",
                "is not from 0 to 2",
            )?;
        }
        let timeouts = settings.timeouts;
        for (field, time) in [
            ("timeouts.connect", timeouts.connect),
            ("timeouts.first_token", timeouts.first_token),
            ("timeouts.between_tokens", timeouts.between_tokens),
            ("timeouts.whole", timeouts.whole),
        ] {
            self.that(time > Duration::ZERO, field, "is 0")?;
            self.that(time <= TIMEOUT_MOST, field, "is more than a day")?;
        }
        let often = settings.retries <= RETRIES_MOST;
        self.that(often, "retries", format!("is more than {RETRIES_MOST}"))?;
        let pool = client.pool(timeouts.connect);
        let remote = Remote {
            dialect,
            http: pool.map_err(|_| self.fault("timeouts.connect", "can't be used"))?,
            url,
            headers,
            temperature: settings.temperature,
            timeouts,
            retries: settings.retries,
        };
        Ok((Arc::new(remote), dialect.max_output_tokens()))
    }

    fn demo(&self, settings: &ProviderSettings) -> Result<Demo, SettingsError> {
        let (words, speed) = (settings.words, settings.words_per_second);
        self.that(
            words <= WORDS_MOST,
            "words",
            format!("is more than {WORDS_MOST}"),
        )?;
        self.that(speed > 0, "words_per_second", "is 0")?;
        let slow = speed <= SPEED_MOST;
        self.that(
            slow,
            "words_per_second",
            format!("is more than {SPEED_MOST}"),
        )?;
        Ok(Demo {
            words: words as usize,
            words_per_second: speed,
        })
    }
}

/// Where to ask: the base, whose path is kept, and what the dialect adds. Errors: what is wrong with
/// the base, without repeating it.
fn url(base: &str, path: &[&str]) -> Result<Url, &'static str> {
    let mut url = Url::parse(base).map_err(|_| "is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it, which belong into key");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment");
    }
    let mut segments = url.path_segments_mut().map_err(|()| "has no path")?;
    segments.pop_if_empty().extend(path);
    drop(segments);
    Ok(url)
}

#[cfg(test)]
mod tests;
