//! The demo: answers without a model, so that the server can be tried before it has a provider.

use std::time::Duration;

use async_trait::async_trait;
use chat::contracts::{EndOfAnswer, Piece, Pieces, Provider, Question, Turn};
use chat::types::{Delta, MessageRole, ReplyError, TokenUsage};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep_until};

/// What the demo's model is called where the settings name none.
pub(crate) const DEMO_MODEL: &str = "demo";

/// Words of the prompt that are quoted.
const QUOTED_WORDS: usize = 12;
/// Characters of the prompt that are quoted; a word may be as long as a message.
const QUOTED_CHARS: usize = 120;

const OPENING: &str = "This is the demo model. It stands in until a provider is configured, and it \
    understands nothing of what it is told.";
const FILLER: &str = "What follows has no meaning: it is here so that the answer takes some time to \
    write, and one can watch it being written, leave, come back, or stop it.";

/// Writes a fixed text about the prompt, at a fixed speed.
pub(crate) struct Demo {
    /// Words of an answer, at least.
    pub words: usize,
    /// Words a second; not 0.
    pub words_per_second: u32,
}

#[async_trait]
impl Provider for Demo {
    async fn ask(&self, question: Question) -> Result<Pieces, ReplyError> {
        let text = text(&question, self.words);
        let mut words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let limit = question
            .options
            .max_output_tokens
            .map_or(usize::MAX, |most| most as usize);
        let is_short = words.len() <= limit;
        let end = if is_short {
            EndOfAnswer::Complete
        } else {
            EndOfAnswer::Length
        };
        words.truncate(limit);
        let turns = question
            .messages
            .iter()
            .map(|turn| count_words(&turn.text()));
        let read = turns.sum::<usize>() + count_words(&question.system);
        let usage = Piece::Usage(TokenUsage {
            input_tokens: read as u64,
            output_tokens: words.len() as u64,
        });
        let (begin, speed) = (Instant::now(), self.words_per_second);
        let words = stream::iter((0_u32..).zip(words)).then(move |(place, word)| async move {
            // By the clock, not from word to word: waits are too coarse to add up.
            sleep_until(begin + Duration::from_secs(1) * place / speed).await;
            Piece::Delta(Delta::Text(word))
        });
        let pieces = words.chain(stream::iter([usage, Piece::End(end)]));
        Ok(Box::pin(pieces.map(Ok)))
    }

    fn count_tokens(&self, _model: &str, text: &str) -> usize {
        count_words(text)
    }
}

fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The whole answer, of so many words or a few more.
fn text(question: &Question, words: usize) -> String {
    let is_prompt = |turn: &&Turn| turn.role == MessageRole::User;
    let prompt = question.messages.iter().rfind(is_prompt);
    let prompt = prompt.map(Turn::text).unwrap_or_default();
    let quoted: Vec<&str> = prompt.split_whitespace().take(QUOTED_WORDS).collect();
    let quoted: String = quoted.join(" ").chars().take(QUOTED_CHARS).collect();
    let mut text = format!(
        "{OPENING} Your message begins with “{quoted}”. Words in it: {}.",
        count_words(&prompt)
    );
    let count = count_words(&text);
    for (count, word) in (count..).zip(FILLER.split(' ').cycle()) {
        // Ends with the sentence, not in the middle of it.
        if count >= words && text.ends_with('.') {
            break;
        }
        text.push(' ');
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests;
