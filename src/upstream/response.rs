//! Parses responses: a page of the list of calls, in one pass and without copying each row, and
//! the inspection result of one call ([`parse_inspection`]).
//!
//! Every field may be missing, null, or a string in place of a number and vice versa. An unusable
//! row does not affect its neighbours. A body that is not quite JSON is repaired and parsed again,
//! row by row.

mod data;
mod envelope;
mod example;
mod inspection;
mod lenient;
mod record;
mod repair;
mod visit;

use std::fmt;
use std::hash::Hash;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use tracing::debug;

pub use envelope::{Envelope, EnvelopeError, Fields, text};
pub use inspection::parse_inspection;

use data::{Data, DataType};
use envelope::Meaning;
use lenient::Lenient;
use visit::{Tolerant, next_key};

use super::{Page, Rejected};
use crate::model::Rejection;

/// Why the body of a 200 is not usable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Not the expected JSON: cut off, HTML, another structure, too many rows. Quotes nothing from
    /// the body.
    Body(String),
    /// An error of the vendor's inside a 200.
    Envelope(EnvelopeError),
}

/// How to judge the response to a request.
#[derive(Clone, Copy, Debug)]
pub struct PageRules<'a> {
    /// Number of the requested page, from 1.
    pub page: u32,
    /// More rows are an error.
    pub max_rows: usize,
    /// Codes that mean success, in addition to the known ones.
    pub success_codes: &'a [String],
    /// Whether to keep `staff_id`, and identities that are not UUIDs, as text.
    pub keep_texts: bool,
}

impl PageRules<'_> {
    /// For a page of any number and size.
    pub const ANY: Self = Self {
        page: u32::MAX,
        max_rows: usize::MAX,
        success_codes: &[],
        keep_texts: false,
    };

    /// Parses the response to a request for a page.
    ///
    /// # Errors
    ///
    /// If it is not a page. A failure must never look like an empty window: a page without rows is
    /// only accepted with a total and without an error code.
    pub fn parse(&self, body: &[u8]) -> Result<Page, ParseError> {
        let response = self.response(body)?;
        let total = self.checked_total(&response)?;
        Ok(Page {
            total,
            ..response.rows.page
        })
    }

    /// The total, if the response is a page.
    fn checked_total(&self, response: &Response) -> Result<Option<u64>, ParseError> {
        let (page, total) = (&response.rows.page, response.total);
        let meaning = response.envelope.meaning(self.success_codes);
        let finding = match (meaning, response.data, total) {
            // Usable rows outweigh any code.
            _ if !page.records.is_empty() => return Ok(total),
            (Meaning::Failure, DataType::List, Some(total)) if page.is_empty() => {
                Some(format!("with an empty list, paging.total is {total}"))
            }
            (Meaning::Failure, ..) => None,
            (_, DataType::List, _) if !page.is_empty() => return Ok(total),
            // Beyond the last page the list is empty with any total. On the first page the reader
            // of the list decides whether to believe that.
            (Meaning::Success, DataType::List, Some(_))
            | (Meaning::Success, DataType::Null, Some(0)) => return Ok(total),
            (Meaning::Success, DataType::List, None) => {
                Some("an empty list without paging.total".to_owned())
            }
            (Meaning::NoData, DataType::Absent | DataType::Null | DataType::List, _) => {
                return Ok(total.or((self.page == 1).then_some(0)));
            }
            (_, _, Some(total)) => {
                Some(format!("no list of calls, though paging.total is {total}"))
            }
            (_, _, None) => Some("neither data nor paging.total".to_owned()),
        };
        Err(ParseError::Envelope(EnvelopeError {
            finding,
            ..response.envelope.error(self.success_codes)
        }))
    }

    /// Parses quickly if the body is JSON and every row has an identity, otherwise row by row.
    fn response(&self, body: &[u8]) -> Result<Response, ParseError> {
        // Checking the body as a whole is faster than checking each of its short strings.
        let error = match std::str::from_utf8(body) {
            Err(_) => ParseError::Body("it is neither UTF-8 nor repairable JSON".into()),
            Ok(text) => match self.deserialize(text, false) {
                Ok(response) if response.rows.has_unidentified() => {
                    return self.deserialize(text, true).map_err(|(error, _)| error);
                }
                Ok(response) => return Ok(response),
                Err((error, Category::Syntax)) => error,
                Err((error, _)) => return Err(error),
            },
        };
        match repair::repair(body) {
            Some(text) => self.deserialize(&text, true).map_err(|(error, _)| error),
            None => Err(error),
        }
    }

    fn deserialize(&self, text: &str, exact: bool) -> Result<Response, (ParseError, Category)> {
        let mut response = Response {
            rows: Rows {
                exact,
                texts: self.keep_texts,
                max_rows: self.max_rows,
                ..Rows::default()
            },
            ..Response::default()
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let result = json
            .deserialize_map(ResponseVisitor(&mut response))
            .and_then(|()| json.end());
        let Err(error) = result else {
            return Ok(response);
        };
        let reason = match error.classify() {
            _ if response.rows.overflowed() => {
                format!("it lists more than {} calls", self.max_rows)
            }
            Category::Data => "it is JSON, but not a list of calls".to_owned(),
            _ => not_json(&error),
        };
        Err((ParseError::Body(reason), error.classify()))
    }
}

