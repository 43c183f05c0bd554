//! All SQL of both stores, read from the sources: that each statement keeps to the rows of the owners
//! that it is told, and that PostgreSQL's is what any server that speaks its protocol has.

mod scope;
mod texts;

use std::fs;
use std::path::Path;

use sqlparser::ast::{
    AlterTableOperation, ColumnOption, IndexColumn, RenameTableNameKind, Statement, TableConstraint,
};
use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::{Parser, ParserError};

use scope::{TENANTS, last};
use texts::Text;

/// Statements that reach beyond an owner: something distinctive in them, the rows that nothing
/// holds, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "FROM deleted_session WHERE deleted_at <= ",
        "deleted_session",
        "what is past its time is found by that time",
    ),
    (
        "FROM idempotency WHERE expires_at <= ",
        "idempotency",
        "what is past its time is found by that time",
    ),
    (
        "FROM token WHERE expires_at <= ",
        "token token",
        "what is past its time is found by that time",
    ),
    (
        "JOIN idempotency ON idempotency.owner = account.id",
        "idempotency",
        "a registration finds its owner by the e-mail address",
    ),
    (
        "GROUP BY owner, session ORDER BY min(status = 'queued')",
        "reply other",
        "stranded: what nobody writes is looked for over all owners",
    ),
    (
        ") AS stranded",
        "reply reply other",
        "stranded: what nobody writes is looked for over all owners",
    ),
    (
        ") AS most ",
        "used usage",
        "usage_of_all: what a report about all accounts is made of",
    ),
    (
        "SET lease_until = 0",
        "reply",
        "end_leases: SQLite's only process has started",
    ),
    (
        "WHERE title = 'New Chat'",
        "session",
        "a migration is of all owners",
    ),
    (
        "SET folded_title = folded(title)",
        "session",
        "a migration is of all owners",
    ),
    (
        "SELECT owner, number, title FROM session",
        "session",
        "a migration is of all owners",
    ),
    (
        "FROM message_before",
        "message",
        "a migration is of all owners",
    ),
];

/// Texts that the parser can't read, above all those that are put together at run time.
const UNREAD: &[(&str, &str)] = &[
    (
        "VACUUM INTO ?1",
        "the parser does not know it; copies all before a migration",
    ),
    (
        "BEGIN; {RECORD}; INSERT INTO migration",
        "runs a migration, which is read by itself",
    ),
    ("DELETE FROM {ID_BLOCK};", "copies whole databases"),
    ("DROP TABLE {}", "copies whole databases"),
    (
        "SELECT {columns} FROM {} WHERE ({key}) > ",
        "copies whole databases",
    ),
    (
        "SELECT {key} FROM {} ORDER BY {backwards}",
        "copies whole databases",
    ),
    ("INSERT INTO {} ({})", "copies whole databases"),
    ("{} SELECT * FROM unnest({})", "copies whole databases"),
    ("{} VALUES ({places})", "copies whole databases"),
];

/// Indexes of tenant tables that do not begin with the owner.
const INDEXES: &[(&str, &str)] = &[
    ("idempotency_by_expiry", "finds what is past its time"),
    ("deleted_session_by_time", "finds what is past its time"),
];

/// Words that make a text SQL, whatever it begins with.
const WORDS: &str = " SELECT INSERT UPDATE DELETE MERGE TRUNCATE COPY WITH FROM INTO VALUES JOIN \
     WHERE AND OR UNION RETURNING SET BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE CREATE ALTER DROP \
     VACUUM LISTEN ";

/// What a server that only speaks PostgreSQL's protocol may lack, or what a PgBouncer in between
/// would break.
const BEYOND_POSTGRES: [&str; 10] = [
    "SEQUENCE",
    "SERIAL",
    "IDENTITY",
    "TRIGGER",
    "ADVISORY",
    "CLOCK_TIMESTAMP",
    "SKIP LOCKED",
    "LISTEN",
    "NOTIFY",
    "PREPARE",
];

/// Counts what was looked at, and keeps what is wrong.
#[derive(Default)]
struct Findings {
    statements: usize,
    tenant: usize,
    excepted: usize,
    unscoped: usize,
    /// Those of the lists that were met.
    met: Vec<&'static str>,
    wrong: Vec<String>,
}

