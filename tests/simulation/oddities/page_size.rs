//! The page size adapts to the limits that the vendor accepts.

use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{List, Quirks, even};

#[tokio::test(start_paused = true)]
async fn temporary_refusals_do_not_reduce_the_page_size_permanently() {
    for kind in [ErrorKind::BadRequest, ErrorKind::Server] {
        let bench = Bench::new(settings(SPANS, 1000), List::of(even(20_000, 80_000)));
        bench.pulls(3).await;
        bench.assert_up();
        // First refusals that end at the smallest size, then failures at every size.
        bench
            .vendor
            .with(|list| list.quirks.largest_limit = Some((10, kind)));
        bench.pulls(5).await;
        bench.vendor.with(|list| list.quirks.failing = Some(kind));
        bench.pulls(20).await;
        assert_eq!(bench.view().up, Some(false));
        bench.vendor.with(|list| list.quirks = Quirks::default());
        let mut requests = bench.pulls(240).await;
        bench.assert_up();
        let last = requests.split_off(requests.len() - 20);
        assert!(
            last.iter().all(|request| request.limit == 1000),
            "{kind:?}: {last:?}"
        );
        assert!(
            requests.len() < 2 * 240 + 20,
            "{kind:?}: {}",
            requests.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_limit_is_halved_and_rarely_tried_again() {
    for kind in [ErrorKind::BadRequest, ErrorKind::Server] {
        let bench = Bench::new(settings(SPANS, 1000), List::of(even(5000, 80_000)));
        bench
            .vendor
            .with(|list| list.quirks.largest_limit = Some((100, kind)));
        bench.pulls(5).await;
        bench.assert_up();
        assert_eq!((bench.counted(), bench.missing()), (5000, 0), "{kind:?}");
        let mut refused = 0;
        for number in 0..240 {
            bench.add_new(9000 + number);
            let requests = bench.pull_after(15).await;
            bench.assert_up();
            assert_eq!(bench.counted(), 5001 + number as u64, "{kind:?}");
            refused += requests
                .iter()
                .filter(|request| request.limit > 100)
                .count();
        }
        assert!(refused <= 24, "{kind:?}: {refused} refused in an hour");
    }
}
