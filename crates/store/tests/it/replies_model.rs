//! Replies beside a model of them: whatever happens in whatever order, both say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat::contracts::{
    Append, Begun, Claim, Claimed, Finish, Finished, Interrupted, Kept, NewReply, Stopped, Store,
};
use chat::limits::{LEASE, REPLIES_QUEUED, REPLY_ATTEMPTS};
use chat::types::{
    Cuid, Delta, Ending, Event, FinishReason, MessageView, NumberedEvent, PageSize, Part, Reply,
    ReplyError, ReplyErrorKind, ReplyStatus, Session, SessionFilter, Timestamp, TokenUsage,
    ToolCall, WhenBusy,
};

use crate::samples::{
    Dice, account, claim, delete, ending, events, key, messages, new_reply, numbered, reply,
    session, tokens,
};

const STEPS: usize = 400;

/// A reply as the model knows it.
struct Known {
    session: usize,
    reply: Reply,
    lease_until: i64,
    stop: Option<FinishReason>,
    events: Vec<NumberedEvent>,
}

impl Known {
    fn next(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap()
    }

    /// What its message says once it has ended, kinds and texts.
    fn content(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for event in &self.events {
            let Event::Delta(delta) = &event.event else {
                if matches!(event.event, Event::Reset { .. }) {
                    parts.clear();
                }
                continue;
            };
            match (parts.last_mut(), delta) {
                (Some(Part::Text(text)), Delta::Text(more))
                | (Some(Part::Reasoning(text)), Delta::Reasoning(more))
                | (
                    Some(Part::ToolCall(ToolCall {
                        arguments: text, ..
                    })),
                    Delta::Arguments(more),
                ) => {
                    text.push_str(more);
                }
                (_, Delta::Text(text)) => parts.push(Part::Text(text.clone())),
                (_, Delta::Reasoning(text)) => parts.push(Part::Reasoning(text.clone())),
                (_, Delta::ToolCall { id, name }) => parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                })),
                (_, Delta::Arguments(_)) => panic!("the arguments of no call"),
            }
        }
        parts
    }
}

struct World<'a> {
    store: &'a dyn Store,
    dice: Dice,
    now: i64,
    sessions: Vec<Session>,
    /// In the order in which they were accepted.
    replies: Vec<Known>,
    /// Every right that was ever given.
    claims: Vec<Claim>,
    /// How often each thing happened, so that no branch stays untested unnoticed.
    happened: BTreeMap<&'static str, u32>,
}

