//! When a provider is asked again.

use std::time::Duration;

use crate::faults::{Fault, Remedy};

/// How long it is waited before the first try after the first; each further wait is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest wait, unless the provider asks for a longer one.
const PAUSE_MOST: Duration = Duration::from_secs(4);
/// The longest wait that a provider may ask for. Who asks for more is not waited for: the person
/// who reads that can decide for themselves.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(10);

/// What is left of the tries for one question.
pub(crate) struct Retries {
    left: u32,
    pause: Duration,
}

impl Retries {
    pub fn new(retries: u32) -> Self {
        Self {
            left: retries,
            pause: PAUSE_FIRST,
        }
    }

    /// How long to wait before the next try; `None` to give up.
    pub fn after(&mut self, fault: &Fault) -> Option<Duration> {
        let asked_for = fault.error.retry_after.unwrap_or_default();
        if fault.remedy != Remedy::Later || asked_for > RETRY_AFTER_MOST {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let pause = self.pause.max(asked_for);
        self.pause = (self.pause * 2).min(PAUSE_MOST);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults;

    fn asking_for(seconds: u64) -> Fault {
        let mut fault = faults::cut();
        fault.error.retry_after = Some(Duration::from_secs(seconds));
        fault
    }

    #[test]
    fn each_wait_is_twice_as_long_up_to_the_longest() {
        let mut retries = Retries::new(7);
        let waits: Vec<_> = std::iter::from_fn(|| retries.after(&faults::cut()))
            .take(99)
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    }

    #[test]
    fn a_provider_that_names_a_time_is_waited_for_that_long_unless_it_is_too_long() {
        let mut retries = Retries::new(9);
        assert_eq!(retries.after(&asking_for(10)), Some(RETRY_AFTER_MOST));
        assert_eq!(retries.after(&asking_for(0)), Some(PAUSE_FIRST * 2));
        assert_eq!(retries.after(&asking_for(11)), None);
    }

    #[test]
    fn what_would_go_wrong_again_is_not_tried_again() {
        assert_eq!(Retries::new(9).after(&faults::silent()), None);
    }
}
