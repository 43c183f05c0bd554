//! What is copied: the one list of tables and their columns. A test compares it with the schemas.

use Kind::{Bytes, Flag, Integer, Text};

/// A table, with the columns of its primary key first, in the key's order.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many columns the primary key has.
    key: usize,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

/// What a column holds, besides NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    /// 0 or 1 in SQLite, BOOLEAN in PostgreSQL.
    Flag,
    Bytes,
}

/// Whatever people have in a database. What a row points at comes before it.
pub(super) const TABLES: &[Table] = &[
    ACCOUNT,
    Table {
        name: "token",
        key: 1,
        columns: &[
            ("id", Text),
            ("owner", Text),
            ("kind", Text),
            ("name", Text),
            ("hash", Bytes),
            ("created_at", Integer),
            ("expires_at", Integer),
            ("last_used_at", Integer),
        ],
    },
    Table {
        name: ID_BLOCK,
        key: 1,
        columns: &[("name", Text), ("next", Integer)],
    },
    Table {
        name: "session",
        key: 2,
        columns: &[
            ("owner", Text),
            ("number", Integer),
            ("id", Text),
            ("title", Text),
            ("folded_title", Text),
            ("kind", Text),
            ("status", Text),
            ("system_message", Text),
            ("version", Integer),
            ("created_at", Integer),
            ("updated_at", Integer),
            ("named", Flag),
            ("model", Text),
            ("head", Text),
            ("external_id", Text),
            ("metadata", Text),
            ("changed", Integer),
        ],
    },
    Table {
        name: "message",
        key: 3,
        columns: &[
            ("owner", Text),
            ("session", Integer),
            ("seq", Integer),
            ("id", Text),
            ("session_id", Text),
            ("depth", Integer),
            ("parent", Integer),
            ("parent_id", Text),
            ("role", Text),
            ("content", Text),
            ("model", Text),
            ("input_tokens", Integer),
            ("output_tokens", Integer),
            ("finish_reason", Text),
            ("reply", Text),
            ("status", Text),
            ("created_at", Integer),
            ("changed", Integer),
        ],
    },
    Table {
        name: "reply",
        key: 2,
        columns: &[
            ("owner", Text),
            ("id", Text),
            ("session", Integer),
            ("session_id", Text),
            ("prompt", Integer),
            ("prompt_id", Text),
            ("message", Integer),
            ("message_id", Text),
            ("status", Text),
            ("attempt", Integer),
            ("lease_until", Integer),
            ("stop", Text),
            ("model", Text),
            ("options", Text),
            ("hidden", Flag),
            ("input_tokens", Integer),
            ("output_tokens", Integer),
            ("left_out", Integer),
            ("error_kind", Text),
            ("error_message", Text),
            ("error_retry_after", Integer),
            ("folded", Text),
            ("created_at", Integer),
            ("finished_at", Integer),
            ("changed", Integer),
        ],
    },
    Table {
        name: "reply_event",
        key: 4,
        columns: &[
            ("owner", Text),
            ("session", Integer),
            ("message", Integer),
            ("number", Integer),
            ("kind", Text),
            ("data", Text),
        ],
    },
    Table {
        name: "feed",
        key: 1,
        columns: &[("owner", Text), ("last", Integer), ("swept", Integer)],
    },
    Table {
        name: "deleted_session",
        key: 2,
        columns: &[
            ("owner", Text),
            ("changed", Integer),
            ("id", Text),
            ("deleted_at", Integer),
        ],
    },
    Table {
        name: "idempotency",
        key: 2,
        columns: &[
            ("owner", Text),
            ("key", Text),
            ("request", Bytes),
            ("outcome", Text),
            ("session", Integer),
            ("expires_at", Integer),
        ],
    },
    Table {
        name: "usage",
        key: 3,
        columns: &[
            ("owner", Text),
            ("at", Integer),
            ("id", Text),
            ("session", Integer),
            ("session_id", Text),
            ("model", Text),
            ("input_tokens", Integer),
            ("output_tokens", Integer),
        ],
    },
];

/// Whose all the rest is.
pub(super) const ACCOUNT: Table = Table {
    name: "account",
    key: 1,
    columns: &[
        ("id", Text),
        ("email", Text),
        ("name", Text),
        ("role", Text),
        ("password_hash", Text),
        ("disabled_at", Integer),
        ("created_at", Integer),
    ],
};

/// The table that holds rows in a database without any data.
pub(super) const ID_BLOCK: &str = "id_block";

/// What a database tells of its own past. It is not copied.
pub(super) const MIGRATION: Table = Table {
    name: "migration",
    key: 1,
    columns: &[
        ("number", Integer),
        ("checksum", Text),
        ("applied_at", Integer),
    ],
};

