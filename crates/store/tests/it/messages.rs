use std::collections::HashMap;

use chat::contracts::{Appended, Changed, Store, StoreError};
use chat::limits::MESSAGE_CHARS;
use chat::types::{
    Cuid, Head, Message, MessageRole, MessageView, NewMessage, Once, PageSize, Parent, Part,
    ReplyStatus, Session, SessionChange, SessionKey, Timestamp,
};

use crate::samples::{
    Dice, account, append, append_texts, change, cuid, delete, find, key, look, messages, model,
    move_head, new_message, once, page, says, session, title,
};

async fn append_once(
    store: &dyn Store,
    session: &Session,
    new: Vec<NewMessage>,
    once: Once,
) -> Result<Appended, StoreError> {
    let (owner, now) = (session.owner.clone(), Timestamp(2));
    let appended = store.append_messages(owner, key(session), new, now, Some(once));
    appended.await
}

async fn texts(store: &dyn Store, session: &Session, view: MessageView) -> Vec<String> {
    let all = messages(store, session, view, 100).await;
    all.iter().map(Message::text).collect()
}

fn following(parent: &Cuid, text: &str) -> NewMessage {
    NewMessage {
        parent: Parent::Message(parent.clone()),
        ..new_message(text)
    }
}

fn beginning(text: &str) -> NewMessage {
    NewMessage {
        parent: Parent::Root,
        ..new_message(text)
    }
}

pub async fn appended_messages_follow_the_head_and_move_it(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    assert_eq!(made.head, None);
    let mut expected: Vec<Message> = Vec::new();
    for (version, texts) in (2..).zip([&["a"][..], &["b", "c"]]) {
        let at = Timestamp(version * 10);
        let new: Vec<_> = texts.iter().map(|text| new_message(text)).collect();
        for new in &new {
            let before = expected.last();
            expected.push(Message {
                id: new.id.clone(),
                session: made.id.clone(),
                seq: before.map_or(1, |before| before.seq + 1),
                depth: before.map_or(1, |before| before.depth + 1),
                parent: before.map(|before| before.id.clone()),
                role: MessageRole::User,
                content: new.content.clone(),
                model: None,
                usage: None,
                finish_reason: None,
                reply: None,
                status: ReplyStatus::Done,
                created_at: at,
            });
        }
        let appended = append(store, &made, new, at.0).await;
        assert_eq!(appended, expected[expected.len() - texts.len()..]);
        let now = Session {
            head: expected.last().map(|last| last.id.clone()),
            version,
            updated_at: at,
            ..made.clone()
        };
        assert_eq!(find(store, &made).await, now);
    }
    expected.reverse();
    for view in [MessageView::Path, MessageView::Tree] {
        assert_eq!(messages(store, &made, view, 100).await, expected);
    }
}

pub async fn roles_models_and_parts_come_back(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let content = vec![
        Part::Reasoning("Let me \"think\".\n".into()),
        Part::Text("\\{}[]\u{1F9EF}\u{0}\u{7F}".into()),
        Part::Text(String::new()),
        Part::Reasoning("é".into()),
    ];
    let new = vec![
        NewMessage {
            role: MessageRole::System,
            ..new_message("Be kind.")
        },
        new_message("Hi."),
        NewMessage {
            role: MessageRole::Assistant,
            model: Some(model()),
            content: content.clone(),
            ..new_message("")
        },
    ];
    let mut appended = append(store, &made, new, 2).await;
    let roles: Vec<_> = appended.iter().map(|one| one.role).collect();
    assert_eq!(
        roles,
        [
            MessageRole::System,
            MessageRole::User,
            MessageRole::Assistant
        ]
    );
    assert_eq!((&appended[0].model, &appended[1].model), (&None, &None));
    assert_eq!(appended[2].model, Some(model()));
    assert_eq!(appended[2].content, content);
    appended.reverse();
    let listed = messages(store, &made, MessageView::Path, 100).await;
    assert_eq!(listed, appended);
}

pub async fn a_named_parent_gets_a_branch_beside_the_others(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let trunk = append_texts(store, &made, &["a", "b"], 2).await;
    let new = vec![following(&trunk[0].id, "c"), new_message("d")];
    let branch = append(store, &made, new, 3).await;
    let places: Vec<_> = branch.iter().map(|one| (one.seq, one.depth)).collect();
    assert_eq!(places, [(3, 2), (4, 3)]);
    assert_eq!(branch[0].parent.as_ref(), Some(&trunk[0].id));
    assert_eq!(branch[1].parent.as_ref(), Some(&branch[0].id));
    let path = texts(store, &made, MessageView::Path).await;
    assert_eq!(path, ["d", "c", "a"]);
    let tree = texts(store, &made, MessageView::Tree).await;
    assert_eq!(tree, ["d", "c", "b", "a"]);
}

