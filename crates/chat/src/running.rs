use std::collections::HashSet;
use std::sync::Mutex;

use crate::error::Error;
use crate::limits;
use crate::lock::lock;
use crate::types::Once;

/// The idempotency keys of requests that are running: a second request with one is told so.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashSet<String>>);

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
        if !keys.insert(key.clone()) {
            return Err(Error::StillRunning);
        }
        Ok(Guard {
            running: self,
            key: Some(key),
        })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            lock(&self.running.0).remove(key);
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
            is_first: false,
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
}
