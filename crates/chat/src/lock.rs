use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what stays whole although somebody panicked while they held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
