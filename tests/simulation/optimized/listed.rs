//! A vendor in memory whose list the test controls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::model::{
    CallId, CallType, Inspection, ManualStates, Measure, Measures, Named, Record, ScenarioResult,
    Status, UnixSeconds,
};
use cec_exporter::upstream::response::PageRules;
use cec_exporter::upstream::{Error, ErrorKind, Filter, Page, PageRequest, Upstream};
use tokio::time::Instant;

pub const BASE: UnixSeconds = 1_700_000_000;

/// A call in the list.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: u128,
    pub at: UnixSeconds,
    /// [`Status::UNKNOWN`] for a row without status, which only a query for all statuses lists.
    pub status: Status,
    /// How often it is listed.
    pub copies: u32,
    /// Makes every page with this call fail.
    pub fault: Option<ErrorKind>,
    /// The JSON of the row, if it is not a regular one.
    pub row: Option<Vec<u8>>,
}

impl Call {
    pub fn new(id: u128, at: UnixSeconds, status: i64) -> Self {
        Self {
            id,
            at,
            status: Status::from_number(status),
            copies: 1,
            fault: None,
            row: None,
        }
    }

    /// A call in a final status.
    pub fn done(id: u128, at: UnixSeconds) -> Self {
        Self::new(id, at, 2)
    }

    /// A waiting call.
    pub fn waiting(id: u128, at: UnixSeconds) -> Self {
        Self::new(id, at, 0)
    }

    /// Sets the JSON of the row.
    pub fn written(self, row: impl Into<Vec<u8>>) -> Self {
        Self {
            row: Some(row.into()),
            ..self
        }
    }

    fn add_to(&self, page: &mut Page) -> Result<(), Error> {
        match &self.row {
            None => page.records.push(Record {
                id: CallId(self.id),
                has_uuid: true,
                uploaded: self.at,
                call_type: CallType::VOICE,
                status: self.status,
                manual: ManualStates::default(),
                measures: Measures::default(),
                staff_id: None,
                written_id: None,
            }),
            Some(row) => {
                let body = [
                    &br#"{"data":[{"calls":["#[..],
                    row,
                    br#"]}],"paging":{"total":1}}"#,
                ];
                let parsed = PageRules::ANY
                    .parse(&body.concat())
                    .map_err(|_| error(ErrorKind::Body))?;
                page.records.extend(parsed.records);
                page.rejected.extend(parsed.rejected);
                page.renamed.extend(parsed.renamed);
                page.undated.extend(parsed.undated);
            }
        }
        Ok(())
    }
}

/// What the vendor returns as the total.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub enum Total {
    /// The rows of the window.
    #[default]
    Rows,
    /// The rows plus this number.
    Off(i64),
    /// Groups; two rows in three start a group.
    Groups,
    /// The rows this many seconds ago.
    Late(UnixSeconds),
    /// Always the same.
    Always(u64),
    /// None if there are rows, otherwise 0.
    Missing,
    /// The rows, but no more than this.
    UpTo(u64),
}

/// What the vendor answers to a page beyond the deepest one.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub enum Deep {
    /// An error.
    #[default]
    Refused,
    /// An empty page.
    Empty,
    /// The deepest page that it serves.
    Repeated,
}

/// How the list that is filtered by pending statuses answers.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub enum FilterQuirk {
    #[default]
    Works,
    Fails,
    Empty,
}

/// Quirks of the vendor.
#[derive(Clone, Default, Debug)]
pub struct Quirks {
    pub total: Total,
    /// Both bounds of a window are exclusive.
    pub bounds_excluded: bool,
    /// Ignores the first, the last or both bounds of a window.
    pub bounds_ignored: [bool; 2],
    /// Serves no pages beyond this many rows (`page` times `limit`).
    pub deepest: Option<u32>,
    pub deep: Deep,
    /// The upload times of calls with odd ids have a fraction of a second.
    pub fractions: bool,
    /// Refuses windows whose bounds are equal.
    pub refuses_moments: bool,
    /// Fails for a window without calls.
    pub fails_without_calls: bool,
    /// Refuses windows longer than this.
    pub widest: Option<UnixSeconds>,
    /// Fails requests with a larger limit.
    pub largest_limit: Option<(u32, ErrorKind)>,
    /// Returns the correct total but no rows.
    pub hides_rows: bool,
    /// Fails every request.
    pub failing: Option<ErrorKind>,
    pub filter: FilterQuirk,
    /// Delay of every response.
    pub latency: Duration,
}

/// Runs before each response and may change the list.
pub type Hook = Box<dyn FnMut(&mut Vec<Call>, PageRequest) + Send>;

#[derive(Default)]
pub struct List {
    /// Ascending by upload time.
    pub calls: Vec<Call>,
    pub oldest_first: bool,
    pub quirks: Quirks,
    pub before: Option<Hook>,
    pub requests: Vec<PageRequest>,
    /// The calls whose result was requested.
    pub results: Vec<String>,
    /// Every so many requests for a result fail in this way.
    pub failing_results: Option<(usize, ErrorKind)>,
    /// Fails every request for a result.
    pub refusing_results: Option<ErrorKind>,
}

/// Inserts a call in upload order.
pub fn add(calls: &mut Vec<Call>, call: Call) {
    let position = calls.partition_point(|other| other.at <= call.at);
    calls.insert(position, call);
}

/// Final calls spread evenly over the `seconds` before [`BASE`].
pub fn even(count: u32, seconds: UnixSeconds) -> Vec<Call> {
    let at = |number: u32| {
        let after = u64::from(number) * u64::from(seconds - 10) / u64::from(count);
        BASE - (seconds - 10) + after as UnixSeconds
    };
    (0..count)
        .map(|number| Call::done(number.into(), at(number)))
        .collect()
}

