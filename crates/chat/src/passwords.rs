use std::sync::{Arc, Mutex};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use crate::contracts::Entropy;
use crate::error::Error;
use crate::limits;
use crate::lock::lock;
use crate::types::Password;

/// Memory of one hash in KiB, passes and lanes, as the OWASP password storage cheat sheet has them.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes and checks passwords with Argon2id, at most as many at once as there are cores.
///
/// Each takes 19 MiB and tens of milliseconds: without that bound a burst of sign-ins would take
/// the machine's memory.
pub(crate) struct Passwords {
    entropy: Arc<dyn Entropy>,
    hasher: Arc<Hasher>,
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
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
            hasher: Arc::new(Hasher {
                params,
                memory: Mutex::default(),
            }),
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores + limits::HASHES_WAITING)),
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
        let hasher = self.hasher.clone();
        self.on_a_core(move || {
            let hash = hasher.hash_password_with_salt(password.as_bytes(), &salt);
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
        let hasher = self.hasher.clone();
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        self.on_a_core(move || {
            let same = hasher.verify(password.as_bytes(), &hash);
            known && same.is_ok()
        })
        .await
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| Error::Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(internal)?;
        let hash = tokio::task::spawn_blocking(move || {
            // Held by the work itself, which goes on when whoever asked for it has gone away.
            let _held = (place, core);
            work()
        });
        hash.await.map_err(internal)
    }
}

/// Argon2id over memory that is kept: allocating and freeing it for each hash leaves the process
/// with hundreds of MiB that its allocator does not give back.
struct Hasher {
    params: Params,
    /// As many blocks as hashes have run at once, which is at most the number of cores.
    memory: Mutex<Vec<Vec<Block>>>,
}

impl Hasher {
    fn verify(&self, password: &[u8], hash: &str) -> password_hash::Result<()> {
        self.verify_password(password, &PasswordHash::new(hash)?)
    }
}

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(
        &self,
        password: &[u8],
        salt: &[u8],
    ) -> password_hash::Result<PasswordHash> {
        self.hash_password_customized(password, salt, None, None, self.params.clone())
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map_or(Ok(Algorithm::Argon2id), Algorithm::try_from)?;
        let version = version.map_or(Ok(Version::V0x13), Version::try_from)?;
        let argon2 = Argon2::new(algorithm, version, params.clone());

        let kept = || lock(&self.memory);
        let mut memory = kept().pop().unwrap_or_default();
        memory.resize(params.block_count(), Block::new());
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2.hash_password_into_with_memory(password, salt, &mut output, &mut memory)?;
        kept().push(memory);

        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(&output)?),
        })
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a password could not be hashed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::new(Arc::new(Zeros)).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let check = async |text: &str, hash: &str| {
            let checked = passwords.verify(password(text), Some(hash.to_owned()));
            checked.await.unwrap()
        };
        assert!(check("correct horse", &hash).await);
        assert!(!check("another horse", &hash).await);
        assert!(!check("correct horse", "damaged").await);
        assert!(
            !passwords
                .verify(password("correct horse"), None)
                .await
                .unwrap()
        );
        // Nobody's password has the hash that unknown accounts are checked against.
        assert!(!check("correct horse", &passwords.dummy).await);
        assert!(PasswordHash::new(&passwords.dummy).is_ok());
    }

    #[test]
    fn a_hash_is_what_the_library_makes_of_the_same_password() {
        let passwords = Passwords::new(Arc::new(Zeros)).unwrap();
        let ours = passwords
            .hasher
            .hash_password_with_salt(b"correct horse", &[0; 16]);
        let theirs: PasswordHash = Argon2::default()
            .hash_password_with_salt(b"correct horse", &[0; 16])
            .unwrap();
        assert_eq!(ours.unwrap(), theirs);
    }
}
