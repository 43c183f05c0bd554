//! The settings: defaults < `chatkeep.toml` < `CHATKEEP_*` < flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ::config::{Config, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use anyhow::Context;
use serde::Deserialize;

use crate::cli::{Cli, Command};
use crate::providers::Provider;

/// Where settings are read from, in the working directory.
const FILE: &str = "chatkeep.toml";

/// What an operator can decide.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder that the database is in.
    pub data_dir: PathBuf,
    /// A PostgreSQL database instead of it; empty for none.
    pub database_url: String,
    /// Connections to PostgreSQL that this process keeps at most.
    pub database_connections: NonZeroUsize,
    /// How nodes tell one another what is new.
    pub bus: String,
    /// Who may register.
    pub registration: Registration,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: Vec<String>,
    /// How much is logged.
    pub log_level: LogLevel,
    /// How it is written.
    pub log_format: LogFormat,
    /// Whether models give chats their titles.
    pub titles: bool,
    /// Whether somebody without an account may ask a model.
    pub guests: bool,
    /// Who has models; the demo, if nobody is named.
    #[serde(default)]
    pub provider: Vec<Provider>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    First,
    Open,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Every setting with its default.
fn defaults() -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::new(None, text);
    vec![
        ("listen", text("127.0.0.1:8642")),
        ("data_dir", text("./chatkeep-data")),
        ("database_url", text("")),
        ("database_connections", Value::new(None, 16)),
        ("bus", text("auto")),
        ("registration", text("first")),
        ("cors_origins", Value::new(None, Vec::<String>::new())),
        ("log_level", text("info")),
        ("log_format", text("text")),
        ("titles", Value::new(None, true)),
        ("guests", Value::new(None, false)),
    ]
}

/// The settings that hold for this command.
pub fn load(cli: &Cli) -> anyhow::Result<Settings> {
    Ok(merged(cli)?.try_deserialize()?)
}

/// Every setting, its value and where it came from, a line each. A provider's key is not among them,
/// since the settings only name the variable or the file that holds it; a password in a URL is masked.
pub fn show(cli: &Cli) -> anyhow::Result<String> {
    let merged = merged(cli)?;
    // What is wrong with them is an error here too.
    merged.clone().try_deserialize::<Settings>()?;
    let mut settings = merged.collect()?;
    let providers = settings.remove("provider");
    let mut lines = String::new();
    for (name, _) in defaults() {
        let value = settings.get(name).context(name)?;
        lines.push_str(&line(name, value));
    }
    for provider in providers
        .map(Value::into_array)
        .transpose()?
        .unwrap_or_default()
    {
        let provider = provider.into_table()?;
        let name = provider.get("name").map(written).unwrap_or_default();
        let fields: BTreeMap<_, _> = provider.iter().collect();
        for (field, value) in fields {
            lines.push_str(&line(&format!("provider.{name}.{field}"), value));
        }
    }
    Ok(lines)
}

fn line(name: &str, value: &Value) -> String {
    let origin = value.origin().unwrap_or("default");
    let setting = format!("{name} = {}", written(value));
    format!("{setting:<40} # {origin}\n")
}

/// A value as it would stand in the file.
fn written(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{:?}", masked(text)),
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| format!("{name} = {}", written(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text without the password, if it is a URL with one: before the host, or among the parameters.
fn masked(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_secret = text.contains("password");
        return if is_secret { "***" } else { text }.to_owned();
    };
    // Whatever is odd about it: what stands before the last @ may be a password.
    let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let login = match login.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None if login.is_empty() => String::new(),
        None => format!("{login}@"),
    };
    let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
    let parameters = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty());
    let parameters = parameters.map(|parameter| match parameter.split_once('=') {
        Some(("password", _)) => "password=***",
        _ => parameter,
    });
    let parameters = parameters.collect::<Vec<_>>().join("&");
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{login}{place}{mark}{parameters}")
}

fn merged(cli: &Cli) -> anyhow::Result<Config> {
    let environment = Environment::with_prefix("CHATKEEP")
        .prefix_separator("_")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("cors_origins")
        .ignore_empty(true);
    let file = File::from(Path::new(FILE))
        .format(FileFormat::Toml)
        .required(false);
    Config::builder()
        .add_source(Layer(defaults()))
        .add_source(file)
        .add_source(environment)
        .add_source(Layer(flags(cli)))
        .build()
        .context("the settings can't be read")
}

fn flags(cli: &Cli) -> Vec<(&'static str, Value)> {
    let flag = |flag: &str, value: String| Value::new(Some(&flag.to_owned()), value);
    let mut flags = Vec::new();
    if let Some(folder) = &cli.data_dir {
        let folder = folder.to_string_lossy().into_owned();
        flags.push(("data_dir", flag("--data-dir", folder)));
    }
    if let Some(url) = &cli.database_url {
        flags.push(("database_url", flag("--database-url", url.clone())));
    }
    if let Command::Serve { listen, bus } = &cli.command {
        let listen = listen.map(|address| ("listen", flag("--listen", address.to_string())));
        let bus = bus.clone().map(|url| ("bus", flag("--bus", url)));
        flags.extend(listen.into_iter().chain(bus));
    }
    flags
}

/// Settings from this program: its defaults, or its flags.
#[derive(Clone, Debug)]
struct Layer(Vec<(&'static str, Value)>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        let pairs = self.0.iter();
        Ok(pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_holds_every_setting_with_its_default() {
        let example = include_str!("../../../chatkeep.example.toml");
        let example = Config::builder()
            .add_source(File::from_str(example, FileFormat::Toml))
            .build()
            .unwrap();
        let mut names = Vec::new();
        for (name, default) in defaults() {
            let value: Value = example.get(name).unwrap();
            assert_eq!(written(&value), written(&default), "{name}");
            names.push(name.to_owned());
        }
        let mut in_file: Vec<String> = example
            .try_deserialize::<Map<String, Value>>()
            .unwrap()
            .into_keys()
            .collect();
        in_file.sort();
        names.sort();
        assert_eq!(in_file, names);
    }

    #[test]
    fn a_password_in_a_url_is_masked() {
        let url = "postgres://ada:s3cr:e@t@db.example.com/chat?sslmode=require";
        let shown = "postgres://ada:***@db.example.com/chat?sslmode=require";
        assert_eq!(masked(url), shown);
        let url = "postgres://db/chat?user=ada&password=s3cret&sslmode=require";
        let shown = "postgres://db/chat?user=ada&password=***&sslmode=require";
        assert_eq!(masked(url), shown);
        assert_eq!(masked("nats://me:s3?cret@host"), "nats://me:***@host");
        assert_eq!(masked("host=db password=s3cret"), "***");
        for plain in [
            "postgres://ada@db/chat",
            "nats://db",
            "127.0.0.1:8642",
            "a:b@c",
        ] {
            assert_eq!(masked(plain), plain);
        }
    }

    #[test]
    fn the_providers_that_the_example_file_shows_can_be_used() {
        let example = include_str!("../../../chatkeep.example.toml");
        let (_, providers) = example.split_once("\n# [[provider]]\n").unwrap();
        let lines = providers.lines().map(|line| line.trim_start_matches("# "));
        let lines: Vec<_> = lines.collect();
        let text = format!("[[provider]]\n{}", lines.join("\n"));
        let settings = Config::builder()
            .add_source(Layer(defaults()))
            .add_source(File::from_str(&text, FileFormat::Toml))
            .build()
            .unwrap();
        let settings: Settings = settings.try_deserialize().unwrap();
        assert_eq!(settings.provider.len(), 3);
    }
}