#[derive(Clone)]
pub struct Vendor {
    list: Arc<Mutex<List>>,
    pub began: Instant,
}

impl Vendor {
    pub fn new(list: List) -> Self {
        Self {
            list: Arc::new(Mutex::new(list)),
            began: Instant::now(),
        }
    }

    pub fn now(&self) -> UnixSeconds {
        BASE + self.began.elapsed().as_secs() as UnixSeconds
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut List) -> T) -> T {
        work(&mut self.list.lock().unwrap())
    }
}

fn error(kind: ErrorKind) -> Error {
    Error {
        kind,
        message: format!("scripted: {kind:?}"),
        likely_cause: None,
        retry_after: None,
    }
}

impl List {
    /// A list of these calls, the newest first.
    pub fn of(calls: Vec<Call>) -> Self {
        Self {
            calls,
            ..Self::default()
        }
    }

    pub fn with(self, quirks: Quirks) -> Self {
        Self { quirks, ..self }
    }

    fn answer(&mut self, request: PageRequest, now: UnixSeconds) -> Result<Page, Error> {
        if let Some(before) = &mut self.before {
            before(&mut self.calls, request);
        }
        self.requests.push(request);
        let quirks = &self.quirks;
        if let Some(kind) = quirks.failing {
            return Err(error(kind));
        }
        if request.filter == Filter::Pending {
            match quirks.filter {
                FilterQuirk::Works => {}
                FilterQuirk::Fails => return Err(error(ErrorKind::Server)),
                FilterQuirk::Empty => return Ok(Page::default()),
            }
        }
        let width = request.window.to.saturating_sub(request.window.from);
        let end = request.page.saturating_mul(request.limit);
        let is_deep = quirks.deepest.is_some_and(|most| end > most);
        let is_refused = is_deep && quirks.deep == Deep::Refused;
        let is_refused = is_refused || (quirks.refuses_moments && width == 0);
        if quirks.widest.is_some_and(|most| width > most) || is_refused {
            return Err(error(ErrorKind::BadRequest));
        }
        if let Some((most, kind)) = quirks.largest_limit
            && request.limit > most
        {
            return Err(error(kind));
        }
        let edge = UnixSeconds::from(quirks.bounds_excluded);
        let (from, to) = (request.window.from + edge, request.window.to - edge);
        let [from_ignored, to_ignored] = quirks.bounds_ignored;
        let is_before = |call: &Call| !from_ignored && call.at < from;
        let is_up_to = |call: &Call| to_ignored || call.at <= to;
        let begin = self.calls.partition_point(is_before);
        let end = self.calls.partition_point(is_up_to);
        let has_fraction = |call: &Call| quirks.fractions && call.id % 2 == 1;
        let wanted = |call: &&Call| {
            call.at <= now
                && !(has_fraction(call) && call.at == to)
                && match request.filter {
                    Filter::All => true,
                    Filter::Pending => matches!(call.status.number(), 0 | 1 | 3),
                }
        };
        let found = self.calls[begin..end.max(begin)].iter().filter(wanted);
        let mut rows: Vec<&Call> = found
            .flat_map(|call| std::iter::repeat_n(call, call.copies as usize))
            .collect();
        if quirks.fails_without_calls && rows.is_empty() {
            return Err(error(ErrorKind::Envelope));
        }
        if !self.oldest_first {
            rows.reverse();
        }
        let served = match (quirks.deepest, quirks.deep) {
            (Some(most), Deep::Repeated) => request.page.min(most / request.limit),
            _ => request.page,
        };
        let skipped = ((served - 1) as usize).saturating_mul(request.limit as usize);
        let count = rows.len() as u64;
        let total = match quirks.total {
            Total::Rows => Some(count),
            Total::Off(by) => Some(count.saturating_add_signed(by)),
            Total::Groups => Some(count - count / 3),
            Total::Late(by) => Some(rows.iter().filter(|row| row.at + by <= now).count() as u64),
            Total::Always(total) => Some(total),
            Total::UpTo(most) => Some(count.min(most)),
            Total::Missing => (skipped >= rows.len()).then_some(0),
        };
        let mut page = Page {
            total,
            ..Page::default()
        };
        if (is_deep && quirks.deep == Deep::Empty) || quirks.hides_rows {
            return Ok(page);
        }
        for row in rows.into_iter().skip(skipped).take(request.limit as usize) {
            if let Some(kind) = row.fault {
                return Err(error(kind));
            }
            row.add_to(&mut page)?;
            page.has_fractions |= has_fraction(row);
            page.groups += 1;
        }
        Ok(page)
    }
}

fn one_scenario() -> Inspection {
    let result = ScenarioResult {
        scenario: Named::new("s", "Scenario").unwrap(),
        score: Some(Measure::from_integer(80)),
        rules: Vec::new(),
    };
    Inspection::new(vec![result], 0)
}

impl Upstream for Vendor {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        // As over a network: an answer takes a moment, so that one page may come before another.
        let latency = self.with(|list| list.quirks.latency);
        tokio::time::sleep(latency.max(Duration::from_millis(1))).await;
        let now = self.now();
        self.with(|list| list.answer(request, now))
    }

    async fn inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.with(|list| {
            list.results.push(call_uuid.to_owned());
            if let Some(kind) = list.refusing_results {
                return Err(error(kind));
            }
            let number = list.results.len();
            match list.failing_results {
                Some((every, kind)) if number.is_multiple_of(every) => Err(error(kind)),
                _ => Ok(one_scenario()),
            }
        })
    }
}
