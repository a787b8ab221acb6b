//! Marks calls `missing` that the vendor no longer lists: only where two complete readings agree.

use super::pull::Pull;
use super::read::Completeness;
use crate::model::{CallId, Window};
use crate::upstream::{Error, Upstream};

impl<U: Upstream> Pull<'_, U> {
    /// Reads windows around the known calls of a window that a complete reading did not list, and
    /// marks those that are not listed again. In other windows than before: a page that looked like
    /// the last one by chance would do so again.
    pub(super) async fn mark_absent(
        &mut self,
        window: Window,
        was_listed: impl Fn(CallId) -> bool,
    ) -> Result<(), Error> {
        let absent = self.state(|state| state.ledger.absent(window, &was_listed));
        for window in self.cover(&absent) {
            let reading = match self.read_to_end(window, None).await {
                Ok(reading) if reading.completeness == Completeness::Complete => reading,
                Err(failure) if !failure.kind.may_be_local() => return Err(failure),
                _ => continue,
            };
            if let Some(proven) = self.proven(window) {
                let is_listed = |id| was_listed(id) || reading.seen.contains(&id);
                self.state(|state| state.mark_missing(proven, is_listed));
            }
        }
        Ok(())
    }
}
