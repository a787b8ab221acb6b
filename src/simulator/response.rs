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
struct Page<D: Serialize> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
    paging: Total,
}

#[derive(Serialize)]
struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

#[derive(Serialize)]
struct GroupRow<R: Serialize> {
    call_group_id: String,
    calls: Vec<R>,
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
    let paging = Total { total };
    let has_row_faults =
        faults.wire != WireFaults::default() || faults.rows != RowFaults::default();
    let mut body = match data {
        Data::Absent => serde_json::to_vec(&Page::<()> { data: None, paging }),
        Data::Null => serde_json::to_vec(&Page {
            data: Some(Value::Null),
            paging,
        }),
        Data::Rows if has_row_faults => {
            let rows = |calls: &[Call<'_>]| malformed_rows(calls, now, &faults.wire, &faults.rows);
            let data = Some(groups(listing, rows));
            serde_json::to_vec(&Page { data, paging }).map(insert_invalid_bytes)
        }
        Data::Rows => {
            let rows = |calls: &[Call<'_>]| calls.iter().map(|call| Row::of(call, now)).collect();
            let data = Some(groups(listing, rows));
            serde_json::to_vec(&Page { data, paging })
        }
    }?;
    if let Some(success) = &faults.success {
        body.pop();
        let (name, text) = success.name.names();
        let code = serde_json::to_string(&success.code)?;
        body.extend_from_slice(format!(r#","{name}":{code},"{text}":"success"}}"#).as_bytes());
    }
    Ok(body)
}

fn groups<R: Serialize>(
    listing: &Listing<'_>,
    rows: impl Fn(&[Call<'_>]) -> Vec<R>,
) -> Vec<GroupRow<R>> {
    let group = |group: &Group<'_>| GroupRow {
        call_group_id: group.id.clone(),
        calls: rows(&group.calls),
    };
    listing.groups.iter().map(group).collect()
}
