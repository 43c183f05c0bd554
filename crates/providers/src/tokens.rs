//! How many tokens a text has for a model.
//!
//! OpenAI's tokenizers come from tiktoken-rs. The other crate that has them, bpe-openai, loads
//! faster (0.06 s instead of 0.3 s) and takes no longer over strange texts than over others, but
//! makes the binary 42 MB larger, takes 20 MB more memory and four times as long to build. What
//! tiktoken-rs is bad at, long runs of one character, is kept away from it by [`PORTION_BYTES`].

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

/// Bytes that are counted in one go. tiktoken-rs panics over a million white spaces in a row, and
/// is slow long before; a word that is cut in two costs a token or two in 4 KiB.
const PORTION_BYTES: usize = 4 << 10;

/// Bytes of a token where the tokenizer is not known; a punctuation mark counts as two.
///
/// Prose in Latin letters has four bytes a token and more; Cyrillic, Chinese and the like, whose
/// characters have two or three bytes, come to between three and six. Code and JSON have fewer,
/// since most of their marks are a token each. So three is rather too many tokens for nearly all of
/// them, which costs a little room in the window; too few would cost an answer. Only what is no
/// language, such as Base64, has more.
const BYTES_PER_TOKEN: usize = 3;

/// Model families that are tokenized with `o200k_base`.
const O200K: [&str; 9] = [
    "gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "chatgpt", "o1", "o3", "o4",
];
/// Model families that are tokenized with `cl100k_base`.
const CL100K: [&str; 3] = ["gpt-4", "gpt-3.5", "gpt-35"];

/// How many tokens a text has: exact, up to a token for each [`PORTION_BYTES`], for OpenAI's models
/// of whatever provider, else an estimate that is rather too high.
///
/// The first count for a family loads its tokenizer: 0.3 s, and 25 to 45 MB that stay.
pub(crate) fn count(model: &str, text: &str) -> usize {
    match tokenizer(model) {
        Some(tokenizer) => portions(text)
            .map(|part| tokenizer.count_ordinary(part))
            .sum(),
        None => estimate(text),
    }
}

fn estimate(text: &str) -> usize {
    let weight = |byte: u8| if byte.is_ascii_punctuation() { 2 } else { 1 };
    text.bytes()
        .map(weight)
        .sum::<usize>()
        .div_ceil(BYTES_PER_TOKEN)
}

fn tokenizer(model: &str) -> Option<&'static CoreBPE> {
    // Fine-tuned models begin with `ft:`, those of brokers with the company's name.
    let name = model.strip_prefix("ft:").unwrap_or(model);
    let name = name.strip_prefix("openai/").unwrap_or(name);
    let is_of = |family: &&str| {
        let rest = name.strip_prefix(*family);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    if O200K.iter().any(&is_of) {
        Some(o200k_base_singleton())
    } else if CL100K.iter().any(is_of) {
        Some(cl100k_base_singleton())
    } else {
        None
    }
}

/// The text in pieces of at most [`PORTION_BYTES`], between characters.
fn portions(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (portion, rest) = text.split_at(text.floor_char_boundary(PORTION_BYTES));
        text = rest;
        (!portion.is_empty()).then_some(portion)
    })
}

#[cfg(test)]
mod tests;
