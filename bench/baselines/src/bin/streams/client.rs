//! As much of an HTTP client as the load needs. It looks at bytes and parses next to nothing, so
//! that what is measured is the server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// Bytes that a connection starts with room for; ten thousand of them stay open.
const BUFFER_BYTES: usize = 2_048;

/// The server under load, and whoever asks it.
#[derive(Clone)]
pub struct Server {
    pub address: String,
    token: String,
}

impl Server {
    pub fn new(address: &str, token: &str) -> Self {
        Self {
            address: address.to_owned(),
            token: token.to_owned(),
        }
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> String {
        let authorization = format!("Authorization: Bearer {}\r\n", self.token);
        request(method, path, &authorization, body)
    }
}

pub fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Tokens of many accounts: they take turns by the numbers of the sessions.
pub struct Tokens(Vec<String>);

impl Tokens {
    /// One on each line of a file.
    pub fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Ok(Self(text.lines().map(str::to_owned).collect()))
    }

    /// A server, as the account asks it that has this session.
    pub fn server(&self, address: &str, session: usize) -> Server {
        Server::new(address, &self.0[session % self.0.len()])
    }
}

/// A connection that is kept open.
pub struct Http {
    connection: TcpStream,
    buffer: Vec<u8>,
}

impl Http {
    pub async fn connect(address: &str) -> Result<Self> {
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Ok(Self { connection, buffer })
    }

    pub async fn send(&mut self, request: &str) -> Result<()> {
        Ok(self.connection.write_all(request.as_bytes()).await?)
    }

    /// Waits for something and gives each whole line that is there, up to the one that gives an
    /// answer itself. Lines are enough to read an event stream by: a server sends an event as one
    /// chunk, so that the sizes of the chunks stand on lines of their own.
    pub async fn lines<T>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        if self.connection.read_buf(&mut self.buffer).await? == 0 {
            return Err("the stream broke off".into());
        }
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|byte| *byte == b'\n') {
            let line = self.buffer[from..from + length].trim_ascii_end();
            from += length + 1;
            if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 2") {
                return Err(String::from_utf8_lossy(line).into());
            }
            if let Some(taken) = take(line)? {
                self.buffer.drain(..from);
                return Ok(Some(taken));
            }
        }
        self.buffer.drain(..from);
        Ok(None)
    }

    /// Sends a request, reads the whole answer and gives its head.
    pub async fn ask(&mut self, request: &str) -> Result<String> {
        self.send(request).await?;
        self.buffer.clear();
        loop {
            if self.connection.read_buf(&mut self.buffer).await? == 0 {
                return Err("the answer broke off".into());
            }
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                let length: usize = header(&head, "content-length")?.parse()?;
                while self.buffer.len() < end + 4 + length {
                    if self.connection.read_buf(&mut self.buffer).await? == 0 {
                        return Err("the answer broke off".into());
                    }
                }
                return if head.starts_with("HTTP/1.1 2") {
                    Ok(head)
                } else {
                    Err(String::from_utf8_lossy(&self.buffer).into())
                };
            }
        }
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Result<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value)
        .ok_or_else(|| format!("no {name} in {head}").into())
}

pub fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}
