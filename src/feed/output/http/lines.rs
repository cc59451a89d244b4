//! Whatever takes lines of JSON in a POST: Vector, Fluent Bit, Logstash, Graylog, an own script.
//! Every status of 2xx acknowledges all of them.

use super::{Answer, Dialect, Verdict, verdict_of_status};
use crate::feed::parcel::Event;

/// Lines.
#[derive(Debug, Clone, Default)]
pub struct Lines;

impl Dialect for Lines {
    fn path(&self) -> String {
        String::new()
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn body(&mut self, events: &mut dyn Iterator<Item = Event<'_>>, body: &mut Vec<u8>) {
        for event in events {
            body.extend_from_slice(event.text);
            body.push(b'\n');
        }
    }

    fn verdict(&self, answer: &Answer, _: usize) -> Verdict {
        verdict_of_status(answer)
    }
}
