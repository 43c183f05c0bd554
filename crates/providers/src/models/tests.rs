use chat::types::ModelName;

use super::*;
use crate::{Key, Timeouts};

fn provider(kind: Kind) -> ProviderSettings {
    ProviderSettings {
        name: "mine".to_owned(),
        kind,
        key: Some(Key::new("sk-secret-1")),
        models: vec![ModelSettings::named(ModelName::parse("big").unwrap())],
        ..ProviderSettings::default()
    }
}

fn made(settings: Vec<ProviderSettings>) -> Result<Vec<Model>, SettingsError> {
    models(&Client::new().unwrap(), settings)
}

fn fault(settings: ProviderSettings) -> String {
    let Err(error) = made(vec![settings]) else {
        panic!("was accepted");
    };
    error.to_string()
}

#[test]
fn models_come_in_the_order_of_the_settings() {
    let mut other = provider(Kind::Anthropic);
    other.name = "other".to_owned();
    other.models[0].name = ModelName::parse("small").unwrap();
    let models = made(vec![provider(Kind::OpenAiCompatible), other]).unwrap();
    let names: Vec<_> = models
        .iter()
        .map(|model| (model.name.as_str(), model.provider_name.as_str()))
        .collect();
    assert_eq!(names, [("big", "mine"), ("small", "other")]);
    assert_eq!(models[0].max_output_tokens, None);
    assert_eq!(
        models[1].max_output_tokens,
        Some(4_096),
        "the API wants a number"
    );
    assert!(
        models
            .iter()
            .all(|model| model.window == 32_768 && !model.is_demo)
    );
}

#[test]
fn what_a_model_says_goes_before_what_its_provider_says() {
    let mut settings = provider(Kind::OpenAiCompatible);
    settings.window = 1_000;
    settings.max_output_tokens = Some(100);
    settings.models.push(ModelSettings {
        name: ModelName::parse("small").unwrap(),
        window: Some(500),
        max_output_tokens: Some(50),
    });
    let models = made(vec![settings]).unwrap();
    let limits: Vec<_> = models
        .iter()
        .map(|m| (m.window, m.max_output_tokens))
        .collect();
    assert_eq!(limits, [(1_000, Some(100)), (500, Some(50))]);
}

#[test]
fn the_demo_needs_nothing_but_a_name() {
    let settings = ProviderSettings {
        name: "demo".to_owned(),
        kind: Kind::Demo,
        ..ProviderSettings::default()
    };
    let models = made(vec![settings]).unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].name.as_str(), "demo");
    assert!(models[0].is_demo);
}

#[test]
fn a_fault_names_the_provider_and_the_field() {
    type Change = fn(&mut ProviderSettings);
    let cases: [(Change, &str); 19] = [
        (
            |s| s.name = " ".to_owned(),
            "provider number 1: name is blank",
        ),
        (|s| s.models.clear(), "provider mine: models is empty"),
        (
            |s| s.base_url = Some("nonsense".to_owned()),
            "provider mine: base_url is no URL",
        ),
        (
            |s| s.base_url = Some("ftp://a/".to_owned()),
            "provider mine: base_url is neither http nor https",
        ),
        (
            |s| s.base_url = Some("https://me:sk-secret-2@a/".to_owned()),
            "provider mine: base_url has a user or a password in it, which belong into key",
        ),
        (
            |s| s.base_url = Some("https://a/?key=sk-secret-3".to_owned()),
            "provider mine: base_url has a query or a fragment",
        ),
        (
            |s| s.key = Some(Key::new(" ")),
            "provider mine: key is blank",
        ),
        (
            |s| s.key = Some(Key::new("a\nb")),
            "provider mine: key has a character that no key has",
        ),
        (|s| s.window = 0, "provider mine: window of big is 0"),
        (
            |s| s.models[0].window = Some(0),
            "provider mine: window of big is 0",
        ),
        (
            |s| s.max_output_tokens = Some(0),
            "provider mine: max_output_tokens of big is 0",
        ),
        (
            |s| s.max_output_tokens = Some(32_768),
            "provider mine: max_output_tokens of big leaves no room in its window of 32768",
        ),
        (
            |s| s.temperature = Some(2.1),
            "provider mine: temperature is not from 0 to 2",
        ),
        (
            |s| s.temperature = Some(f64::NAN),
            "provider mine: temperature is not from 0 to 2",
        ),
        (
            |s| s.timeouts.first_token = Duration::ZERO,
            "provider mine: timeouts.first_token is 0",
        ),
        (
            |s| s.timeouts.connect = Duration::ZERO,
            "provider mine: timeouts.connect is 0",
        ),
        (|s| s.retries = 11, "provider mine: retries is more than 10"),
        (
            |s| (s.kind, s.words) = (Kind::Demo, 100_001),
            "provider mine: words is more than 100000",
        ),
        (
            |s| (s.kind, s.words_per_second) = (Kind::Demo, 0),
            "provider mine: words_per_second is 0",
        ),
    ];
    for (change, expected) in cases {
        let mut settings = provider(Kind::OpenAiCompatible);
        change(&mut settings);
        assert_eq!(fault(settings), expected);
    }
}

#[test]
fn anthropic_needs_a_key_and_others_do_not() {
    let without = |kind| ProviderSettings {
        key: None,
        ..provider(kind)
    };
    assert_eq!(
        fault(without(Kind::Anthropic)),
        "provider mine: key is missing"
    );
    assert!(made(vec![without(Kind::OpenAiCompatible)]).is_ok());
}

#[test]
fn two_providers_of_one_name_are_refused() {
    let error = made(vec![provider(Kind::Demo), provider(Kind::Anthropic)])
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "provider mine: name is that of another provider"
    );
}

#[test]
fn the_path_of_a_base_url_is_kept() {
    let full = |base: &str| url(base, &["chat", "completions"]).unwrap().to_string();
    assert_eq!(
        full("http://127.0.0.1:11434/v1"),
        "http://127.0.0.1:11434/v1/chat/completions"
    );
    assert_eq!(
        full("http://127.0.0.1:11434/v1/"),
        "http://127.0.0.1:11434/v1/chat/completions"
    );
    assert_eq!(
        full("https://a.example"),
        "https://a.example/chat/completions"
    );
}

#[test]
fn a_timeout_has_a_sensible_value_where_none_is_given() {
    let timeouts = Timeouts::default();
    assert_eq!(timeouts.connect, Duration::from_secs(10));
    assert_eq!(timeouts.whole, Duration::from_mins(10));
}
