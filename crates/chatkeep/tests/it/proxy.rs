//! A way to the server that breaks where a request's `X-Cut` says: `before` it is forwarded,
//! once it is `forwarded`, once the answer begins (`answered`), or after a number of bytes of it. With
//! `X-Cut-Times` only that many of the first tries break that an OpenAI SDK makes of a request.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::background::{Background, header, request};
use crate::server::Server;

pub struct Proxy {
    served: Background,
    to: Arc<Mutex<SocketAddr>>,
}

impl Proxy {
    pub fn to(server: &Server) -> Self {
        let to = Arc::new(Mutex::new(address(server)));
        let shared = to.clone();
        let served = Background::serve(move |connection| {
            let to = *shared.lock().unwrap();
            async move {
                // Either side may break off at any time.
                let _ = forward(connection, to).await;
            }
        });
        Self { served, to }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.served.address)
    }

    /// From now on requests go to this server.
    pub fn aim(&self, server: &Server) {
        *self.to.lock().unwrap() = address(server);
    }
}

fn address(server: &Server) -> SocketAddr {
    let address = server.base.strip_prefix("http://").unwrap();
    address.parse().unwrap()
}

/// The head of a request that is the only one on its connection: what would follow is not read.
fn closing(head: &str) -> String {
    let named = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
    let lines: Vec<&str> = head.trim_end().split("\r\n").filter(named).collect();
    format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}

async fn forward(mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let Some((head, body)) = request(&mut client).await else {
        return Ok(());
    };
    let count = |name| header(&head, name).and_then(|count| count.parse::<usize>().ok());
    let is_let_through = count("x-cut-times").is_some_and(|cuts| {
        let tries = count("x-stainless-retry-count").unwrap_or(0);
        tries >= cuts
    });
    let cut = header(&head, "x-cut").filter(|_| !is_let_through);
    let cut = cut.unwrap_or_default();
    if cut == "before" {
        return Ok(());
    }
    let mut server = TcpStream::connect(to).await?;
    server.write_all(closing(&head).as_bytes()).await?;
    server.write_all(&body).await?;
    if cut == "forwarded" {
        return Ok(());
    }
    let mut left = match cut {
        "answered" => 0,
        bytes => bytes.parse().unwrap_or(usize::MAX),
    };
    let (mut from_client, mut to_client) = client.split();
    let mut bytes = [0; 8 * 1_024];
    let mut unread = [0; 64];
    loop {
        tokio::select! {
            read = server.read(&mut bytes) => {
                let read = read?.min(left);
                to_client.write_all(&bytes[..read]).await?;
                left -= read;
                if read == 0 || left == 0 {
                    return Ok(());
                }
            }
            // The client is gone.
            read = from_client.read(&mut unread) => if read? == 0 {
                return Ok(());
            },
        }
    }
}
