use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::accounts::Registration;
use crate::contracts::{Bus, Clock, Entropy, Store};
use crate::engine::Engine;
use crate::error::Error;
use crate::guests::Guests;
use crate::limits;
use crate::models::Models;
use crate::passwords::Passwords;
use crate::running::Running;
use crate::sign_in_limits::SignInLimits;
use crate::types::{Cuid, CuidMint, Node, Timestamp};

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
    pub(crate) guests: Option<Guests>,
    /// Places for tests of models.
    pub(crate) model_tests: Semaphore,
    pub(crate) engine: Arc<Engine>,
}

/// What an operator decides about the product.
#[derive(Clone, Default)]
pub struct Options {
    /// What this node is called among others: where it runs and listens.
    pub node: String,
    /// The version of the program.
    pub version: String,
    /// Who may register.
    pub registration: Registration,
    /// The models that replies are written by.
    pub models: Models,
    /// Whether they give sessions their titles.
    pub titles: bool,
    /// Whether guests are let in.
    pub guests: bool,
}

/// What the product has to do at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Writes that wait.
    pub writes_waiting: usize,
    /// Sessions in which a reply is being written.
    pub replies_running: usize,
    /// Streams of replies and of changes that are open.
    pub watchers: usize,
    /// Nodes that are alive, this one among them; 0 as long as it has not found out.
    pub nodes: usize,
    /// Whether it hears what other nodes tell.
    pub is_hearing: bool,
}

impl Chat {
    /// The product over a store, a way to the other nodes that share it, a clock and a source of
    /// randomness.
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: Options,
    ) -> Result<Self, Error> {
        let now = clock.now();
        let node = Node {
            id: CuidMint::default().mint(now, &*entropy),
            name: options.node,
            version: options.version,
            started_at: now,
            replies: 0,
            draining: false,
        };
        let engine = Engine::new(
            store.clone(),
            bus,
            clock.clone(),
            entropy.clone(),
            node,
            options.models,
            options.titles,
        );
        Ok(Self {
            passwords: Passwords::new(entropy.clone())?,
            sign_in_limits: SignInLimits::new(&clock),
            running: Running::default(),
            guests: options.guests.then(|| Guests::new(&clock)),
            model_tests: Semaphore::new(limits::MODEL_TESTS),
            engine: Arc::new(engine),
            store,
            clock,
            entropy,
            registration: options.registration,
        })
    }

    /// Writes the replies that have been accepted, those too that an earlier run has left; until
    /// [`Chat::close`].
    pub async fn write_replies(&self) {
        self.engine.clone().run().await;
    }

    /// Ends whatever is watched and lets no reply begin; waits for the end of those that are being
    /// written. Those that do not end are taken up again by the next run.
    pub async fn close(&self) {
        self.engine.close().await;
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

    /// What there is to do at the moment.
    pub fn load(&self) -> Load {
        Load {
            writes_waiting: self.store.writes_waiting(),
            replies_running: self.engine.workers(),
            watchers: limits::STREAMS - self.engine.streams.available_permits(),
            nodes: self.engine.node.alive(),
            is_hearing: self.engine.news.is_hearing(),
        }
    }

    pub(crate) fn mint(&self, now: Timestamp) -> Cuid {
        self.engine.mint(now)
    }
}
