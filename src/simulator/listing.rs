//! The list of calls, page by page.

use serde::{Deserialize, Serialize};

use super::call::{Call, TEXT_CALL, VOICE};
use super::rows::RowFaults;
use super::world::World;

/// What a page is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// First upload time, unix seconds, included.
    pub from: u32,
    /// Last upload time, unix seconds, included unless [`Paging::end_excluded`].
    pub to: u32,
    /// Types asked for.
    pub call_types: Vec<u8>,
    /// Statuses asked for.
    pub statuses: Vec<u16>,
    /// Rows a page.
    pub limit: u32,
    /// Page number, from 1.
    pub page: u32,
    /// Further filters.
    pub filter: Filter,
}

/// The optional filters of a query; `keyword` is the only one that the world ignores.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Earliest call time, unix seconds.
    pub call_from: Option<f64>,
    /// Latest call time, unix seconds.
    pub call_to: Option<f64>,
    /// The agent's id.
    pub staff_id: Option<String>,
    /// The agent's name.
    pub staff_name: Option<String>,
    /// Shortest duration, seconds.
    pub duration_min: Option<f64>,
    /// Longest duration, seconds.
    pub duration_max: Option<f64>,
}

impl Filter {
    pub(super) fn admits(&self, call: &Call<'_>) -> bool {
        let call_time = f64::from(call.call_time());
        // A null duration is taken as 0 here.
        let duration = || call.measures().duration.unwrap_or(0) as f64 / 1e6;
        self.call_from.is_none_or(|from| call_time >= from)
            && self.call_to.is_none_or(|to| call_time <= to)
            && self
                .staff_id
                .as_ref()
                .is_none_or(|id| *id == call.staff_id())
            && self
                .staff_name
                .as_ref()
                .is_none_or(|name| *name == call.staff_name())
            && self.duration_min.is_none_or(|min| duration() >= min)
            && self.duration_max.is_none_or(|max| duration() <= max)
    }
}

/// Which way the list runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Latest upload first.
    #[default]
    NewestFirst,
    /// Earliest upload first.
    OldestFirst,
}

/// What `limit` and `page` are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Calls: a group may be torn by the end of a page.
    #[default]
    Calls,
    /// Call groups.
    Groups,
}

/// How the vendor pages. None of it is documented, so each can be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// A larger limit is taken as this one, without a word.
    pub clamp_above: Option<u32>,
    /// A larger limit is answered 400.
    pub refuse_above: Option<u32>,
    /// It is answered 500 instead.
    pub refuse_as_500: bool,
    /// Pages beyond this many rows (`page` times `limit`) are answered 400.
    pub deepest_row: Option<u32>,
    /// They are empty instead.
    pub deep_is_empty: bool,
    /// A window whose ends are further apart than this many seconds is answered 400.
    pub widest_seconds: Option<u32>,
    /// What `limit` counts.
    pub limit_counts: Unit,
    /// Which way the list runs.
    pub order: Order,
    /// Whether a call uploaded exactly at `upload_from` is left out.
    pub start_excluded: bool,
    /// Whether a call uploaded exactly at `upload_to` is left out.
    pub end_excluded: bool,
    /// Whether an empty window has `data: null`, instead of an empty list.
    pub empty_as_null: bool,
    /// What `paging.total` counts.
    pub total_counts: TotalOf,
    /// How much larger `paging.total` is than what it counts; negative for smaller.
    pub total_off: i64,
    /// `paging.total` is as it was this many seconds ago.
    pub total_lag_seconds: u32,
    /// There is no `paging.total` beside rows, and one of 0 without.
    pub no_total: bool,
}

impl Paging {
    /// Whether a page ends beyond the deepest row.
    fn is_too_deep(&self, skip: usize, limit: usize) -> bool {
        let end = skip.saturating_add(limit);
        self.deepest_row.is_some_and(|most| end > most as usize)
    }

    /// Why the vendor would not answer a query at all.
    pub(super) fn refusal(&self, query: &Query) -> Option<(u16, &'static str)> {
        let limit = query.limit.min(self.clamp_above.unwrap_or(u32::MAX)) as usize;
        let skip = (query.page as usize - 1).saturating_mul(limit);
        let width = query.to.saturating_sub(query.from);
        if self.refuse_above.is_some_and(|most| query.limit > most) {
            let status = if self.refuse_as_500 { 500 } else { 400 };
            Some((status, "limit is too large"))
        } else if self.widest_seconds.is_some_and(|most| width > most) {
            Some((400, "the time range is too long"))
        } else if !self.deep_is_empty && self.is_too_deep(skip, limit) {
            Some((400, "page is too deep"))
        } else {
            None
        }
    }
}

/// What `paging.total` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalOf {
    /// Rows, also those that are listed twice.
    #[default]
    Rows,
    /// Calls, each once.
    Calls,
    /// Call groups.
    Groups,
}

/// Calls listed together.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Its identity.
    pub id: String,
    /// Its calls that match the query, in the order of the list.
    pub calls: Vec<Call<'a>>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// Calls on all pages together.
    pub total: usize,
    /// Those of this page.
    pub groups: Vec<Group<'a>>,
}

