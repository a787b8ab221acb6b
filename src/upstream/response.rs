//! Bytes to values: the vendor's JSON as records, in one pass and without a copy per row.
//!
//! Every field may be missing, null, or a string where a number was and the reverse; a row that
//! cannot be used costs its neighbours nothing. A body that is not quite JSON is read a second
//! time, repaired and row by row.

mod data;
mod envelope;
mod example;
mod lenient;
mod record;
mod repair;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

pub use envelope::{Envelope, ErrorInside};

use data::{DataSeed, Paging, Rows, Shape};
use envelope::Verdict;
use lenient::Lenient;

use super::Page;

/// Why a body with status 200 is not a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Not the JSON that was expected: cut short, HTML, another shape, more rows than allowed.
    /// Holds nothing of the body.
    Body(String),
    /// The vendor's own error inside a 200.
    Envelope(ErrorInside),
}

/// What was asked for, as far as the answer has to be judged by it.
#[derive(Clone, Copy, Debug)]
pub struct PageRules<'a> {
    /// The number of the page, from 1.
    pub page: u32,
    /// More rows than these are an error.
    pub max_rows: usize,
    /// Codes that mean success besides the known ones.
    pub success_codes: &'a [String],
}

/// A page, and what may help to find out why its rows cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The page.
    pub page: Page,
    /// What is wrong with the first row that cannot be used, by names and types of its fields.
    pub example: Option<String>,
}

/// Reads the answer to a request for some page, of any size.
///
/// # Errors
///
/// As [`PageRules::read`], but a list without calls and with a total is taken to be over.
pub fn parse_page(body: &[u8]) -> Result<Page, Unreadable> {
    let rules = PageRules {
        page: u32::MAX,
        max_rows: usize::MAX,
        success_codes: &[],
    };
    rules.read(body).map(|reading| reading.page)
}

impl PageRules<'_> {
    /// Reads the answer to a list request.
    ///
    /// # Errors
    ///
    /// If it is not a page. An empty window and a failure must never look alike: a page without
    /// rows is one only where its total says so too and no code of an error stands beside it.
    pub fn read(&self, body: &[u8]) -> Result<Reading, Unreadable> {
        let answer = self.answer(body)?;
        let total = self.judge(&answer)?;
        Ok(Reading {
            page: Page {
                total,
                ..answer.rows.page
            },
            example: answer.rows.example,
        })
    }

    /// The total of an answer that is a page.
    fn judge(&self, answer: &Answer) -> Result<Option<u64>, Unreadable> {
        let (page, total) = (&answer.rows.page, answer.total);
        let verdict = answer.envelope.verdict(self.success_codes);
        // Beyond the last page a list is empty, whatever its total is. On the first page too: the
        // reader of the list knows whether to believe that.
        let is_over = total.is_some();
        let is_page = match (verdict, answer.shape) {
            // Whatever code stands beside them.
            _ if !page.records.is_empty() => true,
            (Verdict::Failed, _) | (_, Shape::Other) => false,
            (_, Shape::List) if !page.is_empty() => true,
            (Verdict::Success, Shape::List) => is_over,
            (Verdict::Success, Shape::Null) => total == Some(0),
            (Verdict::Success, Shape::Absent) => false,
            (Verdict::NoData, _) if total.is_none() => return Ok((self.page == 1).then_some(0)),
            (Verdict::NoData, _) => is_over,
        };
        match is_page {
            true => Ok(total),
            false => Err(answer.error(self, verdict)),
        }
    }

    /// Quickly where the body is JSON and each row can be told from others by its identity; else
    /// row by row.
    fn answer(&self, body: &[u8]) -> Result<Answer, Unreadable> {
        // Checked as a whole, for checking each of its short strings takes longer.
        let first = match std::str::from_utf8(body) {
            Err(_) => None,
            Ok(text) => match self.parse(text, false) {
                Ok(answer) if answer.rows.has_strangers() => {
                    return self.parse(text, true).map_err(|(error, _)| error);
                }
                Ok(answer) => return Ok(answer),
                Err((error, Category::Syntax)) => Some(error),
                Err((error, _)) => return Err(error),
            },
        };
        match repair::repair(body) {
            Some(text) => self.parse(&text, true).map_err(|(error, _)| error),
            None => Err(first
                .unwrap_or_else(|| Unreadable::Body("it is not UTF-8, nor JSON otherwise".into()))),
        }
    }

    fn parse(&self, text: &str, exact: bool) -> Result<Answer, (Unreadable, Category)> {
        let mut rows = Rows::new(self.max_rows, exact);
        let mut json = serde_json::Deserializer::from_str(text);
        let parsed = AnswerSeed(&mut rows)
            .deserialize(&mut json)
            .and_then(|answer| json.end().map(|()| answer));
        match parsed {
            Ok(answer) => Ok(Answer { rows, ..answer }),
            Err(error) => {
                let what = match error.classify() {
                    _ if rows.overflowed() => format!("it lists more than {} calls", self.max_rows),
                    Category::Eof => format!("it ends in the middle, on line {}", error.line()),
                    Category::Data => "it is JSON, but not a list of calls".to_owned(),
                    Category::Syntax | Category::Io => format!(
                        "it is not JSON (line {}, column {})",
                        error.line(),
                        error.column()
                    ),
                };
                Err((Unreadable::Body(what), error.classify()))
            }
        }
    }
}

/// What an answer says.
#[derive(Default)]
struct Answer {
    rows: Rows,
    shape: Shape,
    total: Option<u64>,
    envelope: Envelope,
}

impl Answer {
    fn error(&self, rules: &PageRules<'_>, verdict: Verdict) -> Unreadable {
        let total = self.total.map(|total| format!("paging.total is {total}"));
        let finding = match (verdict, self.shape, total) {
            (Verdict::Failed, Shape::List, Some(total)) if self.rows.page.is_empty() => {
                Some(format!("beside an empty list, {total}"))
            }
            (Verdict::Failed, ..) => None,
            (_, Shape::List, None) => Some("an empty list without paging.total".to_owned()),
            (_, Shape::List, Some(total)) => Some(format!("no calls, though {total}")),
            (_, _, Some(total)) => Some(format!("no list of calls, though {total}")),
            (_, _, None) => Some("neither data nor paging.total".to_owned()),
        };
        Unreadable::Envelope(ErrorInside {
            finding,
            ..self.envelope.error(rules.success_codes)
        })
    }
}

struct AnswerSeed<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Answer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with data and paging")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
        let mut answer = Answer::default();
        while let Some(key) = next_key(&mut map)? {
            match key.as_ref() {
                "data" => answer.shape = map.next_value_seed(DataSeed(self.0))?,
                "paging" => answer.total = map.next_value::<Paging>()?.0,
                key => match answer.envelope.slot(key) {
                    Some(slot) => *slot = map.next_value::<Lenient>()?.into_text(),
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(answer)
    }
}

/// The next key of an object, borrowed where serde would copy it.
fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    struct Key<'de>(Cow<'de, str>);
    impl<'de> Deserialize<'de> for Key<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(KeyVisitor).map(Self)
        }
    }
    struct KeyVisitor;
    impl<'de> Visitor<'de> for KeyVisitor {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    Ok(map.next_key::<Key<'de>>()?.map(|key| key.0))
}

#[cfg(test)]
mod tests;
