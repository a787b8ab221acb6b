//! Programs that a test starts, a real Prometheus among them, and asking them over HTTP.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::PATIENCE;
use super::client::{Answer, exchange};
use super::process::Process;
use super::silent::free_address;
use super::tools::run;

/// Turns samples in the format of OpenMetrics into blocks of a database.
pub(crate) fn create_blocks(samples: &Path, database: &Path) {
    let mut promtool = Command::new("promtool");
    // It would collect garbage for a good part of its time, and read the file anew for every two hours.
    promtool.env("GOGC", "400");
    promtool.args(["tsdb", "create-blocks-from", "--max-block-duration=240h"]);
    run(promtool
        .args(["openmetrics", "--quiet"])
        .args([samples, database]));
}

/// A program that answers HTTP, and runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts a program that is told to listen on this address, and waits until it answers on this
    /// path.
    pub(crate) fn start(command: &mut Command, address: SocketAddr, path: &str) -> Self {
        let mut running = Self {
            process: Process::spawn(command),
            address,
        };
        let begun = Instant::now();
        while !running
            .ask("GET", path, "")
            .is_ok_and(|answer| answer.status == 200)
        {
            assert!(
                !running.process.has_ended() && begun.elapsed() < PATIENCE,
                "{command:?} does not answer:\n{}",
                running.process.stderr()
            );
            sleep(Duration::from_millis(50));
        }
        running
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let (address, length) = (self.address, body.len());
        // Version 1.0, so that the answer comes in one piece and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        exchange(address, &request)
    }

    /// A request that must be answered 200.
    pub(crate) fn demand(&self, method: &str, path: &str, body: &str) -> String {
        let answer = self.ask(method, path, body).unwrap();
        assert_eq!(
            answer.status, 200,
            "{method} {path} {body}: {}",
            answer.body
        );
        answer.body
    }
}

/// A Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    running: Running,
}

impl Prometheus {
    /// With the configuration and, if they are there already, the data of this directory.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(directory: &Path, flags: &[&str]) -> Self {
        let address = free_address();
        let mut command = Command::new("prometheus");
        // It would collect garbage for a good part of its time.
        command.env("GOGC", "400");
        command
            .arg(format!(
                "--config.file={}",
                directory.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("tsdb").display()
            ))
            .arg("--storage.tsdb.retention.time=30d")
            .arg(format!("--web.listen-address={address}"))
            .args(flags);
        Self {
            running: Running::start(&mut command, address, "/-/ready"),
        }
    }

    /// A VictoriaMetrics, which answers the same queries, with its data in this directory.
    pub(crate) fn victoria(directory: &Path, flags: &[&str]) -> Self {
        let address = free_address();
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!(
                "--storageDataPath={}",
                directory.join("victoria").display()
            ))
            .arg(format!("--httpListenAddr={address}"))
            // It would leave out what is younger than that.
            .args(["--retentionPeriod=1y", "--search.latencyOffset=0s"])
            .args(flags);
        Self {
            running: Running::start(&mut command, address, "/health"),
        }
    }

    /// Takes up samples in the text format, with times in milliseconds. Only VictoriaMetrics does.
    pub(crate) fn import(&self, samples: &str) {
        let path = "/api/v1/import/prometheus";
        let answer = self.running.ask("POST", path, samples).unwrap();
        assert_eq!(answer.status, 204, "{}", answer.body);
        self.running.demand("GET", "/internal/force_flush", "");
    }

    fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let path = format!("/api/v1/{path}?{}", query.finish());
        let body = self.running.ask("GET", &path, "").unwrap().body;
        let answer: Value =
            serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer["error"].to_string()),
        }
    }

    /// The series of a query at a time: labels, and all values that are numbers.
    pub(crate) fn query(&self, expr: &str, time: f64) -> Result<Vec<Series>, String> {
        let data = self.api("query", &[("query", expr), ("time", &time.to_string())])?;
        if data["resultType"] == "scalar" {
            let series = Series {
                labels: Value::Null,
                values: numbers(std::iter::once(&data["result"])),
            };
            return Ok(vec![series]);
        }
        Ok(series(&data, |one| {
            let mut values = numbers(std::iter::once(&one["value"]));
            values.extend(observations(std::iter::once(&one["histogram"])));
            values
        }))
    }

    /// The same over a range of time, a value a second.
    pub(crate) fn query_range(
        &self,
        expr: &str,
        start: f64,
        end: f64,
    ) -> Result<Vec<Series>, String> {
        let (start, end) = (start.to_string(), end.to_string());
        let parameters = [
            ("query", expr),
            ("start", &start),
            ("end", &end),
            ("step", "1"),
        ];
        let data = self.api("query_range", &parameters)?;
        Ok(series(&data, |one| {
            let mut values = numbers(one["values"].as_array().into_iter().flatten());
            values.extend(observations(
                one["histograms"].as_array().into_iter().flatten(),
            ));
            values
        }))
    }

    /// The values of a label in the series that a selector chooses.
    pub(crate) fn label_values(&self, label: &str, selector: &str) -> Result<Vec<String>, String> {
        let data = self.api(&format!("label/{label}/values"), &[("match[]", selector)])?;
        let values = data.as_array().cloned().unwrap_or_default();
        Ok(values
            .iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect())
    }

    /// What is known of a metric besides its series: type, help and unit.
    pub(crate) fn metadata(&self, metric: &str) -> Value {
        let data = self.api("metadata", &[("metric", metric)]).unwrap();
        data[metric][0].clone()
    }

    /// The values of a label in all exemplars of the series that a selector chooses.
    pub(crate) fn exemplars(&self, selector: &str, label: &str) -> BTreeSet<String> {
        let always = [("query", selector), ("start", "0"), ("end", "4e9")];
        let data = self.api("query_exemplars", &always).unwrap();
        let series = data.as_array().cloned().unwrap_or_default();
        let exemplars = series
            .iter()
            .flat_map(|one| one["exemplars"].as_array().unwrap());
        exemplars
            .map(|one| one["labels"][label].as_str().unwrap().to_owned())
            .collect()
    }

    /// Labels of all alerts that fire.
    pub(crate) fn firing(&self) -> Vec<Value> {
        let data = self.api("alerts", &[]).unwrap();
        let alerts = data["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"].clone()).collect()
    }

    /// All rules that are loaded.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let data = self.api("rules", &[]).unwrap();
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    /// Rules that could not be evaluated, with the reason.
    pub(crate) fn broken_rules(&self) -> Vec<String> {
        self.rules()
            .iter()
            .filter(|rule| rule["health"] != "ok")
            .map(|rule| format!("{}: {} {}", rule["name"], rule["health"], rule["lastError"]))
            .collect()
    }
}

/// A series of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Value,
    pub(crate) values: Vec<f64>,
}

fn series(data: &Value, values: impl Fn(&Value) -> Vec<f64>) -> Vec<Series> {
    let result = data["result"].as_array().cloned().unwrap_or_default();
    result
        .iter()
        .map(|one| Series {
            labels: one["metric"].clone(),
            values: values(one),
        })
        .collect()
}

/// Of native histograms, how many observations each has.
fn observations<'a>(pairs: impl Iterator<Item = &'a Value>) -> Vec<f64> {
    pairs
        .filter_map(|pair| pair[1]["count"].as_str()?.parse().ok())
        .collect()
}

/// What is a number among the values: a panel shows nothing of the others.
fn numbers<'a>(pairs: impl Iterator<Item = &'a Value>) -> Vec<f64> {
    pairs
        .filter_map(|pair| pair[1].as_str()?.parse::<f64>().ok())
        .filter(|value| !value.is_nan())
        .collect()
}
