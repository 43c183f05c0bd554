use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chat::{Chat, Error};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::json;
use crate::auth::Auth;
use crate::extract::segment;
use crate::fault::Fault;

pub(super) async fn list(State(chat): State<Arc<Chat>>, Auth(_): Auth) -> Response {
    let data = chat.models().iter().map(Model::from).collect();
    json(StatusCode::OK, &Models::new(data))
}

pub(super) async fn find(
    State(chat): State<Arc<Chat>>,
    Auth(_): Auth,
    ModelInPath(name): ModelInPath,
) -> Result<Response, Fault> {
    let found = chat
        .models()
        .iter()
        .find(|model| model.name.as_str() == name);
    let model = found.ok_or(Error::UnknownModel)?;
    Ok(json(StatusCode::OK, &Model::from(model)))
}

/// The name of a model in a path.
pub(super) struct ModelInPath(String);

impl FromRequestParts<Arc<Chat>> for ModelInPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        segment(parts, chat, "id").await.map(Self)
    }
}

/// The name of a model.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ModelId(String);

/// A model that responses can be written by.
#[derive(Serialize, JsonSchema)]
pub(super) struct Model<'a> {
    id: &'a str,
    #[schemars(extend("const" = "model"))]
    object: &'static str,
    /// Always 0: this server does not know.
    created: u64,
    /// What its provider is called in the settings.
    owned_by: &'a str,
}

/// All models, the default one first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Models<'a> {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<Model<'a>>,
}

impl<'a> From<&'a chat::Model> for Model<'a> {
    fn from(model: &'a chat::Model) -> Self {
        Self {
            id: model.name.as_str(),
            owned_by: &model.provider_name,
            ..Self::example()
        }
    }
}

impl Model<'_> {
    pub(super) fn example() -> Self {
        Self {
            id: "demo",
            object: "model",
            created: 0,
            owned_by: "demo",
        }
    }
}

impl<'a> Models<'a> {
    fn new(data: Vec<Model<'a>>) -> Self {
        let object = "list";
        Self { object, data }
    }

    pub(super) fn example() -> Self {
        Self::new(vec![Model::example()])
    }
}
