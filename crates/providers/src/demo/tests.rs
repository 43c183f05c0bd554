use chat::types::ModelOptions;

use super::*;

fn question(prompt: &str) -> Question {
    Question {
        model: DEMO_MODEL.to_owned(),
        system: "Be brief.".to_owned(),
        messages: vec![
            Turn::saying(MessageRole::User, "Hello"),
            Turn::saying(MessageRole::Assistant, "Hi"),
            Turn::saying(MessageRole::User, prompt),
        ],
        options: ModelOptions::default(),
    }
}

async fn answer(words: usize, question: Question) -> (Vec<String>, Vec<Piece>, Duration) {
    let demo = Demo {
        words,
        words_per_second: 10,
    };
    let begin = Instant::now();
    let pieces: Vec<_> = demo.ask(question).await.unwrap().collect().await;
    let took = begin.elapsed();
    let (mut said, mut others) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece.unwrap() {
            Piece::Delta(delta) => said.push(delta.as_str().to_owned()),
            other => others.push(other),
        }
    }
    (said, others, took)
}

#[tokio::test(start_paused = true)]
async fn the_demo_says_what_it_is_and_quotes_the_prompt() {
    let (said, others, _) = answer(0, question("What is a  monad?")).await;
    let text = said.concat();
    assert!(text.contains("demo model"), "{text}");
    assert!(text.contains("until a provider is configured"), "{text}");
    assert!(text.contains("“What is a monad?”"), "{text}");
    let usage = TokenUsage {
        input_tokens: 8,
        output_tokens: said.len() as u64,
    };
    assert_eq!(
        others,
        [Piece::Usage(usage), Piece::End(EndOfAnswer::Complete)]
    );
}

#[tokio::test(start_paused = true)]
async fn the_demo_writes_a_word_at_a_time_at_its_speed() {
    let (said, _, took) = answer(100, question("Hi")).await;
    assert!((100..130).contains(&said.len()), "{}", said.len());
    assert!(said.iter().all(|word| count_words(word) == 1), "{said:?}");
    let expected = Duration::from_millis(100) * (said.len() as u32 - 1);
    assert!(
        took.abs_diff(expected) < Duration::from_millis(10),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_demo_says_the_same_each_time() {
    let first = answer(200, question("Hi")).await;
    assert_eq!(first.0, answer(200, question("Hi")).await.0);
}

#[tokio::test(start_paused = true)]
async fn the_demo_stops_at_the_most_tokens_that_it_may_write() {
    let question = Question {
        options: ModelOptions {
            max_output_tokens: Some(5),
            ..ModelOptions::default()
        },
        ..question("Hi")
    };
    let (said, others, _) = answer(40, question).await;
    assert_eq!(said.len(), 5);
    assert_eq!(others.last(), Some(&Piece::End(EndOfAnswer::Length)));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_of_one_endless_word_is_quoted_in_part() {
    let (said, _, _) = answer(0, question(&"ä".repeat(100_000))).await;
    assert!(said.concat().len() < 1_000);
}
