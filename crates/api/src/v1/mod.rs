//! The v1 dialect: `/api/v1`, camelCase, everything in one envelope. It is the one that grows.

mod accounts;
mod admin;
mod ask;
mod branches;
mod chats;
mod envelope;
mod error;
mod feed;
mod messages;
mod models;
mod new_reply;
mod parts;
mod replies;
mod tokens;

use std::time::Duration;

use axum::http::StatusCode as S;
use chat::Error;
use chat::types::{ReplyError, ReplyErrorKind};

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::route::{Route, delete, get, patch, post};
use accounts::{Login, NewPassword, Profile, Registration, Setup, SignedIn, User};
use ask::{GuestQuestion, Question};
use branches::Branches;
use chats::{Chat, ChatChange, ChatId, ChatInFull, ChatQuery, Chats, NewChat};
use messages::{Appended, MessageQuery, Messages, NewMessages};
use models::{Models, Usage, UsageQuery};
use new_reply::NewReply;
use replies::{BeginQuery, EventQuery, Replies, Reply, ReplyId};
use tokens::{FreshToken, NewToken, TokenId, Tokens};

pub(crate) const DIALECT: Dialect = Dialect::plain("v1", "bearer", error::body, error::schema);

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        post("/api/v1/auth/register", "Register an account", accounts::register)
            .open().body(&Registration::example()).once()
            .answers(S::CREATED, &accounts::registered(User::example()))
            .errors([S::FORBIDDEN, S::TOO_MANY_REQUESTS]),
        post("/api/v1/auth/login", "Sign in and get a token", accounts::login)
            .open().body(&Login::example())
            .answers(S::OK, &accounts::signed_in(SignedIn::example()))
            .errors([S::UNAUTHORIZED, S::TOO_MANY_REQUESTS]).refuses([Fault::OtherSite]),
        get("/api/v1/auth/setup", "Tell who may register", accounts::setup)
            .open().answers(S::OK, &accounts::set_up(Setup::example())),
        post("/api/v1/auth/logout", "Revoke the token of this request", accounts::logout)
            .answers(S::OK, &accounts::signed_out()),
        get("/api/v1/auth/me", "Get the account of this token", accounts::me)
            .answers(S::OK, &accounts::shown(User::example())),
        patch("/api/v1/auth/me", "Change the account of this token", accounts::change)
            .body(&Profile::example())
            .answers(S::OK, &accounts::changed(User::example())),
        post("/api/v1/auth/password", "Change the password and end all other sign-ins", accounts::change_password)
            .body(&NewPassword::example())
            .answers(S::OK, &accounts::password_changed())
            .errors([S::TOO_MANY_REQUESTS]),

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
            .entity_tag().answers(S::OK, &chats::shown(ChatInFull::example())),
        patch("/api/v1/chat/{id}", "Change a chat session", chats::change)
            .id::<ChatId>().body(&ChatChange::example()).once().if_match()
            .entity_tag().answers(S::OK, &chats::changed(ChatInFull::example_changed())),
        delete("/api/v1/chat/{id}", "Delete a chat session and everything in it", chats::delete)
            .id::<ChatId>().once().if_match()
            .answers(S::OK, &chats::deleted()),

        get("/api/v1/chat/{id}/messages", "List messages of the active path, the newest first", messages::list)
            .id::<ChatId>().query::<MessageQuery>()
            .answers(S::OK, &messages::listed(Messages::example())),
        post("/api/v1/chat/{id}/messages", "Append messages", messages::append)
            .id::<ChatId>().body(&NewMessages::example()).once()
            .answers(S::CREATED, &messages::appended(Appended::example())),

        get("/api/v1/chat/{id}/branches", "Tell where a chat's paths part", branches::list)
            .id::<ChatId>()
            .answers(S::OK, &branches::listed(Branches::example())),

        get("/api/v1/chat/{id}/replies", "List replies that have not ended, the next one first", replies::list)
            .id::<ChatId>()
            .answers(S::OK, &replies::listed(Replies::example())),
        post("/api/v1/chat/{id}/replies", "Ask a model", replies::begin)
            .id::<ChatId>().query::<BeginQuery>().body(&NewReply::example()).once()
            .location().answers(S::ACCEPTED, &replies::accepted(Reply::example()))
            .streams(replies::STREAM)
            .answers(S::OK, &replies::ended(Reply::example_stopped()))
            .refuses([Fault::Chat(Error::SessionBusy)]),
        get("/api/v1/chat/{id}/replies/{rid}", "Get a reply", replies::find)
            .id::<ChatId>().rid::<ReplyId>()
            .answers(S::OK, &replies::shown(Reply::example_stopped())),
        get("/api/v1/chat/{id}/replies/{rid}/events", "Watch a reply from its first event to its last", replies::events)
            .id::<ChatId>().rid::<ReplyId>().query::<EventQuery>()
            .streams(replies::STREAM),
        post("/api/v1/chat/{id}/replies/{rid}/stop", "Stop a reply and keep what is there of it", replies::stop)
            .id::<ChatId>().rid::<ReplyId>()
            .answers(S::OK, &replies::stopped(Reply::example_stopped())),

        get("/api/v1/events", "Watch whatever changes, on all devices", feed::watch)
            .query::<EventQuery>()
            .streams(feed::STREAM),
        get("/api/v1/models", "List models, the default one first", models::list)
            .answers(S::OK, &models::listed(Models::example())),
        get("/api/v1/usage", "Get what models have cost", models::usage)
            .query::<UsageQuery>()
            .answers(S::OK, &models::reported(Usage::example())),

        post("/api/v1/message/logged-in", "Ask a model in a chat and get its whole answer", ask::logged_in)
            .body(&Question::example()).once()
            .answers(S::OK, &ask::answered("A monad is …")).streams(ask::STREAM)
            .errors([S::NOT_FOUND])
            .refuses(failures().into_iter().chain([Fault::Chat(Error::QueueFull)])),
        post("/api/v1/message/guest", "Ask a model without an account; nothing is kept", ask::guest)
            .open().body(&GuestQuestion::example())
            .answers(S::OK, &ask::answered("A monad is …")).streams(ask::STREAM)
            .refuses(failures().into_iter().chain([
                Fault::Chat(Error::NoGuests),
                Fault::Chat(Error::TooManyRequests { retry_after: Duration::from_secs(5) }),
            ])),
    ];
    routes.extend(admin::routes());
    routes
}

/// How a request fails that waits for a model's whole answer.
fn failures() -> [Fault; 2] {
    let error = ReplyError {
        kind: ReplyErrorKind::Network,
        message: "the provider can't be reached".into(),
        retry_after: None,
    };
    [
        Fault::Chat(Error::ReplyFailed(error)),
        Fault::Chat(Error::StillWriting),
    ]
}
