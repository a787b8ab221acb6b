//! A real browser, spoken to over its DevTools protocol.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::support::process::Killed;
use crate::support::{PATIENCE, eventually};

/// It talks to nobody but the test: not to its maker, and not to names.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-lcd-text",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
];

/// A browser with one page open. It is killed when this is dropped.
pub(crate) struct Browser {
    _process: Killed,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    calls: u64,
    /// All that the browser has told of its own accord.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// With an empty profile.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = profile.path().join("DevToolsActivePort");
        let address = eventually("the browser", || {
            let text = std::fs::read_to_string(&told).ok()?;
            let (port, path) = text.split_once('\n')?;
            (!path.is_empty()).then(|| format!("ws://127.0.0.1:{port}{path}"))
        });
        let (socket, _) = tungstenite::connect(&address).unwrap();
        let MaybeTlsStream::Plain(stream) = socket.get_ref() else {
            panic!("not over TLS");
        };
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let mut browser = Self {
            _process: Killed(child),
            socket,
            session: String::new(),
            calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = &target["targetId"];
        let attach = json!({"targetId": target, "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log", "Audits"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol, and gives its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(answer) = self.read()
                && answer["id"] == id
            {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            assert!(begun.elapsed() < PATIENCE, "no answer to {method}");
        }
    }

    /// What comes within a moment: the answer to a call, or nothing while events are put aside.
    fn read(&mut self) -> Option<Value> {
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["id"].is_null() {
                    self.events.push(message);
                    return None;
                }
                Some(message)
            }
            Ok(_) => None,
            Err(tungstenite::Error::Io(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens an address and waits until all of it is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        let opened = self.call("Page.navigate", json!({"url": url}));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.wait_for("Page.loadEventFired", 1);
    }

    /// Waits until something has been told so often since the page was opened.
    pub(crate) fn wait_for(&mut self, method: &str, times: usize) {
        let begun = Instant::now();
        while self.told(method).len() < times {
            self.read();
            assert!(begun.elapsed() < PATIENCE, "in vain: {method}");
        }
    }

    /// What has been told under this name since the page was opened.
    pub(crate) fn told(&self, method: &str) -> Vec<&Value> {
        let events = self.events.iter().filter(|event| event["method"] == method);
        events.map(|event| &event["params"]).collect()
    }

    /// The value of an expression on the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params);
        let exception = &result["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        result["result"]["value"].clone()
    }

    /// Scripts of the page do not run; those of [`Self::eval`] do.
    pub(crate) fn without_scripts(&mut self) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        );
    }

    /// A window so wide and high, in CSS pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width, "height": height, "deviceScaleFactor": 1,
                "mobile": width < 600,
            }),
        );
    }

    /// What the reader prefers: `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// A picture of the whole page as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", params);
        let picture = picture["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(picture)
            .unwrap()
    }

    /// What is wrong with the page in the browser's eyes.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let of = |method| self.told(method).into_iter().map(Value::to_string);
        of("Log.entryAdded")
            .chain(of("Runtime.consoleAPICalled"))
            .chain(of("Runtime.exceptionThrown"))
            .chain(of("Network.loadingFailed"))
            .chain(of("Audits.issueAdded"))
            .collect()
    }
}
