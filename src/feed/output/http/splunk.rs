//! Splunk's HTTP Event Collector: `/services/collector/event`, one object after the other.
//!
//! An answer with code 0 acknowledges: the collector has taken the events. Indexer
//! acknowledgement, which only Splunk Enterprise has, is not asked for.

use serde::Deserialize;

use super::{Answer, Dialect, Fate, Verdict, told, verdict_of_status};
use crate::feed::parcel::Event;

/// HEC.
#[derive(Debug, Clone)]
pub struct Splunk {
    /// The index, if not the token's.
    pub index: Option<String>,
    /// The source type, if not the token's.
    pub sourcetype: Option<String>,
    /// The firewall.
    pub host: String,
    /// Events are JSON, and go in as objects; otherwise as strings.
    pub json: bool,
}

#[derive(Deserialize)]
struct Told {
    code: u32,
    #[serde(default)]
    text: String,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
}

impl Dialect for Splunk {
    fn path(&self) -> String {
        "/services/collector/event".to_owned()
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn body(&mut self, events: &mut dyn Iterator<Item = Event<'_>>, body: &mut Vec<u8>) {
        let string = |body: &mut Vec<u8>, text: &str| {
            // Strings into memory: neither can fail.
            let _ = serde_json::to_writer(body, text);
        };
        for event in events {
            let (seconds, micros) =
                (event.ts.0.div_euclid(1_000_000_000), event.ts.0.rem_euclid(1_000_000_000) / 1000);
            body.extend_from_slice(
                format!("{{\"time\":{seconds}.{micros:06},\"host\":").as_bytes(),
            );
            string(body, &self.host);
            for (name, value) in [("index", &self.index), ("sourcetype", &self.sourcetype)] {
                if let Some(value) = value {
                    body.extend_from_slice(format!(",\"{name}\":").as_bytes());
                    string(body, value);
                }
            }
            body.extend_from_slice(b",\"event\":");
            if self.json {
                body.extend_from_slice(event.text);
            } else {
                string(body, &String::from_utf8_lossy(event.text));
            }
            body.extend_from_slice(b"}\n");
        }
    }

    fn verdict(&self, answer: &Answer, events: usize) -> Verdict {
        let Ok(hec) = serde_json::from_slice::<Told>(&answer.body) else {
            return match verdict_of_status(answer) {
                Verdict::All => Verdict::Again(format!("no answer of HEC{}", told(&answer.body))),
                other => other,
            };
        };
        let why = || format!("status {}, code {}: {}", answer.status, hec.code, hec.text);
        match (hec.code, hec.invalid.filter(|&bad| bad < events)) {
            (0, _) if answer.status == 200 => Verdict::All,
            // Splunk documents the number as that of the bad event, counted from 0; those before
            // it are taken, those behind it are not.
            (5 | 6 | 12 | 13 | 15, Some(bad)) => Verdict::Each(
                (0..events)
                    .map(|at| match at.cmp(&bad) {
                        std::cmp::Ordering::Less => Fate::Taken,
                        std::cmp::Ordering::Equal => Fate::Refused(why()),
                        std::cmp::Ordering::Greater => Fate::Again(why()),
                    })
                    .collect(),
            ),
            (5 | 6 | 12 | 13 | 15, None) => Verdict::Smaller(why()),
            _ if answer.status == 413 => Verdict::Smaller(why()),
            _ => Verdict::Again(why()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    fn splunk(json: bool) -> Splunk {
        Splunk { index: Some("fw".into()), sourcetype: None, host: "gw".into(), json }
    }

    fn verdict(status: u16, body: &str) -> Verdict {
        splunk(true).verdict(&Answer { status, after: None, body: body.into() }, 3)
    }

    #[test]
    fn json_goes_in_as_an_object_and_text_as_a_string() {
        for (json, event) in [(true, r#"{"a":1}"#), (false, r#""{\"a\":1}""#)] {
            let mut body = Vec::new();
            let ts = Timestamp(1_700_000_000_000_123_456);
            let given = Event { id: Id::default(), ts, text: br#"{"a":1}"# };
            splunk(json).body(&mut [given].into_iter(), &mut body);
            let expected = format!(
                "{{\"time\":1700000000.000123,\"host\":\"gw\",\"index\":\"fw\",\"event\":{event}}}\n"
            );
            assert_eq!(String::from_utf8(body).unwrap(), expected);
        }
    }

    #[test]
    fn what_the_answers_mean() {
        assert_eq!(verdict(200, r#"{"text":"Success","code":0}"#), Verdict::All);
        let Verdict::Each(fates) =
            verdict(400, r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#)
        else {
            panic!("each event has its fate");
        };
        assert_eq!(fates[0], Fate::Taken);
        assert!(matches!(fates[1..], [Fate::Refused(_), Fate::Again(_)]));
        assert!(matches!(verdict(503, r#"{"text":"Server is busy","code":9}"#), Verdict::Again(_)));
        assert!(matches!(verdict(403, r#"{"text":"Invalid token","code":4}"#), Verdict::Again(_)));
        assert!(matches!(verdict(200, "<html>login</html>"), Verdict::Again(_)));
        assert!(matches!(verdict(413, "too large"), Verdict::Smaller(_)));
    }
}
