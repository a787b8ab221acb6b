//! Marks calls `missing` that the vendor no longer lists: only where two complete readings agree.

use super::plan;
use super::pull::Pull;
use super::read::{Completeness, Reading};
use crate::model::{CallId, CallSet, Window};
use crate::upstream::{Error, Upstream};

impl<U: Upstream> Pull<'_, U> {
    /// Marks known calls that a complete reading did not show, once a second one agrees.
    pub(super) async fn mark_unlisted(
        &mut self,
        window: Window,
        seen: &CallSet,
    ) -> Result<(), Error> {
        let Some(proven) = self.proven(window) else {
            return Ok(());
        };
        let absent = self.state(|state| state.ledger.absent(proven, |id| seen.contains(&id)));
        for window in self.cover(&absent) {
            self.confirm_absent(window, |id| seen.contains(&id)).await?;
        }
        Ok(())
    }

    /// Reads a padded window once more, and marks the calls in it that neither reading listed.
    pub(super) async fn confirm_absent(
        &mut self,
        padded: Window,
        was_listed: impl Fn(CallId) -> bool,
    ) -> Result<(), Error> {
        let Some(inside) = plan::proven(padded) else {
            return Ok(());
        };
        match self.read_to_end(inside, None).await {
            Ok(Reading {
                seen,
                completeness: Completeness::Complete,
                ..
            }) => {
                if let Some(proven) = self.proven(inside) {
                    let is_listed = |id| was_listed(id) || seen.contains(&id);
                    self.state(|state| state.mark_missing(proven, is_listed));
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(failure) if failure.kind.may_be_local() => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
