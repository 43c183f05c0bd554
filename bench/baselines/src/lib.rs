//! What the benchmark compares the product with; each binary is one such server.

use std::io;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// Serves at `address`, like the product without Nagle's delay.
pub async fn serve(address: &str, router: Router) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?.tap_io(|connection| {
        // Only a connection that is already gone refuses this.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
