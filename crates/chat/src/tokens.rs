//! Tokens: make, list, revoke, and tell who is asking.

use sha2::{Digest, Sha256};

use crate::chat::Chat;
use crate::contracts::TokenMade;
use crate::error::Error;
use crate::limits;
use crate::types::{
    Account, Caller, Cuid, Name, NewToken, Once, Secret, SecretText, StoredToken, Timestamp, Token,
    TokenKind,
};

/// What somebody wants of a token.
#[derive(Clone, Debug, Default)]
pub struct TokenDraft {
    /// What it is called.
    pub name: Option<Name>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// A token whose text can be shown, this one time.
#[derive(Clone, Debug)]
pub struct FreshToken {
    /// The token.
    pub token: Token,
    /// Its text.
    pub text: SecretText,
}

impl Chat {
    /// Whose token this is. The account's state, the expiry and a revocation are read anew each
    /// time, so that they count at once.
    ///
    /// Errors: [`Error::Unauthenticated`], whatever the reason.
    pub async fn authenticate(&self, text: &str) -> Result<Caller, Error> {
        let (id, secret) = SecretText::parse(text).ok_or(Error::Unauthenticated)?;
        let stored = self.store.token(&id).await?.ok_or(Error::Unauthenticated)?;
        let now = self.clock.now();
        if !secret.matches(&stored.hash) || !is_good(&stored, now) {
            return Err(Error::Unauthenticated);
        }
        let used = stored.token.last_used_at;
        if used.is_none_or(|at| at.after(limits::LAST_USED_PRECISION) <= now) {
            let owner = stored.account.id.clone();
            self.store.touch_token(owner, id.clone(), now);
        }
        Ok(Caller {
            account: stored.account,
            token: id,
            secret,
        })
    }

    /// Makes a personal token.
    ///
    /// Errors: [`Error::AlreadyExpired`], [`Error::TooManyTokens`], [`Error::KeyReused`],
    /// [`Error::StillRunning`].
    pub async fn create_token(
        &self,
        caller: &Caller,
        draft: TokenDraft,
        once: Option<Once>,
    ) -> Result<FreshToken, Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        // Only the token that asked can open the sealed secret: from another it is another request.
        let once = once.map(|once| {
            let request = Sha256::new()
                .chain_update(once.request)
                .chain_update(caller.token.as_str());
            let request = request.finalize().into();
            (Once { request, ..once }, &caller.secret)
        });
        self.issue(caller.id().clone(), TokenKind::Personal, draft, once)
            .await
    }

    /// Makes a personal token for somebody, at the operator's wish.
    ///
    /// Errors: [`Error::AlreadyExpired`], [`Error::TooManyTokens`].
    pub async fn create_token_for(
        &self,
        account: &Account,
        draft: TokenDraft,
    ) -> Result<FreshToken, Error> {
        self.issue(account.id.clone(), TokenKind::Personal, draft, None)
            .await
    }

    /// Makes a token. With an idempotency key its secret is kept beside the key, sealed with the
    /// asking token, so that a retry gets the same answer and the database still tells nothing.
    pub(crate) async fn issue(
        &self,
        owner: Cuid,
        kind: TokenKind,
        draft: TokenDraft,
        once: Option<(Once, &SecretText)>,
    ) -> Result<FreshToken, Error> {
        let now = self.clock.now();
        if draft.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::AlreadyExpired);
        }
        let id = self.mint(now);
        let secret = Secret::draw(&*self.entropy);
        let text = SecretText::new(kind, &id, &secret);
        let (once, seal) = once.unzip();
        let new = NewToken {
            hash: text.hash(),
            sealed: seal.map(|seal| secret.sealed(&id, seal)),
            id,
            owner,
            kind,
            name: draft.name,
            created_at: now,
            expires_at: draft.expires_at,
        };
        let (token, sealed) = match self.store.create_token(new, once).await? {
            TokenMade::Made { token, sealed } => (token, sealed),
            TokenMade::TooMany => return Err(Error::TooManyTokens),
        };
        let secret = match sealed.zip(seal) {
            // With a key the token may be one that an earlier request made, with its own secret.
            Some((sealed, seal)) => Secret::unsealed(&sealed, &token.id, seal)
                .ok_or_else(|| Error::Internal("a sealed secret is damaged".into()))?,
            None => secret,
        };
        let text = SecretText::new(kind, &token.id, &secret);
        Ok(FreshToken { token, text })
    }

    /// The caller's tokens, the newest first.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<Token>, Error> {
        Ok(self.store.tokens(caller.id()).await?)
    }

    /// An account's tokens, for the operator.
    pub async fn tokens_of(&self, account: &Account) -> Result<Vec<Token>, Error> {
        Ok(self.store.tokens(&account.id).await?)
    }

    /// Revokes one of the caller's tokens; from that moment it is refused.
    ///
    /// Errors: [`Error::NotFound`], [`Error::KeyReused`], [`Error::StillRunning`].
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        id: Cuid,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let _running = self.running.begin(caller.id().as_str(), once.as_ref())?;
        self.revoke(caller.id().clone(), id, once).await
    }

    /// Revokes the token that the caller is asking with. Errors: [`Error::NotFound`].
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Error> {
        self.revoke(caller.id().clone(), caller.token.clone(), None)
            .await
    }

    /// Revokes anybody's token, at the operator's wish. Errors: [`Error::NotFound`].
    pub async fn revoke_any_token(&self, id: Cuid) -> Result<(), Error> {
        let stored = self.store.token(&id).await?.ok_or(Error::NotFound)?;
        self.revoke(stored.account.id, id, None).await
    }

    async fn revoke(&self, owner: Cuid, id: Cuid, once: Option<Once>) -> Result<(), Error> {
        let now = self.clock.now();
        let found = self.store.revoke_token(owner, id, now, once).await?;
        self.engine.news.withdraw();
        found.then_some(()).ok_or(Error::NotFound)
    }
}

/// Whether a token is good at that moment for whoever knows its secret.
fn is_good(stored: &StoredToken, now: Timestamp) -> bool {
    let expired = stored.token.expires_at.is_some_and(|at| at <= now);
    !expired && stored.account.disabled_at.is_none()
}
