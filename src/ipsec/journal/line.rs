//! A record as a line and back.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Record;
use super::tree::{Bytes, BytesRef, Tree, TreeRef};
use crate::ipsec::sa::Counters;
use crate::ipsec::totals::{Name, Running, Total, Totals};
use crate::time::{Clock, Precision, Timestamp};

/// A line as it is read: what its type does not have is absent.
#[derive(Deserialize)]
struct Line {
    v: u64,
    ts: String,
    #[serde(rename = "type")]
    kind: String,
    name: Option<Bytes>,
    message: Option<Tree>,
    messages: Option<Vec<Tree>>,
    complete: Option<bool>,
    why: Option<String>,
    count: Option<u64>,
    tunnels: Option<Vec<Account>>,
    running: Option<Vec<Open>>,
}

/// A line as it is written.
#[derive(Serialize)]
struct Written<'r> {
    v: u64,
    ts: &'r str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pfscope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<BytesRef<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<TreeRef<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<TreeRef<'r>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnels: Option<Vec<Account>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Vec<Open>>,
}

#[derive(Serialize, Deserialize)]
struct Tunnel {
    ike: Bytes,
    child: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    reqid: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Carried {
    bytes_in: u64,
    packets_in: u64,
    bytes_out: u64,
    packets_out: u64,
}

#[derive(Serialize, Deserialize)]
struct Account {
    #[serde(flatten)]
    tunnel: Tunnel,
    sas: u64,
    first: String,
    last: String,
    #[serde(flatten)]
    carried: Carried,
}

#[derive(Serialize, Deserialize)]
struct Open {
    #[serde(flatten)]
    tunnel: Tunnel,
    #[serde(skip_serializing_if = "Option::is_none")]
    spi_in: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spi_out: Option<u32>,
    #[serde(flatten)]
    carried: Carried,
}

/// The version of the lines.
const VERSION: u64 = 1;

/// Appends a record's line, with its end.
pub(super) fn push(out: &mut Vec<u8>, at: Timestamp, record: &Record) {
    let ts = rfc3339(at);
    let mut line = Written {
        v: VERSION,
        ts: &ts,
        kind: "",
        pfscope: None,
        name: None,
        message: None,
        messages: None,
        complete: None,
        why: None,
        count: None,
        tunnels: None,
        running: None,
    };
    match record {
        Record::Start => {
            (line.kind, line.pfscope) = ("start", Some(env!("CARGO_PKG_VERSION")));
        }
        Record::Up => line.kind = "up",
        Record::Down(why) => (line.kind, line.why) = ("down", Some(why.as_str())),
        Record::Listed { complete } => (line.kind, line.complete) = ("listed", Some(*complete)),
        Record::Dropped(count) => (line.kind, line.count) = ("dropped", Some(*count)),
        Record::Event(name, message) => {
            line.kind = "event";
            line.name = Some(BytesRef(name));
            line.message = Some(TreeRef(message));
        }
        Record::Snapshot(name, messages) => {
            line.kind = "snapshot";
            line.name = Some(BytesRef(name));
            line.messages = Some(messages.iter().map(TreeRef).collect());
        }
        Record::Totals(totals) => {
            let (ended, running) = totals.parts();
            line.kind = "totals";
            line.tunnels = Some(ended.map(account).collect());
            line.running = Some(running.map(open).collect());
        }
    }
    // Strings, numbers and their lists: nothing in it can fail to be written.
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    }
}

/// The record of a line; `None` for what is none of this version.
pub(super) fn parse(line: &[u8]) -> Option<(Timestamp, Record)> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if line.v != VERSION {
        return None;
    }
    let record = match &*line.kind {
        "start" => Record::Start,
        "up" => Record::Up,
        "down" => Record::Down(line.why.unwrap_or_default()),
        "listed" => Record::Listed { complete: line.complete? },
        "dropped" => Record::Dropped(line.count?),
        "event" => Record::Event(line.name?.0, line.message?.0),
        "snapshot" => {
            let messages = line.messages?.into_iter().map(|tree| tree.0).collect();
            Record::Snapshot(line.name?.0, messages)
        }
        "totals" => {
            let ended = line.tunnels?.into_iter().map(Account::read).collect::<Option<Vec<_>>>()?;
            Record::Totals(Totals::restore(ended, line.running?.into_iter().map(Open::read)))
        }
        _ => return None,
    };
    Some((timestamp(&line.ts)?, record))
}

