use chat::limits;
use chat::types::{
    AccountUsage, Cuid, ModelName, SessionUsage, Span, Timestamp, TokenUsage, UsageReport,
};
use rusqlite::{Connection, Result};

use crate::rows::{account_columns, cuid, day_of_account, usage_sum};
use crate::rules::by_account;

/// Notes what one answer of a model cost; its session, if it has one, may have been deleted meanwhile.
pub(super) fn note(
    db: &Connection,
    owner: &Cuid,
    session: Option<i64>,
    id: &Cuid,
    model: &ModelName,
    usage: TokenUsage,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO usage (owner, at, id, session, session_id, model, input_tokens, output_tokens)
         SELECT ?1, ?3, ?4, session.number, session.id, ?5, ?6, ?7
         FROM (SELECT 1) LEFT JOIN session ON owner = ?1 AND number = ?2",
    )?
    .execute((
        owner.as_str(),
        session,
        now.0,
        id.as_str(),
        model.as_str(),
        usage.input_tokens,
        usage.output_tokens,
    ))
    .map(drop)
}

pub(super) fn report(db: &Connection, owner: &Cuid, span: Span) -> Result<UsageReport> {
    let (owner, from, to) = (owner.as_str(), span.from.0, span.to.0);
    let total = db
        .prepare_cached(
            "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0)
             FROM usage WHERE owner = ?1 AND at >= ?2 AND at < ?3",
        )?
        .query_row((owner, from, to), |row| usage_sum(row, 0))?;
    let sessions = db
        .prepare_cached(
            "SELECT session_id, count(*), sum(input_tokens), sum(output_tokens)
             FROM usage WHERE owner = ?1 AND at >= ?2 AND at < ?3 AND session IS NOT NULL
             GROUP BY session_id ORDER BY max(at) DESC LIMIT ?4",
        )?
        .query_map((owner, from, to, limits::USAGE_SESSIONS), |row| {
            Ok(SessionUsage {
                session: cuid(row, 0)?,
                sum: usage_sum(row, 1)?,
            })
        })?
        .collect::<Result<_>>()?;
    Ok(UsageReport { sessions, total })
}

pub(super) fn of_all(db: &Connection, span: Span) -> Result<Vec<AccountUsage>> {
    let values = (span.from.0, span.to.0, limits::USAGE_ACCOUNTS);
    let days = db
        .prepare_cached(OF_ALL)?
        .query_map(values, |row| day_of_account(row))?
        .collect::<Result<_>>()?;
    Ok(by_account(days))
}

/// Goes from account to account, so that only what lies in the span is read of each.
const OF_ALL: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", used.at / 86400000, count(*), sum(used.input_tokens), sum(used.output_tokens)
     FROM (SELECT account.id AS owner, sum(usage.input_tokens + usage.output_tokens) AS tokens
           FROM account CROSS JOIN usage
             ON usage.owner = account.id AND usage.at >= ?1 AND usage.at < ?2
           GROUP BY account.id ORDER BY tokens DESC, account.id LIMIT ?3) AS most
       CROSS JOIN account ON account.id = most.owner
       CROSS JOIN usage AS used
         ON used.owner = account.id AND used.at >= ?1 AND used.at < ?2
     GROUP BY most.tokens, account.id, used.at / 86400000
     ORDER BY most.tokens DESC, account.id, used.at / 86400000"
);

/// Leaves what a session cost in its owner's sum, without the session.
pub(super) fn forget_session(db: &Connection, owner: &Cuid, session: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE usage SET session = NULL, session_id = NULL WHERE owner = ?1 AND session = ?2",
    )?
    .execute((owner.as_str(), session))
    .map(drop)
}
