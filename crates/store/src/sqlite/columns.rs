//! A row of SQLite, as [`crate::rows`] reads it.

use std::error::Error;

use rusqlite::types::Type;
use rusqlite::{Result, Row};

use crate::rows::Columns;

impl Columns for Row<'_> {
    type Error = rusqlite::Error;

    fn text(&self, at: usize) -> Result<Option<&str>> {
        Ok(self.get_ref(at)?.as_str_or_null()?)
    }

    fn int(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.get_ref(at)?.as_i64_or_null()?)
    }

    fn flag(&self, at: usize) -> Result<bool> {
        self.get(at)
    }

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>> {
        Ok(self.get_ref(at)?.as_blob_or_null()?)
    }

    fn damaged(at: usize, why: impl Error + Send + Sync + 'static) -> Self::Error {
        rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(why))
    }
}
