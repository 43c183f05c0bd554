//! The sessions of the v1 dialect as most people would write them by hand: axum, and a pool of
//! sqlx over SQLite. `handwritten ADDRESS DATABASE TOKEN` makes the database, with one user.
//!
//! It is as durable as the product (WAL, every commit flushed) and lacks what an afternoon has no
//! time for: entity tags, idempotency keys, metrics, limits, a second dialect.

use std::error::Error;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

const CONNECTIONS: u32 = 8;

const SCHEMA: &str = "
    CREATE TABLE user (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE);
    CREATE TABLE token (
        hash    BLOB PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES user (id)
    );
    CREATE TABLE session (
        id             INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id        INTEGER NOT NULL REFERENCES user (id),
        chat_name      TEXT NOT NULL,
        system_message TEXT NOT NULL DEFAULT '',
        created_at     TEXT NOT NULL,
        updated_at     TEXT NOT NULL,
        status         TEXT NOT NULL DEFAULT 'active',
        type           TEXT NOT NULL
    );
    CREATE INDEX session_by_change ON session (user_id, updated_at, id);
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, database, token] = args.as_slice() else {
        return Err("usage: handwritten ADDRESS DATABASE TOKEN".into());
    };
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(std::time::Duration::from_secs(5));
    let db = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&db).await?;
    sqlx::query("INSERT INTO user (id, email) VALUES (1, 'bench@example.com')")
        .execute(&db)
        .await?;
    sqlx::query("INSERT INTO token (hash, user_id) VALUES (?, 1)")
        .bind(hash(token))
        .execute(&db)
        .await?;

    let router = Router::new()
        .route("/api/v1/chat", get(list).post(create))
        .route("/api/v1/chat/{id}", get(find).patch(change).delete(delete))
        .with_state(db);
    Ok(baselines::serve(address, router).await?)
}

type Answer<T> = Result<(StatusCode, Json<Envelope<T>>), Failure>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    success: bool,
    status_code: u16,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

fn answer<T>(status: StatusCode, message: &'static str, data: Option<T>) -> Answer<T> {
    let envelope = Envelope {
        success: status.is_success(),
        status_code: status.as_u16(),
        message,
        data,
    };
    Ok((status, Json(envelope)))
}

/// What went wrong inside; the client learns only that something did.
struct Failure(sqlx::Error);

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        eprintln!("{}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// The user whose token the request brings.
struct User(i64);

impl FromRequestParts<SqlitePool> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, db: &SqlitePool) -> Result<Self, StatusCode> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or(StatusCode::UNAUTHORIZED)?;
        sqlx::query_scalar("SELECT user_id FROM token WHERE hash = ?")
            .bind(hash(token))
            .fetch_optional(db)
            .await
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
            .map(Self)
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

#[derive(Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct Session {
    id: i64,
    user_id: i64,
    chat_name: String,
    system_message: String,
    created_at: String,
    updated_at: String,
    status: String,
    r#type: String,
}

#[derive(Deserialize)]
struct NewSession {
    name: String,
    r#type: String,
}

async fn create(
    State(db): State<SqlitePool>,
    User(user): User,
    Json(new): Json<NewSession>,
) -> Answer<Session> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let session = sqlx::query_as(
        "INSERT INTO session (user_id, chat_name, type, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?4) RETURNING *",
    )
    .bind(user)
    .bind(new.name)
    .bind(new.r#type)
    .bind(now())
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    answer(
        StatusCode::CREATED,
        "Chat created successfully",
        Some(session),
    )
}

async fn find(
    State(db): State<SqlitePool>,
    User(user): User,
    Path(id): Path<i64>,
) -> Answer<Session> {
    let session = sqlx::query_as("SELECT * FROM session WHERE id = ? AND user_id = ?")
        .bind(id)
        .bind(user)
        .fetch_optional(&db)
        .await?;
    found(session, "Chat retrieved successfully")
}

#[derive(Deserialize)]
struct Part {
    limit: u32,
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sessions {
    chats: Vec<Session>,
    next_cursor: Option<String>,
}

async fn list(
    State(db): State<SqlitePool>,
    User(user): User,
    Query(part): Query<Part>,
) -> Answer<Sessions> {
    // Behind the newest, if there is no cursor: "~" sorts after every time.
    let cursor = part.cursor.as_deref().unwrap_or("~,0");
    let (updated_at, id) = cursor.split_once(',').unwrap_or((cursor, "0"));
    let chats: Vec<Session> = sqlx::query_as(
        "SELECT * FROM session WHERE user_id = ? AND (updated_at, id) < (?, ?)
         ORDER BY updated_at DESC, id DESC LIMIT ?",
    )
    .bind(user)
    .bind(updated_at)
    .bind(id.parse::<i64>().unwrap_or_default())
    .bind(part.limit)
    .fetch_all(&db)
    .await?;
    let next_cursor = chats
        .last()
        .filter(|_| chats.len() == part.limit as usize)
        .map(|last| format!("{},{}", last.updated_at, last.id));
    let page = Sessions { chats, next_cursor };
    answer(StatusCode::OK, "Chats retrieved successfully", Some(page))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    name: Option<String>,
    system_message: Option<String>,
    status: Option<String>,
}

async fn change(
    State(db): State<SqlitePool>,
    User(user): User,
    Path(id): Path<i64>,
    Json(change): Json<Change>,
) -> Answer<Session> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let session = sqlx::query_as(
        "UPDATE session SET chat_name = coalesce(?, chat_name),
           system_message = coalesce(?, system_message), status = coalesce(?, status),
           updated_at = ?
         WHERE id = ? AND user_id = ? RETURNING *",
    )
    .bind(change.name)
    .bind(change.system_message)
    .bind(change.status)
    .bind(now())
    .bind(id)
    .bind(user)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    found(session, "Chat updated successfully")
}

async fn delete(State(db): State<SqlitePool>, User(user): User, Path(id): Path<i64>) -> Answer<()> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let deleted = sqlx::query("DELETE FROM session WHERE id = ? AND user_id = ?")
        .bind(id)
        .bind(user)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    match deleted.rows_affected() {
        0 => answer(StatusCode::NOT_FOUND, "Chat not found", None),
        _ => answer(StatusCode::OK, "Chat deleted successfully", None),
    }
}

fn found(session: Option<Session>, message: &'static str) -> Answer<Session> {
    match session {
        Some(session) => answer(StatusCode::OK, message, Some(session)),
        None => answer(StatusCode::NOT_FOUND, "Chat not found", None),
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
