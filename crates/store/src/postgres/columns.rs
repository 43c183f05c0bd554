//! A row of PostgreSQL, as [`crate::rows`] reads it.

use std::error::Error;

use tokio_postgres::Row;

use super::failure::{Failure, Result};
use crate::rows::Columns;

impl Columns for Row {
    type Error = Failure;

    fn text(&self, at: usize) -> Result<Option<&str>> {
        Ok(self.try_get(at)?)
    }

    fn int(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.try_get(at)?)
    }

    fn flag(&self, at: usize) -> Result<bool> {
        Ok(self.try_get(at)?)
    }

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>> {
        Ok(self.try_get(at)?)
    }

    fn damaged(at: usize, why: impl Error + Send + Sync + 'static) -> Failure {
        Failure::Damaged(at, Box::new(why))
    }
}
