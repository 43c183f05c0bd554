//! A provider that is asked over HTTP.

use async_trait::async_trait;
use chat::contracts::{Pieces, Provider, Question};
use chat::types::{ReplyError, ReplyErrorKind};
use futures_util::stream;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::answer::{Answer, Limits};
use crate::dialect::Dialect;
use crate::faults::{self, Fault, Remedy};
use crate::heard::Heard;
use crate::retry::Retries;
use crate::settings::Timeouts;
use crate::tokens;

/// Bytes of a refusal that are looked through for its kind.
const REFUSAL_BYTES: usize = 64 << 10;

/// A provider that is asked over HTTP. Neither what it holds nor what it says can be printed.
pub(crate) struct Remote {
    pub dialect: &'static dyn Dialect,
    pub http: reqwest::Client,
    pub url: Url,
    pub headers: HeaderMap,
    /// How freely it writes where nobody says anything about that.
    pub temperature: Option<f64>,
    pub timeouts: Timeouts,
    pub retries: u32,
}

#[async_trait]
impl Provider for Remote {
    async fn ask(&self, mut question: Question) -> Result<Pieces, ReplyError> {
        let options = &mut question.options;
        // Both say how freely it writes, and some models refuse to be told both.
        if options.top_p.is_none() {
            options.temperature = options.temperature.or(self.temperature);
        }
        let end = Instant::now() + self.timeouts.whole;
        let answer = match timeout_at(end, self.until_answered(&question, end)).await {
            Ok(answer) => answer.map_err(|fault| fault.error)?,
            Err(_) => return Err(faults::too_slow().error),
        };
        Ok(Box::pin(stream::unfold(answer, |mut answer| async {
            let piece = answer.next().await?;
            Some((piece, answer))
        })))
    }

    fn count_tokens(&self, model: &str, text: &str) -> usize {
        tokens::count(model, text)
    }
}

impl Remote {
    /// Asks until the first piece of an answer is there, or until it is of no more use.
    async fn until_answered(&self, question: &Question, end: Instant) -> Result<Answer, Fault> {
        let mut retries = Retries::new(self.retries);
        let mut plain = false;
        loop {
            let answer = self.attempt(question, plain, end);
            let fault = match timeout(self.timeouts.first_token, answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(fault)) => fault,
                Err(_) => faults::silent(),
            };
            if fault.remedy == Remedy::Plainer && !plain {
                plain = true;
            } else if let Some(pause) = retries.after(&fault) {
                sleep(pause).await;
            } else {
                return Err(fault);
            }
        }
    }

    /// Asks once.
    async fn attempt(
        &self,
        question: &Question,
        plain: bool,
        end: Instant,
    ) -> Result<Answer, Fault> {
        let body = self.dialect.question(question, plain);
        let body = body.map_err(|_| {
            Fault::new(
                ReplyErrorKind::Provider,
                "the question could not be written as JSON",
            )
        })?;
        let request = self
            .http
            .post(self.url.clone())
            .headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| {
            // The error itself names the URL, and stays here.
            if error.is_connect() {
                faults::unreachable()
            } else {
                faults::cut()
            }
        })?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let limits = Limits {
            between: self.timeouts.between_tokens,
            end,
        };
        Answer::begin(response, self.dialect, Heard::of(question), limits).await
    }
}

/// What an answer means whose status is no success. Its beginning says it, even if the rest of it
/// does not come.
async fn refusal(mut response: Response) -> Fault {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() >= REFUSAL_BYTES {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body);
    faults::of_response(response.status(), response.headers(), &body)
}