pub async fn a_message_that_follows_nothing_begins_a_path(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let new = vec![new_message("a"), beginning("b"), new_message("c")];
    let appended = append(store, &made, new, 2).await;
    let depths: Vec<_> = appended.iter().map(|one| one.depth).collect();
    assert_eq!(depths, [1, 1, 2]);
    assert_eq!(appended[1].parent, None);
    assert_eq!(appended[2].parent.as_ref(), Some(&appended[1].id));
    assert_eq!(texts(store, &made, MessageView::Path).await, ["c", "b"]);
    append(store, &made, vec![beginning("d")], 3).await;
    assert_eq!(texts(store, &made, MessageView::Path).await, ["d"]);
    let tree = texts(store, &made, MessageView::Tree).await;
    assert_eq!(tree, ["d", "c", "b", "a"]);
}

pub async fn an_unknown_parent_is_refused_and_nothing_is_written(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    append_texts(store, &made, &["a"], 2).await;
    let beside = session(store, &ada, "two", 1).await;
    let foreign = session(store, &bob, "three", 1).await;
    let before = look(store, &made).await;
    let unknown = [
        cuid(),
        append_texts(store, &beside, &["b"], 2).await[0].id.clone(),
        append_texts(store, &foreign, &["c"], 2).await[0].id.clone(),
    ];
    let after = look(store, &made).await;
    assert_eq!((&before.0, &before.1), (&after.0, &after.1));
    for parent in &unknown {
        for new in [
            vec![following(parent, "x")],
            vec![new_message("x"), following(parent, "y")],
        ] {
            // What is refused is not remembered, so each wish may have the same key.
            for again in [1, 2] {
                let at_fault = new.len() - 1;
                let appended = append_once(store, &made, new.clone(), once("k", again)).await;
                assert_eq!(appended.unwrap(), Appended::NoSuchParent(at_fault));
            }
        }
    }
    assert_eq!(look(store, &made).await, after);
}

pub async fn nobody_elses_session_is_read_or_appended_to(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    append_texts(store, &made, &["a"], 2).await;
    let before = look(store, &made).await;
    let unknown = [SessionKey::Number(99), SessionKey::Cuid(cuid())];
    let hers = [key(&made), SessionKey::Cuid(made.id.clone())];
    let wishes = unknown.iter().map(|one| (&ada, one));
    for (owner, session) in wishes.chain(hers.iter().map(|one| (&bob, one))) {
        let new = vec![new_message("x")];
        let now = Timestamp(3);
        let appended = store.append_messages(owner.clone(), session.clone(), new, now, None);
        assert_eq!(appended.await.unwrap(), Appended::Missing);
        for view in [MessageView::Path, MessageView::Tree] {
            let listed = store
                .messages(owner, session, view, None, PageSize::default())
                .await;
            assert_eq!(listed.unwrap(), None);
        }
    }
    assert_eq!(look(store, &made).await, before);
    for session in hers {
        let listed = store.messages(&ada, &session, MessageView::Path, None, PageSize::default());
        assert_eq!(listed.await.unwrap().unwrap().items, before.1);
    }
}

pub async fn a_session_without_messages_has_an_empty_page(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for view in [MessageView::Path, MessageView::Tree] {
        for from in [None, Some(1), Some(i64::MAX)] {
            let page = page(store, &made, view, from, 1).await;
            assert_eq!((page.items, page.next), (Vec::new(), None));
        }
    }
}

pub async fn a_repeated_append_gives_the_same_messages_and_writes_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let new = || vec![new_message("a"), new_message("b")];
    let first = append_once(store, &made, new(), once("k", 1)).await;
    let first = first.unwrap();
    assert!(matches!(&first, Appended::Done(messages) if messages.len() == 2));
    append_texts(store, &made, &["c"], 3).await;
    let before = look(store, &made).await;
    let again = append_once(store, &made, new(), once("k", 1)).await;
    assert_eq!(again.unwrap(), first);
    let other = append_once(store, &made, new(), once("k", 2)).await;
    assert!(matches!(other, Err(StoreError::KeyReused)));
    assert_eq!(look(store, &made).await, before);
}

pub async fn a_repeated_append_to_a_deleted_session_is_gone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let append = async || append_once(store, &made, vec![new_message("a")], once("k", 1)).await;
    assert!(matches!(append().await, Ok(Appended::Done(_))));
    delete(store, &made, 3).await;
    assert!(matches!(append().await, Err(StoreError::Gone)));
}

