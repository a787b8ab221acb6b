//! Marks calls `missing` that the vendor no longer lists: only where two complete readings agree.

use super::Failure;
use super::plan;
use super::pull::Pull;
use super::read::{Completeness, Reading};
use super::scan::may_be_local;
use crate::model::{CallId, CallSet, Window};
use crate::upstream::Upstream;

impl<U: Upstream> Pull<'_, U> {
    /// Marks known calls that a complete reading did not show, once a second one agrees.
    pub(super) async fn mark_unlisted(
        &mut self,
        window: Window,
        seen: &CallSet,
    ) -> Result<(), Failure> {
        let Some(proven) = self.proven(window) else {
            return Ok(());
        };
        let absent = self.state(|state| state.ledger.absent(proven, |id| seen.contains(&id)));
        if absent.is_empty() {
            return Ok(());
        }
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
    ) -> Result<(), Failure> {
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
            Err(failure) if may_be_local(&failure) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