impl World<'_> {
    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    fn find(&mut self, id: &Cuid) -> &mut Known {
        let mut replies = self.replies.iter_mut();
        replies.find(|one| one.reply.id == *id).unwrap()
    }

    /// The replies of a session that have not ended, the running one first.
    fn open(&self, session: usize) -> Vec<&Known> {
        let open = self.replies.iter();
        let mut open: Vec<_> = open
            .filter(|one| one.session == session && !one.reply.status.is_end())
            .collect();
        open.sort_by_key(|one| one.reply.status == ReplyStatus::Queued);
        open
    }

    fn running(&self, session: usize) -> Option<Cuid> {
        let open = self.open(session);
        let first = open.first()?;
        (first.reply.status == ReplyStatus::Running).then(|| first.reply.id.clone())
    }

    fn deltas(&mut self) -> Vec<Delta> {
        let many = self.dice.below(4);
        let mut is_calling = false;
        let deltas = (0..many).map(|_| {
            let piece = ["a", "é", "\u{1F9EF}", "\"\\", "a long piece "];
            let piece = piece[self.dice.below(piece.len())].to_owned();
            let delta = match self.dice.below(5) {
                0 => Delta::Reasoning(piece),
                1 | 2 => Delta::Text(piece),
                3 if is_calling => Delta::Arguments(piece),
                _ => Delta::ToolCall {
                    id: piece.clone(),
                    name: piece,
                },
            };
            is_calling = matches!(delta, Delta::ToolCall { .. } | Delta::Arguments(_));
            delta
        });
        deltas.collect()
    }

    /// Whether that right still holds: nobody has taken the reply since, and it has not ended.
    fn holds(&mut self, claim: &Claim) -> bool {
        let known = self.find(&claim.reply);
        known.reply.status == ReplyStatus::Running && known.reply.attempt == claim.attempt
    }

    async fn begin(&mut self) {
        let session = self.dice.below(self.sessions.len());
        let when_busy = match self.dice.below(8) {
            0 => WhenBusy::Interrupt,
            1 | 2 => WhenBusy::Reject,
            _ => WhenBusy::Queue,
        };
        let new = NewReply {
            when_busy,
            ..new_reply(&self.sessions[session], "prompt", self.now)
        };
        let running = self.running(session);
        let first = self.open(session).first().map(|one| one.reply.id.clone());
        let open = self.open(session).len();
        let queued = open - usize::from(running.is_some());
        let begun = self.store.begin_reply(new.clone(), None).await.unwrap();
        if new.when_busy == WhenBusy::Reject && open > 0 {
            self.count("busy");
            assert_eq!(begun, Begun::Busy);
        } else if queued >= REPLIES_QUEUED {
            self.count("full");
            assert_eq!(begun, Begun::QueueFull);
        } else {
            self.count("begun");
            let Begun::Done {
                reply, interrupted, ..
            } = begun
            else {
                panic!("{begun:?}");
            };
            let first = first.filter(|_| new.when_busy == WhenBusy::Interrupt);
            let found = interrupted.as_ref().map(|interrupted| &interrupted.reply);
            assert_eq!(found, first.as_ref());
            if let Some(Interrupted { reply, ended }) = interrupted {
                assert_eq!(ended.is_none(), running.is_some());
                if let Some(events) = ended {
                    self.count("interrupted while waiting");
                    let ending = ending(ReplyStatus::Stopped, FinishReason::Interrupted);
                    self.ended(&reply, &ending, None, None, events);
                } else {
                    self.count("interrupted");
                    let stop = &mut self.find(&reply).stop;
                    *stop = stop.or(Some(FinishReason::Interrupted));
                }
            }
            let events = events(self.store, &new.owner, &reply.id, 0).await;
            assert_eq!(events.len(), 1);
            self.replies.push(Known {
                session,
                reply,
                lease_until: 0,
                stop: None,
                events,
            });
        }
    }

    async fn claim(&mut self) {
        let session = self.dice.below(self.sessions.len());
        let claimed = claim(self.store, &self.sessions[session], self.now).await;
        let now = self.now;
        let open = self.open(session);
        let next = open.first().map(|next| next.reply.id.clone());
        let next = next.filter(|id| {
            let next = open.iter().find(|one| one.reply.id == *id).unwrap();
            next.reply.status == ReplyStatus::Queued || next.lease_until <= now
        });
        let Some(next) = next else {
            self.count("nothing to claim");
            assert_eq!(claimed, Claimed::Nothing);
            return;
        };
        let known = self.find(&next);
        let broken_off = known.reply.status == ReplyStatus::Running;
        let too_often = known.reply.attempt >= REPLY_ATTEMPTS;
        if broken_off && (known.stop.is_some() || too_often) {
            let Claimed::Ended { reply, events } = claimed else {
                panic!("{claimed:?}");
            };
            assert_eq!((&reply, events.len()), (&next, 1));
            let Event::Finished(ending) = &events[0].event else {
                panic!("{events:?}");
            };
            let kind = ending.error.as_ref().map(|error| error.kind);
            let expected = match known.stop {
                Some(reason) => (ReplyStatus::Stopped, reason, None),
                None => (
                    ReplyStatus::Failed,
                    FinishReason::Error,
                    Some(ReplyErrorKind::Interrupted),
                ),
            };
            assert_eq!((ending.status, ending.reason, kind), expected);
            self.count(if kind.is_some() { "given up" } else { "ended" });
            let ending = ending.clone();
            self.ended(&next, &ending, None, None, events);
        } else {
            let Claimed::Work(work) = claimed else {
                panic!("{claimed:?}");
            };
            known.reply.status = ReplyStatus::Running;
            known.reply.attempt += 1;
            known.lease_until = Timestamp(now).after(LEASE).0;
            let attempt = known.reply.attempt;
            assert_eq!(work.reply, known.reply);
            let model = known.reply.model.clone();
            let mut expected = vec![Event::Started { attempt, model }];
            if broken_off {
                expected.insert(0, Event::Reset { attempt });
            }
            let events: Vec<_> = work.events.iter().map(|one| one.event.clone()).collect();
            assert_eq!(events, expected);
            known.events.extend(work.events);
            self.claims.push(Claim {
                owner: self.sessions[session].owner.clone(),
                reply: next,
                attempt,
            });
            self.count(if broken_off {
                "claimed again"
            } else {
                "claimed"
            });
        }
    }

    /// Some right, most likely one of the newest three.
    fn some_claim(&mut self) -> Option<Claim> {
        let newest = self.claims.len().saturating_sub(3);
        let from = if self.dice.below(4) == 0 { 0 } else { newest };
        self.dice.pick(&self.claims[from..])
    }

    /// Says for a right that does not hold whether a newer one does.
    fn fenced(&mut self, claim: &Claim) -> &'static str {
        let attempt = self.find(&claim.reply).reply.attempt;
        let newest = Claim {
            attempt,
            ..claim.clone()
        };
        if self.holds(&newest) {
            "fenced by a newer attempt"
        } else {
            "fenced"
        }
    }

    /// What somebody appends who writes that reply, and whether it is there already.
    fn next_events(&mut self, reply: &Cuid) -> (Arc<[NumberedEvent]>, bool) {
        let deltas = self.deltas();
        let again = self.dice.below(4) == 0;
        let known = self.find(reply);
        let written = known.events.iter().rev();
        let written = written.take_while(|one| matches!(one.event, Event::Delta(_)));
        let last = written.count().min(2);
        if again && last > 0 {
            let from = known.events.len() - last;
            return (known.events[from..].into(), true);
        }
        (numbered(known.next(), deltas), false)
    }

    async fn append(&mut self) {
        let mut appends = Vec::new();
        let mut expected = Vec::new();
        let mut claims: Vec<_> = [self.some_claim(), self.some_claim()]
            .into_iter()
            .flatten()
            .collect();
        claims.dedup();
        for claim in claims {
            let (events, again) = self.next_events(&claim.reply);
            let renew = self.dice.below(2) == 0;
            let (now, holds) = (self.now, self.holds(&claim));
            let known = self.find(&claim.reply);
            let (late, to_stop) = (known.lease_until <= now, known.stop.is_some());
            if holds && !again {
                known.events.extend(events.iter().cloned());
            }
            if holds && renew {
                known.lease_until = Timestamp(now).after(LEASE).0;
            }
            let what = match (late, again) {
                _ if !holds => self.fenced(&claim),
                _ if to_stop => "kept, and is to stop",
                (true, _) => "kept late",
                (false, true) => "kept again",
                (false, false) => "kept",
            };
            self.count(what);
            expected.push(match to_stop {
                _ if !holds => Kept::Fenced,
                true => Kept::ToStop,
                false => Kept::Yes,
            });
            appends.push(Append {
                claim,
                events,
                renew,
            });
        }
        let kept = self.store.append_events(appends, Timestamp(self.now));
        assert_eq!(kept.await.unwrap(), expected);
    }

    async fn finish(&mut self) {
        let Some(claim) = self.some_claim() else {
            return;
        };
        let ending = match self.dice.below(4) {
            0 => Ending {
                status: ReplyStatus::Failed,
                reason: FinishReason::Error,
                error: Some(ReplyError {
                    kind: ReplyErrorKind::Network,
                    message: "it broke off".into(),
                    retry_after: None,
                }),
            },
            1 => ending(ReplyStatus::Done, FinishReason::Length),
            2 => ending(ReplyStatus::Stopped, FinishReason::Stopped),
            _ => ending(ReplyStatus::Done, FinishReason::Stop),
        };
        let finish = Finish {
            claim: claim.clone(),
            deltas: self.deltas(),
            usage: (self.dice.below(2) == 0).then(|| tokens(3, 4)),
            left_out: 2,
            ending: ending.clone(),
            now: Timestamp(self.now),
        };
        let finished = self.store.finish_reply(finish.clone()).await.unwrap();
        if !self.holds(&claim) {
            let what = match self.fenced(&claim) {
                "fenced" => "finish fenced",
                _ => "finish fenced by a newer attempt",
            };
            self.count(what);
            assert_eq!(finished, Finished::Fenced);
            return;
        }
        let Finished::Done(last) = finished else {
            panic!("it is fenced");
        };
        let mut ending = ending;
        if let Some(stop) = self.find(&claim.reply).stop
            && ending.status == ReplyStatus::Stopped
        {
            ending.reason = stop;
        }
        let mut expected: Vec<_> = finish.deltas.into_iter().map(Event::Delta).collect();
        expected.extend(finish.usage.map(Event::Usage));
        expected.push(Event::Finished(ending.clone()));
        let events: Vec<_> = last.iter().map(|one| one.event.clone()).collect();
        assert_eq!(events, expected);
        let late = self.find(&claim.reply).lease_until <= self.now;
        self.count(if late { "finished late" } else { "finished" });
        self.ended(&claim.reply, &ending, finish.usage, Some(2), last);
    }

    async fn stop(&mut self) {
        // Mostly one that has not ended.
        let known: Vec<_> = match self.dice.below(4) {
            0 => self.replies.iter().rev().take(6).collect(),
            session => self.open(session % 2).into_iter().take(2).collect(),
        };
        let ids: Vec<_> = known.iter().map(|one| one.reply.id.clone()).collect();
        let Some(id) = self.dice.pick(&ids) else {
            return;
        };
        let session = self.find(&id).session;
        let session = self.sessions[session].clone();
        let (owner, now) = (session.owner.clone(), Timestamp(self.now));
        let stopped = self.store.stop_reply(owner, key(&session), id.clone(), now);
        let stopped = stopped.await.unwrap().unwrap();
        match self.find(&id).reply.status {
            ReplyStatus::Queued => {
                let Stopped::Ended(last) = stopped else {
                    panic!("{stopped:?}");
                };
                let ending = ending(ReplyStatus::Stopped, FinishReason::Stopped);
                let told: Vec<_> = last.iter().map(|one| one.event.clone()).collect();
                assert_eq!(told, [Event::Finished(ending.clone())]);
                self.count("stopped before it began");
                self.ended(&id, &ending, None, None, last);
            }
            ReplyStatus::Running => {
                assert_eq!(stopped, Stopped::Asked(session.number));
                let stop = &mut self.find(&id).stop;
                *stop = stop.or(Some(FinishReason::Stopped));
                self.count("asked to stop");
            }
            _ => {
                assert_eq!(stopped, Stopped::Before);
                self.count("stopped before");
            }
        }
    }

    fn ended(
        &mut self,
        id: &Cuid,
        ending: &Ending,
        usage: Option<TokenUsage>,
        left_out: Option<u32>,
        last: Vec<NumberedEvent>,
    ) {
        let now = self.now;
        let known = self.find(id);
        known.reply.status = ending.status;
        known.reply.error.clone_from(&ending.error);
        known.reply.usage = usage;
        known.reply.left_out = left_out.unwrap_or(0);
        known.reply.finished_at = Some(Timestamp(now));
        known.events.extend(last);
    }

    /// Looks at what is open.
    async fn compare(&self) {
        let mut stranded = Vec::new();
        for (at, session) in self.sessions.iter().enumerate() {
            let key = key(session);
            let open = self.store.open_replies(&session.owner, &key).await;
            let open = open.unwrap().unwrap();
            let running = open.iter().filter(|one| one.status == ReplyStatus::Running);
            assert!(running.count() <= 1);
            let expected: Vec<_> = self.open(at).iter().map(|one| one.reply.clone()).collect();
            assert_eq!(open, expected);
            let next = self.open(at);
            if next
                .first()
                .is_some_and(|next| next.lease_until <= self.now)
            {
                stranded.push((session.owner.clone(), session.number));
            }
        }
        let mut found = self.store.stranded(Timestamp(self.now), 100).await.unwrap();
        found.sort_unstable();
        stranded.sort_unstable();
        assert_eq!(found, stranded);
    }

    /// Looks at everything.
    async fn compare_all(&self) {
        let mut read = BTreeMap::new();
        for session in &self.sessions {
            for one in messages(self.store, session, MessageView::Tree, 100).await {
                read.insert(one.id.clone(), one);
            }
        }
        for known in &self.replies {
            let session = &self.sessions[known.session];
            let id = &known.reply.id;
            assert_eq!(reply(self.store, session, id).await, known.reply);
            let all = events(self.store, &session.owner, id, 0).await;
            assert_eq!(all, known.events);
            let numbers = all.iter().map(|one| one.number);
            assert!(numbers.eq(0..known.next()));
            let finished = |one: &NumberedEvent| matches!(one.event, Event::Finished(_));
            let ends = all.iter().filter(|one| finished(one)).count();
            assert_eq!(ends, usize::from(known.reply.status.is_end()));
            if let Some(last) = all.last() {
                assert_eq!(finished(last), known.reply.status.is_end());
            }
            let message = &read[&known.reply.message];
            assert_eq!(message.status, known.reply.status);
            assert_eq!(message.usage, known.reply.usage);
            let expected = if known.reply.status.is_end() {
                known.content()
            } else {
                Vec::new()
            };
            assert_eq!(message.content, expected);
        }
    }
}

