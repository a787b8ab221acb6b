//! Marks calls `missing` that the vendor no longer lists: only where two complete readings agree.

use std::collections::VecDeque;

use super::plan;
use super::pull::Pull;
use super::read::Completeness;
use crate::model::{CallId, Window};
use crate::upstream::{Error, Upstream};

/// Windows of one confirmation that are halved.
const MAX_HALVINGS: u32 = 64;

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
        let mut windows: VecDeque<_> = self.cover(&absent).into();
        let mut halvings = 0;
        while let Some(window) = windows.pop_front() {
            let reading = match self.read_to_end(window, None).await {
                Ok(reading) if reading.completeness == Completeness::Complete => reading,
                Err(failure) if !failure.kind.may_be_local() => return Err(failure),
                _ => continue,
            };
            if reading.unidentified > 0 {
                // Each absent call may be one of these rows: look for it where there are none.
                let halves = plan::halves(window).filter(|_| halvings < MAX_HALVINGS);
                let is_needed = |half: &Window| absent.iter().any(|at| half.contains(*at));
                windows.extend(halves.into_iter().flatten().filter(is_needed));
                halvings += 1;
                continue;
            }
            if let Some(proven) = self.proven(window) {
                let is_listed = |id| was_listed(id) || reading.seen.contains(&id);
                self.state(|state| state.mark_missing(proven, is_listed));
            }
        }
        Ok(())
    }
}
