//! Several nodes over one PostgreSQL database: what must hold whichever of them is asked, and whatever
//! happens to one of them.

mod buses;
mod drain;
mod once;
mod order;
mod pooler;
mod revocation;
mod stop;
mod takeover;

use std::time::Duration;

use crate::client::Client;
use crate::database;
use crate::provider::Provider;
use crate::server::Server;

/// Nodes on a database of their own, whose models are a script's, and somebody who uses them.
struct Cluster {
    nodes: Vec<Server>,
    provider: Provider,
    database: String,
    ada: Client,
}

impl Cluster {
    fn start(nodes: usize) -> Self {
        Self::with(nodes, "")
    }

    /// With these settings besides the provider.
    fn with(nodes: usize, settings: &str) -> Self {
        Self::on(&database::fresh(), nodes, settings)
    }

    /// On a database by this URL.
    fn on(url: &str, nodes: usize, settings: &str) -> Self {
        let provider = Provider::start();
        let file = provider.settings(&format!("titles = false\n{settings}"));
        let first = Server::start_on_with_file(url, &file);
        let ada = first.user("ada@example.com");
        let others = (1..nodes).map(|_| first.beside()).collect::<Vec<_>>();
        let nodes = std::iter::once(first).chain(others).collect();
        Self {
            nodes,
            provider,
            database: url.to_owned(),
            ada,
        }
    }

    /// Ada, who asks this node.
    fn ada(&self, node: usize) -> Client {
        self.asks(&self.ada, node)
    }

    /// Somebody who asks this node.
    fn asks(&self, who: &Client, node: usize) -> Client {
        let token = who.token.as_deref().unwrap();
        self.nodes[node].stranger().with_token(token)
    }

    /// Kills a node for good.
    fn kill(&mut self, node: usize) {
        self.nodes.remove(node).kill();
    }

    /// Kills a node and starts it again, at another address.
    fn kill_and_start_again(&mut self, node: usize) {
        let stopped = self.nodes.remove(node).kill();
        self.nodes.insert(node, stopped.start_again());
    }
}

/// Waits until this is so, for as long as a test can wait.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("in vain: {what}");
}

/// The value in the middle, and the greatest, in milliseconds.
fn middle_and_most(times: impl IntoIterator<Item = Duration>) -> (f64, f64) {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    let at = |place: usize| times[place].as_secs_f64() * 1e3;
    (at(times.len() / 2), at(times.len() - 1))
}
