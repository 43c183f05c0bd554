//! What administrators do over all accounts: change them, see what they cost, test models, see the nodes.

use std::time::Duration;

use tokio::time::timeout;

use crate::brief;
use crate::chat::{Chat, Load};
use crate::contracts::{Question, Turn};
use crate::error::Error;
use crate::limits;
use crate::types::{
    Account, AccountChange, AccountUsage, Admin, Caller, Cuid, Email, MessageRole, ModelName,
    ModelOptions, Name, Once, Page, PageSize, Password, ReplyError, ReplyErrorKind, Role, SeenNode,
    Span, Timestamp,
};

/// What a model is asked that is tested.
const TEST_QUESTION: &str = "Say hello in one short sentence.";
/// Tokens that it may take for that.
const TEST_TOKENS: u32 = 64;

/// What came of the test of a model.
#[derive(Clone, Debug)]
pub struct ModelTest {
    /// How long it took.
    pub took: Duration,
    /// What it said, or what went wrong.
    pub answer: Result<String, ReplyError>,
}

/// How all that serves does.
#[derive(Clone, Debug)]
pub struct Health {
    /// The nodes that have been heard of lately; none if the database can't be read.
    pub nodes: Vec<SeenNode>,
    /// What keeps everything: `sqlite` or `postgresql`.
    pub database: &'static str,
    /// Whether it can be read.
    pub is_readable: bool,
    /// What this node has to do.
    pub load: Load,
}

impl Chat {
    /// The caller as an administrator. Errors: [`Error::NotAdmin`].
    pub fn admin(&self, caller: Caller) -> Result<Admin, Error> {
        match caller.account.role {
            Role::Admin => Ok(Admin(caller)),
            Role::User => Err(Error::NotAdmin),
        }
    }

    /// Accounts by e-mail address, beginning behind `after`.
    pub async fn all_accounts(
        &self,
        _: &Admin,
        after: Option<&Email>,
        size: PageSize,
    ) -> Result<Page<Account, Email>, Error> {
        Ok(self.store.accounts(after, size).await?)
    }

    /// Makes an account for somebody. Errors: as [`Chat::create_account`].
    pub async fn add_account(
        &self,
        _: &Admin,
        email: Email,
        name: Option<Name>,
        role: Role,
        password: Password,
        once: Option<Once>,
    ) -> Result<Account, Error> {
        self.create_account(email, name, role, Some(password), once)
            .await
    }

    /// Changes somebody else's account; that of the one who asks stays as it is, so that there always
    /// is an administrator: of two who demote each other the second is none any more.
    /// Errors: [`Error::OwnAccount`], [`Error::NotFound`], [`Error::NotAdmin`].
    pub async fn change_account(
        &self,
        admin: &Admin,
        account: Cuid,
        change: AccountChange,
    ) -> Result<Account, Error> {
        if account == *admin.0.id() {
            return Err(Error::OwnAccount);
        }
        self.change_any_account(Some(admin.0.id().clone()), account, change)
            .await
    }

    /// Asks a model for a few words, at the cost of the one who asks.
    ///
    /// Errors: [`Error::UnknownModel`]; [`Error::Busy`] with
    /// [`MODEL_TESTS`](limits::MODEL_TESTS) running.
    pub async fn test_model(&self, admin: &Admin, name: &ModelName) -> Result<ModelTest, Error> {
        let engine = &self.engine;
        let model = engine.models.find(name).ok_or(Error::UnknownModel)?;
        let _place = self.model_tests.try_acquire().map_err(|_| Error::Busy)?;
        let question = Question {
            model: model.name.as_str().to_owned(),
            system: String::new(),
            messages: vec![Turn::saying(MessageRole::User, TEST_QUESTION)],
            options: ModelOptions {
                max_output_tokens: Some(TEST_TOKENS),
                ..ModelOptions::default()
            },
        };
        let begun = self.clock.now();
        let asked = brief::ask(engine, admin.0.id().clone(), None, model, question);
        let answer = timeout(limits::MODEL_TEST_TIME, asked).await;
        let took = self.clock.now().0.saturating_sub(begun.0).max(0);
        Ok(ModelTest {
            took: Duration::from_millis(took.unsigned_abs()),
            answer: answer.unwrap_or_else(|_| Err(too_slow())),
        })
    }

    /// What models have cost, day by day (UTC), for the
    /// [`USAGE_ACCOUNTS`](limits::USAGE_ACCOUNTS) accounts with the most tokens, these first; and the span
    /// that this is about. Without `to` it ends now, and without `from` it is of
    /// [`USAGE_DAYS_DEFAULT`](limits::USAGE_DAYS_DEFAULT) days.
    ///
    /// Errors: [`Error::SpanTooLong`].
    pub async fn usage_of_all(
        &self,
        _: &Admin,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(Span, Vec<AccountUsage>), Error> {
        let to = to.unwrap_or_else(|| self.clock.now());
        let from = from.unwrap_or_else(|| {
            Timestamp::of_day(Timestamp(to.0 - 1).day() + 1 - limits::USAGE_DAYS_DEFAULT)
        });
        let span = Span { from, to };
        let days = span.days();
        if days.end - days.start > limits::USAGE_DAYS {
            return Err(Error::SpanTooLong);
        }
        let usage = self.store.usage_of_all(span).await?;
        Ok((span, usage))
    }

    /// The nodes, and how this one does.
    pub async fn health(&self, _: &Admin) -> Result<Health, Error> {
        let is_readable = self.check().await.is_ok();
        let nodes = if is_readable {
            self.nodes().await?
        } else {
            Vec::new()
        };
        Ok(Health {
            nodes,
            database: self.store.database(),
            is_readable,
            load: self.load(),
        })
    }
}

fn too_slow() -> ReplyError {
    let seconds = limits::MODEL_TEST_TIME.as_secs();
    ReplyError {
        kind: ReplyErrorKind::Network,
        message: format!("the model has not ended its answer within {seconds} seconds"),
        retry_after: None,
    }
}