pub async fn places_have_no_gap_when_many_append_at_once(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ten = async |name: &str| {
        for count in 0..10 {
            append_texts(store, &made, &[&format!("{name}{count}")], 2).await;
        }
    };
    tokio::join!(ten("a"), ten("b"), ten("c"));
    let mut path = messages(store, &made, MessageView::Path, 7).await;
    path.reverse();
    let places: Vec<_> = path.iter().map(|one| one.seq).collect();
    assert_eq!(places, (1..=30).collect::<Vec<_>>());
    let depths: Vec<_> = path.iter().map(|one| one.depth).collect();
    assert_eq!(depths, (1..=30).collect::<Vec<_>>());
    assert_eq!(find(store, &made).await.version, 31);
}

pub async fn places_are_counted_in_each_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    for text in ["one", "two"] {
        let made = session(store, &ada, text, 1).await;
        let appended = append_texts(store, &made, &["a", "b"], 2).await;
        assert_eq!((appended[0].seq, appended[1].seq), (1, 2));
        let tree = messages(store, &made, MessageView::Tree, 100).await;
        assert!(tree.iter().all(|one| one.session == made.id));
        assert_eq!(tree.len(), 2);
    }
}

pub async fn the_head_moves_to_any_message_of_the_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let trunk = append_texts(store, &made, &["a", "b", "c"], 2).await;
    append(store, &made, vec![following(&trunk[0].id, "d")], 3).await;
    let before = find(store, &made).await;
    let changed = move_head(store, &made, &trunk[2].id, 4).await;
    let expected = Session {
        head: Some(trunk[2].id.clone()),
        version: before.version + 1,
        updated_at: Timestamp(4),
        ..before
    };
    assert_eq!(changed, Changed::Done(expected.clone()));
    assert_eq!(find(store, &made).await, expected);
    let path = texts(store, &made, MessageView::Path).await;
    assert_eq!(path, ["c", "b", "a"]);
    move_head(store, &made, &trunk[1].id, 5).await;
    assert_eq!(texts(store, &made, MessageView::Path).await, ["b", "a"]);
    // Another change leaves it where it is, and what is appended follows it.
    let renamed = SessionChange {
        title: Some(title("two")),
        ..SessionChange::default()
    };
    change(store, &made, renamed, 6).await;
    let next = append_texts(store, &made, &["e"], 7).await;
    assert_eq!((next[0].seq, next[0].depth), (5, 3));
    let path = texts(store, &made, MessageView::Path).await;
    assert_eq!(path, ["e", "b", "a"]);
}

pub async fn the_head_moves_to_no_message_of_another_session(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    append_texts(store, &made, &["a"], 2).await;
    let mut unknown = vec![cuid()];
    for owner in [&ada, &bob] {
        let other = session(store, owner, "other", 1).await;
        unknown.push(append_texts(store, &other, &["x"], 2).await[0].id.clone());
    }
    let before = look(store, &made).await;
    for head in unknown {
        let wish = SessionChange {
            title: Some(title("two")),
            head: Some(Head::At(head)),
            ..SessionChange::default()
        };
        let changed = change(store, &made, wish, 3).await;
        assert_eq!(changed, Changed::NoSuchMessage);
    }
    assert_eq!(look(store, &made).await, before);
}

pub async fn pages_meet_without_gap_or_repeat_in_any_tree(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let mut dice = Dice(7);
    for _ in 0..3 {
        let made = session(store, &ada, "tree", 1).await;
        // What each message follows, and all messages, in the order of their places.
        let mut parents: HashMap<Cuid, Option<Cuid>> = HashMap::new();
        let mut ids: Vec<Cuid> = Vec::new();
        while ids.len() < 80 {
            let mut before = find(store, &made).await.head;
            let mut new = Vec::new();
            for _ in 0..=dice.below(3) {
                let message = match dice.below(8) {
                    0 => beginning("root"),
                    1..=3 => dice
                        .pick(&ids[..ids.len() - new.len()])
                        .map_or_else(|| beginning("root"), |parent| following(&parent, "child")),
                    _ => new_message("next"),
                };
                let parent = match &message.parent {
                    Parent::Root => None,
                    Parent::Head => before,
                    Parent::Message(parent) => Some(parent.clone()),
                };
                parents.insert(message.id.clone(), parent);
                before = Some(message.id.clone());
                ids.push(message.id.clone());
                new.push(message);
            }
            append(store, &made, new, 2).await;
            if dice.below(3) == 0 {
                let head = dice.pick(&ids).unwrap();
                move_head(store, &made, &head, 2).await;
            }
        }
        for size in [1, 2, 3, 7, 79, 100] {
            let tree = messages(store, &made, MessageView::Tree, size).await;
            assert!(tree.iter().map(|one| &one.id).eq(ids.iter().rev()));
            let places = (1..=i64::try_from(ids.len()).unwrap()).rev();
            assert!(tree.iter().map(|one| one.seq).eq(places));
            for one in &tree {
                assert_eq!(one.parent, parents[&one.id]);
            }
            let head = dice.pick(&ids).unwrap();
            move_head(store, &made, &head, 3).await;
            let up = |id: &Cuid| parents[id].clone();
            let expected: Vec<_> = std::iter::successors(Some(head), up).collect();
            let path = messages(store, &made, MessageView::Path, size).await;
            assert!(path.iter().map(|one| &one.id).eq(&expected));
            let depths = (1..=u32::try_from(expected.len()).unwrap()).rev();
            assert!(path.iter().map(|one| one.depth).eq(depths));
        }
    }
}

