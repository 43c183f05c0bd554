use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode};
use chat::Load;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// From 0.1 ms to 10 s.
const SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];
const OPERATIONS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What the server counts about itself.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request_seconds: Family<Asked, Histogram>,
    commit_operations: Histogram,
    commit_seconds: Histogram,
    queue: Gauge<i64, AtomicI64>,
    replies: Gauge<i64, AtomicI64>,
    watchers: Gauge<i64, AtomicI64>,
    nodes: Gauge<i64, AtomicI64>,
    bus_up: Gauge<i64, AtomicI64>,
    /// Request ids are this run's number and a count: unique, and in order.
    run: u32,
    count: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: String,
}

impl Metrics {
    /// Everything at zero. `run` tells this run of the server from others in request ids.
    pub fn new(run: u32) -> Self {
        let mut registry = Registry::with_prefix("chatkeep");
        let requests = Family::default();
        let request_seconds =
            Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let commit_operations = Histogram::new(OPERATIONS);
        let commit_seconds = Histogram::new(SECONDS);
        let (replies, watchers) = (Gauge::default(), Gauge::default());
        let (queue, nodes, bus_up) = (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_seconds",
            "Time until an answer began",
            request_seconds.clone(),
        );
        registry.register(
            "commit_operations",
            "Operations that one commit held",
            commit_operations.clone(),
        );
        registry.register(
            "commit_seconds",
            "Time from a batch's first operation to its commit",
            commit_seconds.clone(),
        );
        registry.register(
            "write_queue_operations",
            "Operations that wait for the writer",
            queue.clone(),
        );
        registry.register(
            "replies_running",
            "Chats in which a reply is being written",
            replies.clone(),
        );
        registry.register(
            "watchers",
            "Open streams of replies and of changes",
            watchers.clone(),
        );
        registry.register("nodes", "Nodes that are alive", nodes.clone());
        registry.register(
            "bus_up",
            "Whether this node hears what the others tell",
            bus_up.clone(),
        );
        Self {
            registry,
            requests,
            request_seconds,
            commit_operations,
            commit_seconds,
            queue,
            replies,
            watchers,
            nodes,
            bus_up,
            run,
            count: AtomicU64::new(0),
        }
    }

    /// Counts a commit of `operations`.
    pub fn committed(&self, operations: usize, took: Duration) {
        self.commit_operations.observe(operations as f64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        took: Duration,
    ) {
        let asked = Asked {
            method: known(method),
            route: route.to_owned(),
        };
        self.request_seconds
            .get_or_create(&asked)
            .observe(took.as_secs_f64());
        let answered = Answered {
            method: asked.method,
            route: asked.route,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&answered).inc();
    }

    pub(crate) fn next_request_id(&self) -> HeaderValue {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:08x}{count:08x}", self.run);
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// All of it, in the OpenMetrics text format, with what the product has to do at the moment.
    pub(crate) fn page(&self, load: Load) -> String {
        self.queue.set(load.writes_waiting as i64);
        self.replies.set(load.replies_running as i64);
        self.watchers.set(load.watchers as i64);
        self.nodes.set(load.nodes as i64);
        self.bus_up.set(i64::from(load.is_hearing));
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut page, &self.registry);
        page
    }
}

/// A client can send any word as a method; only the known ones become labels.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
