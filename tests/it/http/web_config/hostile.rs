//! Clients that do not get on with it, beside one that does.

use super::support::{Files, TLS, authorization, connect, get};
use crate::support::server::{NEVER, SOON};

/// The first bytes of a hello that is 512 bytes long.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test]
async fn handshakes_that_never_end_are_cut_while_others_are_served() {
    let files = Files::new(TLS);
    let server = files
        .start_with(|limits| {
            limits.handshake = SOON;
            limits.header_read = NEVER;
            limits.idle = NEVER;
        })
        .await;
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.send(BEGUN).await;
    let mut plain = server.connect().await;
    plain.send("GET /").await;
    let mut ready = connect(&server, &files.authority.client(None))
        .await
        .unwrap();
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    assert_eq!(silent.until_closed().await, b"");
    slow.drip().await;
    plain.drip().await;
    // Whoever is through has the time that requests have.
    tokio::time::sleep(2 * SOON).await;
    assert_eq!(ready.get("/-/healthy").await.status, 200);
}

/// Far more than there is room for, each in the middle of its handshake.
#[tokio::test]
async fn half_open_handshakes_lock_nobody_out() {
    let files = Files::new(TLS);
    let server = files
        .start_with(|limits| {
            limits.connections = 64;
            limits.handshake = NEVER;
        })
        .await;
    let mut half_open = std::collections::VecDeque::new();
    for round in 0..10 {
        for _ in 0..300 {
            let mut client = server.connect().await;
            client.send(BEGUN).await;
            half_open.push_back(client);
            // Client and server share the files of one process.
            if half_open.len() > 400 {
                half_open.pop_front();
            }
        }
        let answer = files.get(&server, "/metrics").await.unwrap();
        assert_eq!(answer.status, 200, "{round}");
    }
    assert_eq!(
        half_open[0].until_closed().await,
        b"",
        "the longest silent had to go"
    );
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let long = [b"\x16\x03\x01\x40\x00".as_slice(), &[1; 0x4000]].concat();
    let garbage: [&[u8]; 6] = [
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x15\x03\x01\x00\x02\x02\x00",
        b"\xff\xfe",
        &long,
    ];
    for bytes in garbage {
        server.say_and_leave(bytes).await;
    }
    let answer = server.say(b"PRI * HTTP/2.0\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let files = Files::new(TLS);
    let mut server = files
        .start_with(|limits| {
            limits.handshake = NEVER;
            limits.shutdown = NEVER;
        })
        .await;
    let mut half_open = server.connect().await;
    half_open.send(BEGUN).await;
    let mut idle = connect(&server, &files.authority.client(None))
        .await
        .unwrap();
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    server.shut_down();
    server.ended().await;
    assert_eq!(half_open.until_closed().await, b"");
    assert_eq!(idle.until_closed().await, b"");
}

/// Each wrong password is dear; who is known is answered beside as many as want to try.
#[tokio::test]
async fn wrong_passwords_hold_up_nobody_who_is_known() {
    let hash = bcrypt::hash("right", 6).unwrap();
    let files = Files::new(&format!("{TLS}basic_auth_users: {{alice: {hash}}}\n"));
    let server = files.start().await;
    let client = files.authority.client(None);
    let right = authorization("alice", "right");
    let known = || get(&server, &client, "/metrics", &right);
    assert_eq!(known().await.unwrap().status, 200);
    let mut guesses = Vec::new();
    for n in 0..60 {
        let wrong = authorization("alice", &n.to_string());
        let mut guess = connect(&server, &client).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{wrong}\r\n");
        guess.send(request).await;
        guesses.push(guess);
    }
    for _ in 0..5 {
        assert_eq!(known().await.unwrap().status, 200);
    }
    let mut statuses = Vec::new();
    for mut guess in guesses {
        statuses.push(guess.answer().await.status);
    }
    let is_refusal = |status: &u16| [401, 503].contains(status);
    assert!(statuses.iter().all(is_refusal), "{statuses:?}");
    assert!(statuses.contains(&401), "{statuses:?}");
}
