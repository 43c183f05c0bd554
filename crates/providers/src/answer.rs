//! One answer, from its headers to its end.

use std::time::Duration;

use chat::contracts::Piece;
use chat::types::ReplyError;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};

use crate::dialect::Dialect;
use crate::events::Parser;
use crate::faults::{self, Fault};
use crate::heard::Heard;

/// Bytes of an answer that is not streamed: as much as a reply may have, twice, since JSON escapes.
const WHOLE_BYTES: usize = 8 << 20;

/// An answer that is being read. Dropping it closes its connection.
pub(crate) struct Answer {
    /// `None` as soon as nothing more is read, so that the connection does not wait for a drop.
    response: Option<Response>,
    dialect: &'static dyn Dialect,
    parser: Parser,
    heard: Heard,
    limits: Limits,
}

/// How long an answer may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// From one piece to the next.
    pub between: Duration,
    /// When all of it has to be there.
    pub end: Instant,
}

impl Answer {
    /// Reads up to the first piece; how long that takes is for the caller to limit.
    ///
    /// Errors: it ended in a fault before that.
    pub async fn begin(
        response: Response,
        dialect: &'static dyn Dialect,
        heard: Heard,
        limits: Limits,
    ) -> Result<Self, Fault> {
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.starts_with("application/json");
        let is_page = kind.starts_with("text/html");
        let mut answer = Self {
            response: Some(response),
            dialect,
            parser: Parser::default(),
            heard,
            limits,
        };
        if is_page {
            // Somebody stands in between, with a page that wants to be read by a person.
            return Err(faults::unreadable());
        }
        if is_json {
            answer.read_whole().await;
        }
        while !answer.heard.has_begun() && !answer.heard.has_ended() {
            answer.read_on().await;
        }
        match answer.heard.take_early_fault() {
            Some(fault) => Err(fault),
            None => Ok(answer),
        }
    }

    /// The next piece; the last one is the end, or an error.
    pub async fn next(&mut self) -> Option<Result<Piece, ReplyError>> {
        let silence = Instant::now() + self.limits.between;
        loop {
            if let Some(piece) = self.heard.next() {
                return Some(Ok(piece));
            }
            if self.heard.is_closed() {
                self.response = None;
                let end = self.heard.take_end()?;
                return Some(end.map(Piece::End).map_err(|fault| fault.error));
            }
            let limit = silence.min(self.limits.end);
            if timeout_at(limit, self.read_on()).await.is_err() {
                let all = limit == self.limits.end;
                let fault = if all {
                    faults::too_slow()
                } else {
                    faults::silent()
                };
                self.heard.fail(fault);
            }
        }
    }

    /// Takes in what comes next. A connection that ends after the model has is as good as any.
    async fn read_on(&mut self) {
        let chunk = match &mut self.response {
            Some(response) => response.chunk().await,
            None => Ok(None),
        };
        match chunk {
            Ok(Some(bytes)) => self.take(&bytes),
            Ok(None) => self.heard.fail(faults::broke_off()),
            Err(_) => self.heard.fail(faults::cut()),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        let fits = self.parser.push(bytes, &mut events);
        for event in &events {
            if !self.heard.is_closed() {
                self.dialect.event(event, &mut self.heard);
            }
        }
        if fits.is_err() {
            self.heard.fail(faults::too_long());
        }
    }

    /// Takes in all of an answer that is not streamed, since the server can't.
    async fn read_whole(&mut self) {
        let Some(mut response) = self.response.take() else {
            return;
        };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) if body.len() + bytes.len() > WHOLE_BYTES => {
                    return self.heard.fail(faults::too_long());
                }
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return self.dialect.whole(&body, &mut self.heard),
                Err(_) => return self.heard.fail(faults::cut()),
            }
        }
    }
}