/// A time with all its digits.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let mut out = Vec::new();
    Clock::new(TimeZone::UTC).push_rfc3339(&mut out, at, Precision::Nanos);
    String::from_utf8_lossy(&out).into_owned()
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let stamp: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(stamp.as_nanosecond()).ok().map(Timestamp)
}

impl Tunnel {
    fn of(name: &Name) -> Self {
        let bytes = |name: &[u8]| Bytes(name.to_vec());
        Self { ike: bytes(&name.ike), child: bytes(&name.child), reqid: name.reqid }
    }

    fn read(self) -> Name {
        Name { ike: self.ike.0.into(), child: self.child.0.into(), reqid: self.reqid }
    }
}

impl Carried {
    const fn of(counters: Counters) -> Self {
        let Counters { bytes_in, packets_in, bytes_out, packets_out } = counters;
        Self { bytes_in, packets_in, bytes_out, packets_out }
    }

    const fn read(&self) -> Counters {
        let &Self { bytes_in, packets_in, bytes_out, packets_out } = self;
        Counters { bytes_in, packets_in, bytes_out, packets_out }
    }
}

fn account((name, total): (&Name, &Total)) -> Account {
    Account {
        tunnel: Tunnel::of(name),
        sas: total.sas,
        first: rfc3339(total.first),
        last: rfc3339(total.last),
        carried: Carried::of(total.counters),
    }
}

fn open(running: &Running) -> Open {
    let Running { tunnel, spi_in, spi_out, counters } = running;
    let (tunnel, carried) = (Tunnel::of(tunnel), Carried::of(*counters));
    Open { tunnel, spi_in: *spi_in, spi_out: *spi_out, carried }
}

impl Account {
    fn read(self) -> Option<(Name, Total)> {
        let counters = self.carried.read();
        let (first, last) = (timestamp(&self.first)?, timestamp(&self.last)?);
        Some((self.tunnel.read(), Total { counters, sas: self.sas, first, last }))
    }
}

impl Open {
    fn read(self) -> Running {
        let Self { tunnel, spi_in, spi_out, carried } = self;
        Running { tunnel: tunnel.read(), spi_in, spi_out, counters: carried.read() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vici::message::Section;

    #[test]
    fn every_record_comes_back() {
        let name = Name {
            ike: b"gw\xff".as_slice().into(),
            child: b"net".as_slice().into(),
            reqid: Some(1),
        };
        let at = Timestamp(1_795_290_603_260_562_001);
        let total = Total {
            counters: Counters { bytes_in: 9, ..Counters::default() },
            sas: 2,
            first: at,
            last: at,
        };
        let running = Running {
            tunnel: name.clone(),
            spi_in: Some(1),
            spi_out: None,
            counters: Counters::default(),
        };
        for record in [
            Record::Start,
            Record::Up,
            Record::Down("EOF".to_owned()),
            Record::Listed { complete: false },
            Record::Dropped(7),
            Record::Snapshot(b"stats".to_vec(), vec![Section::new().with("a", "b")]),
            Record::Event(b"child\xff-updown".to_vec(), Section::new().with("up", "yes")),
            Record::Totals(Totals::restore([(name, total)], [running])),
        ] {
            let mut line = Vec::new();
            push(&mut line, at, &record);
            assert_eq!(line.iter().filter(|&&c| c == b'\n').count(), 1);
            assert_eq!(parse(&line), Some((at, record)), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn what_is_no_record() {
        for line in [
            "",
            "{}",
            "[]",
            r#"{"v":1,"ts":"2026-11-22T00:00:00Z","type":"of a later version"}"#,
            r#"{"v":2,"ts":"2026-11-22T00:00:00Z","type":"up"}"#,
            r#"{"v":1,"ts":"yesterday","type":"up"}"#,
            r#"{"v":1,"ts":"2026-11-22T00:00:00Z","type":"event","name":"x"}"#,
            r#"{"v":1,"ts":"2026-11-22T00:00:00Z","type":"event","name":"x","message":{"a":1}}"#,
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