async fn live(store: &dyn Store, seed: u64, owner: &Cuid) -> Vec<&'static str> {
    let mut world = World {
        store,
        dice: Dice(seed),
        now: 100,
        sessions: Vec::new(),
        replies: Vec::new(),
        claims: Vec::new(),
        happened: BTreeMap::new(),
    };
    for title in ["one", "two"] {
        world.sessions.push(session(store, owner, title, 1).await);
    }
    for step in 0..STEPS {
        // Now and then far more is asked than answered.
        let rush = step % 100 < 30;
        match world.dice.below(if rush { 9 } else { 20 }) {
            0..=4 => world.begin().await,
            5 | 10..=13 => world.claim().await,
            6 | 14 | 16 => world.append().await,
            7 => world.stop().await,
            8 | 15 => world.finish().await,
            _ => world.now += [1, 3_000, 9_999, 10_000, 20_000][world.dice.below(5)],
        }
        world.compare().await;
        if step % 40 == 0 {
            world.compare_all().await;
        }
    }
    world.compare_all().await;
    for known in &world.replies {
        for (from, at) in (0..).zip(0..=known.events.len()) {
            let rest = events(store, owner, &known.reply.id, from).await;
            assert_eq!(rest, known.events[at..]);
        }
    }
    world.happened.into_keys().collect()
}

pub async fn whatever_happens_happens_as_in_the_model(store: &dyn Store) {
    let mut happened = BTreeSet::new();
    for (seed, email) in [(1, "a@x"), (2, "b@x"), (3, "c@x")] {
        let owner = account(store, email).await.id;
        happened.extend(live(store, seed, &owner).await);
        // What waits here would be found as stranded by the next one.
        let (size, all) = (PageSize::default(), SessionFilter::default());
        let left = store.sessions(&owner, all, None, size).await.unwrap();
        for session in left.items {
            delete(store, &session, 1).await;
        }
    }
    let expected = [
        "asked to stop",
        "begun",
        "busy",
        "claimed",
        "claimed again",
        "ended",
        "fenced",
        "fenced by a newer attempt",
        "finish fenced",
        "finish fenced by a newer attempt",
        "finished",
        "finished late",
        "full",
        "given up",
        "interrupted",
        "interrupted while waiting",
        "kept",
        "kept again",
        "kept late",
        "kept, and is to stop",
        "nothing to claim",
        "stopped before",
        "stopped before it began",
    ];
    assert_eq!(happened.into_iter().collect::<Vec<_>>(), expected);
}
