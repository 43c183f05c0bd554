//! Guests: whoever asks a model without an account. Nothing of it is kept.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use tokio::sync::Semaphore;

use crate::chat::Chat;
use crate::contracts::{Clock, Piece, Question, Turn};
use crate::error::Error;
use crate::limits;
use crate::sign_in_limits::{Tries, network};
use crate::types::{Delta, MessageRole, MessageText, ModelOptions};

/// How guests are let in.
pub(crate) struct Guests {
    addresses: Tries<IpAddr>,
    slots: Arc<Semaphore>,
}

impl Guests {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            addresses: Tries::new(limits::GUESTS_PER_ADDRESS, clock),
            slots: Arc::new(Semaphore::new(limits::GUESTS_AT_ONCE)),
        }
    }
}

impl Chat {
    /// What the server's first model says to a prompt, as it says it; nothing is kept. Ends early
    /// when the server ends.
    ///
    /// Errors: [`Error::NoGuests`], [`Error::TooManyRequests`], [`Error::Busy`],
    /// [`Error::NoModels`], [`Error::ReplyFailed`]; the last one also within the stream.
    pub async fn answer_guest(
        &self,
        address: IpAddr,
        prompt: &MessageText,
    ) -> Result<impl Stream<Item = Result<String, Error>> + Send + use<>, Error> {
        let guests = self.guests.as_ref().ok_or(Error::NoGuests)?;
        guests
            .addresses
            .note(network(address))
            .map_err(|error| match error {
                Error::TooManyFailures { retry_after } => Error::TooManyRequests { retry_after },
                error => error,
            })?;
        let slot = guests.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| Error::Busy)?;
        let model = self.models().first().ok_or(Error::NoModels)?;
        let question = Question {
            model: model.name.as_str().to_owned(),
            system: String::new(),
            messages: vec![Turn::saying(MessageRole::User, prompt.as_str())],
            options: ModelOptions {
                max_output_tokens: model.max_output_tokens,
                ..ModelOptions::default()
            },
        };
        let pieces = model.provider.ask(question).await;
        let pieces = pieces.map_err(Error::ReplyFailed)?;
        let closing = self.engine.closing.clone();
        Ok(pieces
            .take_until(closing.cancelled_owned())
            .filter_map(move |piece| {
                // Held as long as somebody reads.
                let _slot = &slot;
                std::future::ready(match piece {
                    Ok(Piece::Delta(Delta::Text(text))) => Some(Ok(text)),
                    Ok(_) => None,
                    Err(error) => Some(Err(Error::ReplyFailed(error))),
                })
            }))
    }
}
