use std::path::Path;

use crate::database;
use crate::server::{Server, run};

/// Runs a command that must fail, and gives its standard error.
fn failure(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments, "");
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_server_says_where_it_is_and_how_to_make_the_first_account() {
    let server = Server::start();
    let [listens, data, none, link, shell] = &server.announced[..] else {
        panic!("{:?}", server.announced);
    };
    assert!(listens.starts_with("chatkeep listens on http://127.0.0.1:"));
    let (place, option) = if database::is_postgres() {
        ("postgres://chatkeep@127.0.0.1:", "--database-url")
    } else {
        ("sqlite:/", "--data-dir /")
    };
    assert!(
        data.starts_with(&format!("its data is in {place}")),
        "{data}"
    );
    assert_eq!(none, "there is no account yet; make the first one");
    assert!(link.contains("/setup/"));
    let command = "chatkeep user create you@example.com --password-stdin";
    assert!(shell.contains(&format!("{command} {option}")), "{shell}");
    server.user("ada@example.com");
    let (stopped, log) = server.stop();
    assert!(stopped.clean, "{log}");
    assert_eq!(stopped.start_again().announced.len(), 2);
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_gets_a_clear_error() {
    let server = Server::start_in_a_folder();
    let error = failure(server.folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("another chatkeep serves from"), "{error}");
    assert!(error.contains("--data-dir"), "{error}");
}

#[tokio::test]
async fn a_taken_port_gets_a_clear_error() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let address = server.base.strip_prefix("http://").unwrap();
    let error = failure(folder.path(), &["serve", "--listen", address]);
    assert!(
        error.contains(&format!("can't listen on {address}")),
        "{error}"
    );
}

#[tokio::test]
async fn accounts_are_made_and_listed_beside_a_running_server() {
    let server = Server::start();
    let made = server.run(
        &["user", "create", "Ada@example.com", "--password-stdin"],
        "long enough\nignored",
    );
    assert!(made.trim().ends_with(" ada@example.com admin"), "{made}");
    server.run(&["user", "create", "bob@example.com", "--admin"], "");
    server.run(&["user", "create", "eve@example.com"], "");
    server.run(&["user", "disable", "eve@example.com"], "");
    let listed = server.run(&["user", "list"], "");
    let endings: Vec<_> = listed
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        endings,
        [
            "ada@example.com admin active",
            "bob@example.com admin active",
            "eve@example.com user disabled"
        ]
    );
    let sign_in = async |password: &str| {
        let body = serde_json::json!({ "email": "ada@example.com", "password": password });
        server
            .stranger()
            .post("/api/v1/auth/login", body)
            .await
            .status
    };
    assert_eq!(sign_in("long enough").await, 200);
    server.run(&["user", "password", "ada@example.com"], "another one");
    assert_eq!(sign_in("long enough").await, 401);
    assert_eq!(sign_in("another one").await, 200);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_beside_a_running_server() {
    let server = Server::start();
    server.user("ada@example.com");
    let token = server.run(
        &[
            "token",
            "create",
            "ada@example.com",
            "--name",
            "ci",
            "--expires",
            "30d",
        ],
        "",
    );
    assert_eq!(token.lines().count(), 1);
    let client = server.stranger().with_token(token.trim());
    assert_eq!(client.get("/api/v1/auth/me").await.status, 200);
    let listed = server.run(&["token", "list", "ada@example.com"], "");
    let id = &token[7..32];
    let line = listed.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(
        line.contains("personal name=\"ci\" created=2") && line.contains(" expires=2"),
        "{line}"
    );
    assert!(!listed.contains(&token[32..75]));
    server.run(&["token", "revoke", id], "");
    assert_eq!(client.get("/api/v1/auth/me").await.status, 401);
}

#[test]
fn what_is_wrong_with_a_command_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (
            &["user", "create", "nobody"][..],
            "is not an e-mail address",
        ),
        (&["user", "disable", "a@b"], "there is no account a@b"),
        (
            &["user", "create", "a@b", "--password-stdin"],
            "the password is shorter than 8 characters",
        ),
        (&["token", "create", "a@b"], "there is no account a@b"),
        (
            &["token", "create", "a@b", "--expires", "soon"],
            "12h or 30d",
        ),
        (
            &["token", "create", "a@b", "--expires", "0s"],
            "longer than nothing",
        ),
        (
            &["token", "revoke", "clqb6q2rl0003v3k8b2g8n5xd"],
            "there is no token clqb6q2rl0003v3k8b2g8n5xd",
        ),
        (&["token", "revoke", "x"], "is not a CUID"),
        (&["serve", "--listen", "nowhere"], "invalid socket address"),
    ] {
        let error = failure(folder.path(), arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let made = run(folder.path(), &["user", "create", "a@b"], "");
    assert!(made.status.success());
    let error = failure(folder.path(), &["user", "create", "A@B"]);
    assert!(
        error.contains("an account with this e-mail address exists"),
        "{error}"
    );
}

/// Runs `config show` with variables, beside a `chatkeep.toml` of that text.
fn settings(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chatkeep.toml"), file).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_chatkeep"))
        .current_dir(folder.path())
        .env_clear()
        .envs(variables.iter().copied())
        .args(["config", "show"])
        .args(flags)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

