use std::sync::Arc;

use tokio::sync::Semaphore;

use super::address::Address;
use super::numbers::Numbers;
use super::pool::Pool;
use super::turns::Turns;
use super::{Postgres, copy, dial, migrations};
use crate::copy::COPYING;
use crate::{OpenError, Options, Purpose};

/// Uses of tokens that are noted at the same time.
const TOUCHES: usize = 64;

impl Postgres {
    /// Opens the database at `address`; see [`crate::open`]. No copy is made before a migration:
    /// whoever runs a PostgreSQL has backups.
    pub async fn open(address: &Address, options: Options) -> Result<Self, OpenError> {
        let tls = dial::tls(address, &options.roots)?;
        let (client, driver) = dial::dial(address, tls.clone()).await?;
        // Ends by itself when the client goes.
        tokio::spawn(driver);
        migrations::run(&client, options.now).await?;
        if options.purpose == Purpose::Serve && copy::has_table(&client, COPYING.name).await? {
            return Err(OpenError::UnfinishedCopy);
        }
        let pool = Pool::new(address, tls, options.connections, options.observer)
            .map_err(|error| OpenError::Postgres(error.to_string()))?;
        Ok(Self {
            pool: Arc::new(pool),
            turns: Turns::new(),
            numbers: Numbers::default(),
            lease_clock: options.lease_clock,
            touching: Arc::new(Semaphore::new(TOUCHES)),
        })
    }
}
