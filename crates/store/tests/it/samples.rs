use std::sync::LazyLock;

use chat::contracts::{Admission, Entropy, Registered, Store};
use chat::types::{
    Account, Cuid, CuidMint, Email, IdempotencyKey, NewAccount, NewSession, NewToken, Once, Role,
    Session, SessionKind, Timestamp, Title, TokenKind,
};

/// Counts instead of drawing: a test's identifiers differ, and that is all it needs.
struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (place, byte) in bytes.iter_mut().zip(count.to_le_bytes().iter().cycle()) {
            *place = *byte;
        }
    }
}

pub fn cuid() -> Cuid {
    static MINT: LazyLock<(CuidMint, Counting)> =
        LazyLock::new(|| (CuidMint::default(), Counting(0.into())));
    MINT.0.mint(Timestamp(1_700_000_000_000), &MINT.1)
}

pub fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

pub fn once(key: &str, request: u8) -> Once {
    Once {
        key: IdempotencyKey::parse(key).unwrap(),
        request: [request; 32],
    }
}

pub fn new_account(email: &str) -> NewAccount {
    NewAccount {
        id: cuid(),
        email: Email::parse(email).unwrap(),
        name: None,
        role: Role::User,
        password_hash: Some("hash".into()),
        created_at: Timestamp(1),
    }
}

pub async fn account(store: &dyn Store, email: &str) -> Account {
    let made = store.create_account(new_account(email), Admission::Anybody, None);
    match made.await.unwrap() {
        Registered::Made(account) => account,
        other => panic!("{other:?}"),
    }
}

pub fn new_session(owner: &Cuid, text: &str, at: i64) -> NewSession {
    NewSession {
        id: cuid(),
        owner: owner.clone(),
        title: title(text),
        kind: SessionKind::Text,
        created_at: Timestamp(at),
    }
}

pub async fn session(store: &dyn Store, owner: &Cuid, text: &str, at: i64) -> Session {
    let new = new_session(owner, text, at);
    store.create_session(new, None).await.unwrap()
}

pub fn new_token(owner: &Cuid, kind: TokenKind) -> NewToken {
    NewToken {
        id: cuid(),
        owner: owner.clone(),
        kind,
        name: None,
        hash: [7; 32],
        created_at: Timestamp(1),
        expires_at: None,
        sealed: None,
    }
}
