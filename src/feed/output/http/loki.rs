//! Loki: `/loki/api/v1/push`, as JSON. All events of a feed are one stream: the labels are the
//! configuration's, few and constant, as Loki wants them; the rest is in the line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Answer, Dialect, Verdict, verdict_of_status};
use crate::feed::parcel::Event;

/// Loki's push.
#[derive(Debug, Clone)]
pub struct Loki {
    /// The stream's labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Push<'a> {
    streams: [Stream<'a>; 1],
}

#[derive(Serialize)]
struct Stream<'a> {
    stream: &'a BTreeMap<String, String>,
    values: Vec<(String, String)>,
}

impl Dialect for Loki {
    fn path(&self) -> String {
        "/loki/api/v1/push".to_owned()
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn body(&mut self, events: &mut dyn Iterator<Item = Event<'_>>, body: &mut Vec<u8>) {
        let line = |event: Event<'_>| String::from_utf8_lossy(event.text).into_owned();
        let values = events.map(|event| (event.ts.0.to_string(), line(event))).collect();
        let push = Push { streams: [Stream { stream: &self.labels, values }] };
        // Strings into memory: neither can fail.
        let _ = serde_json::to_writer(body, &push);
    }

    fn verdict(&self, answer: &Answer, _: usize) -> Verdict {
        verdict_of_status(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    #[test]
    fn one_stream_with_its_labels() {
        let labels = BTreeMap::from([("job".to_owned(), "pf".to_owned())]);
        let event = Event { id: Id::default(), ts: Timestamp(1_500), text: b"{\"a\":\"\\\"\"}" };
        let mut body = Vec::new();
        Loki { labels }.body(&mut [event].into_iter(), &mut body);
        let expected =
            r#"{"streams":[{"stream":{"job":"pf"},"values":[["1500","{\"a\":\"\\\"\"}"]]}]}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
