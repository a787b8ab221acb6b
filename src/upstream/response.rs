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
mod rows;
mod visit;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

pub use envelope::{Envelope, EnvelopeError, text};
pub use inspection::parse_inspection;

use data::{Data, DataType};
use envelope::Meaning;
use lenient::Lenient;
use rows::Rows;
use visit::{Tolerant, next_key};

use super::Page;

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

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParsedPage {
    pub page: Page,
    /// What is wrong with the first unusable row, by names and types of its fields.
    pub example: Option<String>,
}

/// Parses a page of any number and size.
///
/// # Errors
///
/// Like [`PageRules::parse`].
pub fn parse_page(body: &[u8]) -> Result<Page, ParseError> {
    let rules = PageRules {
        page: u32::MAX,
        max_rows: usize::MAX,
        success_codes: &[],
        keep_texts: false,
    };
    rules.parse(body).map(|parsed| parsed.page)
}

impl PageRules<'_> {
    /// Parses the response to a request for a page.
    ///
    /// # Errors
    ///
    /// If it is not a page. A failure must never look like an empty window: a page without rows is
    /// only accepted with a total and without an error code.
    pub fn parse(&self, body: &[u8]) -> Result<ParsedPage, ParseError> {
        let response = self.response(body)?;
        let total = self.checked_total(&response)?;
        let Rows { page, example, .. } = response.rows;
        Ok(ParsedPage {
            page: Page { total, ..page },
            example,
        })
    }

    /// The total, if the response is a page.
    fn checked_total(&self, response: &Response) -> Result<Option<u64>, ParseError> {
        let (page, total) = (&response.rows.page, response.total);
        let meaning = response.envelope.meaning(self.success_codes);
        let is_page = match (meaning, response.data) {
            // Usable rows outweigh any code.
            _ if !page.records.is_empty() => true,
            (Meaning::Failure, _) | (_, DataType::Other) => false,
            (_, DataType::List) if !page.is_empty() => true,
            // Beyond the last page the list is empty with any total. On the first page the reader
            // of the list decides whether to believe that.
            (Meaning::Success, DataType::List) => total.is_some(),
            (Meaning::Success, DataType::Null) => total == Some(0),
            (Meaning::Success, DataType::Absent) => false,
            (Meaning::NoData, _) if total.is_none() => return Ok((self.page == 1).then_some(0)),
            (Meaning::NoData, _) => true,
        };
        match is_page {
            true => Ok(total),
            false => Err(response.error(self, meaning)),
        }
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
            rows: Rows::new(self.max_rows, exact, self.keep_texts),
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

impl Response {
    /// Why this is not a page.
    fn error(&self, rules: &PageRules<'_>, meaning: Meaning) -> ParseError {
        let total = self.total.map(|total| format!("paging.total is {total}"));
        let finding = match (meaning, self.data, total) {
            (Meaning::Failure, DataType::List, Some(total)) if self.rows.page.is_empty() => {
                Some(format!("with an empty list, {total}"))
            }
            (Meaning::Failure, ..) => None,
            (_, DataType::List, None) => Some("an empty list without paging.total".to_owned()),
            (_, DataType::List, Some(total)) => Some(format!("no calls, though {total}")),
            (_, _, Some(total)) => Some(format!("no list of calls, though {total}")),
            (_, _, None) => Some("neither data nor paging.total".to_owned()),
        };
        ParseError::Envelope(EnvelopeError {
            finding,
            ..self.envelope.error(rules.success_codes)
        })
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
                key => match response.envelope.slot(key) {
                    Some(slot) => *slot = map.next_value::<Lenient>()?.into_text(),
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(())
    }
}

/// `total` in `paging`, if it is a usable number.
fn total(paging: &RawValue) -> Option<u64> {
    let fields: BTreeMap<String, Lenient<'_>> = serde_json::from_str(paging.get()).ok()?;
    fields.get("total")?.integer()?.try_into().ok()
}

#[cfg(test)]
mod tests;