#[test]
fn every_tenant_statement_carries_the_owners_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut findings = Findings::default();
    for Text { file, text } in texts::all(&root.join("src")) {
        let file = file.strip_prefix(root).unwrap().display().to_string();
        if is_sql(&text) {
            findings.read(&file, &text);
        }
        if text.contains(".sql") && !text.starts_with("../../migrations/") {
            findings.wrong.push(format!("{file}: {text} is not read"));
        }
    }
    for folder in ["sqlite", "postgres"] {
        let mut keyed = Vec::new();
        for file in fs::read_dir(root.join("migrations").join(folder)).unwrap() {
            let file = file.unwrap().path();
            let text = fs::read_to_string(&file).unwrap();
            let file = file.strip_prefix(root).unwrap().display().to_string();
            for statement in findings.read(&file, &text) {
                findings.keys(&file, &statement, &mut keyed);
            }
        }
        keyed.sort_unstable();
        // One that was made anew is met again.
        keyed.dedup();
        let mut tables = TENANTS.map(str::to_owned);
        tables.sort_unstable();
        if keyed != tables {
            let wrong = format!("{folder}: tables with a primary key: {keyed:?}");
            findings.wrong.push(wrong);
        }
    }
    let listed = EXCEPTIONS.iter().map(|(fragment, ..)| fragment);
    let listed = listed.chain(UNREAD.iter().chain(INDEXES).map(|(fragment, _)| fragment));
    let stale = listed.filter(|fragment| !findings.met.contains(fragment));
    let stale = stale.map(|fragment| format!("an exception that nothing needs: {fragment}"));
    findings.wrong.extend(stale);
    println!(
        "sql statements={} tenant={} exceptions={} unscoped={}",
        findings.statements, findings.tenant, findings.excepted, findings.unscoped
    );
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
}

impl Findings {
    /// Checks a text that is SQL; gives its statements.
    fn read(&mut self, file: &str, text: &str) -> Vec<Statement> {
        if let Some((fragment, _)) = UNREAD.iter().find(|(fragment, _)| text.contains(fragment)) {
            self.met.push(fragment);
            return Vec::new();
        }
        let statements = match parse(file, text) {
            Ok(statements) => statements,
            Err(error) => {
                self.wrong
                    .push(format!("{file}: can't be read: {error}: {text}"));
                return Vec::new();
            }
        };
        for statement in &statements {
            self.statements += 1;
            if !matches!(
                statement,
                Statement::CreateTable(_) | Statement::CreateIndex(_) | Statement::AlterTable(_)
            ) {
                self.scope(file, statement);
            }
            self.subset(file, statement);
        }
        statements
    }

    fn scope(&mut self, file: &str, statement: &Statement) {
        let checked = scope::check(statement);
        self.tenant += usize::from(checked.tenant > 0);
        let unscoped = checked.unscoped.join(" ");
        if unscoped.is_empty() {
            return;
        }
        let text = statement.to_string();
        let exception = EXCEPTIONS
            .iter()
            .find(|(fragment, rows, _)| text.contains(fragment) && *rows == unscoped);
        if let Some((fragment, ..)) = exception {
            self.excepted += 1;
            self.met.push(fragment);
        } else {
            self.unscoped += 1;
            self.wrong.push(format!("{file}: {unscoped}: {text}"));
        }
    }

    fn subset(&mut self, file: &str, statement: &Statement) {
        let text = statement.to_string().to_uppercase();
        let beyond = BEYOND_POSTGRES.iter().find(|word| text.contains(*word));
        if let Some(word) =
            beyond.filter(|_| file.contains("postgres") && !file.ends_with("notify.rs"))
        {
            self.wrong.push(format!("{file}: {word}: {text}"));
        }
    }

