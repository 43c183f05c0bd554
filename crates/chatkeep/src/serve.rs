use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api::{Metrics, Options};
use axum_server::Handle;
use chat::Chat;
use chat::contracts::Entropy;
use store::Database;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, Registration, Settings};
use crate::outside::{SystemEntropy, WallClock};
use crate::{database, providers};

/// How long running requests and replies may take to end after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a node that ends tries to say so.
const LEAVING: Duration = Duration::from_secs(1);
/// How long a connection may be idle, and a client take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_mins(1);
/// How often what is past its time is deleted.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// Serves until the process is told to stop.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    log(&settings);
    // Before anybody can know that the server is there: from now on a signal stops it gently.
    let stop = Signals::new()?;
    let metrics = Arc::new(Metrics::new(random()));
    let store = database::serve(&settings, Arc::new(Commits(metrics.clone()))).await?;
    let bus = database::bus(&settings).await?;
    let registration = match settings.registration {
        Registration::First => chat::Registration::First,
        Registration::Open => chat::Registration::Open,
    };
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("can't listen on {}", settings.listen))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let options = chat::Options {
        node: format!("{}:{}", hostname(), address.port()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registration,
        models: providers::models(&settings.provider)?,
        titles: settings.titles,
        guests: settings.guests,
    };
    let clock = Arc::new(WallClock);
    let chat = Chat::new(store, bus, clock, Arc::new(SystemEntropy), options)?;
    let chat = Arc::new(chat);
    let setup_code = chat.is_new().await?.then(code);
    let options = Options {
        cors_origins: origins(&settings)?,
        setup_code: setup_code.clone(),
    };
    let router = api::router(chat.clone(), metrics, options);
    let sweeper = tokio::spawn(sweep(chat.clone()));
    let writing = chat.clone();
    tokio::spawn(async move { writing.write_replies().await });
    let handle = Handle::new();
    let drained = tokio::spawn(stop.wait_and_drain(handle.clone(), chat));
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(axum_server::accept::NoDelayAcceptor::new())
        .handle(handle);
    let builder = server.http_builder();
    *builder = builder.clone().http1_only();
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEAD_TIME);
    announce(&settings, address, setup_code.as_deref())?;
    server
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await?;
    sweeper.abort();
    drained.await?;
    // Nobody need be listening any more.
    let _ = writeln!(io::stdout(), "stopped");
    Ok(())
}

/// The signals that ask the server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal, and then for the end of what is running.
    async fn wait_and_drain(mut self, handle: Handle<SocketAddr>, chat: Arc<Chat>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        handle.graceful_shutdown(Some(DRAIN));
        if tokio::time::timeout(DRAIN, chat.close()).await.is_err() {
            tracing::warn!(
                "replies that have not ended are taken up by another node, or the next start"
            );
        }
        if let Ok(Err(error)) = tokio::time::timeout(LEAVING, chat.leave()).await {
            tracing::warn!(%error, "this node could not be taken off the list of nodes");
        }
    }
}

/// Tells whoever started the server where it is, and how to make the first account.
fn announce(settings: &Settings, address: SocketAddr, code: Option<&str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chatkeep listens on http://{address}")?;
    let database = database::named(settings)?;
    writeln!(out, "its data is in {database}")?;
    if let Some(code) = code {
        let which = match database {
            Database::Folder(folder) => format!("--data-dir {}", folder.display()),
            Database::Postgres(_) => "--database-url …".to_owned(),
        };
        writeln!(out, "there is no account yet; make the first one")?;
        writeln!(out, "  in a browser:  http://{address}/setup/{code}")?;
        writeln!(
            out,
            "  in a shell:    chatkeep user create you@example.com --password-stdin {which}"
        )?;
    }
    Ok(out.flush()?)
}

/// What the machine, or the container, is called.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

fn origins(settings: &Settings) -> anyhow::Result<Vec<api::Origin>> {
    let parse = |origin: &String| {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        host.filter(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
            .and_then(|_| origin.parse().ok())
            .with_context(|| {
                format!("cors_origins: {origin:?} is no origin such as https://app.example.com")
            })
    };
    settings.cors_origins.iter().map(parse).collect()
}

async fn sweep(chat: Arc<Chat>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        match chat.sweep().await {
            Ok(rows) => tracing::debug!(rows, "swept"),
            Err(error) => tracing::error!(%error, "what is past its time can't be deleted"),
        }
    }
}

fn log(settings: &Settings) {
    let level = match settings.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Each connection of the bus is no news; that one fails is.
    let filter = Targets::new()
        .with_default(level)
        .with_target("async_nats", level.min(LevelFilter::WARN));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
}

struct Commits(Arc<Metrics>);

impl store::CommitObserver for Commits {
    fn committed(&self, operations: usize, took: Duration) {
        self.0.committed(operations, took);
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// The code of the one-time link: 128 bits.
fn code() -> String {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    format!("{:032x}", u128::from_le_bytes(bytes))
}
