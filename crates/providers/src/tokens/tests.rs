use super::*;

/// What people write, with the most bytes a token to the fewest.
const SAMPLES: [&str; 9] = [
    "The server keeps what was said on disk before it says that it did.",
    "Guten Tag, wie geht es Ihnen heute? Die Donaudampfschifffahrt ruht.",
    "Привет, как дела? Расскажи о погоде.",
    "数据库会话保存在服务器上。",
    "こんにちは、元気ですか。今日はいい天気ですね。",
    "안녕하세요, 오늘 날씨가 좋네요.",
    "สวัสดีครับ วันนี้อากาศดี",
    "fn main() { println!(\"{}\", x[0] + 1); }",
    "{\"a\":[1,2,3],\"b\":{\"c\":null}}",
];

#[test]
fn openai_families_are_counted_with_their_own_tokenizer() {
    // As OpenAI's own page counts it.
    let text = "数据库会话保存在服务器上。 Привет, как дела?";
    let (new, old) = (count("gpt-4o", text), count("gpt-4", text));
    assert!(new < old, "{new} {old}");
    for model in [
        "gpt-4o-mini",
        "gpt-4.1-nano",
        "gpt-5",
        "gpt-5.1-codex",
        "o1",
        "o3-mini",
        "o4-mini",
        "chatgpt-4o-latest",
        "openai/gpt-5-mini",
        "ft:gpt-4o-mini:me::1",
        "gpt-oss-20b",
    ] {
        assert_eq!(count(model, text), new, "{model}");
    }
    for model in [
        "gpt-4-turbo",
        "gpt-4-0613",
        "gpt-3.5-turbo",
        "ft:gpt-3.5-turbo:me",
        "gpt-35-turbo",
    ] {
        assert_eq!(count(model, text), old, "{model}");
    }
}

#[test]
fn texts_have_as_many_tokens_as_openai_says() {
    assert_eq!(count("gpt-4o", ""), 0);
    assert_eq!(count("gpt-4o", "Hello world"), 2);
    assert_eq!(count("gpt-4", SAMPLES[2]), 19);
    assert_eq!(count("gpt-4o", SAMPLES[2]), 13);
    assert_eq!(
        count("gpt-4o", "<|endoftext|>"),
        7,
        "a special token is text like any other"
    );
}

#[test]
fn a_model_that_only_looks_like_one_of_openais_is_estimated() {
    for model in [
        "gpt-4x",
        "o10",
        "llama3",
        "claude-opus-4",
        "",
        "o1x",
        "my-gpt-4o",
    ] {
        assert_eq!(count(model, "Hello world"), 4, "{model}");
    }
}

#[test]
fn an_estimate_is_rather_too_high_and_not_by_far_in_any_language() {
    for text in SAMPLES {
        let (estimate, exact) = (estimate(text), count("gpt-4o", text));
        assert!(estimate >= exact, "{estimate} {exact} {text}");
        assert!(estimate <= exact * 5 / 2, "{estimate} {exact} {text}");
    }
}

#[test]
fn long_runs_of_white_space_do_no_harm() {
    let text = "\t\u{a0}".repeat(600_000);
    assert!(count("gpt-4o", &text) > 1_000);
}

#[test]
fn portions_are_the_whole_text_and_split_no_character() {
    let text = "€".repeat(PORTION_BYTES);
    let parts: Vec<&str> = portions(&text).collect();
    assert_eq!(parts.concat(), text);
    assert!(parts.iter().all(|part| part.len() <= PORTION_BYTES));
}
