use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat::types::ModelName;
use chat::{Chat, ModelTest, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::answer::json;
use crate::extract::Change;
use crate::fault::Fault;
use crate::schema;
use crate::v1::envelope::{Envelope, envelope};

pub(super) async fn list(State(chat): State<Arc<Chat>>, Admin(_): Admin) -> Response {
    let providers = Providers::new(chat.models());
    json(StatusCode::OK, &listed(providers))
}

pub(super) async fn test(
    State(chat): State<Arc<Chat>>,
    Admin(admin): Admin,
    change: Change<Wanted>,
) -> Result<Response, Fault> {
    let model = ModelName::parse(&change.body.model);
    let model = model.map_err(|error| Fault::invalid("model", error))?;
    let test = chat.test_model(&admin, &model).await?;
    Ok(json(StatusCode::OK, &tested(Test::new(test))))
}

pub(super) fn listed(providers: Providers<'_>) -> Envelope<Providers<'_>> {
    envelope(
        StatusCode::OK,
        "Providers retrieved successfully",
        providers,
    )
}

pub(super) fn tested(test: Test) -> Envelope<Test> {
    envelope(StatusCode::OK, "Model tested", test)
}

/// All providers as the settings have them, without their keys.
#[derive(Serialize, JsonSchema)]
pub(super) struct Providers<'a> {
    providers: Vec<Provider<'a>>,
}

/// Somebody who has models.
#[derive(Serialize, JsonSchema)]
struct Provider<'a> {
    name: &'a str,
    #[schemars(extend("enum" = ["openai-compatible", "anthropic", "demo"]))]
    kind: &'static str,
    /// Where it is; null for the demo.
    url: Option<&'a str>,
    models: Vec<Model<'a>>,
}

/// A model of a provider's.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Model<'a> {
    id: &'a str,
    /// Tokens that it can read and write in one go.
    context_window: u32,
    /// The most tokens that it may write; null for its provider's own limit.
    max_output_tokens: Option<u32>,
    /// Whether it is taken where none is named.
    is_default: bool,
}

impl<'a> Providers<'a> {
    /// The providers of these models; those of a provider stand together.
    fn new(models: &'a [chat::Model]) -> Self {
        let of_one = models.chunk_by(|one, next| one.provider_name == next.provider_name);
        let provider = |of_one: &'a [chat::Model]| {
            let first = of_one.first()?;
            let model = |model: &'a chat::Model| Model {
                id: model.name.as_str(),
                context_window: model.window,
                max_output_tokens: model.max_output_tokens,
                is_default: models.first().is_some_and(|first| first.name == model.name),
            };
            Some(Provider {
                name: &first.provider_name,
                kind: first.provider_kind,
                url: first.provider_url.as_deref(),
                models: of_one.iter().map(model).collect(),
            })
        };
        Self {
            providers: of_one.filter_map(provider).collect(),
        }
    }

    pub(super) fn example() -> Self {
        let model = Model {
            id: "demo",
            context_window: 32_768,
            max_output_tokens: None,
            is_default: true,
        };
        let demo = Provider {
            name: "demo",
            kind: "demo",
            url: None,
            models: vec![model],
        };
        Self {
            providers: vec![demo],
        }
    }
}

/// Which model is to be tested.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Wanted {
    #[schemars(length(min = 1, max = limits::MODEL_NAME_CHARS), regex(pattern = schema::NOT_BLANK))]
    model: String,
}

impl Wanted {
    pub(super) fn example() -> Self {
        Self {
            model: "demo".into(),
        }
    }
}

/// What came of a test.
#[derive(Serialize, JsonSchema)]
pub(super) struct Test {
    /// Whether the model has answered.
    ok: bool,
    /// How long that took, in milliseconds.
    ms: u64,
    /// What it said, if it has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    text: Option<String>,
    /// What went wrong, if it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Failure")]
    error: Option<Failure>,
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
struct Failure {
    kind: &'static str,
    message: String,
}

impl Test {
    fn new(test: ModelTest) -> Self {
        let (text, error) = match test.answer {
            Ok(text) => (Some(text), None),
            Err(error) => {
                let (kind, message) = (error.kind.as_str(), error.message);
                (None, Some(Failure { kind, message }))
            }
        };
        Self {
            ok: error.is_none(),
            ms: u64::try_from(test.took.as_millis()).unwrap_or(u64::MAX),
            text,
            error,
        }
    }

    pub(super) fn example() -> Self {
        Self {
            ok: true,
            ms: 900,
            text: Some("A monad is …".into()),
            error: None,
        }
    }
}
