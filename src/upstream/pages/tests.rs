use std::sync::Mutex;

use super::*;
use crate::model::{CallId, Inspection, Record, Rejection};
use crate::upstream::{ErrorKind, Rejected};

mod totals;

fn record(id: u32) -> Record {
    Record::succeeded(CallId(id.into()), 1000 + id)
}

/// A vendor whose responses are a function of the number of earlier requests and the request.
struct Vendor {
    respond: Box<dyn Fn(usize, PageRequest) -> Result<Page, Error> + Send + Sync>,
    /// Page and limit of each request.
    requests: Mutex<Vec<(u32, u32)>>,
}

impl Upstream for Vendor {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let count = {
            let mut requests = self.requests.lock().unwrap();
            requests.push((request.page, request.limit));
            requests.len() - 1
        };
        tokio::task::yield_now().await;
        (self.respond)(count, request)
    }

    async fn inspection(&self, _: &str) -> Result<Inspection, Error> {
        Ok(Inspection::default())
    }
}

/// A page of the calls `ids`, with `limit` rows per page.
fn page_of(ids: impl IntoIterator<Item = u32>, total: Option<u64>, limit: u32, page: u32) -> Page {
    let from = ((page - 1) * limit) as usize;
    let rows = ids.into_iter().skip(from).take(limit as usize);
    let records: Vec<_> = rows.map(record).collect();
    Page {
        total,
        groups: records.len() as u32,
        records,
        ..Page::default()
    }
}

fn rejected(reason: Rejection, count: u64) -> Vec<Rejected> {
    let rejected = |fingerprint| Rejected {
        reason,
        fingerprint,
    };
    (0..count).map(rejected).collect()
}

fn refused() -> Error {
    Error {
        kind: ErrorKind::BadRequest,
        message: "no".into(),
        likely_cause: None,
        retry_after: None,
    }
}

const WINDOW: Window = Window { from: 0, to: 9999 };

fn vendor(
    respond: impl Fn(usize, PageRequest) -> Result<Page, Error> + Send + Sync + 'static,
) -> Vendor {
    Vendor {
        respond: Box::new(respond),
        requests: Mutex::default(),
    }
}

/// Reads a list once; returns the pass and the requests.
async fn pass(
    hints: &mut ListHints,
    parallel: usize,
    respond: impl Fn(usize, PageRequest) -> Result<Page, Error> + Send + Sync + 'static,
) -> (Pass, Vec<(u32, u32)>) {
    let vendor = vendor(respond);
    let mut pages = Pages::new(&vendor, WINDOW, Filter::All, parallel, hints);
    while pages.next().await.unwrap().is_some() {}
    let pass = pages.into_pass();
    (pass, vendor.requests.into_inner().unwrap())
}

/// Reads a list that does not change, with `rows` per page; returns the pages requested.
async fn unchanged(
    hints: &mut ListHints,
    count: u32,
    total: Option<u64>,
    rows: u32,
) -> (Pass, Vec<u32>) {
    let (pass, requests) = pass(hints, 1, move |_, request| {
        let rows = rows.min(request.limit);
        Ok(page_of(0..count, total, rows, request.page))
    })
    .await;
    (pass, pages(&requests))
}

fn pages(requests: &[(u32, u32)]) -> Vec<u32> {
    requests.iter().map(|(page, _)| *page).collect()
}

#[tokio::test]
async fn few_rows_are_requested_first_and_whole_pages_if_they_are_not_enough() {
    let vendor =
        vendor(move |_, request| Ok(page_of(0..95, Some(95), request.limit, request.page)));
    let mut hints = ListHints::new(40);
    let mut pages = Pages::new(&vendor, WINDOW, Filter::All, 1, &mut hints).few(10);
    assert_eq!(pages.next().await.unwrap().unwrap().records.len(), 10);
    let mut pages = pages.whole();
    while pages.next().await.unwrap().is_some() {}
    let pass = pages.into_pass();
    assert_eq!((pass.rows, pass.verdict(&hints)), (95, Verdict::Complete));
    let requests = vendor.requests.lock().unwrap();
    assert_eq!(*requests, [(1, 10), (1, 40), (2, 40), (3, 40)]);
    assert_eq!(hints.size.get(), 40);
}

