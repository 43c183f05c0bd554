//! What administrators ask for. Everybody else is refused before anything of the request is judged.

mod accounts;
mod nodes;
mod providers;
mod usage;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode as S;
use axum::http::request::Parts;
use chat::{Chat, Error, types};

use super::models::UsageQuery;
use crate::auth::Auth;
use crate::fault::Fault;
use crate::route::{Route, get, patch, post};
use accounts::{Account, AccountId, AccountQuery, Accounts, Changes, NewAccount};
use nodes::Nodes;
use providers::{Providers, Test, Wanted};
use usage::Usage;

pub(super) fn routes() -> impl Iterator<Item = Route> {
    let refuses = |route: Route| route.refuses([Fault::Chat(Error::NotAdmin)]);
    table().into_iter().map(refuses)
}

#[rustfmt::skip]
fn table() -> Vec<Route> {
    vec![
        get("/api/v1/admin/accounts", "List all accounts by e-mail address", accounts::list)
            .query::<AccountQuery>()
            .answers(S::OK, &accounts::listed(Accounts::example())),
        post("/api/v1/admin/accounts", "Create an account for somebody", accounts::create)
            .body(&NewAccount::example()).once()
            .answers(S::CREATED, &accounts::created(Account::example())),
        patch("/api/v1/admin/accounts/{id}", "Change an account", accounts::change)
            .id::<AccountId>().body(&Changes::example())
            .answers(S::OK, &accounts::changed(Account::example_changed()))
            .refuses([Fault::Chat(Error::OwnAccount)]),
        get("/api/v1/admin/providers", "List providers and their models as configured", providers::list)
            .answers(S::OK, &providers::listed(Providers::example())),
        post("/api/v1/admin/providers/test", "Ask a model for a few words", providers::test)
            .body(&Wanted::example())
            .answers(S::OK, &providers::tested(Test::example())),
        get("/api/v1/admin/usage", "Get what models have cost all accounts, by day", usage::report)
            .query::<UsageQuery>()
            .answers(S::OK, &usage::reported(Usage::example())),
        get("/api/v1/admin/nodes", "List nodes and tell how the server does", nodes::list)
            .answers(S::OK, &nodes::listed(Nodes::example())),
    ]
}

/// An administrator who is asking.
struct Admin(types::Admin);

impl FromRequestParts<Arc<Chat>> for Admin {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Fault> {
        let Auth(caller) = Auth::from_request_parts(parts, chat).await?;
        Ok(Self(chat.admin(caller)?))
    }
}
