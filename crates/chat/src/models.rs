use std::sync::Arc;

use crate::contracts::Provider;
use crate::types::ModelName;

/// A model that replies can be written by.
#[derive(Clone)]
pub struct Model {
    /// What it is called, by clients and by its provider.
    pub name: ModelName,
    /// What its provider is called in the settings.
    pub provider_name: String,
    /// How one speaks with it, in a word.
    pub provider_kind: &'static str,
    /// Where it is; `None` if nobody is asked.
    pub provider_url: Option<String>,
    /// Whether it only stands in for a model.
    pub is_demo: bool,
    /// Tokens that it can read and write in one go.
    pub window: u32,
    /// The most tokens that it may write; `None` for the provider's own limit.
    pub max_output_tokens: Option<u32>,
    /// Whoever has it.
    pub provider: Arc<dyn Provider>,
}

/// The models of this server; the first one is taken where none is named.
#[derive(Clone, Default)]
pub struct Models(Vec<Model>);

impl Models {
    /// These models. Errors: the name that two of them have.
    pub fn new(models: Vec<Model>) -> Result<Self, ModelName> {
        for (place, model) in models.iter().enumerate() {
            if models[..place].iter().any(|other| other.name == model.name) {
                return Err(model.name.clone());
            }
        }
        Ok(Self(models))
    }

    /// All of them, the default one first.
    pub fn all(&self) -> &[Model] {
        &self.0
    }

    /// The one of that name.
    pub(crate) fn find(&self, name: &ModelName) -> Option<&Model> {
        self.0.iter().find(|model| model.name == *name)
    }
}
