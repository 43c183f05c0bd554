/** What the pictures show. */

/** Titles, the newest last. */
export const CHATS = [
  "Names for a sailing boat",
  "Thank-you letter to the neighbours",
  "Train or plane to Lisbon?",
  "Regex for German postcodes",
  "The plot of Middlemarch",
  "Slow queries in PostgreSQL",
  "Stretching after the half marathon",
  "Cover letter, second version",
  "Explain the tides to a six-year-old",
  "Budget for the school festival",
  "Why does my sourdough not rise?",
  "Translate the lease from French",
  "Review of the onboarding e-mail",
  "What to ask at the interview",
];

/** E-mail address, name, and how many answers they had. */
export const PEOPLE = [
  ["grace@example.com", "Grace Hopper", 6],
  ["emmy@example.com", "Emmy Noether", 4],
  ["alan@example.com", "Alan Turing", 3],
  ["katherine@example.com", "Katherine Johnson", 2],
];

export const CONVERSATION = {
  title: "Counting words in a large file",
  turns: [
    [
      "I have a 40 GB text file and want to know its most frequent words. Which tool should I use?",
      `It depends on how often you do it. Three that work well:

| Tool | Memory | Time for 40 GB | Good when |
|---|--:|--:|---|
| \`sort \\| uniq -c\` | 1 GB | 25 min | you need it once |
| Python with \`Counter\` | 2 GB | 18 min | you want to change the rules |
| A small Rust program | 300 MB | 2 min | it runs every night |

For a single look I would start with the shell. If it becomes a habit, the Rust program is **about forty lines**.`,
    ],
    [
      "Show me the Rust program, please.",
      `Here it is. It reads line by line, so memory grows with the number of *different* words only:

\`\`\`rust
use std::collections::HashMap;
use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for line in io::stdin().lock().lines() {
        for word in line?.split_whitespace() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1)); // the most frequent first
    for (word, count) in all.iter().take(20) {
        println!("{count:>10}  {word}");
    }
    Ok(())
}
\`\`\`

Run it with \`cargo run --release < words.txt\`. Two things to know:

- \`to_lowercase\` makes *The* and *the* the same word.
- Punctuation stays with its word; trim it with \`trim_matches\` if that matters.`,
    ],
  ],
};

/** A reply that is being written. */
export const HALF = {
  title: "Dinner for six",
  prompt: "What should I cook for six people tonight?",
  said: "How about a **mushroom risotto**? It feeds six, and most of it waits for you:\n\n1. Soak 40 g of dried porcini\n2. Warm two litres of",
};
