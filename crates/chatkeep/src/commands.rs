use std::io::{self, BufRead, Write};
use std::sync::Arc;

use anyhow::{Context, bail};
use chat::contracts::{Clock, NoBus};
use chat::types::{Email, Password, Role, SeenNode, Timestamp};
use chat::{Chat, Error, Options, TokenDraft};
use store::{CopiedTable, Database, Progress};

use crate::cli::{Cli, Command, Config, Token, User};
use crate::config::{self, Settings};
use crate::outside::{SystemEntropy, WallClock};
use crate::{database, serve};

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Config(Config::Show) = &cli.command {
        return Ok(write!(io::stdout(), "{}", config::show(&cli)?)?);
    }
    let settings = config::load(&cli)?;
    match cli.command {
        Command::Serve { .. } => runtime()?.block_on(serve::serve(settings)),
        Command::User(command) => {
            runtime()?.block_on(async { user(&open(&settings).await?, command).await })
        }
        Command::Token(command) => {
            runtime()?.block_on(async { token(&open(&settings).await?, command).await })
        }
        Command::Nodes => runtime()?.block_on(async { nodes(&open(&settings).await?).await }),
        Command::Copy { from, to } => runtime()?.block_on(copy(&from, &to)),
        Command::Config(_) => Ok(()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")
}

/// The product over the database, perhaps beside running servers.
async fn open(settings: &Settings) -> anyhow::Result<Chat> {
    let store = database::command(settings).await?;
    let clock = Arc::new(WallClock);
    Ok(Chat::new(
        store,
        Arc::new(NoBus::Alone),
        clock,
        Arc::new(SystemEntropy),
        Options::default(),
    )?)
}

async fn nodes(chat: &Chat) -> anyhow::Result<()> {
    let mut out = io::stdout();
    for SeenNode { node, silent } in chat.nodes().await? {
        let state = match (node.draining, silent < chat::limits::NODE_ALIVE) {
            (_, false) => "gone",
            (true, true) => "draining",
            (false, true) => "alive",
        };
        writeln!(
            out,
            "{} {} {} {state} replies {} since {} heard {} s ago",
            node.id,
            node.name,
            node.version,
            node.replies,
            written(Some(node.started_at)),
            silent.as_secs(),
        )?;
    }
    Ok(())
}

async fn copy(from: &str, to: &str) -> anyhow::Result<()> {
    let from = Database::parse(from).context("--from")?;
    let to = Database::parse(to).context("--to")?;
    if from.to_string() == to.to_string() {
        bail!("--from and --to are the same");
    }
    let mut out = io::stdout();
    let report = |progress: Progress<'_>| match progress {
        Progress::Copied { table, rows } => writeln!(io::stderr(), "{table}: {rows} rows copied"),
        Progress::Same(CopiedTable {
            name,
            rows,
            checksum,
        }) => writeln!(out, "{name} {rows} rows, the same in both: {checksum}"),
    };
    store::copy(
        &from,
        &to,
        WallClock.now(),
        &providers::trusted_roots(),
        report,
    )
    .await?;
    Ok(())
}

async fn user(chat: &Chat, command: User) -> anyhow::Result<()> {
    let mut out = io::stdout();
    match command {
        User::Create {
            email,
            name,
            admin,
            password_stdin,
        } => {
            let password = password_stdin.then(read_password).transpose()?;
            let role = if admin { Role::Admin } else { Role::User };
            let account = chat.create_account(email, name, role, password, None);
            let account = account.await?;
            writeln!(
                out,
                "{} {} {}",
                account.id,
                account.email,
                account.role.as_str()
            )?;
        }
        User::List => {
            let mut after = None;
            loop {
                let page = chat.accounts(after.as_ref()).await?;
                for account in page.items {
                    let state = match account.disabled_at {
                        None => "active",
                        Some(_) => "disabled",
                    };
                    let role = account.role.as_str();
                    writeln!(out, "{} {} {role} {state}", account.id, account.email)?;
                }
                if page.next.is_none() {
                    break;
                }
                after = page.next;
            }
        }
        User::Disable { email } => {
            found(chat.set_disabled(&email, true).await, &email)?;
            writeln!(out, "{email} is disabled")?;
        }
        User::Enable { email } => {
            found(chat.set_disabled(&email, false).await, &email)?;
            writeln!(out, "{email} is enabled")?;
        }
        User::Password { email } => {
            found(chat.set_password(&email, read_password()?).await, &email)?;
            writeln!(out, "{email} has a new password")?;
        }
    }
    Ok(())
}

async fn token(chat: &Chat, command: Token) -> anyhow::Result<()> {
    let mut out = io::stdout();
    match command {
        Token::Create {
            email,
            name,
            expires,
        } => {
            let account = found(chat.account(&email).await, &email)?;
            let draft = TokenDraft {
                name,
                expires_at: expires.map(|span| WallClock.now().after(span)),
            };
            let fresh = chat.create_token_for(&account, draft).await?;
            writeln!(out, "{}", fresh.text.expose())?;
        }
        Token::List { email } => {
            let account = found(chat.account(&email).await, &email)?;
            for token in chat.tokens_of(&account).await? {
                writeln!(
                    out,
                    "{} {} name={:?} created={} expires={} last-used={}",
                    token.id,
                    token.kind.as_str(),
                    token.name.as_ref().map_or("", chat::types::Name::as_str),
                    written(Some(token.created_at)),
                    written(token.expires_at),
                    written(token.last_used_at),
                )?;
            }
        }
        Token::Revoke { id } => {
            match chat.revoke_any_token(id.clone()).await {
                Err(Error::NotFound) => bail!("there is no token {id}"),
                done => done?,
            }
            writeln!(out, "{id} is revoked")?;
        }
    }
    Ok(())
}

fn found<T>(result: Result<T, Error>, email: &Email) -> anyhow::Result<T> {
    match result {
        Err(Error::NotFound) => bail!("there is no account {email}"),
        result => Ok(result?),
    }
}

fn read_password() -> anyhow::Result<Password> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("no password could be read from standard input")?;
    let line = line.trim_end_matches(['\r', '\n']);
    Password::parse(line).map_err(|error| anyhow::anyhow!("the password {error}"))
}

fn written(time: Option<Timestamp>) -> String {
    time.and_then(|time| jiff::Timestamp::from_millisecond(time.0).ok())
        .map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"))
}
