//! A page of the vendor's list, as JSON.

use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::faults::{Faults, WireFaults};
use super::listing::{Group, Listing};
use super::malformed::{insert_invalid_bytes, malformed_rows};
use super::row::Row;
use super::rows::RowFaults;

#[derive(Serialize)]
struct Page {
    /// None for a page without it, and none within for null.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Option<Vec<GroupRow>>>,
    paging: Total,
}

#[derive(Serialize)]
struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

#[derive(Serialize)]
struct GroupRow {
    call_group_id: String,
    calls: Vec<AnyRow>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyRow {
    Regular(Box<Row>),
    Malformed(Value),
}

/// The content of `data`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Rows,
    Null,
    Absent,
}

/// The body of a page, with the faults applied.
pub(super) fn page(
    listing: &Listing<'_>,
    now: u32,
    data: Data,
    faults: &Faults,
) -> serde_json::Result<Vec<u8>> {
    let total = match (faults.paging.no_total, listing.groups.is_empty()) {
        (false, _) => Some(listing.total),
        // Without a total, an empty window would look like an error.
        (true, true) => Some(0),
        (true, false) => None,
    };
    let has_row_faults =
        faults.wire != WireFaults::default() || faults.rows != RowFaults::default();
    let rows = |calls: &[Call<'_>]| match has_row_faults {
        true => malformed_rows(calls, now, &faults.wire, &faults.rows)
            .into_iter()
            .map(AnyRow::Malformed)
            .collect(),
        false => (calls.iter())
            .map(|call| AnyRow::Regular(Box::new(Row::of(call, now))))
            .collect(),
    };
    let group = |group: &Group<'_>| GroupRow {
        call_group_id: group.id.clone(),
        calls: rows(&group.calls),
    };
    let data = match data {
        Data::Absent => None,
        Data::Null => Some(None),
        Data::Rows => Some(Some(listing.groups.iter().map(group).collect())),
    };
    let paging = Total { total };
    let mut body = serde_json::to_vec(&Page { data, paging })?;
    if has_row_faults {
        body = insert_invalid_bytes(body);
    }
    if let Some(success) = &faults.success {
        body.pop();
        let (name, text) = success.name.names();
        let code = serde_json::to_string(&success.code)?;
        body.extend_from_slice(format!(r#","{name}":{code},"{text}":"success"}}"#).as_bytes());
    }
    Ok(body)
}
