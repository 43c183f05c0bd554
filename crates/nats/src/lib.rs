//! Chatkeep's bus between nodes, over core NATS: what one node tells, the others hear.
//!
//! NATS keeps nothing here. Whoever is away misses what is told, and hears of a gap once it is
//! back; the rows are the truth.
//!
//! Whoever may publish below the prefix can put words into a reply somebody watches, and whoever
//! may subscribe there reads all of them. Where a server has other users, Chatkeep needs one of its
//! own, who may do both with `PREFIX.>`, and nobody else may.

mod address;
mod limits;
mod queue;
mod wire;

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ConnectError, ConnectOptions, Message, Request, RequestErrorKind, SubscribeError,
};
use async_trait::async_trait;
use chat::contracts::{Bus, News, Told};
use chat::types::Cuid;
use futures_util::stream::{Stream, StreamExt, select_all};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::address::Address;
use crate::queue::Queue;
use crate::wire::Outgoing;

/// A node's end of the bus.
pub struct Nats {
    prefix: String,
    client: Client,
    told: Arc<Queue<Outgoing>>,
    link: Arc<Link>,
    /// End with this.
    _tasks: JoinSet<()>,
}

/// Why there is no bus. None of the texts has anything of the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is for something else.
    #[error("the bus's URL does not begin with nats:// or tls://")]
    Scheme,
    /// There is an @, but no user and password before it.
    #[error("what is before the @ in the bus's URL is not user:password, percent-encoded")]
    Credentials,
    /// A server is none.
    #[error("a server in the bus's URL is not host:port")]
    Server,
    /// What follows the servers can't begin a subject.
    #[error(
        "the prefix in the bus's URL is not 1 to {} letters, digits, - and _",
        limits::PREFIX_CHARS
    )]
    Prefix,
    /// The client can't work with what it was given.
    #[error("the connection to NATS can't be set up")]
    Connect(#[from] ConnectError),
    /// The client is gone already.
    #[error("the bus can't be subscribed to")]
    Subscribe(#[from] SubscribeError),
}

impl Nats {
    /// Sets up the connection, and does not wait for it: a server that is away is tried until it is
    /// there. A connection that is lost is made anew by itself, for as long as this exists.
    ///
    /// `url` is `nats://[user:password@]host[:port][,…][/PREFIX]`, or the same with `tls://`, which
    /// insists on TLS. Nodes with one prefix hear one another. `node` is what the server's
    /// monitoring shows the connection as.
    pub async fn connect(url: &str, node: &Cuid, tls: rustls::ClientConfig) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let prefix = address.prefix.clone();
        let link = Arc::new(Link::new());
        let servers = address.servers.clone();
        let options = options(address, node, tls, link.clone());
        let client = options.connect(servers).await?;

        let mut subscriptions = Vec::new();
        for subject in wire::SUBJECTS {
            subscriptions.push(client.subscribe(format!("{prefix}.{subject}")).await?);
        }
        let told = Arc::new(Queue::new(limits::TOLD, limits::TOLD_BYTES));
        let mut tasks = JoinSet::new();
        tasks.spawn(publish(client.clone(), told.clone()));
        tasks.spawn(gather(select_all(subscriptions), link.clone()));
        let confirmation = format!("{prefix}.confirm.{node}");
        tasks.spawn(confirm(client.clone(), link.clone(), confirmation));
        Ok(Self {
            prefix,
            client,
            told,
            link,
            _tasks: tasks,
        })
    }
}

#[async_trait]
impl Bus for Nats {
    fn tell(&self, news: News) {
        let most = limits::FRAME_BYTES.min(self.client.max_payload());
        let outgoing = wire::write(&self.prefix, &news, most);
        let bytes = outgoing.payload.len();
        if !self.told.push(outgoing, bytes) {
            tracing::debug!("news are not told: too many wait");
        }
    }

    async fn hear(&self) -> Told {
        loop {
            let message = match self.link.heard.pop().await {
                Heard::Message(message) => message,
                Heard::Gap => return Told::Gap,
            };
            if let Some(news) = wire::read(&self.prefix, &message.subject, &message.payload) {
                return Told::News(news);
            }
            // A newer node or an older one may have sent it.
            tracing::debug!(subject = %message.subject, "news are not understood");
        }
    }

    fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
            && self.link.confirmed.load(Ordering::Relaxed) == connections(&self.client)
    }
}

/// What is known of the connection, and what has come over it.
struct Link {
    heard: Queue<Heard>,
    /// The last connection, counted from 1, on which the server was seen to have the subscriptions.
    confirmed: AtomicU64,
    /// Something has happened to the connection.
    changed: Notify,
}

/// What waits to be heard. It is read by whoever hears it, since what is dropped before need not be.
enum Heard {
    Message(Message),
    Gap,
}

