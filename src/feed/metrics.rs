//! The counters in Prometheus's text format (version 0.0.4), for `GET /metrics`.

use std::fmt::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tiny_http::{Header, Method, Response, Server};

use super::counters::Counters;
use super::supervisor::Say;

type Shown = Vec<(String, Arc<Counters>)>;
/// A metric: its name, what it is, and its value.
type Metric<T> = (&'static str, &'static str, fn(&Counters) -> T);

/// The server.
pub(super) struct Metrics {
    shown: Arc<Mutex<Shown>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Metrics {
    /// Serves whoever connects.
    pub(super) fn start(listener: TcpListener, say: &Say) -> Result<Self, String> {
        if let Ok(at) = listener.local_addr()
            && !at.ip().is_loopback()
        {
            say(&format!(
                "metrics at {at}: whoever reaches this address reads them, without a login"
            ));
        }
        let server = Server::from_listener(listener, None);
        let server = server.map_err(|error| format!("metrics: {error}"))?;
        let (server, shown) = (Arc::new(server), Arc::new(Mutex::new(Shown::new())));
        let (own, all) = (Arc::clone(&server), Arc::clone(&shown));
        let thread = thread::spawn(move || {
            for request in own.incoming_requests() {
                let path = request.url().split('?').next().unwrap_or_default();
                let response = match (request.method(), path) {
                    (Method::Get, "/metrics") => {
                        let text = text(&all.lock().unwrap_or_else(PoisonError::into_inner));
                        let media = "text/plain; version=0.0.4; charset=utf-8";
                        let header = Header::from_bytes(&b"Content-Type"[..], media.as_bytes());
                        header.map_or_else(
                            |()| Response::from_string(text.clone()),
                            |header| Response::from_string(text.clone()).with_header(header),
                        )
                    }
                    (Method::Get, _) => {
                        Response::from_string("see /metrics\n").with_status_code(404)
                    }
                    _ => Response::from_string("GET only\n").with_status_code(405),
                };
                // Whoever asked is gone.
                let _ = request.respond(response);
            }
        });
        Ok(Self { shown, server, thread: Some(thread) })
    }

    /// Shows these from now on.
    pub(super) fn show(&self, counters: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // Its panic has been told.
            let _ = thread.join();
        }
    }
}

fn text(all: &Shown) -> String {
    let mut out = String::new();
    let counters: [Metric<u64>; 12] = [
        ("received", "Records that its sources gave", |c| c.received.get()),
        ("decoded", "Records that could be decoded", |c| c.decoded.get()),
        ("filtered", "Records that its filter left out", |c| c.filtered.get()),
        ("sent", "Events handed to the output, each time", |c| c.sent.get()),
        ("acknowledged", "Events that the output has acknowledged", |c| c.acknowledged.get()),
        ("spooled", "Events that went through the spool", |c| c.spooled.get()),
        ("dropped", "Events lost behind decoding, for want of room", |c| c.dropped.get()),
        ("kernel_dropped", "Packets that the kernel dropped", |c| c.kernel_dropped.get()),
        ("interface_dropped", "Packets that an interface or its driver dropped", |c| {
            c.interface_dropped.get()
        }),
        ("ring_dropped", "Packets dropped before decoding, for want of room", |c| {
            c.ring_dropped.get()
        }),
        ("refused", "Events that the output refused for good", |c| c.refused.get()),
        ("retries", "Times that the output was tried again", |c| c.retries.get()),
    ];
    // Writing to memory cannot fail; names of outputs have no character to escape.
    for (name, help, of) in counters {
        let _ = writeln!(out, "# HELP pfscope_feed_{name}_total {help}.");
        let _ = writeln!(out, "# TYPE pfscope_feed_{name}_total counter");
        for (output, counters) in all {
            let _ =
                writeln!(out, "pfscope_feed_{name}_total{{output=\"{output}\"}} {}", of(counters));
        }
    }
    let gauges: [Metric<Option<f64>>; 4] = [
        ("spool_events", "Events in the spool", |c| Some(float(c.waiting.get()))),
        ("spool_bytes", "Bytes of the spool", |c| Some(float(c.spool_bytes.get()))),
        ("lag_seconds", "Age of the newest event that was acknowledged", |c| c.lag()),
        ("up", "1 while the output takes events, 0 while it is tried again", |c| {
            Some(if c.trouble().is_some() { 0.0 } else { 1.0 })
        }),
    ];
    for (name, help, of) in gauges {
        let _ =
            writeln!(out, "# HELP pfscope_feed_{name} {help}.\n# TYPE pfscope_feed_{name} gauge");
        for (output, counters) in all {
            if let Some(value) = of(counters) {
                let _ = writeln!(out, "pfscope_feed_{name}{{output=\"{output}\"}} {value}");
            }
        }
    }
    let _ = writeln!(out, "# HELP pfscope_feed_last_error Why the output is tried again.");
    let _ = writeln!(out, "# TYPE pfscope_feed_last_error gauge");
    for (output, counters) in all {
        if let Some(why) = counters.trouble() {
            let why = why.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ =
                writeln!(out, "pfscope_feed_last_error{{output=\"{output}\",error=\"{why}\"}} 1");
        }
    }
    out
}

/// As near as a gauge has it.
fn float(n: u64) -> f64 {
    // Beyond 2^53 bytes of a spool the last digits are of no interest.
    #[allow(clippy::cast_precision_loss, reason = "as said above")]
    let float = n as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_shown_and_an_error_is_escaped() {
        let counters = Arc::new(Counters::default());
        counters.sent.add(7);
        counters.set_trouble(Some("said \"no\"\nand more".to_owned()));
        let shown = text(&vec![("siem".to_owned(), counters)]);
        assert!(shown.contains("\npfscope_feed_sent_total{output=\"siem\"} 7\n"), "{shown}");
        assert!(shown.contains("\npfscope_feed_up{output=\"siem\"} 0\n"), "{shown}");
        assert!(shown.contains("error=\"said \\\"no\\\"\\nand more\"} 1\n"), "{shown}");
        assert!(!shown.contains("lag_seconds{"), "nothing was acknowledged: {shown}");
        for line in shown.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok()), "{line}");
        }
    }
}
