//! What was acknowledged is there after a kill, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Client, try_send};
use crate::database::is_postgres;
use crate::server::Server;

const ROUNDS: u64 = 50;
const WRITERS: usize = 8;

/// What one client knows: the title that each of its sessions has (`None`: deleted), and the one
/// change whose answer never came.
#[derive(Default)]
struct Known {
    titles: BTreeMap<i64, Option<String>>,
    unanswered: Option<Change>,
    acked: usize,
}

#[derive(Clone)]
enum Change {
    Create(String),
    Rename(i64, String),
    Delete(i64),
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_by_a_kill() {
    let seed = 0x00c4_a7ce_e901;
    let mut random = StdRng::seed_from_u64(seed);
    let mut server = Server::start();
    let token = server.user("ada@example.com").token.unwrap();
    let mut acked = 0;
    for round in 0..ROUNDS {
        let client = server.stranger().with_token(&token);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let random = StdRng::seed_from_u64(seed ^ (round * 100 + writer as u64));
            writers.spawn(write(client.clone(), format!("{round}-{writer}"), random));
        }
        // The moment of the kill is the test's input, not something that it waits for.
        tokio::time::sleep(Duration::from_millis(random.random_range(20..350))).await;
        server = server.kill().start_again();
        let known = writers.join_all().await;
        let client = server.stranger().with_token(&token);
        acked += known.iter().map(|one| one.acked).sum::<usize>();
        check(&all(&client).await, &known, round);
        clear(&client).await;
    }
    println!("kill9 rounds={ROUNDS} acked={acked} lost=0");
    // Each commit of PostgreSQL's costs more than one that many share.
    let enough = if is_postgres() { 200 } else { 1_000 };
    assert!(acked > enough, "too little happened: {acked}");
}

/// Changes its own sessions, one change after the other, until the server is gone.
async fn write(client: Client, name: String, mut random: StdRng) -> Known {
    let mut known = Known::default();
    for count in 0.. {
        let mine: Vec<i64> = known
            .titles
            .iter()
            .filter(|(_, title)| title.is_some())
            .map(|(id, _)| *id)
            .collect();
        let title = format!("{name}-{count}");
        let change = match (mine.is_empty(), random.random_range(0..10)) {
            (true, _) | (_, 0..5) => Change::Create(title),
            (_, 5..8) => Change::Rename(mine[random.random_range(0..mine.len())], title),
            _ => Change::Delete(mine[random.random_range(0..mine.len())]),
        };
        known.unanswered = Some(change.clone());
        let request = match &change {
            Change::Create(title) => client
                .request("POST", "/api/chat_sessions")
                .json(&json!({ "title": title })),
            Change::Rename(id, title) => client
                .request("PUT", &format!("/api/chat_sessions/{id}"))
                .json(&json!({ "title": title })),
            Change::Delete(id) => client.request("DELETE", &format!("/api/chat_sessions/{id}")),
        };
        let Ok(answer) = try_send(request).await else {
            break;
        };
        assert!(answer.status < 300, "{answer:?}");
        match change {
            Change::Create(title) => known
                .titles
                .insert(answer.body["data"]["id"].as_i64().unwrap(), Some(title)),
            Change::Rename(id, title) => known.titles.insert(id, Some(title)),
            Change::Delete(id) => known.titles.insert(id, None),
        };
        known.unanswered = None;
        known.acked += 1;
    }
    known
}

fn check(stored: &BTreeMap<i64, String>, known: &[Known], round: u64) {
    let mut explained = BTreeSet::new();
    for one in known {
        for (id, title) in &one.titles {
            let found = stored.get(id);
            explained.insert(*id);
            let also = match &one.unanswered {
                Some(Change::Rename(renamed, title)) if renamed == id => Some(Some(title)),
                Some(Change::Delete(deleted)) if deleted == id => Some(None),
                _ => None,
            };
            assert!(
                found == title.as_ref() || Some(found) == also,
                "round {round}: session {id} should be {title:?} and is {found:?}"
            );
        }
        if let Some(Change::Create(title)) = &one.unanswered {
            explained.extend(
                stored
                    .iter()
                    .filter(|(_, stored)| *stored == title)
                    .map(|(id, _)| *id),
            );
        }
    }
    let stray: Vec<_> = stored
        .iter()
        .filter(|(id, _)| !explained.contains(id))
        .collect();
    assert!(stray.is_empty(), "round {round}: nobody sent {stray:?}");
}

async fn all(client: &Client) -> BTreeMap<i64, String> {
    let (mut sessions, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = client
            .get(&format!("/api/chat_sessions?limit=100{cursor}"))
            .await;
        for one in page.body["data"].as_array().unwrap() {
            sessions.insert(
                one["id"].as_i64().unwrap(),
                one["title"].as_str().unwrap().into(),
            );
        }
        let Some(next) = page.body["paging"]["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    sessions
}

/// Makes room for the next round, so that reading back stays quick.
async fn clear(client: &Client) {
    let mut deletions = JoinSet::new();
    for id in all(client).await.into_keys() {
        let client = client.clone();
        deletions.spawn(async move {
            client
                .delete(&format!("/api/chat_sessions/{id}"))
                .await
                .status
        });
    }
    assert!(
        deletions
            .join_all()
            .await
            .iter()
            .all(|status| *status == 200)
    );
}
