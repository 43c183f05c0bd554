//! A model that does as it is told: who speaks OpenAI's dialect and asks for it with [`prompt`] gets
//! that many tokens, at a steady rate. What it takes to answer is the same whoever asks.

use std::future::pending;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;

use crate::client::{find, header};
use crate::{Result, now};

/// 20 tokens a second, about as fast as one reads; the first one comes at once.
const TOKEN_EVERY: Duration = Duration::from_millis(50);
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
/// What stands before a token in the stream.
pub const BEFORE_TOKEN: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":""#;
const AFTER_TOKEN: &str = "\"},\"finish_reason\":null}]}\n\n";
const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
/// The last event.
pub const DONE: &str = "data: [DONE]";
const STALL: &str = "and stall";
const AT_ONCE: &str = "at once";

/// What makes the model write `tokens` tokens, and maybe never end after them.
pub fn prompt(tokens: usize, stall: bool) -> String {
    let stall = if stall { STALL } else { "" };
    format!("write {tokens} tokens {stall}")
}

/// What makes the model write `tokens` tokens as fast as it can.
pub fn hasty_prompt(tokens: usize) -> String {
    format!("write {tokens} tokens {AT_ONCE}")
}

/// What a prompt asks for.
struct Wanted {
    tokens: usize,
    stall: bool,
    at_once: bool,
}

fn read_prompt(body: &[u8]) -> Result<Wanted> {
    let body = std::str::from_utf8(body)?;
    // The last one is the question, those before it are the session.
    let (_, prompt) = body.rsplit_once("write ").ok_or("no prompt")?;
    let (tokens, rest) = prompt.split_once(' ').ok_or("no number")?;
    Ok(Wanted {
        tokens: tokens.parse()?,
        stall: rest.contains(STALL),
        at_once: rest.contains(AT_ONCE),
    })
}

pub async fn serve(listener: TcpListener) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Err(error) = answer(connection).await {
                eprintln!("provider: {error}");
            }
        });
    }
}

async fn answer(mut connection: TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(head) = find(&buffer, b"\r\n\r\n") else {
            if connection.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let length: usize =
            header(std::str::from_utf8(&buffer[..head])?, "content-length")?.parse()?;
        let end = head + 4 + length;
        while buffer.len() < end {
            if connection.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let wanted = read_prompt(&buffer[head + 4..end])?;
        buffer.clear();

        connection.write_all(HEAD.as_bytes()).await?;
        let mut every = interval(TOKEN_EVERY);
        for number in 0..wanted.tokens {
            if !wanted.at_once {
                every.tick().await;
            }
            let token = format!("{BEFORE_TOKEN}{number}@{} {AFTER_TOKEN}", now());
            connection.write_all(chunk(&token).as_bytes()).await?;
        }
        if wanted.stall {
            pending::<()>().await;
        }
        let rest = [chunk(STOP), chunk(&format!("{DONE}\n\n")), chunk("")];
        connection.write_all(rest.concat().as_bytes()).await?;
    }
}

fn chunk(event: &str) -> String {
    format!("{:x}\r\n{event}\r\n", event.len())
}