#[test]
fn the_settings_say_where_they_come_from_and_later_sources_win() {
    let file = "listen = \"0.0.0.0:1\"\nregistration = \"open\"\nlog_level = \"warn\"\n";
    let variables = [
        ("CHATKEEP_LOG_LEVEL", "debug"),
        ("CHATKEEP_DATABASE_URL", "postgres://me:canary@db/chat"),
        ("CHATKEEP_CORS_ORIGINS", "https://a.b,https://c.d"),
    ];
    let shown = settings(file, &variables, &["--data-dir", "/elsewhere"]).unwrap();
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split(" # ").map(str::trim).collect())
        .collect();
    assert_eq!(
        lines,
        [
            ["listen = \"0.0.0.0:1\"", "chatkeep.toml"],
            ["data_dir = \"/elsewhere\"", "--data-dir"],
            [
                "database_url = \"postgres://me:***@db/chat\"",
                "the environment"
            ],
            ["database_connections = 16", "default"],
            ["bus = \"auto\"", "default"],
            ["registration = \"open\"", "chatkeep.toml"],
            [
                "cors_origins = [\"https://a.b\", \"https://c.d\"]",
                "the environment"
            ],
            ["log_level = \"debug\"", "the environment"],
            ["log_format = \"text\"", "default"],
            ["titles = true", "default"],
            ["guests = false", "default"],
        ]
    );
}

#[test]
fn a_setting_that_is_unknown_or_wrong_is_an_error_that_names_it() {
    for (file, variables, expected) in [
        ("listne = \"x\"", &[][..], "listne"),
        ("", &[("CHATKEEP_LISTNE", "x")], "listne"),
        ("registration = \"maybe\"", &[], "maybe"),
        ("listen = 5", &[], "listen"),
        ("listen = ", &[], "chatkeep.toml"),
        ("[[provider]]\nkind = \"openai\"", &[], "name"),
        ("[[provider]]\nname = \"x\"\nkind = \"opnai\"", &[], "opnai"),
        (
            "[[provider]]\nname = \"x\"\nkind = \"demo\"\nkey = \"sk-1\"",
            &[],
            "unknown field `key`",
        ),
        (
            "[[provider]]\nname = \"x\"\nkind = \"openai\"\ntimeout = \"soon\"",
            &[],
            "timeout",
        ),
        (
            "[[provider]]\nname = \"x\"\nkind = \"openai\"\nmodels = [{ name = \"m\", windw = 1 }]",
            &[],
            "models[0]",
        ),
    ] {
        let error = settings(file, variables, &[]).unwrap_err();
        assert!(error.contains(expected), "{file}: {error}");
    }
}

const PROVIDER: &str = r#"
[[provider]]
name = "far away"
kind = "openai"
key_env = "FAR_AWAY_KEY"
models = ["one", { name = "two", window = 128000 }]
retries = 3
"#;

#[test]
fn a_providers_settings_are_shown_and_its_key_is_not() {
    let shown = settings(PROVIDER, &[("FAR_AWAY_KEY", "sk-canary")], &[]).unwrap();
    for line in [
        r#"provider."far away".key_env = "FAR_AWAY_KEY" # chatkeep.toml"#,
        r#"provider."far away".models = ["one", { name = "two", window = 128000 }] # chatkeep.toml"#,
        r#"provider."far away".retries = 3          # chatkeep.toml"#,
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_server_does_not_start_with_a_provider_that_can_not_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let two = format!("{PROVIDER}{}", PROVIDER.replace("far away", "farther away"));
    for (file, key, expected) in [
        (
            PROVIDER,
            None,
            "provider far away: the variable FAR_AWAY_KEY",
        ),
        (PROVIDER, Some(" "), "provider far away: the key is empty"),
        (&two, Some("sk-canary"), "a model that is called one"),
        (
            "[[provider]]\nname = \"x\"\nkind = \"openai\"",
            None,
            "provider x: models is empty",
        ),
        (
            "[[provider]]\nname = \"x\"\nkind = \"anthropic\"\nmodels = [\"m\"]",
            None,
            "provider x: key_env or key_file is missing",
        ),
        (
            "[[provider]]\nname = \"x\"\nkind = \"openai\"\nmodels = [\"m\"]\nbase_url = \"ftp://h\"",
            None,
            "provider x: base_url",
        ),
        (
            "[[provider]]\nname = \"x\"\nkind = \"openai\"\nmodels = [\"m\"]\ntoken_timeout = \"2d\"",
            None,
            "provider x: token_timeout is more than a day",
        ),
    ] {
        std::fs::write(folder.path().join("chatkeep.toml"), file).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chatkeep"));
        command
            .current_dir(folder.path())
            .env_clear()
            .args(["serve", "--listen", "127.0.0.1:0"]);
        if let Some(key) = key {
            command.env("FAR_AWAY_KEY", key);
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && errors.contains(expected),
            "{errors}"
        );
        assert!(!errors.contains("canary"), "{errors}");
    }
}