/// Why a body is not JSON.
fn not_json(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => format!("it ends unexpectedly on line {}", error.line()),
        _ => format!(
            "it is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ),
    }
}

/// The parts of a response.
#[derive(Default)]
struct Response {
    rows: Rows,
    data: DataType,
    total: Option<u64>,
    envelope: Envelope,
}

/// The rows of a response while it is parsed.
#[derive(Default)]
struct Rows {
    page: Page,
    /// Parses row by row: slower, but the text of each row is known.
    exact: bool,
    /// Keeps the identities of agents and calls as text.
    texts: bool,
    max_rows: usize,
    count: usize,
}

impl Rows {
    /// Counts rows; fails beyond the limit.
    fn count<E: de::Error>(&mut self, rows: usize) -> Result<(), E> {
        self.count += rows;
        match self.overflowed() {
            true => Err(E::custom("too many rows")),
            false => Ok(()),
        }
    }

    fn overflowed(&self) -> bool {
        self.count > self.max_rows
    }

    /// Whether there are rows without identity, which only their text distinguishes.
    fn has_unidentified(&self) -> bool {
        let mut rejected = self.page.rejected.iter();
        rejected.any(|row| matches!(row.reason, Rejection::Identity | Rejection::Shape))
    }

    /// `key` identifies the row, `describe` says what is wrong with it.
    fn reject(&mut self, reason: Rejection, key: impl Hash, describe: impl FnOnce() -> String) {
        self.page.rejected.push(Rejected::new(reason, key));
        debug!(reason = reason.label(), "record rejected");
        if reason != Rejection::Measure && self.page.example.is_none() {
            self.page.example = Some(describe());
        }
    }
}

struct ResponseVisitor<'a>(&'a mut Response);

impl<'de> Visitor<'de> for ResponseVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with data and paging")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let response = self.0;
        while let Some(key) = next_key(&mut map)? {
            match key.as_ref() {
                "data" => {
                    // The last of duplicate keys counts.
                    response.rows.page = Page::default();
                    let data = Tolerant(Data(&mut response.rows));
                    response.data = map.next_value_seed(data)?;
                }
                "paging" => response.total = total(map.next_value()?),
                key => response.envelope.add(key, map.next_value()?),
            }
        }
        Ok(())
    }
}

/// `total` in `paging`, if it is a usable number.
fn total(paging: &RawValue) -> Option<u64> {
    let fields: Fields<'_> = serde_json::from_str(paging.get()).ok()?;
    let total = Lenient::from(*fields.get("total")?);
    total.integer()?.try_into().ok()
}

#[cfg(test)]
mod tests;
