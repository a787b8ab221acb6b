use std::sync::Mutex;

use super::*;
use crate::model::{CallId, CallType, Manual, Measures, Record, Rejection, Status};
use crate::upstream::Rejected;

fn record(id: u32) -> Record {
    Record {
        id: CallId(id.into()),
        uploaded: 1000 + id,
        call_type: CallType::VOICE,
        status: Status::SUCCEEDED,
        manual: Manual::default(),
        measures: Measures::default(),
    }
}

/// A vendor whose list is given by a function of the number of requests so far.
struct Vendor<F> {
    answer: F,
    asked: Mutex<Vec<(u32, u32)>>,
}

impl<F> Upstream for Vendor<F>
where
    F: Fn(usize, PageRequest) -> Result<Page, Error> + Send + Sync + 'static,
{
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((request.page, request.limit));
            asked.len() - 1
        };
        tokio::task::yield_now().await;
        (self.answer)(count, request)
    }
}

/// Calls `ids` cut into pages of `limit` rows.
fn cut(ids: &[u32], total: Option<u64>, limit: u32, page: u32) -> Page {
    let from = ((page - 1) * limit) as usize;
    let rows = ids.iter().skip(from).take(limit as usize);
    let records: Vec<_> = rows.map(|id| record(*id)).collect();
    Page {
        total,
        groups: records.len() as u32,
        records,
        rejected: Vec::new(),
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

async fn read<F>(limit: u32, answer: F) -> (Result<usize, ErrorKind>, Vec<(u32, u32)>, usize)
where
    F: Fn(usize, PageRequest) -> Result<Page, Error> + Send + Sync + 'static,
{
    let vendor = Vendor {
        answer,
        asked: Mutex::default(),
    };
    let size = PageSize::new(limit);
    let mut taken = 0;
    let listing = read_window(&vendor, WINDOW, Filter::All, &size, 3, |page, _| {
        taken += page.records.len();
        Need::More
    })
    .await;
    let seen = listing
        .map(|listing| listing.seen.len())
        .map_err(|error| error.kind);
    (seen, vendor.asked.into_inner().unwrap(), taken)
}

fn pages(asked: &[(u32, u32)]) -> Vec<u32> {
    asked.iter().map(|(page, _)| *page).collect()
}

#[tokio::test]
async fn no_page_is_asked_for_beyond_the_total() {
    for (count, limit, expected) in [
        (0, 10, 1),
        (1, 10, 1),
        (10, 10, 1),
        (11, 10, 2),
        (20, 10, 2),
        (95, 10, 10),
    ] {
        let ids: Vec<u32> = (0..count).collect();
        let (seen, asked, taken) = read(limit, move |_, request| {
            Ok(cut(&ids, Some(count.into()), request.limit, request.page))
        })
        .await;
        assert_eq!((seen, taken), (Ok(count as usize), count as usize));
        assert_eq!(
            pages(&asked),
            (1..=expected).collect::<Vec<_>>(),
            "{count} calls"
        );
    }
}

#[tokio::test]
async fn a_clamped_limit_and_groups_of_calls_are_read_to_the_end() {
    for rows in [3, 17, 250] {
        let ids: Vec<u32> = (0..100).collect();
        let (seen, ..) = read(50, move |_, request| {
            Ok(cut(&ids, Some(100), rows, request.page))
        })
        .await;
        assert_eq!(seen, Ok(100), "{rows} rows a page");
    }
}

#[tokio::test]
async fn without_a_total_an_empty_page_is_the_end() {
    let ids: Vec<u32> = (0..25).collect();
    let (seen, asked, _) = read(10, move |_, request| {
        Ok(cut(&ids, None, request.limit, request.page))
    })
    .await;
    assert_eq!(seen, Ok(25));
    assert_eq!(pages(&asked), [1, 2, 3, 4]);
}

#[tokio::test]
async fn unusable_rows_count_towards_the_end_but_do_not_bring_it_early() {
    // 25 rows, of which the first two of each page have no identity.
    let (seen, asked, _) = read(10, |_, request| {
        let ids: Vec<u32> = (0..25).collect();
        let mut page = cut(&ids, Some(25), 10, request.page);
        let bad = page.records.len().min(2);
        page.records.drain(..bad);
        page.rejected = rejected(Rejection::Identity, bad as u64);
        Ok(page)
    })
    .await;
    assert_eq!(seen, Ok(19));
    assert_eq!(*pages(&asked).iter().max().unwrap(), 4);
    assert!(asked.len() <= 5, "no second pass: {asked:?}");
}

#[tokio::test]
async fn a_row_that_slipped_between_pages_is_found_by_a_second_pass() {
    // Row 5 leaves after the first page was read, so that row 10 moves onto that page.
    let (seen, asked, _) = read(10, |count, request| {
        let ids: Vec<u32> = (0..20).filter(|id| count == 0 || *id != 5).collect();
        Ok(cut(&ids, Some(ids.len() as u64), 10, request.page))
    })
    .await;
    assert_eq!(seen, Ok(19));
    assert_eq!(pages(&asked), [1, 2, 3, 1, 2]);
}

#[tokio::test]
async fn a_moving_list_with_unusable_rows_is_no_proof_of_what_it_did_not_show() {
    // Row 100 is there while the second page is read, and no longer: row 9 comes twice, row
    // 19 not at all. Unusable rows on top of the total hide that.
    for (moves, proof) in [(false, true), (true, false)] {
        let vendor = Vendor {
            answer: move |_, request: PageRequest| {
                let mut ids: Vec<u32> = (0..25).collect();
                if moves && request.page == 2 {
                    ids.insert(0, 100);
                }
                let mut page = cut(&ids, Some(25), 10, request.page);
                if request.page == 1 {
                    page.rejected = rejected(Rejection::Shape, 3);
                }
                if !moves && request.page == 3 {
                    page.records.pop();
                }
                Ok(page)
            },
            asked: Mutex::default(),
        };
        let size = PageSize::new(10);
        let listing = read_window(&vendor, WINDOW, Filter::All, &size, 1, |_, _| Need::More);
        let listing = listing.await.unwrap();
        assert_eq!((listing.seen.len(), listing.whole), (24, proof), "{moves}");
    }
}

#[tokio::test]
async fn a_total_that_is_never_reached_is_reported_after_two_passes() {
    let (seen, asked, taken) = read(10, |_, request| {
        let ids: Vec<u32> = (0..15).collect();
        Ok(cut(&ids, Some(16), 10, request.page))
    })
    .await;
    assert_eq!((seen, taken), (Err(ErrorKind::Paging), 30));
    assert_eq!(pages(&asked), [1, 2, 3, 1, 2, 3]);
}

#[tokio::test]
async fn a_vendor_that_ignores_the_page_number_is_left() {
    let (seen, asked, _) = read(10, |_, _| {
        let ids: Vec<u32> = (0..10).collect();
        Ok(cut(&ids, Some(1_000_000), 10, 1))
    })
    .await;
    assert_eq!(seen, Err(ErrorKind::Paging));
    assert!(asked.len() < 20, "{}", asked.len());
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_proof_of_the_rest() {
    let vendor = Vendor {
        answer: |_, request: PageRequest| {
            let ids: Vec<u32> = (0..100).collect();
            Ok(cut(&ids, Some(100), request.limit, request.page))
        },
        asked: Mutex::default(),
    };
    let size = PageSize::new(10);
    let listing = read_window(&vendor, WINDOW, Filter::All, &size, 1, |page, total| {
        assert_eq!(total, Some(100));
        match page.records.iter().any(|record| record.id == CallId(15)) {
            true => Need::Enough,
            false => Need::More,
        }
    });
    let listing = listing.await.unwrap();
    assert_eq!((listing.seen.len(), listing.whole), (20, false));
    assert_eq!(vendor.asked.into_inner().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_limit_is_halved_and_the_size_that_worked_is_kept() {
    let vendor = Vendor {
        answer: |_, request: PageRequest| {
            let ids: Vec<u32> = (0..100).collect();
            match request.limit {
                0..=30 => Ok(cut(&ids, Some(100), request.limit, request.page)),
                _ => Err(refused()),
            }
        },
        asked: Mutex::default(),
    };
    let size = PageSize::new(100);
    let seen = read_window(&vendor, WINDOW, Filter::All, &size, 4, |_, _| Need::More)
        .await
        .unwrap();
    assert_eq!((seen.seen.len(), size.get()), (100, 25));
    let asked = vendor.asked.into_inner().unwrap();
    assert_eq!(
        asked,
        [(1, 100), (1, 50), (1, 25), (2, 25), (3, 25), (4, 25)]
    );
}

#[tokio::test]
async fn a_request_refused_at_every_size_is_an_error_and_keeps_the_size() {
    let vendor = Vendor {
        answer: |_, _| Err(refused()),
        asked: Mutex::default(),
    };
    let size = PageSize::new(100);
    let error = read_window(&vendor, WINDOW, Filter::All, &size, 4, |_, _| Need::More)
        .await
        .unwrap_err();
    assert_eq!((error.kind, size.get()), (ErrorKind::BadRequest, 100));
    let limits: Vec<u32> = vendor
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, rows)| *rows)
        .collect();
    assert_eq!(limits, [100, 50, 25, 12, 10]);
}
