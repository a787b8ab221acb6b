//! The way through a proxy.

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::block_in_place;

use super::checked::{Checked, STEPS, check_json};
use crate::support::certificates::{Identity, dns};
use crate::support::process::{command, configuration, configured, target};
use crate::support::scripted_vendor::{Reply, Vendor};
use crate::support::silent::free_address;

fn through(port: u16) -> String {
    format!("proxy_url: \"http://127.0.0.1:{port}\"")
}

/// A proxy that lets every connection through to one port of this machine.
async fn tunnel(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if client.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                assert!(head.starts_with(b"CONNECT vendor.invalid:443 "));
                let mut vendor = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut vendor).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_tried_is_the_way_to_the_proxy() {
    let made = Identity::self_signed(|params| {
        params.subject_alt_names = vec![dns("vendor.invalid")];
    });
    let vendor = Vendor::of_samples(Some(made.acceptor())).await;
    let tunnel = tunnel(vendor.port).await;
    let plain = Vendor::of_samples(None).await;
    let directory = TempDir::new().unwrap();
    let pem = directory.path().join("ca.pem");
    std::fs::write(&pem, &made.pem).unwrap();
    let trusting = format!("ca_file: \"{}\", {}", pem.display(), through(tunnel));
    // The vendor's name does not resolve: only the proxy knows where it is.
    let checked = block_in_place(|| {
        check_json(&[
            target("plain", "http://vendor.invalid", &through(plain.port)),
            target("tunnel", "https://vendor.invalid", &trusting),
            target("untrusted", "https://vendor.invalid", &through(tunnel)),
        ])
    });
    for name in ["plain", "tunnel"] {
        let steps = checked.assert_well(name);
        let names: Vec<&str> = steps.iter().map(|step| &*step.step).collect();
        assert_eq!(names, STEPS, "{name}");
        assert!(steps[..3].iter().all(|step| step.key == "proxy_url"));
        let connect = &steps[1].detail;
        assert!(
            connect.contains("the rest goes through this proxy"),
            "{connect}"
        );
    }
    let says = ["through the proxy of proxy_url", "not trusted"];
    checked.assert_breaks_off("untrusted", "token", &says, &["ca_file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_the_one_to_blame() {
    let refusing = Vendor::start(|_, _| Reply::status(403, "<html>no</html>")).await;
    let asking = Vendor::start(|_, _| Reply::status(407, "")).await;
    let closed = free_address().port();
    let checked = block_in_place(|| {
        check_json(&[
            target("closed", "https://vendor.invalid", &through(closed)),
            target("tunnel", "https://vendor.invalid", &through(refusing.port)),
            target("asking", "https://vendor.invalid", &through(asking.port)),
            target("plain", "http://vendor.invalid", &through(refusing.port)),
            target(
                "plain_asking",
                "http://vendor.invalid",
                &through(asking.port),
            ),
        ])
    });
    let causes = ["host and port of proxy_url"];
    let step = checked.assert_breaks_off("closed", "connect", &["refused"], &causes);
    assert_eq!(step.key, "proxy_url");
    let says = ["the proxy refused to connect"];
    checked.assert_breaks_off("tunnel", "token", &says, &["proxy_url does not allow"]);
    let says = ["the proxy requires credentials"];
    checked.assert_breaks_off("asking", "token", &says, &["user or password in proxy_url"]);
    let causes = ["allow list", "or the proxy of proxy_url sent this response"];
    checked.assert_breaks_off("plain", "token", &["403", "HTML"], &causes);
    checked.assert_breaks_off("plain_asking", "token", &["407"], &["proxy_url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_environment_is_used_and_named() {
    let proxy = Vendor::of_samples(None).await;
    let directory = configured(&configuration(&[
        target("proxied", "http://vendor.invalid", ""),
        target("excepted", "http://other.invalid", ""),
        target("direct", "http://vendor.invalid", "proxy_url: direct"),
    ]));
    let output = block_in_place(|| {
        command(directory.path())
            .env(
                "HTTP_PROXY",
                format!("http://user:pa55word@127.0.0.1:{}", proxy.port),
            )
            .env("NO_PROXY", "other.invalid,example.com")
            .args(["check", "--format=json"])
            .output()
            .unwrap()
    });
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(!stdout.contains("pa55word"), "{stdout}");
    let checked = Checked {
        code: output.status.code(),
        stdout,
        stderr: String::new(),
    };
    let steps = checked.assert_well("proxied");
    assert!(
        steps[..3].iter().all(|step| step.key == "HTTP_PROXY"),
        "{steps:?}"
    );
    for name in ["excepted", "direct"] {
        let step = checked.assert_breaks_off(name, "dns", &["cannot be resolved"], &["endpoint"]);
        assert_eq!(step.key, "endpoint");
    }
}
