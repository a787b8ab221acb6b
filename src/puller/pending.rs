//! Follows pending calls that are older than the recent window.

use super::plan;
use super::pull::Pull;

use crate::model::{CallId, CallSet, UnixSeconds, Window};
use crate::upstream::pages::{Pages, Verdict};
use crate::upstream::{Error, ErrorKind, Filter, Upstream};

/// Pending calls that one pull follows; the next pulls follow the others.
const MAX_PENDING: usize = 2000;
/// Windows of the filtered list that one pull reads.
const MAX_PIECES: UnixSeconds = 2;

type Calls = Vec<(UnixSeconds, CallId)>;

impl<U: Upstream> Pull<'_, U> {
    /// Follows the pending calls that this pull has not read yet.
    pub(super) async fn pending(&mut self) -> Result<(), Error> {
        let mut pending = self.due();
        let (Some((first, _)), Some((last, _))) = (pending.first(), pending.last()) else {
            return Ok(());
        };
        let window = Window::new(*first, *last);
        let page_rows = self.hints.list.size.rows();
        let hint_pages = plan::pages(pending.len() as u64, page_rows);
        let mut windows = self.cover_pending(&pending);
        let cost: u64 = windows.iter().map(|window| self.pages_of(*window)).sum();
        let mut hinted = false;
        let pieces = plan::pieces(window, self.hints.width);
        if cost > hint_pages + pieces.len() as u64 {
            // A call in the filtered list is still pending; look only for the others.
            let mut listed = CallSet::default();
            let mut fails = false;
            for piece in pieces {
                match self.read_hint(piece, 2 * hint_pages + 2).await? {
                    Some(seen) => listed.extend(seen),
                    None => fails = true,
                }
            }
            self.hints.note_filter(fails);
            pending.retain(|(_, id)| !listed.contains(id));
            self.hints.keep_unlisted(|id| !listed.contains(&id));
            let now = self.now;
            pending.retain(|(_, id)| self.hints.is_worth_looking_for(*id, now));
            windows = self.cover_pending(&pending);
            hinted = true;
        }
        for window in windows {
            let padded = window.pad([1, 1]);
            let begin = pending.partition_point(|(at, _)| *at < padded.from);
            let end = pending.partition_point(|(at, _)| *at <= padded.to);
            let wanted = pending[begin..end].iter().map(|(_, id)| *id).collect();
            self.look_for(window, wanted).await?;
        }
        if hinted {
            self.remember_unlisted(&pending);
        }
        Ok(())
    }

    /// The pending calls that this pull follows, oldest first.
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
        // If the vendor accepts only narrow windows, read a few of them per pull.
        let first = pending.first().map_or(0, |(at, _)| *at);
        let last = first.saturating_add(self.hints.width.saturating_mul(MAX_PIECES));
        let most = pending.partition_point(|(at, _)| *at < last);
        let most = most.min(MAX_PENDING);
        self.hints.pending_from = pending.get(most).map_or(0, |(at, _)| *at);
        pending.truncate(most);
        pending
    }

    /// The calls in the list filtered by pending statuses. Rows leave that list while it is read,
    /// so it proves nothing. `None` if it cannot be read. `max_pages` protects from a vendor that ignores
    /// the filter.
    async fn read_hint(
        &mut self,
        window: Window,
        max_pages: u64,
    ) -> Result<Option<CallSet>, Error> {
        let inner = self.inner;
        let Some(asked) = self.asked(window) else {
            return Ok(Some(CallSet::default()));
        };
        let (list, parallel) = (&mut self.hints.list, inner.settings.parallel);
        let mut pages = Pages::new(&inner.upstream, asked, Filter::Pending, parallel, list);
        loop {
            match self.applied.next(&mut pages).await {
                Ok(Some(_)) if u64::from(pages.pass().pages) < max_pages => {}
                Ok(_) => break,
                // Only a hint: calls that it does not show are looked for anyway.
                Err(failure) if failure.kind.may_be_local() => {
                    drop(pages);
                    if failure.kind == ErrorKind::BadRequest {
                        self.hints.narrowed_to((window.to - window.from) / 2);
                    }
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(self.applied.rest(pages).await.seen))
    }

    /// Reads a window until the wanted calls are found. If some are not listed, a second reading
    /// confirms it.
    async fn look_for(&mut self, window: Window, mut wanted: CallSet) -> Result<(), Error> {
        let inner = self.inner;
        let Some(asked) = self.asked(window) else {
            return Ok(());
        };
        let list = &mut self.hints.list;
        let mut pages = Pages::new(&inner.upstream, asked, Filter::All, 1, list);
        loop {
            match self.applied.next(&mut pages).await {
                Ok(Some(page)) => {
                    let listed = page.records.iter().map(|record| &record.id);
                    for id in listed.chain(&page.undated) {
                        wanted.remove(id);
                    }
                    if wanted.is_empty() {
                        return Ok(());
                    }
                }
                Ok(None) => break,
                Err(failure) if failure.kind.may_be_local() => {
                    drop(pages);
                    return self.scan(window, None).await.map(drop);
                }
                Err(failure) => return Err(failure),
            }
        }
        match pages.into_pass().verdict(&self.hints.list) {
            Verdict::Complete => self.mark_absent(window, |id| !wanted.contains(&id)).await,
            Verdict::Doubtful => self.scan(window, None).await.map(drop),
            Verdict::Cut => Ok(()),
        }
    }

    /// Remembers the calls that the filtered list omits although they are still pending, so that
    /// not every pull looks for them.
    fn remember_unlisted(&mut self, looked_for: &Calls) {
        let state = self.inner.state.lock();
        let status = |id| state.ledger.pending_status(id);
        self.hints.keep_unlisted(|id| status(id).is_some());
        for (_, id) in looked_for {
            if let Some(status) = status(*id) {
                let is_filtered = status.is_documented();
                self.hints.count_futile_look(*id, self.now, is_filtered);
            }
        }
    }

    fn cover_pending(&self, pending: &Calls) -> Vec<Window> {
        let times: Vec<UnixSeconds> = pending.iter().map(|(at, _)| *at).collect();
        self.cover(&times)
    }

    /// The cheapest windows around upload times.
    pub(super) fn cover(&self, times: &[UnixSeconds]) -> Vec<Window> {
        let page_rows = self.hints.list.size.rows();
        let windows = plan::cover(times, page_rows, |window| self.known_calls(window));
        // No wider than the vendor accepts.
        let windows = windows.into_iter().filter_map(plan::proven);
        let pieces = windows.flat_map(|window| plan::pieces(window, self.hints.width));
        pieces.collect()
    }

    fn pages_of(&self, window: Window) -> u64 {
        let rows = self.known_calls(window.pad([1, 1]));
        plan::pages(rows, self.hints.list.size.rows())
    }
}
