//! A way to a database, or to a bus, that a test can freeze and cut.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use crate::background::Background;

pub struct Line {
    served: Background,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    /// Open until somebody ends a transaction that was begun before: that does not get through any
    /// more, and nothing else.
    OpenUntilACommit,
    /// Connections stay, and nothing comes over them in either direction.
    Frozen,
    /// Connections break, and new ones do, too.
    Cut,
}

impl Line {
    pub fn to(place: &str) -> Self {
        let to: SocketAddr = place.parse().unwrap();
        let state = watch::Sender::new(State::Open);
        let shared = state.clone();
        let served = Background::serve(move |connection| {
            let state = shared.clone();
            async move {
                let mut changes = state.subscribe();
                tokio::select! {
                    _ = changes.wait_for(|state| *state == State::Cut) => {}
                    // Either side may break off at any time.
                    _ = forward(connection, to, &state) => {}
                }
            }
        });
        Self { served, state }
    }

    pub fn place(&self) -> String {
        self.served.address.to_string()
    }

    /// Freezes it where somebody who has it is in a transaction, which thus stays open.
    pub async fn freeze_before_a_commit(&self) {
        self.state.send_replace(State::OpenUntilACommit);
        let mut changes = self.state.subscribe();
        let frozen = changes.wait_for(|state| *state == State::Frozen).await;
        drop(frozen.unwrap());
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub fn mend(&self) {
        self.state.send_replace(State::Open);
    }
}

async fn forward(
    client: TcpStream,
    to: SocketAddr,
    state: &watch::Sender<State>,
) -> io::Result<()> {
    until_open(state).await;
    let server = TcpStream::connect(to).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        pass(from_client, to_server, state),
        pass(from_server, to_client, state)
    )?;
    Ok(())
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &watch::Sender<State>,
) -> io::Result<()> {
    let mut bytes = vec![0; 8 * 1_024];
    loop {
        let read = from.read(&mut bytes).await?;
        state.send_if_modified(|state| {
            let freezes = *state == State::OpenUntilACommit && ends_a_transaction(&bytes[..read]);
            if freezes {
                *state = State::Frozen;
            }
            freezes
        });
        // That a side has closed its connection is not heard on the other one either.
        until_open(state).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..read]).await?;
    }
}

/// Whether these words to PostgreSQL end a transaction that earlier ones have begun.
fn ends_a_transaction(bytes: &[u8]) -> bool {
    let holds = |word: &[u8]| bytes.windows(word.len()).any(|bytes| bytes == word);
    holds(b"COMMIT") && !holds(b"BEGIN")
}

async fn until_open(state: &watch::Sender<State>) {
    let mut changes = state.subscribe();
    let open = |state: &State| matches!(state, State::Open | State::OpenUntilACommit);
    // Its sender is there.
    let _ = changes.wait_for(open).await;
}
