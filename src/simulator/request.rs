//! Parses the body of a request for a page.

use serde_json::Value;

use super::paging::Query;

/// The error names the invalid field.
pub(super) fn query(body: &[u8]) -> Result<Query, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let positive = |name: &str| match unsigned(&body, name)? {
        0 => Err(format!("{name} must be at least 1")),
        value => Ok(value),
    };
    Ok(Query {
        from: unsigned(&body, "upload_from")?,
        to: unsigned(&body, "upload_to")?,
        call_types: codes(&body, "call_types")?,
        statuses: codes(&body, "status")?,
        limit: positive("limit")?,
        page: positive("page")?,
    })
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
