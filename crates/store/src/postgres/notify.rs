//! A bus over PostgreSQL's NOTIFY: nodes that share a database hear one another without anything
//! else that has to be run. It carries identifiers only; who is told of events reads the rows.
//!
//! NOTIFY takes a lock on the whole database from its call to the end of the commit. So it is never
//! part of a write: it has a connection of its own, on which a commit waits for no disk, what waits
//! to be told is told together, and only once.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat::contracts::{Bus, News, Told};
use chat::types::Cuid;
use rustls::RootCertStore;
use tokio::sync::{Notify as Signal, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::dial::{Driver, TlsError, dial, tls};

/// Bytes that one notification carries; PostgreSQL takes fewer than 8,000.
const PAYLOAD_BYTES: usize = 7_900;
/// News that wait to be told; with more of them all that is told is that much was missed.
const TOLD: usize = 10_000;
/// News that wait to be heard; who can't follow has missed something.
const HEARD: usize = 4_096;
/// How long news gather before they are told.
const GATHERED: Duration = Duration::from_millis(10);
/// How often something is sent when there is no news, to see that the way is open.
const PROBE: Duration = Duration::from_secs(2);
/// How long a connection may take until it hears; a host may take it and then say nothing.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a sending may take before the connection is given up.
const SEND_TIME: Duration = Duration::from_secs(3);
/// How long to wait before the next connection is tried.
const PAUSE: Duration = Duration::from_millis(500);

/// A node's end of the bus. It connects by itself, again and again.
pub struct Notify {
    link: Arc<Link>,
    heard: tokio::sync::Mutex<mpsc::Receiver<News>>,
    /// Ends with this.
    _task: JoinSet<()>,
}

/// What a node's end of the bus shares with the task that drives it.
struct Link {
    /// Tells this node's notifications from others'.
    id: Cuid,
    /// What waits to be told, a line each.
    told: Mutex<HashSet<String>>,
    something_told: Signal,
    heard: mpsc::Sender<News>,
    is_up: AtomicBool,
    missed: AtomicBool,
    something_missed: Signal,
}

impl Notify {
    /// Begins to connect. `address` must lead to PostgreSQL itself: a pooler that hands connections
    /// around lets nobody listen. `id` is this node's, and nobody else's.
    pub fn start(address: Address, roots: &RootCertStore, id: Cuid) -> Result<Self, TlsError> {
        let tls = tls(&address, roots)?;
        let (sender, heard) = mpsc::channel(HEARD);
        let link = Arc::new(Link {
            id,
            told: Mutex::default(),
            something_told: Signal::new(),
            heard: sender,
            is_up: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            something_missed: Signal::new(),
        });
        let mut task = JoinSet::new();
        task.spawn(drive(link.clone(), address, tls));
        Ok(Self {
            link,
            heard: tokio::sync::Mutex::new(heard),
            _task: task,
        })
    }
}

#[async_trait]
impl Bus for Notify {
    fn tell(&self, news: News) {
        let mut told = self
            .link
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD {
            told.clear();
            told.insert(GAP.to_owned());
        }
        told.insert(write(&news));
        self.link.something_told.notify_one();
    }

    async fn hear(&self) -> Told {
        let mut heard = self.heard.lock().await;
        loop {
            if self.link.missed.swap(false, Ordering::AcqRel) {
                return Told::Gap;
            }
            tokio::select! {
                () = self.link.something_missed.notified() => {}
                Some(news) = heard.recv() => return Told::News(news),
            }
        }
    }

    fn is_up(&self) -> bool {
        self.link.is_up.load(Ordering::Relaxed)
    }
}

impl Link {
    fn told(&self) -> MutexGuard<'_, HashSet<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what waits to be told: the others are told that they have missed something.
    fn lose(&self) {
        *self.told() = HashSet::from([GAP.to_owned()]);
    }

    /// Has its own node look at whatever it watches.
    fn miss(&self) {
        self.missed.store(true, Ordering::Release);
        self.something_missed.notify_one();
    }

    /// Takes a notification apart. What only newer nodes know is left out.
    fn take(&self, payload: &str) {
        let mut lines = payload.lines();
        if lines.next() == Some(self.id.as_str()) {
            return;
        }
        for line in lines {
            let is_heard = match read(line) {
                Some(news) => self.heard.try_send(news).is_ok(),
                None => line != GAP,
            };
            if !is_heard {
                self.miss();
            }
        }
    }

    /// What waits to be told, as payloads.
    fn payloads(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told());
        let mut payloads = vec![self.id.to_string()];
        for line in told {
            if payloads
                .last()
                .is_none_or(|last| last.len() + line.len() >= PAYLOAD_BYTES)
            {
                payloads.push(self.id.to_string());
            }
            if let Some(last) = payloads.last_mut() {
                last.push('\n');
                last.push_str(&line);
            }
        }
        payloads
    }
}

