//! Accounts: register, sign in; and what the operator does with them.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::chat::Chat;
use crate::contracts::{AccountChanged, Admission, Registered};
use crate::error::Error;
use crate::tokens::{FreshToken, TokenDraft};
use crate::types::{
    Account, AccountChange, Caller, Cuid, Email, Fingerprint, Name, NewAccount, Once, Page,
    PageSize, Password, Role, TokenKind,
};

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// The first one, who becomes the administrator.
    #[default]
    First,
    /// Anybody.
    Open,
}

/// What a retry is recognised by. A fast hash of the password must not be stored, so the password
/// is left out of it and checked against its own, slow hash.
fn without_password(email: &Email, name: Option<&Name>, role: Role) -> Fingerprint {
    let name = name.map_or("", Name::as_str);
    Sha256::digest(format!("{email}\0{name}\0{}", role.as_str())).into()
}

impl Chat {
    /// Who may register.
    pub fn registration(&self) -> Registration {
        self.registration
    }

    /// Whether nobody has registered yet.
    pub async fn is_new(&self) -> Result<bool, Error> {
        Ok(!self.store.has_accounts().await?)
    }

    /// Makes an account for whoever asks, if registration is open.
    ///
    /// Errors: [`Error::RegistrationClosed`], [`Error::EmailTaken`], [`Error::TooManyFailures`],
    /// [`Error::KeyReused`], [`Error::StillRunning`].
    pub async fn register(
        &self,
        email: Email,
        name: Option<Name>,
        password: Password,
        address: IpAddr,
        once: Option<Once>,
    ) -> Result<Account, Error> {
        let _running = self.running.begin(email.as_str(), once.as_ref())?;
        let once = once.map(|once| Once {
            request: without_password(&email, name.as_ref(), Role::User),
            ..once
        });
        let (admission, open) = match self.registration {
            Registration::First => (Admission::FirstOnly, self.is_new().await?),
            Registration::Open => (Admission::Anybody, true),
        };
        let mut hash = None;
        if open {
            self.sign_in_limits.register(address)?;
            hash = Some(self.passwords.hash(password.clone()).await?);
        }
        // Where registration is closed this finds a retry, or nothing; there is no need of a hash.
        let account = self.new_account(email.clone(), name, Role::User, hash);
        match self.store.create_account(account, admission, once).await? {
            Registered::Made(account) => Ok(account),
            Registered::Again(_) => match self.check_password(email, password, address).await {
                Err(Error::WrongPassword) => Err(Error::KeyReused),
                checked => checked,
            },
            Registered::EmailTaken => Err(Error::EmailTaken),
            Registered::Closed => Err(Error::RegistrationClosed),
        }
    }

    /// Makes an account at the operator's wish; without a password only tokens let it in.
    ///
    /// Errors: [`Error::EmailTaken`], [`Error::KeyReused`], [`Error::StillRunning`].
    pub async fn create_account(
        &self,
        email: Email,
        name: Option<Name>,
        role: Role,
        password: Option<Password>,
        once: Option<Once>,
    ) -> Result<Account, Error> {
        let _running = self.running.begin(email.as_str(), once.as_ref())?;
        let once = once.map(|once| Once {
            request: without_password(&email, name.as_ref(), role),
            ..once
        });
        let hash = match &password {
            Some(password) => Some(self.passwords.hash(password.clone()).await?),
            None => None,
        };
        let account = self.new_account(email, name, role, hash);
        let made = self
            .store
            .create_account(account, Admission::Anybody, once)
            .await?;
        match made {
            Registered::Made(account) => Ok(account),
            Registered::Again(known) => {
                let same = match password {
                    Some(password) => self.passwords.verify(password, known.password_hash).await?,
                    None => known.password_hash.is_none(),
                };
                same.then_some(known.account).ok_or(Error::KeyReused)
            }
            Registered::EmailTaken | Registered::Closed => Err(Error::EmailTaken),
        }
    }

    fn new_account(
        &self,
        email: Email,
        name: Option<Name>,
        role: Role,
        password_hash: Option<String>,
    ) -> NewAccount {
        let now = self.clock.now();
        NewAccount {
            id: self.mint(now),
            email,
            name,
            role,
            password_hash,
            created_at: now,
        }
    }