    /// The keys and the indexes of a tenant table begin with the owner.
    fn keys(&mut self, file: &str, statement: &Statement, keyed: &mut Vec<String>) {
        let (table, keys) = match statement {
            Statement::CreateTable(create) => {
                let table = last(&create.name);
                let of_columns = create.columns.iter().flat_map(|column| {
                    let name = column.name.value.clone();
                    let keys = column.options.iter().map(|option| &option.option);
                    let keys = keys.filter_map(|option| match option {
                        ColumnOption::PrimaryKey(_) => Some(true),
                        ColumnOption::Unique(_) => Some(false),
                        _ => None,
                    });
                    keys.map(move |is_primary| (is_primary, name.clone()))
                });
                let keys: Vec<_> = of_columns
                    .chain(create.constraints.iter().filter_map(key))
                    .collect();
                if keys.iter().any(|(is_primary, _)| *is_primary) && TENANTS.contains(&&*table) {
                    keyed.push(table.clone());
                }
                (table, keys)
            }
            Statement::CreateIndex(index) => {
                let name = index.name.as_ref().map_or_else(String::new, last);
                let exception = INDEXES.iter().find(|(excepted, _)| *excepted == name);
                if let Some((excepted, _)) = exception.filter(|_| !index.unique) {
                    self.met.push(excepted);
                    return;
                }
                (
                    last(&index.table_name),
                    vec![(false, first(&index.columns))],
                )
            }
            Statement::AlterTable(alter) => {
                // A column is added without a key, a CHECK is replaced, or the table goes away.
                let is_plain = |operation: &AlterTableOperation| match operation {
                    AlterTableOperation::DropConstraint { name, .. } => {
                        name.value.ends_with("_check")
                    }
                    AlterTableOperation::AddConstraint { constraint, .. } => {
                        matches!(constraint, TableConstraint::Check(_))
                    }
                    AlterTableOperation::RenameTable {
                        table_name: RenameTableNameKind::To(name) | RenameTableNameKind::As(name),
                    } => !TENANTS.contains(&&*last(name)),
                    AlterTableOperation::AddColumn { column_def, .. } => {
                        column_def.options.iter().all(|option| {
                            !matches!(
                                option.option,
                                ColumnOption::PrimaryKey(_) | ColumnOption::Unique(_)
                            )
                        })
                    }
                    _ => false,
                };
                let odd = alter.operations.iter().filter(|one| !is_plain(one));
                (
                    last(&alter.name),
                    odd.map(|one| (false, one.to_string())).collect(),
                )
            }
            _ => return,
        };
        for (_, column) in keys {
            if TENANTS.contains(&&*table) && column != "owner" {
                self.wrong
                    .push(format!("{file}: a key of {table} begins with {column}"));
            }
        }
    }
}

/// Whether a constraint is a primary key, and with which column a key begins.
fn key(constraint: &TableConstraint) -> Option<(bool, String)> {
    match constraint {
        TableConstraint::PrimaryKey(key) => Some((true, first(&key.columns))),
        TableConstraint::Unique(key) => Some((false, first(&key.columns))),
        _ => None,
    }
}

fn first(columns: &[IndexColumn]) -> String {
    columns[0].column.expr.to_string()
}

fn is_sql(text: &str) -> bool {
    let mut words = text.split(|one: char| !one.is_ascii_alphabetic());
    let lower = text.to_lowercase();
    let lower = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    let names_tenant = TENANTS.iter().any(|table| {
        ["from", "into", "join", "update"]
            .iter()
            .any(|word| lower.contains(&format!("{word} {table}")))
    });
    names_tenant || words.any(|word| !word.is_empty() && WORDS.contains(&format!(" {word} ")))
}

fn parse(file: &str, text: &str) -> Result<Vec<Statement>, ParserError> {
    // Without JSON that is a value.
    if text.replace("'{}'", "''").contains('{') {
        return Err(ParserError::ParserError(
            "is put together at run time".to_owned(),
        ));
    }
    if file.contains("postgres") {
        // The parser knows no other lock.
        let text = text.replace("FOR NO KEY UPDATE", "FOR UPDATE");
        return Parser::parse_sql(&PostgreSqlDialect {}, &text);
    }
    // It knows neither hints, nor SQLite's CROSS JOIN, which is a JOIN whose order stays.
    let text = text
        .replace("CROSS JOIN", "JOIN")
        .replace("INDEXED BY reply_open", "")
        .replace("STRICT, WITHOUT ROWID", "STRICT");
    Parser::parse_sql(&SQLiteDialect {}, &text)
}

