//! The page size follows what the vendor takes, down and up.

use cec_exporter::upstream::ErrorKind;

use crate::bench::{Bench, SPANS, settings};
use crate::listed::{Call, List, Malformed, add, even};

#[tokio::test(start_paused = true)]
async fn a_spell_of_refusals_does_not_shrink_pages_for_good() {
    for kind in [ErrorKind::BadRequest, ErrorKind::Server] {
        let list = List {
            calls: even(20_000, 80_000),
            ..List::default()
        };
        let bench = Bench::new(settings(SPANS, 1000), list);
        bench.pulls(3).await;
        bench.assert_up();
        // A spell that ends just when the smallest size is tried, and one that outlasts it.
        bench
            .vendor
            .with(|list| list.oddity.largest_limit = Some((10, kind)));
        bench.pulls(5).await;
        bench.vendor.with(|list| list.oddity.failing = Some(kind));
        bench.pulls(20).await;
        assert_eq!(bench.view().up, Some(false));
        bench.vendor.with(|list| list.oddity = Malformed::default());
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
async fn a_limit_that_is_refused_is_halved_and_seldom_tried_again() {
    for kind in [ErrorKind::BadRequest, ErrorKind::Server] {
        let list = List {
            calls: even(5000, 80_000),
            ..List::default()
        };
        let bench = Bench::new(settings(SPANS, 1000), list);
        bench
            .vendor
            .with(|list| list.oddity.largest_limit = Some((100, kind)));
        bench.pulls(5).await;
        bench.assert_up();
        assert_eq!((bench.counted(), bench.missing()), (5000, 0), "{kind:?}");
        let mut refused = 0;
        for number in 0..240 {
            let at = bench.vendor.now();
            bench
                .vendor
                .with(|list| add(&mut list.calls, Call::done(9000 + number, at)));
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
