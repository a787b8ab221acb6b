//! A page of calls, as the vendor or anything between here and there may send it.

#![no_main]

use cec_exporter::upstream::response::parse_page;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(page) = parse_page(body) {
        // A record needs some bytes: no body makes more records than it has bytes.
        assert!(page.records.len() <= body.len());
        let again = parse_page(body).expect("the same bytes are the same page");
        assert_eq!(page.records.len(), again.records.len());
        assert_eq!(page.total, again.total);
    }
});
