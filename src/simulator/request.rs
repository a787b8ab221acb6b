//! The body of a request for a page, as the vendor understands it.

use serde::Deserialize;
use serde_json::Value;

use super::listing::{Filter, Query};

/// Reads the body of a request for a page; the error names the field.
pub(super) fn query(body: &[u8]) -> Result<Query, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let filter = Filter::deserialize(&body).map_err(|error| error.to_string())?;
    let positive = |name: &str| match whole(&body, name)? {
        0 => Err(format!("{name} must be at least 1")),
        value => Ok(value),
    };
    Ok(Query {
        from: whole(&body, "upload_from")?,
        to: whole(&body, "upload_to")?,
        call_types: codes(&body, "call_types")?,
        statuses: codes(&body, "status")?,
        limit: positive("limit")?,
        page: positive("page")?,
        filter,
    })
}

fn whole(body: &Value, name: &str) -> Result<u32, String> {
    let value = body.get(name).and_then(Value::as_f64);
    let value = value.ok_or_else(|| format!("{name} is required, a number"))?;
    if value < 0.0 {
        return Err(format!("{name} must not be negative"));
    }
    // Saturates: later than every call is the same as the end of time.
    Ok(value as u32)
}

/// Numbers that no call can have are as good as not asked for.
fn codes<T: TryFrom<i64>>(body: &Value, name: &str) -> Result<Vec<T>, String> {
    let wrong = || format!("{name} is required, a list of numbers");
    let list = body.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
    let mut codes = Vec::with_capacity(list.len());
    for value in list {
        codes.extend(T::try_from(value.as_i64().ok_or_else(wrong)?));
    }
    Ok(codes)
}
