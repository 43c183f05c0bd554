//! A queue that is bounded in items and in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Items that wait for the one who takes them.
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    filled: Notify,
    most: usize,
    most_bytes: usize,
}

/// The items with their bytes, and the sum of these.
struct Waiting<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Queue<T> {
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                items: VecDeque::new(),
                bytes: 0,
            }),
            filled: Notify::new(),
            most,
            most_bytes,
        }
    }

    /// Adds an item; `false` if there is no room for it.
    pub(crate) fn push(&self, item: T, bytes: usize) -> bool {
        let mut waiting = self.lock();
        let fits = waiting.items.len() < self.most && waiting.bytes + bytes <= self.most_bytes;
        if fits {
            waiting.bytes += bytes;
            waiting.items.push_back((item, bytes));
            self.filled.notify_one();
        }
        fits
    }

    /// Drops all items for this one.
    pub(crate) fn replace(&self, item: T) {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        waiting.items.clear();
        waiting.items.push_back((item, 0));
        self.filled.notify_one();
    }

    /// Takes the oldest item, as soon as there is one. Nothing is lost if that is waited for no
    /// longer.
    pub(crate) async fn pop(&self) -> T {
        loop {
            if let Some(item) = self.try_pop() {
                return item;
            }
            self.filled.notified().await;
        }
    }

    fn try_pop(&self) -> Option<T> {
        let mut waiting = self.lock();
        let (item, bytes) = waiting.items.pop_front()?;
        waiting.bytes -= bytes;
        Some(item)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_no_more_than_its_items_and_its_bytes() {
        let queue = Queue::new(3, 10);
        assert!(queue.push('a', 4) && queue.push('b', 6));
        assert!(!queue.push('c', 1));
        assert_eq!(queue.try_pop(), Some('a'));
        assert!(queue.push('d', 2) && queue.push('e', 2));
        assert!(!queue.push('f', 0));
        queue.replace('g');
        assert!(queue.push('h', 10));
        assert_eq!([queue.try_pop(), queue.try_pop()], [Some('g'), Some('h')]);
        assert_eq!(queue.try_pop(), None);
    }
}
