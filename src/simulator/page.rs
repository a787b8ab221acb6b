//! A page of the vendor's list, as JSON.

use serde::Serialize;
use serde_json::Value;

use super::faults::{Answer, Faults};
use super::listing::Listing;
use super::reply::Reply;
use super::row::Row;
use super::row_faults::{RowFaults, WireFaults, insert_invalid_bytes, malformed_rows};

#[derive(Serialize)]
struct Page<'a> {
    /// None for a page without it, and none within for null.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Option<Vec<GroupRow<'a>>>>,
    paging: Total,
}

#[derive(Serialize)]
struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

#[derive(Serialize)]
struct GroupRow<'a> {
    call_group_id: String,
    calls: Vec<AnyRow<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyRow<'a> {
    Regular(Row<'a>),
    Malformed(Value),
}

/// A page, with the faults applied; `answer` is what the fault of the request asks for.
pub(super) fn render(
    listing: &Listing<'_>,
    now: u32,
    answer: Option<Answer>,
    faults: &Faults,
) -> Reply {
    let is_empty = listing.calls.is_empty();
    let total = match (faults.paging.no_total, is_empty) {
        (false, _) => Some(listing.total),
        // Without a total, an empty window would look like an error.
        (true, true) => Some(0),
        (true, false) => None,
    };
    let has_row_faults =
        faults.wire != WireFaults::default() || faults.rows != RowFaults::default();
    let groups = listing.groups().map(|calls| GroupRow {
        call_group_id: calls[0].group_id(),
        calls: match has_row_faults {
            true => malformed_rows(calls, now, &faults.wire, &faults.rows)
                .into_iter()
                .map(AnyRow::Malformed)
                .collect(),
            false => (calls.iter())
                .map(|call| AnyRow::Regular(Row(call, now)))
                .collect(),
        },
    });
    let is_null = faults.paging.empty_as_null && listing.total == 0 && is_empty;
    let (data, name) = match answer {
        Some(Answer::NoData) => (None, Some("no_data")),
        Some(Answer::NullData) => (Some(None), Some("null_data")),
        _ if is_null => (Some(None), None),
        _ => (Some(Some(groups.collect())), None),
    };
    let paging = Total { total };
    let mut page = Reply {
        name,
        ..Reply::json(&Page { data, paging })
    };
    if has_row_faults {
        page.body = insert_invalid_bytes(page.body);
    }
    if let Some(success) = &faults.success {
        page.body.pop();
        let ((name, text), code) = (success.name.names(), &success.code);
        let end = format!(r#","{name}":{code},"{text}":"success"}}"#);
        page.body.extend_from_slice(end.as_bytes());
    }
    page
}
