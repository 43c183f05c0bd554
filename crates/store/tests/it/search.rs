use chat::contracts::Store;
use chat::types::{
    Cuid, PageSize, Search, SessionChange, SessionFilter, SessionPosition, SessionStatus, Timestamp,
};

use crate::samples::{Dice, account, change, new_session, session, title};

/// What titles and searches are made of: letters with and without case, of one to four bytes, what is
/// special in a pattern, and letters whose lower case is longer or depends on the language.
const LETTERS: [&str; 20] = [
    "a",
    "A",
    "b",
    "B",
    "ä",
    "Ä",
    "ß",
    "ẞ",
    "İ",
    "ı",
    "I",
    "i",
    "Σ",
    "σ",
    "ς",
    "%",
    "_",
    "\\",
    "\u{1F600}",
    " ",
];

fn looking_for(text: &str) -> SessionFilter {
    SessionFilter {
        title: Some(Search::parse(text).unwrap()),
        ..SessionFilter::default()
    }
}

async fn page(
    store: &dyn Store,
    owner: &Cuid,
    filter: &SessionFilter,
    after: Option<SessionPosition>,
    size: u32,
) -> (Vec<String>, Option<SessionPosition>) {
    let size = PageSize::new(size).unwrap();
    let page = store.sessions(owner, filter.clone(), after, size);
    let page = page.await.unwrap();
    let titles = page.items.iter().map(|one| one.title.to_string());
    (titles.collect(), page.next)
}

async fn found(store: &dyn Store, owner: &Cuid, text: &str) -> Vec<String> {
    page(store, owner, &looking_for(text), None, 100).await.0
}

pub async fn a_title_is_found_by_a_part_of_it_in_any_case(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for (text, looked_for) in [
        ("Plans for May", "FOR m"),
        ("ÄRGER über Öl", "ärger ÜBER"),
        ("Straẞe", "aße"),
        ("İstanbul", "i\u{307}STAN"),
        ("ΟΔΟΣ ΣΑΣ", "οδοσ σ"),
        ("100 %", "0 %"),
        ("snake_case", "e_c"),
        ("C:\\temp", ":\\t"),
        ("a 👩‍👩‍👧 b", "👩‍👧 B"),
        ("it's", "T'S"),
    ] {
        session(store, &ada, text, 1).await;
        assert_eq!(found(store, &ada, looked_for).await, [text]);
    }
    for nowhere in ["%a", "p_ans", "maya", "ss", "^plans", "\\temp\\"] {
        assert_eq!(found(store, &ada, nowhere).await, [""; 0], "{nowhere}");
    }
}

pub async fn a_search_finds_what_a_filter_of_all_titles_finds(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let mut dice = Dice(11);
    let mut text = |most: usize| {
        let letters = (0..=dice.below(most)).map(|_| LETTERS[dice.below(LETTERS.len())]);
        letters.collect::<String>() + "a"
    };
    let mut titles = Vec::new();
    for at in 0..60 {
        titles.insert(0, text(12));
        session(store, &ada, &titles[0], at).await;
    }
    let (mut searches, mut hits) = (0, 0);
    while searches < 200 {
        let looked_for = text(2);
        let folded = title(&looked_for).folded();
        let expected = titles
            .iter()
            .filter(|one| title(one).folded().contains(&folded));
        let expected: Vec<_> = expected.cloned().collect();
        searches += 1;
        hits += usize::from(!expected.is_empty());
        assert_eq!(
            found(store, &ada, &looked_for).await,
            expected,
            "{looked_for}"
        );
    }
    assert!((20..180).contains(&hits), "{hits}");
}

pub async fn a_new_title_is_found_and_the_old_one_is_not(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "Tea", 1).await;
    let renamed = SessionChange {
        title: Some(title("COFFEE")),
        ..SessionChange::default()
    };
    change(store, &made, renamed, 2).await;
    assert_eq!(found(store, &ada, "coffee").await, ["COFFEE"]);
    assert_eq!(found(store, &ada, "tea").await, [""; 0]);
    let unnamed = chat::types::NewSession {
        named: false,
        ..new_session(&ada, "New Chat", 3)
    };
    let unnamed = store.create_session(unnamed, None).await.unwrap();
    let name = store.name_session(ada.clone(), unnamed.number, title("MILK"), Timestamp(4));
    assert!(name.await.unwrap());
    assert_eq!(found(store, &ada, "milk").await, ["MILK"]);
    assert_eq!(found(store, &ada, "new").await, [""; 0]);
}

pub async fn a_search_is_paged_and_filtered_like_any_list(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    session(store, &bob, "tea of Bob", 1).await;
    for at in 1..=9 {
        let made = session(store, &ada, &format!("Tea {at}"), at).await;
        session(store, &ada, &format!("Milk {at}"), at).await;
        if at % 3 == 0 {
            let off = SessionChange {
                status: Some(SessionStatus::Deactivated),
                ..SessionChange::default()
            };
            change(store, &made, off, at).await;
        }
    }
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let (titles, next) = page(store, &ada, &looking_for("tea"), after, 2).await;
        all.extend(titles);
        // What is new stands before the first page, and is not on the others.
        session(store, &ada, "new tea", 20).await;
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (1..=9).rev().map(|at| format!("Tea {at}")).collect();
    assert_eq!(all, expected);
    let off = SessionFilter {
        status: Some(SessionStatus::Deactivated),
        ..looking_for("TEA")
    };
    let (titles, _) = page(store, &ada, &off, None, 10).await;
    assert_eq!(titles, ["Tea 9", "Tea 6", "Tea 3"]);
}