impl World {
    /// A page of the list as it is at `now`, with every row as it should be.
    pub fn list(&mut self, query: &Query, now: u32, paging: &Paging) -> Listing<'_> {
        self.list_with(query, now, paging, &RowFaults::default())
    }

    /// A page of the list as it is at `now`.
    ///
    /// A query for all types and statuses costs a binary search and the page itself, whatever the
    /// size of the world (and a walk over the few calls that are late or deleted). Any other one,
    /// and an odd list, looks at the whole window, once for all pages read in the same second.
    pub fn list_with(
        &mut self,
        query: &Query,
        now: u32,
        paging: &Paging,
        rows: &RowFaults,
    ) -> Listing<'_> {
        self.grow(now);
        let mut query = query.clone();
        let limit = query.limit.min(paging.clamp_above.unwrap_or(u32::MAX)) as usize;
        let skip = (query.page.max(1) as usize - 1).saturating_mul(limit);
        query.from = query.from.saturating_add(u32::from(paging.start_excluded));
        query.to = query
            .to
            .saturating_sub(u32::from(paging.end_excluded))
            .min(now);
        (query.limit, query.page) = (0, 0);
        let earlier_total = (paging.total_lag_seconds > 0).then(|| {
            let before = now.saturating_sub(paging.total_lag_seconds);
            self.scan(query.clone(), before, rows).total(paging)
        });
        let by_groups = paging.limit_counts == Unit::Groups && self.spec.group_max > 1;
        let newest_first = paging.order == Order::NewestFirst;

        let (total, mut indices) = if self.takes_all(&query)
            && !by_groups
            && !rows.change_list()
            && paging.total_counts != TotalOf::Groups
        {
            self.page_of_all(&query, now, newest_first, skip, limit)
        } else {
            let scan = self.scanned(query, now, rows);
            let count = scan.matches.len();
            let range = if by_groups {
                let groups = cut(scan.starts.len(), newest_first, skip, limit);
                let start = |group: usize| scan.starts.get(group).map_or(count, |&at| at as usize);
                start(groups.start)..start(groups.end)
            } else {
                cut(count, newest_first, skip, limit)
            };
            (
                scan.total(paging),
                scan.matches[range]
                    .iter()
                    .map(|&index| index as usize)
                    .collect(),
            )
        };
        if newest_first {
            indices.reverse();
        }
        if paging.deep_is_empty && paging.is_too_deep(skip, limit) {
            indices.clear();
        }
        let total = earlier_total.unwrap_or(total) as i64;
        let total = total.saturating_add(paging.total_off).max(0) as usize;
        let mut groups: Vec<Group<'_>> = Vec::with_capacity(indices.len());
        let mut last_leader = None;
        for index in indices {
            let call = self.call(index);
            let leader = index - usize::from(call.record.back);
            match groups.last_mut() {
                Some(group) if last_leader == Some(leader) => group.calls.push(call),
                _ => groups.push(Group {
                    id: call.group_id(),
                    calls: vec![call],
                }),
            }
            last_leader = Some(leader);
        }
        Listing { total, groups }
    }

    pub(super) fn takes_all(&self, query: &Query) -> bool {
        [VOICE, TEXT_CALL]
            .iter()
            .all(|kind| query.call_types.contains(kind))
            && self.codes.iter().all(|code| query.statuses.contains(code))
            && query.filter == Filter::default()
    }

    /// The total, and the indices of one page, in upload order.
    fn page_of_all(
        &self,
        query: &Query,
        now: u32,
        newest_first: bool,
        skip: usize,
        limit: usize,
    ) -> (usize, Vec<usize>) {
        let span = self.span(query.from, query.to);
        let begin = self
            .exceptions
            .partition_point(|&index| (index as usize) < span.start);
        let hidden: Vec<usize> = self.exceptions[begin..]
            .iter()
            .map(|&index| index as usize)
            .take_while(|&index| index < span.end)
            .filter(|&index| !self.records[index].is_visible(now))
            .collect();
        let total = span.len() - hidden.len();
        let ranks = cut(total, newest_first, skip, limit);
        // How many hidden calls lie before the first of the page. The i-th hidden call has
        // `index - i` visible ones before it, which only grows.
        let place = span.start + ranks.start;
        let below = |count: usize| count < hidden.len() && hidden[count] - count <= place;
        let (mut low, mut high) = (0, hidden.len());
        while low < high {
            let middle = low.midpoint(high);
            if below(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut skipped = hidden[low..].iter().copied().peekable();
        let page = (place + low..span.end)
            .filter(|index| skipped.next_if_eq(index).is_none())
            .take(ranks.len())
            .collect();
        (total, page)
    }
}

/// The ascending places of a page, out of `count`.
fn cut(count: usize, newest_first: bool, skip: usize, limit: usize) -> std::ops::Range<usize> {
    let begin = skip.min(count);
    let end = skip.saturating_add(limit).min(count);
    if newest_first {
        count - end..count - begin
    } else {
        begin..end
    }
}
