//! A stored state whose calls and counters do not match is refused.

use super::*;

/// Asserts that a stored state that was tampered with is refused.
fn assert_refused(how: &str, tamper: impl FnOnce(&mut Vec<(Key, Value)>, &mut Option<String>)) {
    let (_directory, path, _) = committed_state();
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(ROWS).unwrap();
            let mut rows: Vec<(Key, Value)> = table
                .iter()
                .unwrap()
                .map(|row| {
                    row.map(|(key, value)| (key.value(), value.value()))
                        .unwrap()
                })
                .collect();
            let mut meta = transaction.open_table(META).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let mut state = meta
                .remove("state")
                .unwrap()
                .map(|state| text(state.value()));
            let before = (rows.clone(), state.clone());
            tamper(&mut rows, &mut state);
            assert!(
                before != (rows.clone(), state.clone()),
                "{how}: nothing changed"
            );
            table.retain(|_, _| false).unwrap();
            for (key, value) in rows {
                table.insert(key, value).unwrap();
            }
            if let Some(state) = state {
                meta.insert("state", state.as_bytes()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    let Err(error) = open(&path) else {
        panic!("{how}: accepted");
    };
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{how}: {text}");
    assert!(text.contains("do not match"), "{how}: {text}");
    assert!(text.contains("move it away"), "{how}: {text}");
    assert!(!text.contains('\n'), "{how}: {text}");
}

#[test]
fn calls_that_do_not_match_the_counters_are_refused() {
    assert_refused("a row is missing", |rows, _| rows.truncate(rows.len() - 1));
    assert_refused("all rows are missing", |rows, _| rows.clear());
    assert_refused("a row is duplicated", |rows, _| {
        let (mut key, value) = rows[7];
        key[3] ^= 1;
        rows.push((key, value));
    });
    assert_refused("an additional row", |rows, _| {
        let (mut key, value) = rows[7];
        key[9] ^= 1;
        rows.push((key, value));
    });
    let with = |index: usize, value: u8| {
        move |rows: &mut Vec<(Key, Value)>, _: &mut Option<String>| rows[60].1[index] = value
    };
    assert_refused("another type", with(0, 9));
    assert_refused("another status", with(2, 3));
    assert_refused("another manual state", with(4, 7));
    assert_refused("an unknown flag", with(7, 0x83));
    assert_refused("missing", |rows, _| rows[60].1[7] ^= 4);
    assert_refused("final, but not counted", |rows, _| {
        let row = rows.iter_mut().find(|(_, value)| value[2] == 2).unwrap();
        row.1[7] &= !1;
    });
}

#[test]
fn counters_that_do_not_match_the_calls_are_refused() {
    assert_refused("no state", |_, state| *state = None);
    assert_refused("half a state", |_, state| {
        let state = state.as_mut().unwrap();
        state.truncate(state.len() / 2);
    });
    assert_refused("an empty state", |_, state| *state = Some("{}".into()));
    let replaced = |from: &'static str, to: &'static str| {
        move |_: &mut Vec<(Key, Value)>, state: &mut Option<String>| {
            let text = state.as_mut().unwrap();
            *text = text.replacen(from, to, 1);
        }
    };
    assert_refused(
        "another number of calls",
        replaced("\"calls\":250", "\"calls\":251"),
    );
    assert_refused("another gauge", |_, state| {
        let text = state.as_mut().unwrap();
        let at = text.find("\"window\":[").unwrap();
        let digit = at + text[at..].find("],1").map(|n| n + 2).unwrap();
        text.replace_range(digit..=digit, "9");
    });
    for metric in ["duration", "outcomes", "silence", "speed", "ratio"] {
        let first_bound = |text: &str| {
            let at = text.find(&format!("\"{metric}\":[")).unwrap();
            at + text[at..].find("\"bounds\":[").unwrap() + 10
        };
        assert_refused("an additional bound", |_, state| {
            let text = state.as_mut().unwrap();
            text.insert_str(first_bound(text), "0.00001,");
        });
        assert_refused("another bound", |_, state| {
            let text = state.as_mut().unwrap();
            text.insert(first_bound(text), '9');
        });
    }
}
