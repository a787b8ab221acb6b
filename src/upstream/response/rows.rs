//! The rows of a response while it is parsed.

use std::hash::Hash;

use serde::de::Error;
use tracing::debug;

use crate::model::Rejection;
use crate::upstream::{Page, Rejected};

#[derive(Default)]
pub(super) struct Rows {
    pub(super) page: Page,
    /// What is wrong with the first unusable row.
    pub(super) example: Option<String>,
    /// Parses row by row: slower, but the text of each row is known.
    pub(super) exact: bool,
    /// Keeps the identities of agents and calls as text.
    pub(super) texts: bool,
    count: usize,
    max_rows: usize,
}

impl Rows {
    pub(super) fn new(max_rows: usize, exact: bool, texts: bool) -> Self {
        Self {
            exact,
            texts,
            max_rows,
            ..Self::default()
        }
    }

    /// Counts a row; fails beyond the limit.
    pub(super) fn count<E: Error>(&mut self) -> Result<(), E> {
        self.count += 1;
        self.check()
    }

    pub(super) fn check<E: Error>(&self) -> Result<(), E> {
        match self.overflowed() {
            true => Err(E::custom("too many rows")),
            false => Ok(()),
        }
    }

    pub(super) fn overflowed(&self) -> bool {
        self.count > self.max_rows
    }

    /// Whether there are rows without identity, which only their text distinguishes.
    pub(super) fn has_unidentified(&self) -> bool {
        let mut rejected = self.page.rejected.iter();
        rejected.any(|row| matches!(row.reason, Rejection::Identity | Rejection::Shape))
    }

    /// `key` identifies the row, `describe` says what is wrong with it.
    pub(super) fn reject(
        &mut self,
        reason: Rejection,
        key: impl Hash,
        describe: impl FnOnce() -> String,
    ) {
        self.page.rejected.push(Rejected::new(reason, key));
        debug!(%reason, "record rejected");
        if reason != Rejection::Measure && self.example.is_none() {
            self.example = Some(describe());
        }
    }
}
