use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::contracts::Clock;
use crate::error::Error;
use crate::limits;
use crate::lock::lock;
use crate::types::Email;

/// How many sign-ins may fail, by account and by address.
pub(crate) struct SignInLimits {
    accounts: Tries<Email>,
    addresses: Tries<IpAddr>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

/// Accounts that share a turn wait for each other needlessly; there are more than cores to hash on.
const TURNS: usize = 64;

impl SignInLimits {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            accounts: Tries::new(limits::SIGN_INS_PER_ACCOUNT, clock),
            addresses: Tries::new(limits::SIGN_INS_PER_ADDRESS, clock),
            turns: [const { tokio::sync::Mutex::const_new(()) }; TURNS],
            hasher: RandomState::new(),
        }
    }

    /// Waits until no other sign-in to that account is being checked: many at once would all be
    /// checked before the first of them counts as failed.
    pub(crate) async fn turn(&self, account: &Email) -> tokio::sync::MutexGuard<'_, ()> {
        let turn = self.hasher.hash_one(account) as usize % TURNS;
        self.turns[turn].lock().await
    }

    /// Whether somebody there may try to make an account; counts as a failed sign-in of theirs.
    pub(crate) fn register(&self, address: IpAddr) -> Result<(), Error> {
        self.addresses.check(&network(address))?;
        self.addresses.note(network(address))
    }

    /// Whether somebody there may try to sign in to that account.
    pub(crate) fn check(&self, account: &Email, address: IpAddr) -> Result<(), Error> {
        self.accounts.check(account)?;
        self.addresses.check(&network(address))
    }

    /// Notes that it failed; an error when it was one too many.
    pub(crate) fn failed(&self, account: &Email, address: IpAddr) -> Result<(), Error> {
        let account = self.accounts.note(account.clone());
        let address = self.addresses.note(network(address));
        account.and(address)
    }
}

/// What is counted as one address: in IPv6 a whole /64, since that is what one customer gets.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// How often somebody may try something.
pub(crate) struct Tries<K: Clone + Eq + Hash> {
    allowed: RateLimiter<K, HashMapStateStore<K>, Wall, NoOpMiddleware<Nanos>>,
    /// Who has used up what was allowed, and until when. Looked at before a password is checked:
    /// a right guess is not told from a wrong one while it lasts.
    blocked: Mutex<HashMap<K, Nanos>>,
    clock: Wall,
}

impl<K: Clone + Eq + Hash> Tries<K> {
    pub(crate) fn new((burst, refill): (u32, Duration), clock: &Arc<dyn Clock>) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(refill)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        let clock = Wall(clock.clone());
        Self {
            allowed: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()),
            blocked: Mutex::default(),
            clock,
        }
    }

    fn check(&self, who: &K) -> Result<(), Error> {
        let blocked = lock(&self.blocked);
        let now = self.clock.now();
        match blocked.get(who) {
            Some(until) if *until > now => Err(too_many(until.duration_since(now))),
            _ => Ok(()),
        }
    }

    /// Counts a try; an error when it is one too many.
    pub(crate) fn note(&self, who: K) -> Result<(), Error> {
        if self.allowed.len() >= limits::SIGN_INS_REMEMBERED {
            self.allowed.retain_recent();
        }
        let Err(refused) = self.allowed.check_key(&who) else {
            return Ok(());
        };
        let now = self.clock.now();
        let wait: Nanos = refused.wait_time_from(now).into();
        let mut blocked = lock(&self.blocked);
        if blocked.len() >= limits::SIGN_INS_REMEMBERED {
            blocked.retain(|_, until| *until > now);
        }
        blocked.insert(who, now + wait);
        Err(too_many(wait))
    }
}

fn too_many(wait: Nanos) -> Error {
    Error::TooManyFailures {
        retry_after: wait.into(),
    }
}

/// The product's clock, as the rate limiter wants it.
#[derive(Clone)]
struct Wall(Arc<dyn Clock>);

impl GovernorClock for Wall {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0)).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::types::Timestamp;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    /// Fails until it is one too many; gives how often that went.
    fn exhaust(limits: &SignInLimits, account: impl Fn(u32) -> Email, address: IpAddr) -> u32 {
        (0..10_000)
            .take_while(|count| limits.failed(&account(*count), address).is_ok())
            .count() as u32
    }

    #[test]
    fn an_account_is_locked_after_its_failures_and_opened_by_time() {
        let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000_000)));
        let sign_ins = SignInLimits::new(&(clock.clone() as Arc<dyn Clock>));
        let (ada, home) = (email("ada@x"), IpAddr::from([192, 0, 2, 1]));
        let (burst, refill) = limits::SIGN_INS_PER_ACCOUNT;
        assert_eq!(exhaust(&sign_ins, |_| ada.clone(), home), burst);
        let locked = sign_ins.check(&ada, home);
        assert!(
            matches!(locked, Err(Error::TooManyFailures { retry_after }) if retry_after <= refill)
        );
        assert!(sign_ins.check(&email("bob@x"), home).is_ok());
        clock
            .0
            .fetch_add(refill.as_millis() as i64, Ordering::Relaxed);
        assert!(sign_ins.check(&ada, home).is_ok());
        assert!(sign_ins.failed(&ada, home).is_ok());
        assert!(sign_ins.failed(&ada, home).is_err());
    }

    #[test]
    fn an_address_is_locked_whichever_accounts_it_tries() {
        let clock: Arc<dyn Clock> = Arc::new(Hand(AtomicI64::new(0)));
        let sign_ins = SignInLimits::new(&clock);
        let network = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, host]);
        let guessed = exhaust(&sign_ins, |count| email(&format!("{count}@x")), network(1));
        assert_eq!(guessed, limits::SIGN_INS_PER_ADDRESS.0);
        // The whole /64 is one customer.
        assert!(sign_ins.check(&email("ada@x"), network(2)).is_err());
        assert!(
            sign_ins
                .check(&email("ada@x"), IpAddr::from([192, 0, 2, 1]))
                .is_ok()
        );
    }
}
