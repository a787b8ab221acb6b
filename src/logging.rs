//! The log on stderr: one line for each message, as logfmt or JSON.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use crate::cli::{LogFormat, LogLevel};

/// Lines that wait to be written to stderr; further ones are dropped.
const MAX_WAITING: usize = 4096;

/// Logs all tracing events to stderr from here on. The last lines are written when the guard is dropped.
///
/// A thread of its own writes them: a reader of the log that hangs must stop neither scrapes nor signals.
///
/// # Errors
///
/// If tracing has already been set up in this process.
pub fn init(level: LogLevel, format: LogFormat) -> Result<WorkerGuard, TryInitError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_WAITING)
        .finish(std::io::stderr());
    subscriber(level, format, writer).try_init()?;
    Ok(guard)
}

fn subscriber<W>(level: LogLevel, format: LogFormat, writer: W) -> impl SubscriberInitExt
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        // tracing calls the module of a message `target`, which here means a contact centre.
        LogFormat::Logfmt => tracing_logfmt::builder()
            .with_target(false)
            .layer()
            .with_writer(writer)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_writer(writer)
            .boxed(),
    };
    Registry::default().with(layer.with_filter(filter(level)))
}

/// Libraries log every connection and frame, some with all headers. The exporter logs what matters
/// itself, so that libraries log only warnings and errors.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let guard = subscriber(level, format, move || writer.clone()).set_default();
        tracing::debug!("ours_debug");
        tracing::info!(target = "support", "ours info\nin two lines");
        tracing::info!(target: "hyper::proto", "theirs_info");
        tracing::warn!(target: "rustls", "theirs_warn");
        tracing::error!(target: "h2", "theirs_error");
        drop(guard);
        let bytes = lines.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_do_not_log_below_warn() {
        for (level, expected) in [
            (
                LogLevel::Debug,
                vec!["ours_debug", "ours info", "theirs_warn", "theirs_error"],
            ),
            (
                LogLevel::Info,
                vec!["ours info", "theirs_warn", "theirs_error"],
            ),
            (LogLevel::Warn, vec!["theirs_warn", "theirs_error"]),
            (LogLevel::Error, vec!["theirs_error"]),
        ] {
            for format in [LogFormat::Logfmt, LogFormat::Json] {
                let text = logged(level, format);
                let lines: Vec<_> = text.lines().collect();
                assert_eq!(lines.len(), expected.len(), "{level:?}: {text}");
                for (line, expected) in lines.iter().zip(&expected) {
                    assert!(line.contains(expected), "{line}");
                }
            }
        }
    }

    #[test]
    fn a_line_can_be_parsed() {
        let logfmt = logged(LogLevel::Info, LogFormat::Logfmt);
        let line = logfmt.lines().next().unwrap();
        assert!(
            line.starts_with("ts=") && line.contains(" level=info "),
            "{line}"
        );
        assert!(line.contains(" target=support"), "{line}");
        assert!(
            line.contains(r#"message="ours info\nin two lines""#),
            "{line}"
        );

        let json = logged(LogLevel::Info, LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "ours info\nin two lines");
        assert_eq!(line["target"], "support");
    }
}