/// In the target of a copy that has not ended: of which source it is.
pub(crate) const COPYING: Table = Table {
    name: "copying",
    key: 1,
    columns: &[("source", Text)],
};

impl Table {
    /// Those columns that are the primary key.
    pub(super) fn key(&self) -> &'static [(&'static str, Kind)] {
        &self.columns[..self.key]
    }

    /// Reads so many rows behind a key; takes the key's values and the number.
    pub(super) fn select(&self) -> String {
        let (columns, key) = (names(self.columns), names(self.key()));
        let behind: Vec<_> = (1..=self.key).map(|place| format!("${place}")).collect();
        format!(
            "SELECT {columns} FROM {} WHERE ({key}) > ({}) ORDER BY {key} LIMIT ${}",
            self.name,
            behind.join(", "),
            self.key + 1
        )
    }

    /// Reads the largest key.
    pub(super) fn select_last_key(&self) -> String {
        let key = names(self.key());
        let backwards = key.replace(',', " DESC,");
        format!(
            "SELECT {key} FROM {} ORDER BY {backwards} DESC LIMIT 1",
            self.name
        )
    }

    /// Begins to insert rows with all columns.
    pub(crate) fn insert(&self) -> String {
        format!("INSERT INTO {} ({})", self.name, names(self.columns))
    }
}

fn names(columns: &[(&str, Kind)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use chat::types::Timestamp;
    use tokio_postgres::NoTls;

    use super::super::Unobserved;
    use super::*;
    use crate::{DATABASE_FILE, Database, Options, Purpose};

    /// Nodes are of those who serve, not of what is kept.
    const NOT_COPIED: &str = "node";

    /// A table, a column, its type, and its place in the primary key.
    type Column = (String, String, String, i64);

    fn listed(type_of: impl Fn(Kind) -> &'static str) -> BTreeSet<Column> {
        let mut all = BTreeSet::new();
        for table in TABLES.iter().chain([&MIGRATION]) {
            for (place, (name, kind)) in (1..).zip(table.columns) {
                let in_key = if place <= table.key { place } else { 0 };
                let (table, name) = (table.name.to_owned(), (*name).to_owned());
                all.insert((table, name, type_of(*kind).to_owned(), in_key as i64));
            }
        }
        all
    }

    async fn open(database: &Database) {
        let options = Options::new(Purpose::Command, Timestamp(1), Arc::new(Unobserved));
        crate::open(database, options).await.unwrap();
    }

    #[tokio::test]
    async fn the_list_is_what_sqlite_has() {
        let folder = tempfile::tempdir().unwrap();
        open(&Database::Folder(folder.path().to_owned())).await;
        let db = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
        let mut select = db
            .prepare(
                "SELECT t.name, c.name, c.type, c.pk
                 FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
                 WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> ?1",
            )
            .unwrap();
        let rows = select.query_map([NOT_COPIED], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        let found: BTreeSet<Column> = rows.unwrap().map(Result::unwrap).collect();
        let listed = listed(|kind| match kind {
            Kind::Text => "TEXT",
            Kind::Integer | Kind::Flag => "INTEGER",
            Kind::Bytes => "BLOB",
        });
        assert_eq!(found, listed);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "where the servers are is told to the tests, not to the product"
    )]
    #[tokio::test]
    async fn the_list_is_what_postgres_has() {
        let server = std::env::var("CHATKEEP_TEST_POSTGRES_NEWEST")
            .unwrap_or_else(|_| panic!("run the tests with `scripts/servers cargo test -p store`"));
        let name = format!("copy_tables_{}", std::process::id());
        let connect = async |url: &str| {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        };
        let create = format!("CREATE DATABASE {name}");
        connect(&server).await.batch_execute(&create).await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        open(&Database::parse(&url).unwrap()).await;
        let client = connect(&url).await;
        let rows = client.query(
            "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, NULL),
                    coalesce(array_position(i.indkey::int[], c.attnum::int) + 1, 0)::bigint
             FROM pg_class AS t
               JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0
                 AND NOT c.attisdropped
               JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisprimary
             WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> $1",
            &[&NOT_COPIED],
        );
        let rows = rows.await.unwrap();
        let rows = rows
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)));
        let found: BTreeSet<Column> = rows.collect();
        let listed = listed(|kind| match kind {
            Kind::Text => "text",
            Kind::Integer => "bigint",
            Kind::Flag => "boolean",
            Kind::Bytes => "bytea",
        });
        assert_eq!(found, listed);
    }
}
