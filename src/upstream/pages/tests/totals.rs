//! Totals that are wrong, or count something else.

use super::*;

#[tokio::test]
async fn a_wrong_total_neither_hides_pages_nor_adds_any() {
    // Totals that count groups, lag, or count a call twice.
    for (count, total) in [(30, 10), (30, 20), (35, 12), (35, 36), (30, 45), (35, 0)] {
        let mut hints = ListHints::new(10);
        let (pass, requests) = unchanged(&mut hints, count, Some(total), 10).await;
        assert_eq!(pass.seen.len(), count as usize, "{count} {total}");
        // A full page at the end and a larger total: there may be more.
        let verdict = match count == 30 && total > 30 {
            true => Verdict::Cut,
            false => Verdict::Doubtful,
        };
        assert_eq!(pass.verdict(&hints), verdict, "{count} {total}");
        assert!(requests.len() <= 5, "{requests:?}");
        // Known once two passes agree.
        hints.learn(&pass);
        let (pass, _) = unchanged(&mut hints, count, Some(total), 10).await;
        assert_eq!(pass.verdict(&hints), Verdict::Complete, "{count} {total}");
    }
    let mut hints = ListHints::new(10);
    let (pass, requests) = unchanged(&mut hints, 35, None, 10).await;
    assert_eq!((pass.seen.len(), requests.len()), (35, 5));
    assert_eq!(pass.verdict(&hints), Verdict::Complete);
}

#[tokio::test]
async fn a_total_of_the_page_hides_no_other_page() {
    // The limit is clamped to a number that is not round, and the total says what a page has.
    for rows in [10, 64, 99, 255] {
        for page_size in [100, 1000] {
            let mut hints = ListHints::new(page_size);
            let (pass, _) = pass(&mut hints, 1, move |_, request| {
                let mut page = page_of(0..500, None, rows.min(request.limit), request.page);
                page.total = Some(page.records.len() as u64);
                Ok(page)
            })
            .await;
            assert_eq!(pass.seen.len(), 500, "{rows} of {page_size}");
        }
    }
}

#[tokio::test]
async fn pages_of_different_sizes_do_not_end_a_list_whose_total_does_not_fit() {
    // As if pages ended between groups, or rows were filtered out of them.
    const SIZES: [u32; 5] = [98, 100, 70, 95, 1];
    let starts = |page: u32| SIZES.iter().take(page as usize - 1).sum::<u32>();
    for total in [None, Some(0), Some(12)] {
        let mut hints = ListHints::new(100);
        for _ in 0..2 {
            let (pass, requests) = pass(&mut hints, 1, move |_, request| {
                let from = starts(request.page);
                let rows = SIZES.get(request.page as usize - 1).unwrap_or(&0);
                Ok(page_of(from..from + rows, total, 1000, 1))
            })
            .await;
            assert_eq!((pass.seen.len(), requests.len()), (364, 5), "{total:?}");
        }
    }
}

#[tokio::test]
async fn a_last_page_that_is_served_again_ends_the_list() {
    for (total, last) in [(None, 5), (Some(0), 5), (Some(35), 4), (Some(99), 5)] {
        let mut hints = ListHints::new(10);
        let (pass, requests) = pass(&mut hints, 1, move |_, request| {
            Ok(page_of(0..35, total, 10, request.page.min(4)))
        })
        .await;
        assert_eq!((pass.seen.len(), pass.rows), (35, 35), "{total:?}");
        assert_eq!(
            (pass.end, requests.len()),
            (End::Reached, last),
            "{total:?}"
        );
    }
}

#[tokio::test]
async fn a_total_that_is_too_large_costs_one_request_until_learned() {
    let mut hints = ListHints::new(10);
    let (pass, requests) = unchanged(&mut hints, 7, Some(8), 10).await;
    // The empty second page shows that the first is the whole list.
    assert_eq!(
        (pass.verdict(&hints), requests.len()),
        (Verdict::Complete, 2)
    );
    assert!(pass.contradicts_total(&hints));
    hints.learn(&pass);
    let (pass, requests) = unchanged(&mut hints, 7, Some(8), 10).await;
    assert_eq!(
        (pass.verdict(&hints), requests.len()),
        (Verdict::Complete, 1)
    );
    assert!(!pass.contradicts_total(&hints));
}

#[tokio::test]
async fn the_total_may_or_may_not_count_unusable_rows() {
    // 25 rows; the first two of each page have no identity, and the total counts them.
    let counted = |_, request: PageRequest| {
        let mut page = page_of(0..25, Some(25), 10, request.page);
        let bad = page.records.len().min(2);
        page.records.drain(..bad);
        page.rejected = rejected(Rejection::Identity, bad as u64);
        Ok(page)
    };
    let mut hints = ListHints::new(10);
    for last in [4, 3] {
        let (pass, requests) = pass(&mut hints, 1, counted).await;
        assert_eq!((pass.seen.len(), requests.len()), (19, last));
        assert_eq!(pass.verdict(&hints), Verdict::Complete);
    }
    // Seven rows per page, silently clamped, plus an unusable row: eight rows and a total of eight
    // calls do not mean that the list ends.
    let mut hints = ListHints::new(10);
    let (pass, _) = pass(&mut hints, 1, |_, request| {
        let mut page = page_of(0..8, Some(8), 7, request.page);
        if request.page == 1 {
            page.rejected = rejected(Rejection::Shape, 1);
        }
        Ok(page)
    })
    .await;
    assert_eq!(pass.seen.len(), 8);
}
