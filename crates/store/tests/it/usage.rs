use chat::contracts::{Finish, Store};
use chat::limits;
use chat::types::{
    AccountUsage, Cuid, DayUsage, FinishReason, ReplyStatus, Session, SessionUsage, Span,
    Timestamp, UsageReport, UsageSum,
};

use crate::samples::{
    account, begin, claim_of, claim_work, cuid, delete, ending, finish, model, new_finish, session,
    tokens,
};

const ALWAYS: Span = Span {
    from: Timestamp(0),
    to: Timestamp(i64::MAX),
};

async fn note(store: &dyn Store, session: &Session, input: u64, output: u64, at: i64) {
    let owner = session.owner.clone();
    let usage = tokens(input, output);
    let noted = store.note_usage(
        owner,
        Some(session.number),
        cuid(),
        model(),
        usage,
        Timestamp(at),
    );
    noted.await.unwrap();
}

fn sum(answers: u64, input: u64, output: u64) -> UsageSum {
    UsageSum {
        answers,
        tokens: tokens(input, output),
    }
}

fn of(session: &Session, sum: UsageSum) -> SessionUsage {
    SessionUsage {
        session: session.id.clone(),
        sum,
    }
}

async fn total(store: &dyn Store, owner: &Cuid, from: i64, to: i64) -> UsageSum {
    let (from, to) = (Timestamp(from), Timestamp(to));
    let report = store.usage(owner, Span { from, to }).await.unwrap();
    report.total
}

pub async fn who_has_asked_nothing_has_used_nothing(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    session(store, &ada, "one", 1).await;
    let nothing = UsageReport {
        sessions: vec![],
        total: UsageSum::default(),
    };
    assert_eq!(store.usage(&ada, ALWAYS).await.unwrap(), nothing);
}

pub async fn use_is_summed_by_session_the_newest_first(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let one = session(store, &ada, "one", 1).await;
    let two = session(store, &ada, "two", 1).await;
    session(store, &ada, "unused", 1).await;
    note(store, &one, 1, 10, 5).await;
    note(store, &two, 2, 20, 6).await;
    let mut expected = UsageReport {
        sessions: vec![of(&two, sum(1, 2, 20)), of(&one, sum(1, 1, 10))],
        total: sum(2, 3, 30),
    };
    assert_eq!(store.usage(&ada, ALWAYS).await.unwrap(), expected);
    note(store, &one, 4, 40, 7).await;
    expected.sessions = vec![of(&one, sum(2, 5, 50)), of(&two, sum(1, 2, 20))];
    expected.total = sum(3, 7, 70);
    assert_eq!(store.usage(&ada, ALWAYS).await.unwrap(), expected);
}

pub async fn a_reply_is_counted_once_however_it_ends(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    let ends = [
        (ending(ReplyStatus::Done, FinishReason::Stop), Some(1)),
        (ending(ReplyStatus::Stopped, FinishReason::Stopped), Some(2)),
        (ending(ReplyStatus::Failed, FinishReason::Error), Some(4)),
        // Nobody told what this one cost.
        (ending(ReplyStatus::Done, FinishReason::Length), None),
    ];
    for (ending, cost) in ends {
        begin(store, &made, "next", 2).await;
        let held = claim_of(&made, &claim_work(store, &made, 3).await);
        let end = Finish {
            usage: cost.map(|cost| tokens(cost, 10 * cost)),
            ending,
            ..new_finish(&held, 4)
        };
        finish(store, end.clone()).await;
        store.finish_reply(end).await.unwrap();
    }
    let report = store.usage(&ada, ALWAYS).await.unwrap();
    assert_eq!(report.total, sum(3, 7, 70));
    assert_eq!(report.sessions, [of(&made, sum(3, 7, 70))]);
}

pub async fn a_span_holds_its_first_moment_and_not_its_last(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    for (at, cost) in [(9, 1), (10, 2), (19, 4), (20, 8)] {
        note(store, &made, cost, 0, at).await;
    }
    for (from, to, answers, cost) in [
        (10, 20, 2, 6),
        (9, 21, 4, 15),
        (11, 19, 0, 0),
        (20, 20, 0, 0),
        (20, 10, 0, 0),
    ] {
        let expected = sum(answers, cost, 0);
        assert_eq!(
            total(store, &ada, from, to).await,
            expected,
            "{from} to {to}"
        );
        let (from, to) = (Timestamp(from), Timestamp(to));
        let report = store.usage(&ada, Span { from, to }).await.unwrap();
        let sums: Vec<_> = report.sessions.into_iter().map(|one| one.sum).collect();
        assert_eq!(sums, vec![expected; usize::from(answers > 0)]);
    }
}