#[tokio::test]
async fn a_refusal_of_few_rows_says_nothing_about_the_limit() {
    let vendor = vendor(|_, _| Err(refused()));
    let mut hints = ListHints::new(40);
    let mut pages = Pages::new(&vendor, WINDOW, Filter::All, 1, &mut hints).few(10);
    assert!(pages.next().await.is_err());
    drop(pages);
    assert_eq!(*vendor.requests.lock().unwrap(), [(1, 10)]);
    assert_eq!((hints.size.get(), hints.size.next()), (40, 40));
}

#[tokio::test]
async fn a_partial_page_is_the_last_and_a_full_page_never_is() {
    for (count, last) in [(0, 1), (1, 1), (9, 1), (10, 2), (11, 2), (20, 3), (95, 10)] {
        let mut hints = ListHints::new(10);
        let (pass, requests) = unchanged(&mut hints, count, Some(count.into()), 10).await;
        assert_eq!(pass.seen.len(), count as usize);
        assert_eq!(requests, (1..=last).collect::<Vec<_>>(), "{count} calls");
        assert_eq!(pass.verdict(&hints), Verdict::Complete, "{count} calls");
    }
}

#[tokio::test]
async fn pages_are_requested_ahead_up_to_the_total() {
    let mut hints = ListHints::new(10);
    let (pass, requests) = pass(&mut hints, 4, move |_, request| {
        Ok(page_of(0..95, Some(95), request.limit, request.page))
    })
    .await;
    assert_eq!(
        (pass.seen.len(), pages(&requests)),
        (95, (1..=10).collect())
    );
}

#[tokio::test]
async fn a_silently_clamped_limit_is_learned() {
    for rows in [3, 7, 20] {
        let mut hints = ListHints::new(50);
        let (pass, _) = unchanged(&mut hints, 100, Some(100), rows).await;
        assert_eq!(pass.seen.len(), 100, "{rows} rows a page");
        assert_eq!(hints.size.rows(), u64::from(rows));
        // Then a wrong total cannot hide a page.
        let (pass, _) = unchanged(&mut hints, 100, Some(rows.into()), rows).await;
        assert_eq!(pass.seen.len(), 100, "{rows} rows a page");
        // Without the clamp, pages get as large as requested again.
        let (pass, requests) = unchanged(&mut hints, 100, Some(100), 50).await;
        assert_eq!((pass.seen.len(), requests.len()), (100, 3), "{rows}");
    }
    // A clamp that is not known yet.
    let mut hints = ListHints::new(1000);
    let (pass, requests) = unchanged(&mut hints, 300, Some(100), 100).await;
    assert_eq!((pass.seen.len(), requests.len()), (300, 4));
}

#[tokio::test]
async fn pages_are_full_by_groups_if_the_limit_counts_groups() {
    // Three calls per group, four groups per page, a total of groups.
    let mut hints = ListHints::new(4);
    let (pass, requests) = pass(&mut hints, 1, |_, request| {
        let mut page = page_of(0..30, Some(10), 12, request.page);
        page.groups = page.groups.div_ceil(3);
        Ok(page)
    })
    .await;
    assert_eq!((pass.seen.len(), requests.len()), (30, 4));
    assert_eq!(pass.verdict(&hints), Verdict::Complete);
}

#[tokio::test]
async fn a_list_that_changes_between_two_pages_is_doubtful() {
    // Row 5 leaves after the first page, so that row 10 moves to that page.
    let mut hints = ListHints::new(10);
    let (left, _) = pass(&mut hints, 1, |count, request| {
        let ids: Vec<u32> = (0..25).filter(|id| count == 0 || *id != 5).collect();
        let total = Some(ids.len() as u64);
        Ok(page_of(ids, total, 10, request.page))
    })
    .await;
    assert_eq!(
        (left.seen.len(), left.verdict(&hints)),
        (24, Verdict::Doubtful)
    );
    // A row joins in front, so that row 9 is on two pages; without a total.
    let (joined, _) = pass(&mut hints, 1, |count, request| {
        let mut ids: Vec<u32> = (0..25).collect();
        if count > 0 {
            ids.insert(0, 100);
        }
        Ok(page_of(ids, None, 10, request.page))
    })
    .await;
    assert_eq!(joined.verdict(&hints), Verdict::Doubtful);
    assert!(!left.agrees_with(&joined));
}

