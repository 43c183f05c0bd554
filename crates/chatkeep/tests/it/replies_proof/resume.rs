//! A stream that is cut and resumed is the stream that was never cut.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use crate::provider::said;
use crate::proxy::Proxy;
use crate::sse::{Event, Events, text_of};
use crate::talk::{Chat, Talk};

const REPLIES: usize = 32;
const STREAMS: u64 = 512;
const TOKENS: usize = 60;

#[tokio::test]
async fn a_stream_that_is_cut_at_any_event_goes_on_behind_it() {
    let talk = Talk::start();
    let chat = talk.chat().await;
    let reply = chat.ask("tokens=50 every_ms=20 reasoning=2").await;
    let mut cuts = 0;
    // Live: left behind each event, and taken up again at once.
    let mut seen = vec![chat.watch(&reply).await.next().await.unwrap()];
    while seen.last().unwrap().kind != "finished" {
        let mut next = chat
            .watch_after(&reply, seen.last().unwrap().number())
            .await;
        let event = next.next().await.unwrap();
        assert_eq!(event.number(), seen.len() as i64);
        seen.push(event);
        cuts += 1;
    }
    let whole = chat.watch(&reply).await.rest().await;
    assert_eq!(seen, whole);
    assert!(cuts > 10, "{cuts}");
    for at in 0..whole.len() {
        let mut first = chat.watch(&reply).await;
        let mut seen = Vec::new();
        for _ in 0..=at {
            seen.push(first.next().await.unwrap());
        }
        drop(first);
        let last = seen.last().unwrap().number();
        seen.extend(chat.watch_after(&reply, last).await.rest().await);
        assert_eq!(seen, whole);
        cuts += 1;
    }
    println!("resume_at_every_event cuts={cuts} gaps=0 repeats=0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_at_any_byte_loses_and_repeats_nothing() {
    let seed = 0x5e4d_0002;
    let talk = Talk::start();
    let proxy = Proxy::to(&talk.server);
    let through = talk.ada.through(&proxy.base());
    let mut replies = Vec::new();
    for number in 0..REPLIES {
        let chat = talk.chat().await;
        let prompt = format!("tokens={TOKENS} every_ms=40 {number}");
        let reply = chat.ask(&prompt).await;
        replies.push((chat, reply));
    }
    let mut streams = JoinSet::new();
    for stream in 0..STREAMS {
        let place = stream as usize % REPLIES;
        let (chat, reply) = &replies[place];
        let (chat, reply) = (chat.by(&through), reply.clone());
        let random = StdRng::seed_from_u64(seed ^ stream);
        streams.spawn(async move { (place, follow(&chat, &reply, random).await) });
    }
    let followed = streams.join_all().await;
    let mut whole = Vec::new();
    for (chat, reply) in &replies {
        whole.push(chat.watch(reply).await.rest().await);
    }
    let (mut cuts, mut gaps, mut repeats) = (0, 0, 0);
    for (place, (events, times)) in &followed {
        cuts += times;
        for pair in events.windows(2) {
            let step = pair[1].number() - pair[0].number();
            gaps += usize::from(step > 1);
            repeats += usize::from(step < 1);
        }
        assert_eq!(*events, whole[*place]);
    }
    println!("resume streams={STREAMS} cuts={cuts} gaps={gaps} repeats={repeats}");
    assert_eq!((gaps, repeats), (0, 0));
    assert!(cuts > STREAMS, "{cuts}");
    for events in &whole {
        let text = text_of(events);
        let (call, _) = crate::provider::said_by(&text).unwrap();
        assert_eq!(text, said(call, TOKENS));
    }
}

/// Reads a reply's stream to its end, cut up to ten times; gives the events and how often it was.
async fn follow(chat: &Chat, reply: &str, mut random: StdRng) -> (Vec<Event>, u64) {
    let planned = random.random_range(1..=10);
    let (mut seen, mut cuts) = (Vec::<Event>::new(), 0);
    for at in 0.. {
        let mut request = chat.client.request("GET", &chat.events(reply));
        if let Some(last) = seen.last() {
            request = request.header("Last-Event-ID", &last.id);
        }
        if at < planned {
            request = request.header("X-Cut", random.random_range(1..1_100));
        }
        if let Ok(mut events) = Events::try_open(request).await {
            while let Ok(Some(event)) = events.try_next().await {
                let is_end = event.kind == "finished";
                seen.push(event);
                if is_end {
                    return (seen, cuts);
                }
            }
        }
        cuts += 1;
    }
    unreachable!("it goes on until the end has come");
}