    /// Gives a token, which may have a name, to somebody who knows an account's password.
    ///
    /// Errors: [`Error::WrongPassword`], also for an unknown or a disabled account and after the
    /// same time; [`Error::TooManyFailures`].
    pub async fn sign_in(
        &self,
        email: Email,
        password: Password,
        name: Option<Name>,
        address: IpAddr,
    ) -> Result<(Account, FreshToken), Error> {
        let account = self.check_password(email, password, address).await?;
        let draft = TokenDraft {
            name,
            expires_at: Some(self.clock.now().after(crate::limits::SIGN_IN_KEPT)),
        };
        let token = self
            .issue(account.id.clone(), TokenKind::SignIn, draft, None)
            .await?;
        Ok((account, token))
    }

    /// The account whose password that is.
    async fn check_password(
        &self,
        email: Email,
        password: Password,
        address: IpAddr,
    ) -> Result<Account, Error> {
        let _turn = self.sign_in_limits.turn(&email).await;
        self.sign_in_limits.check(&email, address)?;
        let known = self.store.credentials(&email).await?;
        let hash = known.as_ref().and_then(|known| known.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        match known {
            Some(known) if right && known.account.disabled_at.is_none() => Ok(known.account),
            _ => {
                self.sign_in_limits.failed(&email, address)?;
                Err(Error::WrongPassword)
            }
        }
    }

    /// Gives the caller's account another name, or none. Errors: [`Error::NotFound`].
    pub async fn set_name(&self, caller: &Caller, name: Option<Name>) -> Result<Account, Error> {
        let found = self.store.set_name(caller.id().clone(), name.clone());
        found.await?.then_some(()).ok_or(Error::NotFound)?;
        Ok(Account {
            name,
            ..caller.account.clone()
        })
    }

    /// Replaces the password of a caller who knows it, and revokes all other sign-ins.
    ///
    /// Errors: [`Error::WrongPassword`], which counts as a sign-in that failed;
    /// [`Error::TooManyFailures`]; [`Error::Unauthenticated`], if the caller's token was revoked
    /// meanwhile.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: Password,
        new: Password,
        address: IpAddr,
    ) -> Result<(), Error> {
        let email = caller.account.email.clone();
        let account = self.check_password(email, current, address).await?;
        let hash = self.passwords.hash(new).await?;
        let keep = Some(caller.token.clone());
        let found = self.store.set_password(account.id, hash, keep).await?;
        self.engine.news.withdraw();
        found.then_some(()).ok_or(Error::Unauthenticated)
    }

    /// Accounts by e-mail address, beginning behind `after`.
    pub async fn accounts(&self, after: Option<&Email>) -> Result<Page<Account, Email>, Error> {
        Ok(self.store.accounts(after, PageSize::default()).await?)
    }

    /// The account of an e-mail address. Errors: [`Error::NotFound`].
    pub async fn account(&self, email: &Email) -> Result<Account, Error> {
        let known = self.store.credentials(email).await?;
        Ok(known.ok_or(Error::NotFound)?.account)
    }

    /// Disables an account, or enables it again: from that moment its tokens are refused, or good.
    /// Errors: [`Error::NotFound`].
    pub async fn set_disabled(&self, email: &Email, disabled: bool) -> Result<(), Error> {
        let account = self.account(email).await?;
        let change = AccountChange {
            disabled: Some(disabled),
            ..AccountChange::default()
        };
        self.change_any_account(None, account.id, change)
            .await
            .map(drop)
    }

    /// Changes anybody's account, at the wish of an administrator or of the operator; that it was
    /// disabled is told to all who watch. Errors: [`Error::NotFound`], [`Error::NotAdmin`].
    pub(crate) async fn change_any_account(
        &self,
        admin: Option<Cuid>,
        account: Cuid,
        change: AccountChange,
    ) -> Result<Account, Error> {
        let now = self.clock.now();
        let changed = self.store.change_account(admin, account, change, now);
        let changed = changed.await?;
        self.engine.news.withdraw();
        match changed {
            AccountChanged::Done(account) => Ok(account),
            AccountChanged::Missing => Err(Error::NotFound),
            AccountChanged::NotAdmin => Err(Error::NotAdmin),
        }
    }

    /// Replaces an account's password and revokes its sign-ins. Errors: [`Error::NotFound`].
    pub async fn set_password(&self, email: &Email, password: Password) -> Result<(), Error> {
        let account = self.account(email).await?;
        let hash = self.passwords.hash(password).await?;
        let found = self.store.set_password(account.id, hash, None).await?;
        self.engine.news.withdraw();
        found.then_some(()).ok_or(Error::NotFound)
    }
}
