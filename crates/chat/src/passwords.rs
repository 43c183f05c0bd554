use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::contracts::Entropy;
use crate::error::Error;
use crate::limits;
use crate::types::Password;

/// Memory of one hash in KiB, passes and lanes, as the OWASP password storage cheat sheet has them.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes and checks passwords with Argon2id, at most as many at once as there are cores.
///
/// Each takes 19 MiB and tens of milliseconds: without that bound a burst of sign-ins would take
/// the machine's memory.
pub(crate) struct Passwords {
    entropy: Arc<dyn Entropy>,
    argon2: Argon2<'static>,
    cores: Semaphore,
    places: Semaphore,
    /// What the password of an unknown account is checked against.
    dummy: String,
}

impl Passwords {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let (memory, passes, lanes) = COST;
        let params = Params::new(memory, passes, lanes, None).map_err(internal)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            entropy,
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            cores: Semaphore::new(cores),
            places: Semaphore::new(cores + limits::HASHES_WAITING),
            // Well-formed, and no password's: making a real one would cost a hash at each start.
            dummy: format!(
                "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}",
                "A".repeat(22),
                "A".repeat(43)
            ),
        })
    }

    /// The password's hash in PHC format, with a salt of its own.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Error> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let argon2 = self.argon2.clone();
        self.on_a_core(move || {
            let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
            Ok(hash.map_err(internal)?.to_string())
        })
        .await?
    }

    /// Whether the password is the one of `hash`; takes as long without a hash.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let argon2 = self.argon2.clone();
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        self.on_a_core(move || {
            let same = argon2.verify_password(password.as_bytes(), hash.as_str());
            known && same.is_ok()
        })
        .await
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let _core = self.cores.acquire().await.map_err(internal)?;
        tokio::task::spawn_blocking(work).await.map_err(internal)
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a password could not be hashed: {error}"))
}
