//! Where the data is, and how the nodes that share it tell one another what is new.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chat::contracts::{Bus, Clock, NoBus, Store};
use chat::types::CuidMint;
use nats::Nats;
use rustls::ClientConfig;
use store::{CommitObserver, Database, LeaseClock, Notify, Purpose};

use crate::config::Settings;
use crate::outside::{SystemEntropy, WallClock};

/// The database that the settings name.
pub fn named(settings: &Settings) -> anyhow::Result<Database> {
    if settings.database_url.is_empty() {
        return Ok(Database::Folder(settings.data_dir.clone()));
    }
    Database::parse(&settings.database_url).context("database_url")
}

/// Opens the database that the settings name, to serve from it.
pub async fn serve(
    settings: &Settings,
    observer: Arc<dyn CommitObserver>,
) -> anyhow::Result<Arc<dyn Store>> {
    open(settings, Purpose::Serve, observer).await
}

/// Opens the database that the settings name, for a command, perhaps beside running servers.
pub async fn command(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    struct Unobserved;
    impl CommitObserver for Unobserved {
        fn committed(&self, _: usize, _: Duration) {}
    }
    open(settings, Purpose::Command, Arc::new(Unobserved)).await
}

async fn open(
    settings: &Settings,
    purpose: Purpose,
    observer: Arc<dyn CommitObserver>,
) -> anyhow::Result<Arc<dyn Store>> {
    let options = store::Options {
        purpose,
        now: WallClock.now(),
        observer,
        roots: providers::trusted_roots(),
        connections: settings.database_connections.get(),
        lease_clock: LeaseClock::Database,
    };
    Ok(store::open(&named(settings)?, options).await?)
}

/// The bus that the settings name.
pub async fn bus(settings: &Settings) -> anyhow::Result<Arc<dyn Bus>> {
    let id = CuidMint::default().mint(WallClock.now(), &SystemEntropy);
    let address = match named(settings)? {
        Database::Folder(_) if matches!(settings.bus.as_str(), "auto" | "none") => {
            return Ok(Arc::new(NoBus::Alone));
        }
        Database::Folder(_) => bail!("bus: a data folder has one node, which needs no bus"),
        Database::Postgres(address) => address,
    };
    let scheme = settings.bus.split(':').next().unwrap_or_default();
    let address = match scheme {
        "none" => return Ok(Arc::new(NoBus::BesideOthers)),
        "nats" | "tls" => {
            let nats = Nats::connect(&settings.bus, &id, tls()?).await;
            return Ok(Arc::new(nats.context("bus")?));
        }
        "auto" => address,
        _ => match Database::parse(&settings.bus).context("bus")? {
            Database::Postgres(address) => address,
            Database::Folder(_) => bail!("bus: is none of auto, none, nats://…, postgres://…"),
        },
    };
    Ok(Arc::new(Notify::start(
        address,
        &providers::trusted_roots(),
        id,
    )?))
}

fn tls() -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .context("TLS could not be set up")?;
    Ok(builder
        .with_root_certificates(providers::trusted_roots())
        .with_no_client_auth())
}