impl Link {
    fn new() -> Self {
        Self {
            heard: Queue::new(limits::HEARD, limits::HEARD_BYTES),
            confirmed: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Takes note of what has happened to the connection.
    fn note(&self, event: &async_nats::Event) {
        match event {
            async_nats::Event::SlowConsumer(_) => self.heard.replace(Heard::Gap),
            async_nats::Event::Disconnected => {
                tracing::warn!("the bus is gone: what other nodes do is seen late");
            }
            async_nats::Event::ClientError(error) => {
                tracing::warn!(%error, "the bus can't be reached");
            }
            async_nats::Event::ServerError(error) => tracing::warn!(%error, "the bus complains"),
            _ => {}
        }
        self.changed.notify_one();
    }
}

fn options(
    address: Address,
    node: &Cuid,
    tls: rustls::ClientConfig,
    link: Arc<Link>,
) -> ConnectOptions {
    let options = ConnectOptions::new()
        .name(format!("chatkeep {node}"))
        .no_echo()
        .retry_on_initial_connect()
        .reconnect_delay_callback(retry_after)
        .ping_interval(limits::PING)
        .client_capacity(limits::COMMANDS)
        .subscription_capacity(limits::HEARD)
        // Also for servers that the first one tells of, whatever their URLs say.
        .require_tls(address.tls)
        .tls_client_config(tls)
        .event_callback(move |event| {
            link.note(&event);
            future::ready(())
        });
    match address.credentials {
        Some((user, password)) => options.user_and_password(user, password),
        None => options,
    }
}

/// How long to wait before an attempt to connect, counted from 1. The client's own way does not
/// wait before the first, so it would run in circles at a server that takes a connection and ends
/// it.
fn retry_after(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = limits::RETRY.saturating_mul(2_u32.saturating_pow(doublings));
    wait.min(limits::RETRY_MOST)
}

/// How many connections there have been.
fn connections(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Sends what is told, for ever.
async fn publish(client: Client, told: Arc<Queue<Outgoing>>) {
    loop {
        let Outgoing { subject, payload } = told.pop().await;
        if let Err(error) = client.publish(subject, payload.into()).await {
            tracing::debug!(%error, "news are not sent");
        }
    }
}

/// Takes in what comes, so that the client never finds a full queue: it would make an event and a
/// line in the log of each message.
async fn gather(mut messages: impl Stream<Item = Message> + Unpin, link: Arc<Link>) {
    while let Some(message) = messages.next().await {
        let bytes = message.length;
        if !link.heard.push(Heard::Message(message), bytes) {
            link.heard.replace(Heard::Gap);
        }
    }
}

/// Sees to each new connection, for ever: once the server is known to have its subscriptions, what
/// was missed before is a gap, and the bus is up.
///
/// The number of connections is what tells of a new one, since the client may drop events.
async fn confirm(client: Client, link: Arc<Link>, subject: String) {
    loop {
        let connection = connections(&client);
        if link.confirmed.load(Ordering::Relaxed) == connection {
            link.changed.notified().await;
        } else if is_subscribed(&client, &subject).await {
            link.heard.replace(Heard::Gap);
            link.confirmed.store(connection, Ordering::Relaxed);
            tracing::info!("the bus is there");
        }
    }
}

/// Whether the server has the subscriptions: it takes what a client sends in order, and answers at
/// once to a request that nobody listens to. This is such a one.
async fn is_subscribed(client: &Client, subject: &str) -> bool {
    let request = Request::new()
        .inbox(format!("{subject}.answer"))
        .timeout(Some(limits::ANSWER));
    match client.send_request(subject.to_owned(), request).await {
        Ok(_) => true,
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => true,
            RequestErrorKind::TimedOut => false,
            // The client has ended. It does not, but then this would run in circles.
            _ => future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn messages(count: usize, length: usize) -> impl Stream<Item = Message> + Unpin {
        let message = Message {
            subject: "chatkeep.withdrawn".into(),
            reply: None,
            payload: "".into(),
            headers: None,
            status: None,
            description: None,
            length,
        };
        stream::iter(vec![message; count])
    }

    #[tokio::test]
    async fn a_node_that_cant_follow_hears_of_a_gap_instead_of_what_waits() {
        let too_much = [(limits::HEARD + 1, 0), (3, limits::HEARD_BYTES / 2)];
        for (count, length) in too_much {
            let link = Arc::new(Link::new());
            gather(messages(count, length), link.clone()).await;
            gather(messages(1, 0), link.clone()).await;
            assert!(matches!(link.heard.pop().await, Heard::Gap));
            assert!(matches!(link.heard.pop().await, Heard::Message(_)));
        }
    }

    #[tokio::test]
    async fn what_the_client_dropped_is_heard_as_a_gap() {
        let link = Arc::new(Link::new());
        gather(messages(2, 0), link.clone()).await;
        link.note(&async_nats::Event::SlowConsumer(1));
        assert!(matches!(link.heard.pop().await, Heard::Gap));
    }

    #[test]
    fn attempts_to_connect_get_rarer_up_to_a_limit() {
        let waits: Vec<_> = (1..=7)
            .map(|attempt| retry_after(attempt).as_millis())
            .collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000]);
        assert_eq!(retry_after(usize::MAX), limits::RETRY_MOST);
    }
}
