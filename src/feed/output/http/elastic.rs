//! Elasticsearch and OpenSearch: the `_bulk` API.
//!
//! Each event is created under its own id: one that is there already (409) was sent before, and
//! is as good as taken. So a retry makes no duplicate.

use serde::Deserialize;

use super::{Answer, Dialect, Fate, Verdict, told, verdict_of_status};
use crate::feed::parcel::Event;

/// `_bulk`.
#[derive(Debug, Clone)]
pub struct Elastic {
    /// The index or data stream.
    pub index: String,
}

impl Dialect for Elastic {
    fn path(&self) -> String {
        let index =
            percent_encoding::utf8_percent_encode(&self.index, percent_encoding::NON_ALPHANUMERIC);
        format!(
            "/{index}/_bulk?filter_path=errors,\
             items.*.status,items.*.error.type,items.*.error.reason"
        )
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn body(&mut self, events: &mut dyn Iterator<Item = Event<'_>>, body: &mut Vec<u8>) {
        for event in events {
            body.extend_from_slice(
                format!("{{\"create\":{{\"_id\":\"{}\"}}}}\n", event.id).as_bytes(),
            );
            body.extend_from_slice(event.text);
            body.push(b'\n');
        }
    }

    fn verdict(&self, answer: &Answer, events: usize) -> Verdict {
        if answer.status != 200 {
            return verdict_of_status(answer);
        }
        match serde_json::from_slice::<Bulk>(&answer.body) {
            // filter_path leaves the items out where nothing went wrong only of old servers.
            Ok(bulk) if !bulk.errors => Verdict::All,
            Ok(bulk) if bulk.items.len() == events => {
                Verdict::Each(bulk.items.into_iter().map(|item| item.create.fate()).collect())
            }
            Ok(bulk) => Verdict::Again(format!("{} answers to {events} events", bulk.items.len())),
            Err(error) => {
                Verdict::Again(format!("no answer of _bulk ({error}){}", told(&answer.body)))
            }
        }
    }
}

#[derive(Deserialize)]
struct Bulk {
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
    #[serde(default)]
    error: serde_json::Value,
}

impl Created {
    fn fate(&self) -> Fate {
        let why = || {
            let field = |name: &str| self.error.get(name).and_then(serde_json::Value::as_str);
            let (kind, reason) = (field("type").unwrap_or("error"), field("reason").unwrap_or(""));
            format!("status {}: {kind}: {reason}", self.status)
        };
        match self.status {
            200..=299 | 409 => Fate::Taken,
            // What is wrong with the event itself. All else is wrong with the store: an index
            // that is blocked because the disk is full (403), or is not there (404).
            400 | 413 | 422 => Fate::Refused(why()),
            _ => Fate::Again(why()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    fn verdict(status: u16, body: &str, events: usize) -> Verdict {
        let answer = Answer { status, after: None, body: body.into() };
        Elastic { index: "pf".into() }.verdict(&answer, events)
    }

    #[test]
    fn each_event_has_its_id() {
        let mut body = Vec::new();
        let event = Event { id: Id([0xab; 16]), ts: Timestamp(0), text: b"{\"a\":1}" };
        let mut elastic = Elastic { index: "logs-pf/x".into() };
        elastic.body(&mut [event].into_iter(), &mut body);
        let expected = "{\"create\":{\"_id\":\"abababababababababababababababab\"}}\n{\"a\":1}\n";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert!(elastic.path().starts_with("/logs%2Dpf%2Fx/_bulk?"));
    }

    #[test]
    fn what_the_answers_mean() {
        assert_eq!(verdict(200, r#"{"errors":false}"#, 2), Verdict::All);
        let mixed = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,
            "error":{"type":"version_conflict_engine_exception"}}},{"create":{"status":429,
            "error":{"type":"es_rejected","reason":"full"}}},{"create":{"status":400,
            "error":{"type":"mapper_parsing_exception","reason":"bad ip"}}}]}"#;
        let again = Fate::Again("status 429: es_rejected: full".into());
        let refused = Fate::Refused("status 400: mapper_parsing_exception: bad ip".into());
        let fates = vec![Fate::Taken, Fate::Taken, again, refused];
        assert_eq!(verdict(200, mixed, 4), Verdict::Each(fates));
        for (status, body) in [(200, mixed), (200, "{\"err"), (200, ""), (429, ""), (502, "<html>")]
        {
            assert!(matches!(verdict(status, body, 3), Verdict::Again(_)), "{status} {body}");
        }
        assert!(matches!(verdict(413, "", 3), Verdict::Smaller(_)));
    }
}
