use std::time::Duration;

use chat::contracts::Store;
use chat::limits::{NODE_ALIVE, NODE_KEPT};
use chat::types::{Node, SeenNode, Timestamp};

use crate::samples::cuid;

fn node(name: &str, started_at: i64) -> Node {
    Node {
        id: cuid(),
        name: name.into(),
        version: "1.2.3".into(),
        started_at: Timestamp(started_at),
        replies: 0,
        draining: false,
    }
}

fn seen(node: &Node, silent: i64) -> SeenNode {
    SeenNode {
        node: node.clone(),
        silent: Duration::from_millis(silent.unsigned_abs()),
    }
}

async fn note(store: &dyn Store, node: &Node, at: i64) {
    store.note_node(node.clone(), Timestamp(at)).await.unwrap();
}

async fn nodes(store: &dyn Store, at: i64) -> Vec<SeenNode> {
    store.nodes(Timestamp(at)).await.unwrap()
}

pub async fn nodes_are_shown_as_they_described_themselves_last(store: &dyn Store) {
    assert_eq!(nodes(store, 1).await, []);
    let (mut one, two) = (node("one:80", 20), node("two:80", 10));
    note(store, &one, 100).await;
    note(store, &two, 200).await;
    // The one that has run longest comes first.
    let expected = [seen(&two, 50), seen(&one, 150)];
    assert_eq!(nodes(store, 250).await, expected);
    one = Node {
        name: "one:81".into(),
        version: "1.3.0".into(),
        replies: 4_096,
        draining: true,
        ..one
    };
    note(store, &one, 300).await;
    let expected = [seen(&two, 100), seen(&one, 0)];
    assert_eq!(nodes(store, 300).await, expected);
    // One that was heard of later than now has said nothing for no time.
    assert_eq!(nodes(store, 299).await, [seen(&two, 99), seen(&one, 0)]);
}

pub async fn a_node_is_alive_as_long_as_it_says_so(store: &dyn Store) {
    let one = node("one:80", 1);
    note(store, &one, 100).await;
    let over = Timestamp(100).after(NODE_ALIVE).0;
    for (at, alive) in [(100, true), (over - 1, true), (over, false)] {
        assert_eq!(nodes(store, at).await[0].is_alive(), alive, "{at}");
    }
    note(store, &one, over).await;
    assert!(nodes(store, over).await[0].is_alive());
}

pub async fn a_node_that_ended_is_forgotten(store: &dyn Store) {
    let (one, two) = (node("one:80", 1), node("two:80", 2));
    note(store, &one, 100).await;
    note(store, &two, 100).await;
    // Nobody minds if it is done twice.
    for _ in 0..2 {
        store.forget_node(one.id.clone()).await.unwrap();
        assert_eq!(nodes(store, 100).await, [seen(&two, 0)]);
    }
}

pub async fn a_node_that_says_nothing_any_more_is_swept(store: &dyn Store) {
    let (one, two) = (node("one:80", 1), node("two:80", 2));
    note(store, &one, 100).await;
    note(store, &two, 101).await;
    let over = Timestamp(100).after(NODE_KEPT).0;
    assert_eq!(nodes(store, over - 1).await.len(), 2);
    assert_eq!(store.sweep(Timestamp(over - 1)).await.unwrap(), 0);
    // It is shown no longer, swept or not.
    let left = [seen(&two, over - 101)];
    assert_eq!(nodes(store, over).await, left);
    assert_eq!(store.sweep(Timestamp(over)).await.unwrap(), 1);
    assert_eq!(nodes(store, over).await, left);
    assert_eq!(store.sweep(Timestamp(over)).await.unwrap(), 0);
}
