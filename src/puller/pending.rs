//! Where the calls went that were not final and that the recent window does not show.

use super::Failure;
use super::plan;
use super::pull::Pull;
use super::scan::{kind, may_be_local};
use crate::model::{CallId, CallSet, UnixSeconds, Window};
use crate::store::Store;
use crate::upstream::pages::{Pages, Verdict};
use crate::upstream::{ErrorKind, Filter, Upstream};

/// Pending calls that one pull looks after; the others have their turn in the next ones.
const MAX_PENDING: usize = 2000;
/// Windows of the list of pending calls that one pull reads.
const MAX_PIECES: UnixSeconds = 2;

type Calls = Vec<(UnixSeconds, CallId)>;

impl<U: Upstream, S: Store> Pull<'_, U, S> {
    /// Looks after the pending calls that this pull has not read yet.
    pub(super) async fn pending(&mut self) -> Result<(), Failure> {
        let mut pending = self.due();
        let (Some((first, _)), Some((last, _))) = (pending.first(), pending.last()) else {
            return Ok(());
        };
        let window = Window {
            from: *first,
            to: *last,
        };
        let page_rows = self.hints.list.size.rows();
        let hint_pages = plan::pages(pending.len() as u64, page_rows);
        let mut windows = self.cover_pending(&pending);
        let cost: u64 = windows.iter().map(|window| self.pages_of(*window)).sum();
        let mut hinted = false;
        let pieces = plan::pieces(window, self.hints.width);
        if cost > hint_pages + pieces.len() as u64 {
            // A call that this list shows is still pending; only the others are looked for.
            let mut listed = CallSet::default();
            for piece in pieces {
                listed.extend(self.read_hint(piece, 2 * hint_pages + 2).await?);
            }
            pending.retain(|(_, id)| !listed.contains(id));
            self.hints.keep_unlisted(|id| !listed.contains(&id));
            pending.retain(|(_, id)| self.hints.is_worth_a_look(*id));
            windows = self.cover_pending(&pending);
            hinted = true;
        }
        for window in windows {
            let begin = pending.partition_point(|(at, _)| *at < window.from);
            let end = pending.partition_point(|(at, _)| *at <= window.to);
            let wanted = pending[begin..end].iter().map(|(_, id)| *id).collect();
            self.look_for(window, wanted).await?;
        }
        if hinted {
            self.note_unmoved(&pending);
        }
        Ok(())
    }

    /// The pending calls whose turn it is, oldest first.
    fn due(&mut self) -> Calls {
        let mut pending: Calls = self.state(|state| {
            let mut pending = state.ledger.pending();
            pending.retain(|(at, _)| !state.skipped.contains(*at));
            pending
        });
        pending.retain(|(_, id)| !self.applied.pending.contains(id));
        let begin = pending.partition_point(|(at, _)| *at < self.hints.pending_from);
        let begin = if begin == pending.len() { 0 } else { begin };
        pending.drain(..begin);
        // A vendor that takes only narrow windows is asked for a few of them at each pull.
        let first = pending.first().map_or(0, |(at, _)| *at);
        let last = first.saturating_add(self.hints.width.saturating_mul(MAX_PIECES));
        let most = pending.partition_point(|(at, _)| *at < last);
        let most = most.min(MAX_PENDING);
        self.hints.pending_from = pending.get(most).map_or(0, |(at, _)| *at);
        pending.truncate(most);
        pending
    }

    /// The calls that the list of pending statuses shows. Rows leave it while it is read, so it
    /// proves nothing; a vendor that ignores the filter must not make it long.
    async fn read_hint(&mut self, window: Window, most_pages: u64) -> Result<CallSet, Failure> {
        let inner = self.inner;
        let Some(asked) = self.asked(window) else {
            return Ok(CallSet::default());
        };
        let (list, parallel) = (&mut self.hints.list, inner.settings.parallel);
        let mut pages = Pages::new(&inner.upstream, asked, Filter::Pending, parallel, list);
        loop {
            match pages.next().await.map_err(Failure::from) {
                Ok(Some(page)) => {
                    self.applied.apply(inner, &page);
                    if u64::from(pages.pass().pages) >= most_pages {
                        break;
                    }
                }
                Ok(None) => break,
                // Only a hint: the calls that it does not show are looked for.
                Err(failure) if may_be_local(&failure) => {
                    drop(pages);
                    if kind(&failure) == Some(ErrorKind::BadRequest) {
                        self.hints.narrowed_to((window.to - window.from) / 2);
                    }
                    return Ok(CallSet::default());
                }
                Err(failure) => return Err(failure),
            }
        }
        while let Some(page) = pages.next_in_flight().await {
            self.applied.apply(inner, &page);
        }
        Ok(pages.into_pass().seen)
    }

    /// Reads a padded window until the wanted calls are found. Those that are not listed any more
    /// are looked for once more.
    async fn look_for(&mut self, padded: Window, mut wanted: CallSet) -> Result<(), Failure> {
        let inner = self.inner;
        let Some(asked) = plan::proven(padded).and_then(|window| self.asked(window)) else {
            return Ok(());
        };
        let list = &mut self.hints.list;
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, 1, list);
        loop {
            match pages.next().await.map_err(Failure::from) {
                Ok(Some(page)) => {
                    self.applied.apply(inner, &page);
                    for record in &page.records {
                        wanted.remove(&record.id);
                    }
                    if wanted.is_empty() {
                        return Ok(());
                    }
                }
                Ok(None) => break,
                Err(failure) if may_be_local(&failure) => {
                    drop(pages);
                    return self.scan_unreadable(padded, failure).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        let pass = pages.into_pass();
        if pass.verdict(&self.hints.list) == Verdict::Cut {
            return Ok(());
        }
        self.confirm_absent(padded, |id| !wanted.contains(&id))
            .await
    }

    /// A window around pending calls that cannot be read: narrows it, unless nothing can be read.
    async fn scan_unreadable(&mut self, padded: Window, failure: Failure) -> Result<(), Failure> {
        match plan::proven(padded) {
            Some(window) => self.scan(window, None).await.map(drop),
            None => Err(failure),
        }
    }

    /// Notes the calls that the filtered list did not show although nothing has happened to them,
    /// so that they are not looked for at every pull.
    fn note_unmoved(&mut self, looked_for: &Calls) {
        let pending: CallSet = self.state(|state| {
            let pending = state.ledger.pending();
            pending.into_iter().map(|(_, id)| id).collect()
        });
        self.hints.keep_unlisted(|id| pending.contains(&id));
        for (_, id) in looked_for {
            if pending.contains(id) {
                self.hints.looked_in_vain(*id);
            }
        }
    }

    fn cover_pending(&self, pending: &Calls) -> Vec<Window> {
        let times: Vec<UnixSeconds> = pending.iter().map(|(at, _)| *at).collect();
        self.cover(&times)
    }

    /// The cheapest windows around upload times, padded for a proof.
    pub(super) fn cover(&self, times: &[UnixSeconds]) -> Vec<Window> {
        let page_rows = self.hints.list.size.rows();
        let windows = self.state(|state| {
            plan::cover(times, page_rows, |window| {
                state.ledger.count_present(window)
            })
        });
        // No wider than the vendor takes.
        let windows = windows.into_iter().filter_map(plan::proven);
        let pieces = windows.flat_map(|window| plan::pieces(window, self.hints.width));
        pieces.map(plan::padded).collect()
    }

    fn pages_of(&self, window: Window) -> u64 {
        let rows = self.state(|state| state.ledger.count_present(window));
        plan::pages(rows, self.hints.list.size.rows())
    }
}
