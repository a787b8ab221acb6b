use super::*;

const BOUNDS: &[f64] = &[0.3, 1.0, 60.0];

impl Histogram {
    /// In units, as it is shown.
    fn sum(&self) -> f64 {
        Measure::sum_units(self.sum_billionths)
    }
}

fn of(values: &[f64]) -> Histogram {
    let mut histogram = Histogram::new(BOUNDS);
    for value in values {
        histogram.observe(Measure::from_units(*value).unwrap(), None);
    }
    histogram
}

#[test]
fn upper_bounds_are_inclusive_and_sums_exact() {
    let histogram = of(&[0.0, 0.3, 0.300000001, 1.0, 60.0, 60.0000004, 60.1, 1e9]);
    let buckets: Vec<_> = histogram.buckets().collect();
    assert_eq!(buckets, [(0.3, 2), (1.0, 4), (60.0, 5), (f64::INFINITY, 8)]);
    assert_eq!(
        (histogram.count(), histogram.sum()),
        (8, 1_000_000_181.700_000_4)
    );
    assert_eq!(histogram.native.total(), Some(8));
    let mut tenths = Histogram::new(&[1.0]);
    (0..10).for_each(|_| tenths.observe(Measure::from_units(0.1).unwrap(), None));
    assert_eq!(tenths.sum(), 1.0);
}

#[test]
fn a_value_is_on_the_right_side_of_each_bound_by_a_billionth() {
    for metric in crate::metrics::catalog::ALL {
        for (index, bound) in metric.bounds.iter().enumerate() {
            let exact = Measure::from_units(*bound).unwrap().0;
            for (value, bucket) in [(exact - 1, index), (exact, index), (exact + 1, index + 1)] {
                let mut histogram = Histogram::new(metric.bounds);
                histogram.observe(Measure(value), None);
                let expected = |other| u64::from(other == bucket);
                let expected: Vec<u64> = (0..=metric.bounds.len()).map(expected).collect();
                assert_eq!(
                    histogram.counts, expected,
                    "{} {bound} {value}",
                    metric.name
                );
            }
        }
    }
}

#[test]
fn a_sum_of_many_values_is_exact_to_the_last_digit() {
    for (value, times, sum) in [
        (164.220001, 20_000, 3_284_400.02),
        (60.0000004, 20_000, 1_200_000.008),
        (0.123456789, 20_000, 2_469.135_78),
        (3_999_999.999999999, 1000, 3_999_999_999.999999),
    ] {
        assert_eq!(of(&vec![value; times]).sum(), sum, "{value}");
    }
}

#[test]
fn the_last_observation_with_a_source_is_the_exemplar_of_its_bucket() {
    let mut histogram = of(&[0.1]);
    assert_eq!(histogram.exemplars, []);
    for (call, units) in [(1, 0.5), (2, 100.0), (3, 0.7)] {
        let source = ExemplarSource {
            call: CallId(call),
            at: 1000 + call as u32,
        };
        histogram.observe(Measure::from_units(units).unwrap(), Some(source));
    }
    let exemplar = |call: u128, units| {
        Some(Exemplar {
            call: CallId(call),
            value: Measure::from_units(units).unwrap(),
            at: 1000 + call as u32,
        })
    };
    let (last, beyond) = (exemplar(3, 0.7), exemplar(2, 100.0));
    assert_eq!(histogram.exemplars, [None, last, None, beyond]);
    histogram.observe(Measure::from_integer(1), None);
    assert_eq!(histogram.exemplars, [None, last, None, beyond]);
}