/// Connects, tells and hears, for as long as there is somebody to tell.
async fn drive(link: Arc<Link>, address: Address, tls: MakeRustlsConnect) {
    loop {
        if let Err(error) = serve(&link, &address, tls.clone()).await {
            tracing::warn!(%error, "other nodes can't be heard");
        }
        link.is_up.store(false, Ordering::Relaxed);
        // What was about to be told may be lost.
        link.lose();
        sleep(PAUSE).await;
    }
}

async fn serve(
    link: &Arc<Link>,
    address: &Address,
    tls: MakeRustlsConnect,
) -> Result<(), tokio_postgres::Error> {
    let connecting = timeout(CONNECT_TIME, connect(link, address, tls));
    let Ok(connected) = connecting.await else {
        return Ok(());
    };
    let (client, notify, mut hearing) = connected?;
    link.is_up.store(true, Ordering::Relaxed);
    link.miss();
    tokio::select! {
        sent = send(link, &client, &notify) => sent,
        _ = hearing.join_next() => Ok(()),
    }
}

async fn connect(
    link: &Arc<Link>,
    address: &Address,
    tls: MakeRustlsConnect,
) -> Result<(Client, Statement, JoinSet<()>), tokio_postgres::Error> {
    let (client, driver) = dial(address, tls).await?;
    let mut hearing = JoinSet::new();
    hearing.spawn(listen(link.clone(), driver));
    // The connection is nobody else's, so this holds for all that is told.
    let setup = "SET synchronous_commit = off; LISTEN chatkeep";
    client.batch_execute(setup).await?;
    let notify = client.prepare("SELECT pg_notify('chatkeep', $1)").await?;
    Ok((client, notify, hearing))
}

/// Tells what waits, over and over; with nothing to tell it sees that the way is open.
async fn send(
    link: &Link,
    client: &Client,
    notify: &Statement,
) -> Result<(), tokio_postgres::Error> {
    loop {
        // Nothing to tell is no reason to say nothing.
        let _ = timeout(PROBE, link.something_told.notified()).await;
        sleep(GATHERED).await;
        for payload in link.payloads() {
            match timeout(SEND_TIME, client.execute(notify, &[&payload])).await {
                Ok(sent) => drop(sent?),
                // Nobody answers: a new connection may fare better.
                Err(_) => return Ok(()),
            }
        }
    }
}

/// Drives the connection, and takes what comes over it.
async fn listen(link: Arc<Link>, mut driver: Driver) {
    while let Some(Ok(message)) = poll_fn(|context| driver.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            link.take(notification.payload());
        }
    }
}

/// Tells that something was not told.
const GAP: &str = "gap";

fn write(news: &News) -> String {
    match news {
        News::Reply { owner, reply, .. } => format!("reply {owner} {reply}"),
        News::Changed(owner) => format!("changed {owner}"),
        News::Waiting { owner, session } => format!("waiting {owner} {session}"),
        News::Stop {
            owner,
            session,
            reply,
        } => format!("stop {owner} {session} {reply}"),
        News::Withdrawn => "withdrawn".to_owned(),
    }
}

fn read(line: &str) -> Option<News> {
    let words: Vec<_> = line.split(' ').collect();
    let cuid = |text: &str| Cuid::parse(text).ok();
    Some(match *words.as_slice() {
        ["reply", owner, reply] => News::Reply {
            owner: cuid(owner)?,
            reply: cuid(reply)?,
            events: Arc::new([]),
        },
        ["changed", owner] => News::Changed(cuid(owner)?),
        ["waiting", owner, session] => News::Waiting {
            owner: cuid(owner)?,
            session: session.parse().ok()?,
        },
        ["stop", owner, session, reply] => News::Stop {
            owner: cuid(owner)?,
            session: session.parse().ok()?,
            reply: cuid(reply)?,
        },
        ["withdrawn"] => News::Withdrawn,
        _ => return None,
    })
}