pub async fn a_deleted_session_stays_in_the_sum(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let one = session(store, &ada, "one", 1).await;
    let two = session(store, &ada, "two", 1).await;
    note(store, &one, 1, 10, 5).await;
    note(store, &two, 2, 20, 6).await;
    delete(store, &one, 7).await;
    let report = store.usage(&ada, ALWAYS).await.unwrap();
    assert_eq!(report.total, sum(2, 3, 30));
    assert_eq!(report.sessions, [of(&two, sum(1, 2, 20))]);
    delete(store, &two, 8).await;
    let report = store.usage(&ada, ALWAYS).await.unwrap();
    assert_eq!((report.total, report.sessions), (sum(2, 3, 30), vec![]));
}

pub async fn nobody_elses_use_is_counted(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let bob = account(store, "b@x").await.id;
    let hers = session(store, &ada, "hers", 1).await;
    let his = session(store, &bob, "his", 1).await;
    note(store, &hers, 1, 10, 5).await;
    note(store, &his, 2, 20, 5).await;
    delete(store, &his, 6).await;
    note(store, &hers, 4, 40, 7).await;
    let report = store.usage(&ada, ALWAYS).await.unwrap();
    assert_eq!(report.total, sum(2, 5, 50));
    assert_eq!(report.sessions, [of(&hers, sum(2, 5, 50))]);
    let report = store.usage(&bob, ALWAYS).await.unwrap();
    assert_eq!((report.total, report.sessions), (sum(1, 2, 20), vec![]));
}

pub async fn what_belongs_to_no_session_is_in_the_sum(store: &dyn Store) {
    let ada = account(store, "a@x").await.id;
    let made = session(store, &ada, "one", 1).await;
    note(store, &made, 1, 10, 5).await;
    let noted = store.note_usage(
        ada.clone(),
        None,
        cuid(),
        model(),
        tokens(2, 20),
        Timestamp(6),
    );
    noted.await.unwrap();
    let expected = UsageReport {
        sessions: vec![of(&made, sum(1, 1, 10))],
        total: sum(2, 3, 30),
    };
    assert_eq!(store.usage(&ada, ALWAYS).await.unwrap(), expected);
}

const DAY: i64 = 86_400_000;

pub async fn the_use_of_all_is_summed_by_account_and_day(store: &dyn Store) {
    let ada = account(store, "a@x").await;
    let bob = account(store, "b@x").await;
    account(store, "idle@x").await;
    let hers = session(store, &ada.id, "hers", 1).await;
    let his = session(store, &bob.id, "his", 1).await;
    for (of, input, output, at) in [
        (&hers, 1, 10, DAY - 1),
        (&hers, 1, 1, DAY),
        (&hers, 2, 3, 2 * DAY - 1),
        (&hers, 4, 5, 3 * DAY),
        (&his, 100, 0, 2 * DAY),
        (&his, 1_000, 0, 4 * DAY),
    ] {
        note(store, of, input, output, at).await;
    }
    let day = |day, sum| DayUsage { day, sum };
    let expected = [
        AccountUsage {
            account: bob,
            total: sum(1, 100, 0),
            days: vec![day(2, sum(1, 100, 0))],
        },
        AccountUsage {
            account: ada,
            total: sum(3, 7, 9),
            days: vec![day(1, sum(2, 3, 4)), day(3, sum(1, 4, 5))],
        },
    ];
    let span = Span {
        from: Timestamp(DAY),
        to: Timestamp(4 * DAY),
    };
    assert_eq!(store.usage_of_all(span).await.unwrap(), expected);
    delete(store, &hers, 9).await;
    assert_eq!(store.usage_of_all(span).await.unwrap(), expected);
}

pub async fn the_accounts_with_the_most_tokens_come_first_and_no_more_than_a_thousand(
    store: &dyn Store,
) {
    let most = usize::try_from(limits::USAGE_ACCOUNTS).unwrap();
    // A few use more than the others, one less, who so is not named.
    for at in 0..=most {
        let owner = account(store, &format!("{at}@x")).await.id;
        let used = match at {
            0 => 1,
            1..=3 => 10 * at as u64,
            _ => 2,
        };
        let noted = store.note_usage(owner, None, cuid(), model(), tokens(used, 0), Timestamp(5));
        noted.await.unwrap();
    }
    let all = store.usage_of_all(ALWAYS).await.unwrap();
    assert_eq!(all.len(), most);
    let used = all.iter().map(|one| one.total.tokens.input_tokens);
    let used: Vec<_> = used.collect();
    assert_eq!(used[..5], [30, 20, 10, 2, 2]);
    assert!(!used.contains(&1));
}
