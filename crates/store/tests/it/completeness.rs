//! Whether the suite and the two stores are complete: nothing of the contract is untested, and
//! neither store has what the other lacks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CONTRACT: &str = include_str!("../../../chat/src/contracts/store.rs");

/// What only SQLite needs: rows are read on the thread that asks, and one thread writes.
const ONLY_SQLITE: [&str; 2] = ["readers.rs", "writer.rs"];
/// What only PostgreSQL needs: to reach it, and numbers that nodes share.
const ONLY_POSTGRES: [&str; 9] = [
    "address.rs",
    "connection.rs",
    "dial.rs",
    "failure.rs",
    "notify.rs",
    "numbers.rs",
    "pool.rs",
    "turns.rs",
    "value.rs",
];

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let names = files.map(|file| file.file_name().into_string().unwrap());
    names.collect()
}

fn methods() -> Vec<&'static str> {
    let (_, methods) = CONTRACT.split_once("pub trait Store").unwrap();
    let (methods, _) = methods.split_once("\n}").unwrap();
    let lines = methods.lines().map(str::trim);
    lines
        .filter_map(|line| {
            line.strip_prefix("async ")
                .unwrap_or(line)
                .strip_prefix("fn ")
        })
        .filter_map(|line| Some(line.split_once('(')?.0))
        .collect()
}

#[test]
fn every_method_of_the_contract_has_a_test_on_every_store() {
    let mut suite = String::new();
    for name in names("tests/it") {
        // What these two call is tried on one store alone.
        if !["sqlite.rs", "postgres.rs"].contains(&&*name) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/it")
                .join(name);
            if path.is_file() {
                suite.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    suite.retain(|one| !one.is_whitespace());
    let methods = methods();
    assert!(methods.len() > 30, "{methods:?}");
    for method in methods {
        let call = format!("store.{method}(");
        assert!(suite.contains(&call), "nothing calls {call}");
    }
}

#[test]
fn both_databases_go_through_the_same_migrations() {
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
}

#[test]
fn both_stores_have_the_same_files() {
    let without = |folder, only: &[&str]| {
        let mut names = names(folder);
        for name in only {
            assert!(names.remove(*name), "{folder} has no {name}");
        }
        names
    };
    assert_eq!(
        without("src/sqlite", &ONLY_SQLITE),
        without("src/postgres", &ONLY_POSTGRES)
    );
}
