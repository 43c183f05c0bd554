use std::collections::HashMap;
use std::sync::Mutex;

use crate::error::Error;
use crate::limits;
use crate::lock::lock;
use crate::types::{Once, Tries};

/// The idempotency keys of requests that are running, and how many run with each: a second request with
/// one is told so, unless it is a first try like the one that runs.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<String, usize>>);

/// Keeps a key in use until it is dropped.
pub(crate) struct Guard<'a> {
    running: &'a Running,
    key: Option<String>,
}

impl Running {
    /// Takes the key for one request of `owner`; does nothing without a key.
    pub(crate) fn begin(&self, owner: &str, once: Option<&Once>) -> Result<Guard<'_>, Error> {
        let Some(once) = once else {
            return Ok(Guard {
                running: self,
                key: None,
            });
        };
        // Neither an owner nor a key holds a space.
        let key = format!("{owner} {}", once.key.as_str());
        let mut keys = lock(&self.0);
        if keys.len() >= limits::IDEMPOTENCY_RUNNING {
            return Err(Error::Busy);
        }
        if keys.contains_key(&key) && once.tries != Tries::First {
            return Err(Error::StillRunning);
        }
        *keys.entry(key.clone()).or_default() += 1;
        Ok(Guard {
            running: self,
            key: Some(key),
        })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let mut keys = lock(&self.running.0);
        match keys.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                keys.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::IdempotencyKey;

    fn once(key: &str) -> Once {
        Once {
            key: IdempotencyKey::parse(key).unwrap(),
            request: [0; 32],
            tries: Tries::Keyed,
        }
    }

    #[test]
    fn a_key_is_in_use_until_its_request_has_ended() {
        let running = Running::default();
        let first = running.begin("ada", Some(&once("k"))).unwrap();
        let again = running.begin("ada", Some(&once("k")));
        assert!(matches!(again, Err(Error::StillRunning)));
        assert!(running.begin("bob", Some(&once("k"))).is_ok());
        assert!(running.begin("ada", Some(&once("other"))).is_ok());
        assert!(running.begin("ada", None).is_ok());
        drop(first);
        assert!(running.begin("ada", Some(&once("k"))).is_ok());
    }

    #[test]
    fn first_tries_that_are_alike_run_beside_each_other_and_a_retry_waits_for_all() {
        let running = Running::default();
        let first = Once {
            tries: Tries::First,
            ..once("k")
        };
        let one = running.begin("ada", Some(&first)).unwrap();
        let other = running.begin("ada", Some(&first)).unwrap();
        drop(one);
        let retry = running.begin("ada", Some(&once("k")));
        assert!(matches!(retry, Err(Error::StillRunning)));
        drop(other);
        assert!(running.begin("ada", Some(&once("k"))).is_ok());
    }
}
