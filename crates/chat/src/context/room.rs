//! How much of a model's window is taken.

use super::{TOKENS_PER_MESSAGE, Unit};
use crate::models::Model;
use crate::types::{Part, Tool};

/// How many tokens are left.
pub(super) struct Room {
    tokens: usize,
    /// What was taken without being counted: a token has a byte at least, so what has fewer bytes
    /// than there are tokens left fits for certain.
    uncounted: Vec<Weight>,
}

/// What something is counted by.
pub(super) struct Weight {
    text: String,
    messages: usize,
}

impl Weight {
    /// What a model is told before the first message.
    pub(super) fn of_beginning(system: &str, tools: &[Tool]) -> Self {
        let tools = tools.iter().flat_map(|tool| {
            let texts = [tool.description.as_deref(), tool.parameters.as_deref()];
            [Some(tool.name.as_str())]
                .into_iter()
                .chain(texts)
                .flatten()
        });
        let text = [system].into_iter().chain(tools).collect();
        Self { text, messages: 1 }
    }

    pub(super) fn of_unit(unit: &Unit) -> Self {
        let parts = unit.0.iter().flat_map(|said| &said.content);
        let texts = parts.flat_map(|part| match part {
            Part::ToolCall(call) => [call.name.as_str(), &call.arguments],
            part => ["", part.as_str()],
        });
        Self {
            text: texts.collect(),
            messages: unit.0.len(),
        }
    }

    /// The most tokens that it can have.
    fn most(&self) -> usize {
        self.text.len() + self.messages * TOKENS_PER_MESSAGE
    }
}

impl Room {
    pub(super) fn new(tokens: usize) -> Self {
        Self {
            tokens,
            uncounted: Vec::new(),
        }
    }

    /// Takes things in, the first ones first, as long as they fit; tells how many that are.
    pub(super) async fn take(&mut self, model: &Model, new: Vec<Weight>) -> usize {
        let most: usize = self.uncounted.iter().chain(&new).map(Weight::most).sum();
        if most <= self.tokens {
            let fit = new.len();
            self.uncounted.extend(new);
            return fit;
        }
        let before = self.uncounted.len();
        let mut counted = std::mem::take(&mut self.uncounted);
        counted.extend(new);
        let mut fit = 0;
        for count in count(model, counted).await {
            if count > self.tokens {
                break;
            }
            self.tokens -= count;
            fit += 1;
        }
        // What was taken before has fewer tokens than bytes, so it still fits.
        fit - before.min(fit)
    }
}

/// Counts the tokens of each, on a thread where that may take its time.
async fn count(model: &Model, weights: Vec<Weight>) -> Vec<usize> {
    let (provider, name) = (model.provider.clone(), model.name.clone());
    let count = move || {
        let count = |weight: &Weight| {
            provider.count_tokens(name.as_str(), &weight.text)
                + weight.messages * TOKENS_PER_MESSAGE
        };
        weights.iter().map(count).collect()
    };
    // What can't be counted does not fit.
    tokio::task::spawn_blocking(count).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use proptest::prelude::*;

    use super::*;
    use crate::contracts::{Pieces, Provider, Question};
    use crate::types::{ModelName, ReplyError};

    /// Counts a token for every two bytes.
    struct Halves;

    #[async_trait]
    impl Provider for Halves {
        async fn ask(&self, _: Question) -> Result<Pieces, ReplyError> {
            Err(ReplyError::broken_off())
        }

        fn count_tokens(&self, _: &str, text: &str) -> usize {
            text.len().div_ceil(2)
        }
    }

    fn model() -> Model {
        Model {
            name: ModelName::parse("halves").unwrap(),
            provider_name: "test".into(),
            provider_kind: "test",
            provider_url: None,
            is_demo: false,
            window: 0,
            max_output_tokens: None,
            provider: Arc::new(Halves),
        }
    }

    proptest! {
        #[test]
        fn as_many_texts_fit_as_have_tokens_however_they_are_handed_in(
            lengths in prop::collection::vec(0..60_usize, 0..20),
            tokens in 0..400_usize,
            portion in 1..7_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let fit = runtime.block_on(async {
                let mut room = Room::new(tokens);
                let mut fit = 0;
                for lengths in lengths.chunks(portion) {
                    let weights = lengths.iter().map(|length| Weight {
                        text: "x".repeat(*length),
                        messages: 1,
                    });
                    let took = room.take(&model(), weights.collect()).await;
                    fit += took;
                    if took < lengths.len() {
                        break;
                    }
                }
                fit
            });
            let mut left = tokens;
            let expected = lengths.iter().take_while(|length| {
                let count = length.div_ceil(2) + TOKENS_PER_MESSAGE;
                let fits = count <= left;
                left = left.saturating_sub(count);
                fits
            });
            prop_assert_eq!(fit, expected.count());
        }
    }
}
