//! How the tests ask, and what they gather of an answer.

use std::time::Duration;

use chat::Model;
use chat::contracts::{EndOfAnswer, Piece, Pieces, Question, Turn};
use chat::types::{Delta, MessageRole, ModelName, ModelOptions, ReplyError, TokenUsage, ToolCall};
use futures_util::StreamExt as _;
use providers::{Client, Key, Kind, ModelSettings, ProviderSettings, Timeouts};

/// The key that every provider here has; nobody but its server may ever see it.
pub const KEY: &str = "sk-key-that-nobody-may-see";

/// All kinds that are asked over HTTP.
pub const KINDS: [Kind; 2] = [Kind::OpenAiCompatible, Kind::Anthropic];

/// The settings of a provider at that address that is not asked twice.
pub fn settings(kind: Kind, base_url: &str) -> ProviderSettings {
    ProviderSettings {
        name: "scripted".to_owned(),
        kind,
        base_url: Some(base_url.to_owned()),
        key: Some(Key::new(KEY)),
        models: vec![ModelSettings::named(ModelName::parse("m").unwrap())],
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(5),
            between_tokens: Duration::from_secs(5),
            whole: Duration::from_secs(20),
        },
        retries: 0,
        ..ProviderSettings::default()
    }
}

pub fn model(settings: ProviderSettings) -> Model {
    let client = Client::new().unwrap();
    providers::models(&client, vec![settings])
        .unwrap()
        .remove(0)
}

pub fn question() -> Question {
    Question {
        model: "m".to_owned(),
        system: "Be brief.".to_owned(),
        messages: vec![
            Turn::saying(MessageRole::User, "Hello"),
            Turn::saying(MessageRole::Assistant, "Hi"),
            Turn::saying(MessageRole::User, "How are you?"),
        ],
        options: ModelOptions {
            max_output_tokens: Some(100),
            ..ModelOptions::default()
        },
    }
}

/// All that came of an answer.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub text: String,
    pub reasoning: String,
    pub calls: Vec<ToolCall>,
    pub deltas: usize,
    pub usage: Option<TokenUsage>,
    pub end: Option<Result<EndOfAnswer, ReplyError>>,
}

impl Said {
    pub fn error(&self) -> &ReplyError {
        self.end.as_ref().unwrap().as_ref().unwrap_err()
    }
}

/// Asks, and listens to the end. What `ask` itself refuses is an end without a piece.
pub async fn said(model: &Model) -> Said {
    answer(model, question()).await
}

/// The same with a question of the test's own.
pub async fn answer(model: &Model, question: Question) -> Said {
    match model.provider.ask(question).await {
        Ok(pieces) => listen(pieces).await,
        Err(error) => Said {
            end: Some(Err(error)),
            ..Said::default()
        },
    }
}

pub async fn listen(mut pieces: Pieces) -> Said {
    let mut said = Said::default();
    while let Some(piece) = pieces.next().await {
        assert_eq!(said.end, None, "something came after the end: {piece:?}");
        match piece {
            Ok(Piece::Delta(delta)) => {
                assert_ne!(delta.size(), 0);
                said.deltas += 1;
                match delta {
                    Delta::Text(text) => said.text += &text,
                    Delta::Reasoning(text) => said.reasoning += &text,
                    Delta::ToolCall { id, name } => said.calls.push(ToolCall {
                        id,
                        name,
                        arguments: String::new(),
                    }),
                    Delta::Arguments(text) => {
                        said.calls.last_mut().unwrap().arguments += &text;
                    }
                }
            }
            Ok(Piece::Usage(usage)) => said.usage = Some(usage),
            Ok(Piece::End(end)) => said.end = Some(Ok(end)),
            Err(error) => said.end = Some(Err(error)),
        }
    }
    assert!(said.end.is_some(), "no end: {said:?}");
    said
}

pub fn usage(input_tokens: u64, output_tokens: u64) -> TokenUsage {
    TokenUsage {
        input_tokens,
        output_tokens,
    }
}
