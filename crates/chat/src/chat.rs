use std::sync::Arc;

use crate::accounts::Registration;
use crate::contracts::{Clock, Entropy, Store};
use crate::error::Error;
use crate::limits;
use crate::passwords::Passwords;
use crate::running::Running;
use crate::sign_in_limits::SignInLimits;
use crate::types::{Cuid, CuidMint, Timestamp};

/// What the product can do: a verb is a method.
///
/// The verbs stand in a module for each noun; those of users take a [`Caller`](crate::types::Caller),
/// those of the operator do not.
pub struct Chat {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) registration: Registration,
    pub(crate) passwords: Passwords,
    pub(crate) sign_in_limits: SignInLimits,
    pub(crate) running: Running,
    cuids: CuidMint,
}

impl Chat {
    /// The product over a store, a clock and a source of randomness.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        registration: Registration,
    ) -> Result<Self, Error> {
        Ok(Self {
            passwords: Passwords::new(entropy.clone())?,
            sign_in_limits: SignInLimits::new(&clock),
            running: Running::default(),
            cuids: CuidMint::default(),
            store,
            clock,
            entropy,
            registration,
        })
    }

    /// Whether the store can be read.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.store.check().await?)
    }

    /// Deletes all that is past its time, in portions between which others get to write; returns
    /// how many rows.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let mut rows = 0;
        loop {
            let swept = self.store.sweep(self.clock.now()).await?;
            rows += swept;
            if swept < limits::SWEEP_ROWS as usize {
                return Ok(rows);
            }
        }
    }

    /// How many writes are waiting.
    pub fn writes_waiting(&self) -> usize {
        self.store.writes_waiting()
    }

    pub(crate) fn mint(&self, now: Timestamp) -> Cuid {
        self.cuids.mint(now, &*self.entropy)
    }
}
