//! What a database still has to go through, for both databases.
//!
//! A migration is never edited once it has shipped: the checksum of each one that a database went
//! through is kept in it and compared.

use sha2::{Digest, Sha256};

use crate::OpenError;
use crate::saved::hex;

/// The migrations that are still to be run, with their numbers; given the numbers and checksums of
/// those that were, in order. A migration's number is its place, from 1.
pub(crate) fn pending<'a>(
    applied: &[(u32, String)],
    migrations: &[&'a str],
) -> Result<Vec<(u32, &'a str)>, OpenError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if let Some((database, _)) = applied.last().filter(|(number, _)| *number > known) {
        return Err(OpenError::TooNew {
            database: *database,
            program: known,
        });
    }
    let numbered = (1..).zip(migrations.iter().copied());
    for ((number, migration), (_, checksum)) in numbered.clone().zip(applied) {
        if checksum_of(migration) != *checksum {
            return Err(OpenError::MigrationChanged(number));
        }
    }
    Ok(numbered.skip(applied.len()).collect())
}

/// What a migration is known by again.
pub(crate) fn checksum_of(migration: &str) -> String {
    hex(&Sha256::digest(migration))
}
