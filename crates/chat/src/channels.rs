use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::lock::lock;

/// Channels to those who watch something on this node. Each exists as long as somebody listens, and
/// may lose anything: whoever misses something reads the rows.
pub(crate) struct Channels<K, T> {
    all: Arc<Mutex<All<K, T>>>,
    capacity: usize,
}

/// The channels by their keys, each with a number of its own: one that is closed and one that is
/// opened later at the same key are two.
struct All<K, T> {
    by_key: HashMap<K, (u64, Sender<T>)>,
    opened: u64,
}

impl<K: Clone + Eq + Hash, T: Clone> Channels<K, T> {
    /// Channels whose listeners may lag behind by `capacity` pieces of news.
    pub(crate) fn new(capacity: usize) -> Self {
        let all = All {
            by_key: HashMap::new(),
            opened: 0,
        };
        Self {
            all: Arc::new(Mutex::new(all)),
            capacity,
        }
    }

    /// Where somebody listens.
    pub(crate) fn keys(&self) -> Vec<K> {
        lock(&self.all).by_key.keys().cloned().collect()
    }

    /// Tells all who listen at `key`, and waits for none.
    pub(crate) fn tell(&self, key: &K, news: T) {
        if let Some((_, sender)) = lock(&self.all).by_key.get(key) {
            // Nobody may be left.
            let _ = sender.send(news);
        }
    }

    /// Ends what is listened to at `key`.
    pub(crate) fn close(&self, key: &K) {
        lock(&self.all).by_key.remove(key);
    }

    /// Listens from now on.
    pub(crate) fn listen(&self, key: K) -> Listener<K, T> {
        let mut all = lock(&self.all);
        let next = all.opened + 1;
        let (number, sender) = all
            .by_key
            .entry(key.clone())
            .or_insert_with(|| (next, broadcast::channel(self.capacity).0));
        let (number, news) = (*number, Some(sender.subscribe()));
        all.opened = all.opened.max(number);
        Listener {
            news,
            channels: self.all.clone(),
            key,
            number,
        }
    }
}

/// Somebody who listens until it is dropped.
pub(crate) struct Listener<K: Eq + Hash, T> {
    /// `None` only while it is being dropped.
    news: Option<Receiver<T>>,
    channels: Arc<Mutex<All<K, T>>>,
    key: K,
    number: u64,
}

/// What a listener hears.
pub(crate) enum Heard<T> {
    /// This.
    News(T),
    /// That it has missed something.
    Gap,
    /// That there is nothing more to hear.
    Closed,
}

impl<K: Eq + Hash, T: Clone> Listener<K, T> {
    pub(crate) async fn hear(&mut self) -> Heard<T> {
        let Some(news) = &mut self.news else {
            return Heard::Closed;
        };
        match news.recv().await {
            Ok(news) => Heard::News(news),
            Err(broadcast::error::RecvError::Lagged(_)) => Heard::Gap,
            Err(broadcast::error::RecvError::Closed) => Heard::Closed,
        }
    }
}

impl<K: Eq + Hash, T> Drop for Listener<K, T> {
    fn drop(&mut self) {
        let mut all = lock(&self.channels);
        self.news = None;
        let is_unheard = |(number, sender): &(u64, Sender<T>)| {
            *number == self.number && sender.receiver_count() == 0
        };
        if all.by_key.get(&self.key).is_some_and(is_unheard) {
            all.by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_channel_is_there_as_long_as_somebody_listens() {
        let channels = Channels::<u8, u8>::new(4);
        channels.tell(&1, 7);
        let mut one = channels.listen(1);
        let mut two = channels.listen(1);
        channels.tell(&1, 8);
        assert!(matches!(one.hear().await, Heard::News(8)));
        drop(one);
        channels.tell(&1, 9);
        assert!(matches!(two.hear().await, Heard::News(8)));
        assert!(matches!(two.hear().await, Heard::News(9)));
        drop(two);
        assert!(lock(&channels.all).by_key.is_empty());
    }

    #[tokio::test]
    async fn who_left_a_closed_channel_does_not_close_the_next_one() {
        let channels = Channels::<u8, u8>::new(4);
        let mut old = channels.listen(1);
        channels.close(&1);
        let mut new = channels.listen(1);
        assert!(matches!(old.hear().await, Heard::Closed));
        drop(old);
        channels.tell(&1, 7);
        assert!(matches!(new.hear().await, Heard::News(7)));
    }

    #[tokio::test]
    async fn who_lags_behind_is_told_so() {
        let channels = Channels::<u8, usize>::new(4);
        let mut slow = channels.listen(1);
        for number in 0..=4 {
            channels.tell(&1, number);
        }
        assert!(matches!(slow.hear().await, Heard::Gap));
        channels.close(&1);
        while !matches!(slow.hear().await, Heard::Closed) {}
    }
}
