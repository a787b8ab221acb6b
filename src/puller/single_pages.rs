//! The last resort for a second that cannot be read: its smallest pages one by one.

use super::pull::Pull;
use super::scan::FAILURES_TO_PROBE;
use crate::model::{UnixSeconds, Window};
use crate::upstream::{Error, Upstream};

/// Pages of one second that are requested one by one.
const MAX_SINGLE_PAGES: u32 = 500;

impl<U: Upstream> Pull<'_, U> {
    /// Reads a window page by page, and skips it if some fail.
    pub(super) async fn read_single_pages(
        &mut self,
        window: Window,
        reason: &str,
    ) -> Result<(), Error> {
        self.probe_edges().await?;
        // Without the adjacent seconds, whose rows may be the ones that fail.
        let padded = self.hints.pad(window);
        let is_known = self.hints.edges.iter().all(Option::is_some);
        if !is_known {
            self.read_pages(window).await?;
        }
        if self.read_pages(padded).await? {
            return Ok(());
        }
        // Where it is unknown whether a bound is inclusive, the rows beyond it may be the ones that fail.
        let skipped = window.pad(self.hints.edges.map(|edge| edge.is_none().into()));
        self.unproven("unreadable", skipped, reason);
        self.state(|state| {
            state.skipped.add(skipped, self.now, reason);
            state.changed = true;
        });
        Ok(())
    }

    /// Finds out with a known call whether the bounds of a window are inclusive, so that one second
    /// can be read without its neighbours.
    async fn probe_edges(&mut self) -> Result<(), Error> {
        if self.hints.edges.iter().all(Option::is_some) {
            return Ok(());
        }
        let known = self.state(|state| {
            let skipped = &state.skipped;
            let is_free = |at: UnixSeconds| (at - 1..=at + 1).all(|at| !skipped.contains(at));
            state.ledger.find_listed(self.lookback, is_free)
        });
        let Some((at, id)) = known else {
            return Ok(());
        };
        for (from, to, edges) in [
            (at, at, [true, true]),
            (at, at + 1, [true, false]),
            (at - 1, at, [false, true]),
        ] {
            match self.small_page(Window { from, to }, 1).await {
                Ok(page) if page.records.iter().any(|record| record.id == id) => {
                    self.hints.edges = edges.map(Some);
                    return Ok(());
                }
                Ok(_) => {}
                Err(failure) if failure.kind.may_be_local() => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        self.hints.edges = [Some(false); 2];
        Ok(())
    }

    /// Reads a window in the smallest pages, past those that fail. Returns whether none did.
    async fn read_pages(&mut self, window: Window) -> Result<bool, Error> {
        let (mut failed, mut in_a_row) = (0, 0);
        for page in 1..=MAX_SINGLE_PAGES {
            match self.small_page(window, page).await {
                Ok(found) if found.is_empty() => {
                    // Empty, although calls are known here and the total confirms them.
                    let known = self.state(|state| state.ledger.count_present(window));
                    failed += u32::from(page == 1 && known > 0 && found.total > Some(0));
                    break;
                }
                Ok(_) => in_a_row = 0,
                Err(failure) if failure.kind.may_be_local() => {
                    failed += 1;
                    in_a_row += 1;
                    if in_a_row >= FAILURES_TO_PROBE {
                        break;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(failed == 0)
    }
}
