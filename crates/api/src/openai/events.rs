//! The events of a reply, kept or not, and how they are streamed.

use axum::response::Response;
use axum::response::sse;
use chat::types::{Delta, Ending, Event, Message, NumberedEvent, Part, Reply, TokenUsage, fold};
use chat::{Error, Passing, Watch};
use futures_util::{StreamExt, stream};

use crate::sse::breakable;

/// The events of a reply from its first one on.
pub(super) struct Events {
    source: Source,
    /// What has been looked at, and is still to come.
    first: Option<NumberedEvent>,
    has_ended: bool,
}

enum Source {
    Kept(Box<Watch>),
    Passing(Box<Passing>),
}

impl From<Watch> for Events {
    fn from(watch: Watch) -> Self {
        Self::of(Source::Kept(Box::new(watch)))
    }
}

impl From<Passing> for Events {
    fn from(passing: Passing) -> Self {
        Self::of(Source::Passing(Box::new(passing)))
    }
}

impl Events {
    fn of(source: Source) -> Self {
        Self {
            source,
            first: None,
            has_ended: false,
        }
    }

    /// The next one; `None` after the last one. Errors: [`Error::StillWriting`] when there would be more.
    async fn next(&mut self) -> Result<Option<NumberedEvent>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let next = match &mut self.source {
            _ if self.has_ended => return Ok(None),
            Source::Kept(watch) => watch.next().await?,
            Source::Passing(passing) => passing.next().await,
        };
        let next = next.ok_or(Error::StillWriting)?;
        self.has_ended = matches!(next.event, Event::Finished(_));
        Ok(Some(next))
    }

    /// The reply as it was accepted, and its prompt: what the first event tells.
    pub(super) async fn accepted(&mut self) -> Result<(Reply, Message), Error> {
        let first = self.next().await?.ok_or(Error::StillWriting)?;
        let Event::Accepted { reply, prompt } = &first.event else {
            return Err(Error::Internal(
                "a log does not begin with its reply".into(),
            ));
        };
        let accepted = ((**reply).clone(), (**prompt).clone());
        self.first = Some(first);
        Ok(accepted)
    }

    /// Waits for the end.
    pub(super) async fn whole(mut self) -> Result<Whole, Error> {
        let (reply, _) = self.accepted().await?;
        let (mut deltas, mut usage): (Vec<(i64, Delta)>, _) = (Vec::new(), None);
        while let Some(NumberedEvent { number, event }) = self.next().await? {
            match event {
                Event::Delta(delta) => deltas.push((number, delta)),
                Event::Reset { .. } => deltas.clear(),
                Event::Usage(cost) => usage = Some(cost),
                Event::Accepted { .. } | Event::Started { .. } => {}
                Event::Finished(ending) => {
                    let content = fold(deltas).0;
                    return Ok(Whole {
                        reply,
                        content,
                        usage,
                        ending,
                    });
                }
            }
        }
        Err(Error::StillWriting)
    }
}

/// A reply that has ended.
pub(super) struct Whole {
    /// As it was accepted.
    pub(super) reply: Reply,
    pub(super) content: Vec<Part>,
    pub(super) usage: Option<TokenUsage>,
    pub(super) ending: Ending,
}

/// Streams what `written` makes of each event, until it makes nothing more.
pub(super) fn streamed(
    events: Events,
    written: impl FnMut(&NumberedEvent) -> Option<Vec<sse::Event>> + Send + 'static,
) -> Response {
    let frames = stream::unfold(Some((events, written)), async |state| {
        let (mut events, mut written) = state?;
        match events.next().await {
            Ok(event) => {
                let frames: Vec<_> = written(&event?)?.into_iter().map(Ok).collect();
                Some((stream::iter(frames), Some((events, written))))
            }
            // The client comes back for the rest.
            Err(error) => Some((stream::iter(vec![Err(error)]), None)),
        }
    });
    breakable(frames.flatten())
}