pub async fn a_list_that_has_begun_goes_on_whatever_is_written(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let trunk = append_texts(store, &made, &["a", "b", "c", "d"], 2).await;
    for (view, expected) in [
        (MessageView::Path, ["b", "a"]),
        (MessageView::Tree, ["b", "a"]),
    ] {
        move_head(store, &made, &trunk[3].id, 3).await;
        // In the tree there are newer ones by now; they come before.
        let from = (view == MessageView::Tree).then_some(4);
        let first = page(store, &made, view, from, 2).await;
        assert_eq!((first.items[0].text(), first.next), ("d".into(), Some(2)));
        append(store, &made, vec![following(&trunk[0].id, "e")], 4).await;
        let second = page(store, &made, view, first.next, 2).await;
        let texts: Vec<_> = second.items.iter().map(Message::text).collect();
        assert_eq!(
            (texts, second.next),
            (expected.map(String::from).into(), None)
        );
    }
}

pub async fn a_path_of_thousands_is_read_a_page_at_a_time(store: &dyn Store) {
    const LENGTH: i64 = 3_000;
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "long", 1).await;
    for hundred in 0..LENGTH / 100 {
        let new = (1..=100).map(|count| new_message(&(hundred * 100 + count).to_string()));
        append(store, &made, new.collect(), 2).await;
    }
    let mut from = None;
    for first in [LENGTH, LENGTH - 10, LENGTH - 20] {
        let page = page(store, &made, MessageView::Path, from, 10).await;
        let expected = (first - 9..=first).rev();
        assert!(page.items.iter().map(|one| one.seq).eq(expected.clone()));
        let texts = page.items.iter().map(Message::text);
        assert!(texts.eq(expected.map(|seq| seq.to_string())));
        from = page.next;
        assert_eq!(from, Some(first - 10));
    }
    let all = messages(store, &made, MessageView::Path, 100).await;
    assert!(all.iter().map(|one| one.seq).eq((1..=LENGTH).rev()));
    // From the middle, where nobody has asked before.
    let page = page(store, &made, MessageView::Path, Some(5), 10).await;
    assert!(page.items.iter().map(|one| one.seq).eq((1..=5).rev()));
    assert_eq!(page.next, None);
}

pub async fn the_longest_text_comes_back_as_it_was(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for longest in [
        "\u{1F9EF}".repeat(MESSAGE_CHARS),
        "\"".repeat(MESSAGE_CHARS),
    ] {
        append_texts(store, &made, &[&longest], 2).await;
        let head = page(store, &made, MessageView::Path, None, 1).await;
        // Not with assert_eq: it would print a megabyte.
        assert!(head.items[0].content == says(&longest));
    }
}

pub async fn messages_of_a_deleted_session_are_gone(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let appended = append_texts(store, &made, &["a"], 2).await;
    delete(store, &made, 3).await;
    let (size, number) = (PageSize::default(), key(&made));
    let listed = store.messages(&ada, &number, MessageView::Tree, None, size);
    assert_eq!(listed.await.unwrap(), None);
    let next = session(store, &ada, "two", 4).await;
    let wish = vec![following(&appended[0].id, "b")];
    let refused = store.append_messages(ada, key(&next), wish, Timestamp(5), None);
    assert_eq!(refused.await.unwrap(), Appended::NoSuchParent(0));
}

pub async fn a_repeated_append_of_nothing_does_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let before = look(store, &made).await;
    for _ in 0..2 {
        let appended = append_once(store, &made, Vec::new(), once("k", 1)).await;
        assert_eq!(appended.unwrap(), Appended::Done(Vec::new()));
    }
    assert_eq!(look(store, &made).await, before);
}
