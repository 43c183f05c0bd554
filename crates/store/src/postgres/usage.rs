use chat::limits;
use chat::types::{
    AccountUsage, Cuid, ModelName, SessionUsage, Span, Timestamp, TokenUsage, UsageReport,
};

use super::connection::Connection;
use super::failure::Result;
use super::feed;
use super::value::{Query, query};
use crate::rows::{account_columns, cuid, day_of_account, usage_sum};
use crate::rules::by_account;

/// Notes what one answer of a model cost; its session, if it has one, may have been deleted
/// meanwhile. Stands behind the owner's lock.
pub(super) fn note<'a>(
    owner: &'a Cuid,
    session: Option<i64>,
    id: &'a Cuid,
    model: &'a ModelName,
    usage: TokenUsage,
    now: Timestamp,
) -> Query<'a> {
    query!(
        "INSERT INTO usage (owner, at, id, session, session_id, model, input_tokens, output_tokens)
         SELECT $1, $3, $4, session.number, session.id, $5, $6, $7
         FROM (SELECT 1) AS one LEFT JOIN session ON session.owner = $1 AND session.number = $2
         ON CONFLICT (owner, at, id) DO NOTHING",
        owner,
        session,
        now,
        id,
        model.as_str(),
        usage.input_tokens as i64,
        usage.output_tokens as i64
    )
}

/// Writes a [`note`] alone.
pub(super) async fn write(db: &mut Connection, owner: &Cuid, note: Query<'_>) -> Result<()> {
    let all = vec![feed::lock(owner, 0), note];
    db.transact(all, 1).await.map(drop)
}

pub(super) async fn report(db: &mut Connection, owner: &Cuid, span: Span) -> Result<UsageReport> {
    let [total, sessions] = db
        .ask_of_one_moment([
            query!(
                "SELECT count(*), coalesce(sum(input_tokens), 0)::bigint,
                   coalesce(sum(output_tokens), 0)::bigint
                 FROM usage WHERE owner = $1 AND at >= $2 AND at < $3",
                owner,
                span.from,
                span.to
            ),
            query!(
                "SELECT session_id, count(*), sum(input_tokens)::bigint,
                   sum(output_tokens)::bigint
                 FROM usage WHERE owner = $1 AND at >= $2 AND at < $3 AND session IS NOT NULL
                 GROUP BY session_id ORDER BY max(at) DESC LIMIT $4",
                owner,
                span.from,
                span.to,
                limits::USAGE_SESSIONS
            ),
        ])
        .await?;
    let sessions = sessions.all(|row| {
        Ok(SessionUsage {
            session: cuid(row, 0)?,
            sum: usage_sum(row, 1)?,
        })
    })?;
    let total = total.one(|row| usage_sum(row, 0))?;
    Ok(UsageReport { sessions, total })
}

pub(super) async fn of_all(db: &Connection, span: Span) -> Result<Vec<AccountUsage>> {
    let of_all = query!(OF_ALL, span.from, span.to, limits::USAGE_ACCOUNTS);
    let days = db.ask(of_all).await?.all(day_of_account)?;
    Ok(by_account(days))
}

const OF_ALL: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", used.at / 86400000, count(*), sum(used.input_tokens)::bigint, sum(used.output_tokens)::bigint
     FROM (SELECT account.id AS owner, sum(usage.input_tokens + usage.output_tokens) AS tokens
           FROM account JOIN usage
             ON usage.owner = account.id AND usage.at >= $1 AND usage.at < $2
           GROUP BY account.id ORDER BY tokens DESC, account.id LIMIT $3) AS most
       JOIN account ON account.id = most.owner
       JOIN usage AS used
         ON used.owner = account.id AND used.at >= $1 AND used.at < $2
     GROUP BY most.tokens, account.id, used.at / 86400000
     ORDER BY most.tokens DESC, account.id, used.at / 86400000"
);

/// Leaves what a session cost in its owner's sum, without the session.
pub(super) fn forget_session(owner: &Cuid, session: i64) -> Query<'_> {
    query!(
        "UPDATE usage SET session = NULL, session_id = NULL WHERE owner = $1 AND session = $2",
        owner,
        session
    )
}
