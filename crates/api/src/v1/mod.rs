//! The v1 dialect: `/api/v1`, camelCase, everything in one envelope. It is the one that grows.

mod accounts;
mod chats;
mod envelope;
mod error;
mod tokens;

use axum::http::StatusCode as S;

use crate::dialect::Dialect;
use crate::route::{Route, delete, get, patch, post};
use accounts::{Login, Registration, SignedIn, User};
use chats::{Chat, ChatChange, ChatId, ChatQuery, Chats, NewChat};
use tokens::{FreshToken, NewToken, TokenId, Tokens};

pub(crate) const DIALECT: Dialect = Dialect {
    name: "v1",
    security: "bearer",
    error: error::body,
    error_schema: error::schema,
};

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    vec![
        post("/api/v1/auth/register", "Register an account", accounts::register)
            .open().body(&Registration::example()).once()
            .answers(S::CREATED, &accounts::registered(User::example()))
            .errors([S::FORBIDDEN, S::TOO_MANY_REQUESTS]),
        post("/api/v1/auth/login", "Sign in and get a token", accounts::login)
            .open().body(&Login::example())
            .answers(S::OK, &accounts::signed_in(SignedIn::example()))
            .errors([S::UNAUTHORIZED, S::TOO_MANY_REQUESTS]),
        post("/api/v1/auth/logout", "Revoke the token of this request", accounts::logout)
            .answers(S::OK, &accounts::signed_out()),
        get("/api/v1/auth/me", "Get the account of this token", accounts::me)
            .answers(S::OK, &accounts::shown(User::example())),

        get("/api/v1/auth/tokens", "List the account's tokens, the newest first", tokens::list)
            .answers(S::OK, &tokens::listed(Tokens::example())),
        post("/api/v1/auth/tokens", "Create a token", tokens::create)
            .body(&NewToken::example()).once()
            .answers(S::CREATED, &tokens::created(FreshToken::example())),
        delete("/api/v1/auth/tokens/{id}", "Revoke a token", tokens::revoke)
            .id::<TokenId>().once()
            .answers(S::OK, &tokens::revoked()),

        get("/api/v1/chat", "List chat sessions, the newest change first", chats::list)
            .query::<ChatQuery>()
            .answers(S::OK, &chats::listed(Chats::example())),
        post("/api/v1/chat", "Create a chat session", chats::create)
            .body(&NewChat::example()).once()
            .entity_tag().answers(S::CREATED, &chats::created(Chat::example())),
        get("/api/v1/chat/{id}", "Get a chat session", chats::find)
            .id::<ChatId>()
            .entity_tag().answers(S::OK, &chats::shown(Chat::example())),
        patch("/api/v1/chat/{id}", "Change a chat session", chats::change)
            .id::<ChatId>().body(&ChatChange::example()).once().if_match()
            .entity_tag().answers(S::OK, &chats::changed(Chat::example_changed())),
        delete("/api/v1/chat/{id}", "Delete a chat session and everything in it", chats::delete)
            .id::<ChatId>().once().if_match()
            .answers(S::OK, &chats::deleted()),
    ]
}