#[tokio::test]
async fn a_row_that_is_always_listed_twice_is_known_after_two_passes() {
    // On the pages 1 and 2, as if the list had changed in between.
    let respond = |_, request: PageRequest| {
        let mut ids: Vec<u32> = (0..25).collect();
        ids.insert(15, 3);
        Ok(page_of(ids, Some(26), 10, request.page))
    };
    let mut hints = ListHints::new(10);
    let (first, _) = pass(&mut hints, 1, respond).await;
    assert_eq!(first.verdict(&hints), Verdict::Doubtful);
    let (second, _) = pass(&mut hints, 1, respond).await;
    assert!(second.agrees_with(&first));
    hints.learn(&second);
    let (third, _) = pass(&mut hints, 1, respond).await;
    assert_eq!(third.verdict(&hints), Verdict::Complete);
}

#[tokio::test]
async fn a_limit_on_the_paging_depth_is_not_the_end_of_the_list() {
    // Beyond row 1000 every page is empty. The total may be capped or missing.
    for total in [Some(3000), Some(1000), None] {
        let mut hints = ListHints::new(50);
        let (pass, _) = pass(&mut hints, 1, move |_, request| {
            Ok(page_of(0..1000, total, 50, request.page))
        })
        .await;
        assert_eq!((pass.end, pass.verdict(&hints)), (End::Deep, Verdict::Cut));
    }
}

#[tokio::test]
async fn a_vendor_that_ignores_the_page_number_is_detected() {
    let mut hints = ListHints::new(10);
    let (pass, requests) = pass(&mut hints, 3, |_, _| {
        Ok(page_of(0..10, Some(1_000_000), 10, 1))
    })
    .await;
    assert_eq!(
        (pass.end, pass.verdict(&hints)),
        (End::Circular, Verdict::Cut)
    );
    assert!(requests.len() < 10, "{}", requests.len());
}

#[tokio::test]
async fn a_pass_that_the_caller_stops_is_cut() {
    let vendor = vendor(|_, request| {
        let total = Some(100);
        Ok(page_of(0..100, total, request.limit, request.page))
    });
    let mut hints = ListHints::new(10);
    let mut pages = Pages::new(&vendor, WINDOW, Filter::All, 1, &mut hints);
    while let Some(page) = pages.next().await.unwrap() {
        assert_eq!(page.total, Some(100));
        if page.records.iter().any(|record| record.id == CallId(15)) {
            break;
        }
    }
    let pass = pages.into_pass();
    assert_eq!((pass.seen.len(), pass.verdict(&hints)), (20, Verdict::Cut));
    assert_eq!(vendor.requests.into_inner().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_limit_is_halved_and_the_size_that_worked_is_kept() {
    let mut hints = ListHints::new(100);
    let (pass, requests) = pass(&mut hints, 4, |_, request| match request.limit {
        0..=30 => Ok(page_of(0..99, Some(99), request.limit, request.page)),
        _ => Err(refused()),
    })
    .await;
    assert_eq!((pass.seen.len(), hints.size.get()), (99, 25));
    assert_eq!(
        requests,
        [(1, 100), (1, 50), (1, 25), (2, 25), (3, 25), (4, 25)]
    );
}

#[tokio::test]
async fn a_request_refused_at_every_size_is_an_error_and_keeps_the_size() {
    let vendor = vendor(|_, _| Err(refused()));
    let mut hints = ListHints::new(100);
    let mut pages = Pages::new(&vendor, WINDOW, Filter::All, 4, &mut hints);
    let error = pages.next().await.unwrap_err();
    drop(pages);
    assert_eq!((error.kind, hints.size.get()), (ErrorKind::BadRequest, 100));
    let requests = vendor.requests.into_inner().unwrap();
    let limits: Vec<u32> = requests.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(limits, [100, 50, 25, 12, 10]);
}
