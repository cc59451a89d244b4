//! Splunk's HTTP Event Collector: `/services/collector/event`, one object after the other.
//!
//! An answer with code 0 acknowledges: the collector has taken the events. Where the token has
//! indexer acknowledgement (`useACK`), the answer has a number, which is asked for at
//! `/services/collector/ack` until the indexers have the events; one request is under way at a
//! time then.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Answer, Client, Dialect, Fate, Verdict, told, verdict_of_status};
use crate::feed::output::Trouble;
use crate::feed::parcel::Event;

/// How often is asked whether events are indexed: at first, and at last.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// A channel, by which Splunk keeps apart the acknowledgements of those who send: the header of
/// all requests of one output.
pub fn channel() -> (String, String) {
    let id = format!("{:032x}", fastrand::u128(..));
    let part = |range| id.get(range).unwrap_or_default();
    // Random (RFC 9562, 5.4).
    let id = format!(
        "{}-{}-4{}-8{}-{}",
        part(0..8),
        part(8..12),
        part(13..16),
        part(17..20),
        part(20..32)
    );
    ("X-Splunk-Request-Channel".to_owned(), id)
}

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
    /// How long the indexers may take, of a token with `useACK`; else nobody waits for them.
    pub indexed: Option<Duration>,
}

#[derive(Deserialize)]
struct Told {
    code: u32,
    #[serde(default)]
    text: String,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

#[derive(Deserialize)]
struct Acks {
    acks: HashMap<String, bool>,
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
            // it are taken, those behind it are not. That they are indexed nobody will say.
            (5 | 6 | 12 | 13 | 15, Some(bad)) => Verdict::Each(
                (0..events)
                    .map(|at| match at.cmp(&bad) {
                        std::cmp::Ordering::Less if self.indexed.is_none() => Fate::Taken,
                        std::cmp::Ordering::Equal => Fate::Refused(why()),
                        _ => Fate::Again(why()),
                    })
                    .collect(),
            ),
            (5 | 6 | 12 | 13 | 15, None) => Verdict::Smaller(why()),
            _ if answer.status == 413 => Verdict::Smaller(why()),
            _ => Verdict::Again(why()),
        }
    }

    fn confirm(&self, client: &Client, answer: &Answer) -> Result<(), Trouble> {
        let Some(patience) = self.indexed else { return Ok(()) };
        let told: Option<Told> = serde_json::from_slice(&answer.body).ok();
        let Some(number) = told.and_then(|told| told.ack) else {
            let why = "the answer has no ackId: indexer acknowledgement is off for this token";
            return Err(client.trouble(why));
        };
        let (body, until) = (format!("{{\"acks\":[{number}]}}"), Instant::now() + patience);
        let mut wait = FIRST_LOOK;
        loop {
            let answer =
                client.post("/services/collector/ack", self.content_type(), body.as_bytes())?;
            let Ok(Acks { acks }) = serde_json::from_slice(&answer.body) else {
                let told = super::told(&answer.body);
                return Err(client.trouble(format_args!("ack: status {}{told}", answer.status)));
            };
            if acks.get(&number.to_string()) == Some(&true) {
                return Ok(());
            }
            if Instant::now() >= until {
                let seconds = patience.as_secs_f32();
                return Err(client.trouble(format_args!("not indexed in {seconds} s")));
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LAST_LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    fn splunk(json: bool) -> Splunk {
        Splunk {
            index: Some("fw".into()),
            sourcetype: None,
            host: "gw".into(),
            json,
            indexed: None,
        }
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
    fn a_channel_is_a_uuid_of_its_own() {
        let ((_, one), (_, other)) = (channel(), channel());
        let groups: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{one}");
        assert_ne!(one, other);
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
        let indexed = Splunk { indexed: Some(Duration::ZERO), ..splunk(true) };
        let body = br#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
        let verdict_of_acks =
            indexed.verdict(&Answer { status: 400, after: None, body: body.into() }, 3);
        let Verdict::Each(fates) = verdict_of_acks else { panic!("each event has its fate") };
        assert!(matches!(fates[..], [Fate::Again(_), Fate::Refused(_), Fate::Again(_)]));
        assert!(matches!(verdict(503, r#"{"text":"Server is busy","code":9}"#), Verdict::Again(_)));
        assert!(matches!(verdict(403, r#"{"text":"Invalid token","code":4}"#), Verdict::Again(_)));
        assert!(matches!(verdict(200, "<html>login</html>"), Verdict::Again(_)));
        assert!(matches!(verdict(413, "too large"), Verdict::Smaller(_)));
    }
}
