use super::*;

fn queue_of(path: &Path) -> Vec<(u32, String)> {
    let (_, stored) = FileStore::open(Backend::File(path.into()), |_, _| {}).unwrap();
    let entry = |(key, value): (Key, Box<[u8]>)| {
        let time = key.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        (time.unwrap(), String::from_utf8(value.into()).unwrap())
    };
    stored.queue.into_iter().map(entry).collect()
}

fn queued(entries: &[(u32, Option<&str>)]) -> Changes {
    let bytes = |text: &str| text.as_bytes().into();
    let entries = entries.iter();
    Changes {
        queue: entries
            .map(|(time, text)| (key(*time, 1), text.map(bytes)))
            .collect(),
        state: b"state 5".into(),
        ..Changes::default()
    }
}

#[test]
fn a_queue_is_stored_beside_the_rows() {
    let (_directory, path, content) = filled();
    assert_eq!(queue_of(&path), []);
    let (store, _) = load(Backend::File(path.clone())).unwrap();
    store
        .commit(&queued(&[(7, Some("seven")), (5, Some("")), (6, None)]))
        .unwrap();
    drop(store);
    let expected = |entries: &[(u32, &str)]| {
        let entries = entries.iter();
        entries
            .map(|(time, text)| (*time, (*text).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(queue_of(&path), expected(&[(5, ""), (7, "seven")]));
    let (store, _) = load(Backend::File(path.clone())).unwrap();
    store
        .commit(&queued(&[(5, None), (7, Some("again"))]))
        .unwrap();
    store.compact_now();
    drop(store);
    assert_eq!(queue_of(&path), expected(&[(7, "again")]));
    assert_eq!(content_of(&path), content, "rows and state are as before");
}
