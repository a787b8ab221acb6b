//! A page of calls, as the vendor or anything between here and there may send it.

#![no_main]

use cec_exporter::upstream::response::PageRules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(page) = PageRules::ANY.parse(body) {
        // A record needs some bytes: no body makes more records than it has bytes.
        assert!(page.records.len() <= body.len());
        let again = PageRules::ANY.parse(body).expect("the same bytes are the same page");
        assert_eq!(page.records.len(), again.records.len());
        assert_eq!(page.total, again.total);
    }
});
