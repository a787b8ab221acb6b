//! One call in the vendor's list, as JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::call::Call;

/// A call as it is listed at a time.
pub(super) struct Row<'a>(pub(super) &'a Call<'a>, pub(super) u32);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(call, now) = self;
        let (uuid, measures) = (call.uuid(), call.measures_at(now));
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("call_uuid", &uuid)?;
        row.serialize_entry("call_id", &uuid)?;
        row.serialize_entry("call_type", &call.call_type())?;
        row.serialize_entry("status", &call.status_at(now))?;
        row.serialize_entry("upload_time", &call.upload_time())?;
        row.serialize_entry("call_time", &call.call_time())?;
        row.serialize_entry("create_time", &call.upload_time())?;
        row.serialize_entry("left_channel", &measures.left.role)?;
        row.serialize_entry("right_channel", &measures.right.role)?;
        for (name, value) in measures.named() {
            // A single division yields the double that prints as the same decimal.
            row.serialize_entry(name, &value.map(|value| value as f64 / 1e6))?;
        }
        row.serialize_entry("staff_id", &call.staff_id())?;
        row.serialize_entry("staff_name", &call.staff_name())?;
        row.serialize_entry("file_name", &call.file_name())?;
        for (name, state) in call.manual_at(now) {
            row.serialize_entry(&format!("{name}_status"), &state)?;
        }
        if call.hash(13).is_multiple_of(10) {
            row.serialize_entry("deal", &(call.hash(14) % 2))?;
        }
        row.end()
    }
}