#[test]
fn a_stored_sum_in_millionths_is_converted_to_billionths_once() {
    let text = |sum: &str| {
        format!(
            r#"{{"bounds":[0.3,1.0,60.0],"counts":[2,0,3,4],"native":{{"zero":9,"first":0,"counts":[]}},{sum}}}"#
        )
    };
    let old = restored(&text(r#""sum":77000001"#));
    assert_eq!(old.sum(), 77.000001);
    let reread = restored(&serde_json::to_string(&old).unwrap());
    assert_eq!((&reread, reread.sum()), (&old, 77.000001));
    // More than 64 bits.
    let most = restored(&text(&format!(r#""sum_billionths":{}"#, u128::MAX)));
    assert_eq!(
        restored(&serde_json::to_string(&most).unwrap()).sum_billionths,
        u128::MAX
    );
    for wrong in [
        String::from(r#""missing":0"#),
        format!(r#""sum":{}"#, u128::MAX),
        format!(r#""sum_billionths":{}0"#, u128::MAX),
    ] {
        let read = serde_json::from_str::<Histogram>(&text(&wrong));
        assert!(read.is_err(), "{wrong}");
    }
}

/// The histogram that a stored text is restored to.
fn restored(text: &str) -> Histogram {
    let mut histogram: Histogram = serde_json::from_str(text).unwrap();
    assert!(histogram.resume(BOUNDS), "{text}");
    histogram
}

#[test]
fn native_buckets_are_stored_and_exemplars_are_not() {
    let mut histogram = of(&[0.0, 0.2, 59.0, 1e9]);
    let text = serde_json::to_string(&histogram).unwrap();
    assert_eq!(restored(&text), histogram);
    let source = ExemplarSource {
        call: CallId(7),
        at: 9,
    };
    histogram.observe(Measure::from_integer(1), Some(source));
    let reread = restored(&serde_json::to_string(&histogram).unwrap());
    assert_eq!(reread.native, histogram.native);
    assert_eq!(reread.exemplars, []);
    let empty = serde_json::to_string(&of(&[])).unwrap();
    assert_eq!(
        empty,
        r#"{"bounds":[0.3,1.0,60.0],"counts":[0,0,0,0],"sum_billionths":0}"#
    );
}

#[test]
fn missing_or_invalid_native_buckets_are_rebuilt_from_the_classic_bounds() {
    let old = r#"{"bounds":[0.3,1.0,60.0],"counts":[2,0,3,4],"sum":77000000"#;
    let mut expected = NativeBuckets::default();
    expected.add(Measure::from_units(0.3).unwrap(), 2);
    expected.add(Measure::from_integer(60), 7);
    for native in [
        "}",
        // Another count, as after an older build that left them unchanged.
        r#","native":{"zero":0,"first":8,"counts":[8]}}"#,
        // Not valid.
        r#","native":{"zero":0,"first":300,"counts":[9]}}"#,
        r#","native":{"zero":10,"first":0,"counts":[18446744073709551615]}}"#,
    ] {
        let histogram = restored(&format!("{old}{native}"));
        assert_eq!(histogram.native, expected, "{native}");
        assert_eq!((histogram.count(), histogram.sum()), (9, 77.0));
    }
    let right = r#","native":{"zero":0,"first":8,"counts":[9]}}"#;
    let mut elsewhere = NativeBuckets::default();
    elsewhere.add(Measure::from_integer(2), 9);
    assert_eq!(restored(&format!("{old}{right}")).native, elsewhere);
}

#[test]
fn changed_bounds_never_count_too_much_below_a_bound() {
    const OLD: &[f64] = &[1.0, 100.0, 300.0, 1000.0];
    const NEW: &[f64] = &[100.0, 180.0, 300.0, 2000.0];
    let values = [
        0.5, 60.0, 100.0, 150.0, 160.0, 175.0, 180.0, 299.0, 400.0, 1500.0, 3000.0,
    ];
    let mut old = Histogram::new(OLD);
    let mut new = Histogram::new(NEW);
    for value in values {
        old.observe(Measure::from_units(value).unwrap(), None);
        new.observe(Measure::from_units(value).unwrap(), None);
    }
    let (sum, native) = (old.sum_billionths, old.native.clone());
    assert!(old.resume(NEW));
    let counts: Vec<u64> = old.buckets().map(|(_, count)| count).collect();
    let exact: Vec<u64> = new.buckets().map(|(_, count)| count).collect();
    // 175 and 180 are in a native bucket that ends at 181; the one of 1500 ends at 1,579.
    assert_eq!(exact, [3, 7, 8, 10, 11]);
    assert_eq!(counts, [3, 5, 8, 10, 11]);
    assert_eq!(
        (old.count(), old.sum_billionths, old.native),
        (11, sum, native)
    );
}

#[test]
fn merged_histograms_add_up() {
    let mut sum = of(&[0.2, 70.0]);
    sum.merge(&of(&[0.0, 0.7, 59.0, 1e9]));
    assert_eq!(sum, of(&[0.2, 70.0, 0.0, 0.7, 59.0, 1e9]));
    sum.merge(&of(&[]));
    assert_eq!(sum.count(), 6);
}

#[test]
fn an_invalid_histogram_is_refused() {
    for text in [
        r#"{"bounds":[0.3,1.0,60.0],"counts":[0,0,0],"sum":0}"#,
        r#"{"bounds":[0.3,0.3,60.0],"counts":[0,0,0,0],"sum":0}"#,
        r#"{"bounds":[9.3,1.0,60.0],"counts":[0,0,0,0],"sum":0}"#,
        r#"{"bounds":[-1.0],"counts":[0,0],"sum":0}"#,
        r#"{"bounds":[1.0],"counts":[18446744073709551615,1],"sum":0}"#,
    ] {
        let mut histogram: Histogram = serde_json::from_str(text).unwrap();
        assert!(!histogram.resume(BOUNDS), "{text}");
    }
}