/// Statements, and what is unscoped in each.
const CONTROLS: &[(&str, &str)] = &[
    ("SELECT * FROM message WHERE id = $1", "message"),
    ("SELECT owner = $1 FROM message WHERE id = $2", "message"),
    (
        "SELECT * FROM message WHERE message.owner = message.owner",
        "message",
    ),
    ("SELECT * FROM message WHERE owner = 'a'", "message"),
    (
        "SELECT * FROM message WHERE owner = $1 OR id = $2",
        "message",
    ),
    ("SELECT * FROM message WHERE NOT (owner = $1)", "message"),
    ("SELECT * FROM message WHERE owner <> $1", "message"),
    (
        "SELECT * FROM reply JOIN message ON message.id = reply.prompt_id WHERE reply.owner = $1",
        "message",
    ),
    (
        "SELECT * FROM reply JOIN message ON message.owner = reply.owner",
        "reply message",
    ),
    (
        "SELECT * FROM reply LEFT JOIN message ON reply.owner = $1 AND message.owner = $1",
        "reply",
    ),
    (
        "SELECT * FROM reply LEFT JOIN message ON message.owner = $1 WHERE reply.owner = message.owner",
        "",
    ),
    (
        "SELECT * FROM reply, message WHERE owner = $1",
        "reply message",
    ),
    (
        "SELECT * FROM account WHERE id = $1 AND EXISTS (SELECT 1 FROM usage)",
        "usage",
    ),
    (
        "SELECT * FROM feed AS f WHERE f.owner IN (SELECT owner FROM usage WHERE usage.owner = f.owner)",
        "usage",
    ),
    (
        "SELECT 1 FROM usage WHERE owner = $1 UNION SELECT 1 FROM usage",
        "usage",
    ),
    (
        "SELECT 1 FROM usage WHERE owner = $1 ORDER BY (SELECT max(last) FROM feed)",
        "feed",
    ),
    (
        "SELECT * FROM (SELECT $1 || '' AS owner) AS x JOIN feed ON feed.owner = x.owner",
        "feed",
    ),
    (
        "WITH feed AS (SELECT * FROM feed) SELECT * FROM feed WHERE owner = $1",
        "a WITH that has the name of a table a form that is not understood",
    ),
    ("UPDATE message SET content = $1", "message"),
    (
        "UPDATE message SET owner = $2 WHERE owner = $1",
        "SET owner",
    ),
    (
        "UPDATE message SET content = '' FROM reply WHERE message.owner = $1 AND reply.id = $2",
        "reply",
    ),
    ("DELETE FROM public.message WHERE seq = $1", "message"),
    ("DELETE FROM token WHERE kind = $1", "token"),
    (
        "WITH gone AS (DELETE FROM usage RETURNING id) SELECT id FROM gone",
        "usage",
    ),
    ("INSERT INTO feed (last, swept) VALUES ($1, 0)", "feed"),
    ("INSERT INTO feed VALUES ($1, 0, 0)", "feed"),
    (
        "INSERT INTO feed (owner, last, swept) SELECT id, 0, 0 FROM account",
        "feed",
    ),
    (
        "INSERT INTO message (owner, id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        "ON CONFLICT",
    ),
    (
        "INSERT INTO message (owner, id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        "ON CONFLICT",
    ),
    ("SELECT 1 UNION TABLE message", "TABLE"),
    (
        "SELECT * FROM (reply JOIN message ON message.owner = $1) WHERE reply.owner = $1",
        "a form that is not understood",
    ),
    ("TRUNCATE message", "a form that is not understood"),
    // And what is held is not.
    (
        "SELECT * FROM message WHERE (owner = $1::text AND id = $2) AND (seq = 1 OR seq = 2)",
        "",
    ),
    ("SELECT * FROM message WHERE owner = ANY ($1)", ""),
    (
        "SELECT * FROM reply AS r JOIN message AS m ON m.owner = r.owner WHERE $1 = r.owner",
        "",
    ),
    (
        "SELECT * FROM unnest($1::text[], $2::text[]) AS asked (owner, id) JOIN reply ON reply.owner = asked.owner",
        "",
    ),
    (
        "SELECT * FROM feed AS f WHERE owner = $1 AND EXISTS (SELECT 1 FROM usage AS u WHERE u.owner = f.owner)",
        "",
    ),
    (
        "WITH held AS (SELECT owner, id FROM reply WHERE owner = $1) INSERT INTO usage (owner, id) SELECT held.owner, held.id FROM held",
        "",
    ),
    (
        "DELETE FROM feed WHERE (last, owner) IN (SELECT last, owner FROM feed WHERE owner = $1)",
        "",
    ),
    ("DELETE FROM token WHERE id = $1", ""),
    (
        "INSERT INTO feed (owner, last) VALUES ($1, 1) ON CONFLICT (owner) DO UPDATE SET last = 2",
        "",
    ),
];

#[test]
fn a_statement_that_nothing_holds_is_found() {
    for (sql, unscoped) in CONTROLS {
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        assert_eq!(
            scope::check(&statements[0]).unscoped.join(" "),
            *unscoped,
            "{sql}"
        );
    }
}
