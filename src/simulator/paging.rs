//! A query for a page of the list, and how the vendor pages.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status;

/// A query for one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// First upload time, Unix seconds, inclusive unless [`Paging::start_excluded`].
    pub from: u32,
    /// Last upload time, Unix seconds, inclusive unless [`Paging::end_excluded`].
    pub to: u32,
    pub call_types: Vec<u8>,
    pub statuses: Vec<u16>,
    /// Rows per page.
    pub limit: u32,
    /// Page number, from 1.
    pub page: u32,
}

impl Query {
    /// Parses the body of a request. The error names the invalid field.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
        let positive = |name: &str| match unsigned(&body, name)? {
            0 => Err(format!("{name} must be at least 1")),
            value => Ok(value),
        };
        Ok(Self {
            from: unsigned(&body, "upload_from")?,
            to: unsigned(&body, "upload_to")?,
            call_types: codes(&body, "call_types")?,
            statuses: codes(&body, "status")?,
            limit: positive("limit")?,
            page: positive("page")?,
        })
    }

    pub(super) fn is_for_all_statuses(&self) -> bool {
        status::ALL.iter().all(|code| self.statuses.contains(code))
    }
}

fn unsigned(body: &Value, name: &str) -> Result<u32, String> {
    let value = body.get(name).and_then(Value::as_f64);
    let value = value.ok_or_else(|| format!("{name} is required, a number"))?;
    if value < 0.0 {
        return Err(format!("{name} must not be negative"));
    }
    // Saturates: any time after the last call has the same effect.
    Ok(value as u32)
}

/// Ignores numbers out of range, which no call has.
fn codes<T: TryFrom<i64>>(body: &Value, name: &str) -> Result<Vec<T>, String> {
    let invalid = || format!("{name} is required, a list of numbers");
    let list = body.get(name).and_then(Value::as_array);
    let mut codes = Vec::new();
    for value in list.ok_or_else(invalid)? {
        codes.extend(T::try_from(value.as_i64().ok_or_else(invalid)?));
    }
    Ok(codes)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Latest upload first.
    #[default]
    NewestFirst,
    /// Earliest upload first.
    OldestFirst,
}

/// What `limit` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Calls: a page may end within a group.
    #[default]
    Calls,
    Groups,
}

/// What `paging.total` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalOf {
    /// Rows, including both of a call that is listed twice.
    #[default]
    Rows,
    /// Distinct calls.
    Calls,
    Groups,
}

/// How the vendor pages. Its documentation leaves all of this open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// Silently reduces a larger limit to this.
    pub clamp_above: Option<u32>,
    /// Answers a larger limit with 400.
    pub refuse_above: Option<u32>,
    /// Answers it with 500 instead.
    pub refuse_as_500: bool,
    /// Answers pages beyond this many rows (`page` times `limit`) with 400.
    pub deepest_row: Option<u32>,
    /// Answers them with an empty page instead.
    pub deep_is_empty: bool,
    /// Answers a window longer than this with 400.
    pub widest_seconds: Option<u32>,
    pub limit_counts: Unit,
    pub order: Order,
    /// Omits calls uploaded exactly at `upload_from`.
    pub start_excluded: bool,
    /// Omits calls uploaded exactly at `upload_to`.
    pub end_excluded: bool,
    /// An empty window has `data: null` instead of an empty list.
    pub empty_as_null: bool,
    pub total_counts: TotalOf,
    /// Added to `paging.total`.
    pub total_off: i64,
    /// `paging.total` is the one from this long ago.
    pub total_lag_seconds: u32,
    /// Omits `paging.total` if there are rows; otherwise it is 0.
    pub no_total: bool,
}

impl Paging {
    /// The limit that the vendor applies.
    pub(super) fn limit(&self, query: &Query) -> usize {
        query.limit.min(self.clamp_above.unwrap_or(u32::MAX)) as usize
    }

    /// The number of rows or groups before the page.
    pub(super) fn skip(&self, query: &Query) -> usize {
        (query.page.max(1) as usize - 1).saturating_mul(self.limit(query))
    }

    /// Whether the page ends beyond the deepest row.
    pub(super) fn is_too_deep(&self, query: &Query) -> bool {
        let end = self.skip(query).saturating_add(self.limit(query));
        self.deepest_row.is_some_and(|max| end > max as usize)
    }

    /// Status and reason if the vendor refuses the query.
    pub(super) fn refusal(&self, query: &Query) -> Option<(u16, &'static str)> {
        let width = query.to.saturating_sub(query.from);
        if self.refuse_above.is_some_and(|max| query.limit > max) {
            let status = if self.refuse_as_500 { 500 } else { 400 };
            Some((status, "limit is too large"))
        } else if self.widest_seconds.is_some_and(|max| width > max) {
            Some((400, "the time range is too long"))
        } else if !self.deep_is_empty && self.is_too_deep(query) {
            Some((400, "page is too deep"))
        } else {
            None
        }
    }
}
