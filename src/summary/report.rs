//! The result of a summary as plain data, and as JSON.
//!
//! Keys stand in the order of the fields here; what is unknown or does not apply is absent.
//! Rows stand by falling count, equal ones by key. Times are RFC 3339 in UTC.

use std::net::IpAddr;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use crate::text::push_ip;
use crate::time::{Clock, Precision, Timestamp};

/// A summary's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this layout: 1.
    pub v: u8,
    /// Always `summary`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The files read, if the caller has filled them in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// The earliest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    /// The latest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// All records of the files.
    pub records: u64,
    /// Those that are packets logged by pf.
    pub pflog: u64,
    /// Those whose IP header was read.
    pub packets: u64,
    /// Their length on the wire, from the IP header on.
    pub bytes: u64,
    /// Records with action block.
    pub blocked: u64,
    /// Records with action pass.
    pub passed: u64,
    /// Those of them with another reason than match: older kernels log drops so.
    pub suspect: u64,
    /// Records of which the capture holds less than the frame had.
    pub truncated: u64,
    /// Records in which something could not be read.
    pub undecoded: Undecoded,
    /// Systems that wrote the records, as far as the records show.
    pub systems: Vec<System>,
    /// What the records start with.
    pub link_types: Vec<LinkTypes>,
    /// By what pf did.
    pub actions: Vec<Share>,
    /// By why it did it.
    pub reasons: Vec<Share>,
    /// By direction through the interface.
    pub directions: Vec<Share>,
    /// By protocol behind IP and its extension headers.
    pub protocols: Vec<Protocol>,
    /// By interface.
    pub interfaces: Top<Interface>,
    /// By rule.
    pub rules: Top<Rule>,
    /// By source address.
    pub sources: Top<Address>,
    /// By destination address.
    pub destinations: Top<Address>,
    /// By protocol and destination port.
    pub ports: Top<Port>,
    /// Over time.
    pub timeline: Step,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name: untrusted bytes.
    pub name: Text,
    /// How many records it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The system that wrote it, as far as it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<&'static str>,
    /// What its records start with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_type: Option<u32>,
}

/// Untrusted bytes; in JSON what is not UTF-8 becomes `\xNN`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub Vec<u8>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        serializer.serialize_str(&text)
    }
}

/// A time and how fine it is; in JSON RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// The time.
    pub ts: Timestamp,
    /// Digits after the second; `None` for whole seconds.
    pub precision: Option<Precision>,
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Vec::with_capacity(32);
        let precision = self.precision.unwrap_or_default();
        Clock::new(TimeZone::UTC).push_rfc3339(&mut text, self.ts, precision);
        if self.precision.is_none() {
            text.truncate("2026-11-21T12:34:56".len());
            text.push(b'Z');
        }
        serializer.serialize_str(&String::from_utf8_lossy(&text))
    }
}

/// Records in which something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecoded {
    /// How many.
    pub records: u64,
    /// Why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The layer.
    pub layer: &'static str,
    /// The cause in one word.
    pub cause: &'static str,
    /// How often.
    pub records: u64,
}

/// A system, or the systems that are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct System {
    /// Its name, as `os` in an event's JSON.
    pub name: &'static str,
    /// How many records it wrote.
    pub records: u64,
}

/// A link type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LinkTypes {
    /// Its number in capture files.
    pub link_type: u32,
    /// tcpdump's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// How many records.
    pub records: u64,
}

/// A code's name, or its number where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Code {
    /// Its name.
    Name(&'static str),
    /// Its number.
    Number(u8),
}

impl Code {
    pub(super) fn of(name: Option<&'static str>, number: u8) -> Self {
        name.map_or(Self::Number(number), Self::Name)
    }
}

/// Records with a certain action, reason or direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Which.
    pub name: Code,
    /// How many.
    pub packets: u64,
    /// Their length on the wire.
    pub bytes: u64,
}

/// Packets of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Protocol {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<&'static str>,
    /// Its number.
    pub proto_num: u8,
    /// How many.
    pub packets: u64,
    /// Their length on the wire.
    pub bytes: u64,
}

/// The rows with the highest counts.
///
/// While a table is exact it has `distinct`. An approximate one has `distinct_at_least`
/// instead, `approximate` and `max_error`: the true count of a row is at least the count given
/// and at most `max_error` more, and a key that is in no row may have had as many as
/// `max_error`, or as the last row with that added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Top<R> {
    /// How many different keys there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// How many different keys there are at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_at_least: Option<u64>,
    /// True if the counts may be too low.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approximate: bool,
    /// By how much at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_error: Option<u64>,
    /// The rows.
    pub top: Vec<R>,
}

impl<R> Top<R> {
    pub(super) fn new(distinct: usize, error: u64, top: Vec<R>) -> Self {
        let (exact, distinct) = (error == 0, u64::try_from(distinct).unwrap_or(u64::MAX));
        Self {
            distinct: exact.then_some(distinct),
            distinct_at_least: (!exact).then_some(distinct),
            approximate: !exact,
            max_error: (!exact).then_some(error),
            top,
        }
    }
}

/// Records of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name: untrusted bytes.
    pub ifname: Text,
    /// How many.
    pub packets: u64,
    /// How many of them were blocked; absent in an approximate table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<u64>,
    /// How many of them were passed; absent in an approximate table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<u64>,
}

/// Records of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The rule as OpenBSD's tcpdump writes it: `5`, `def`, `5.anchor.3`.
    pub rule: Text,
    /// Rule in the main ruleset; absent for the default rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rulenr: Option<u32>,
    /// The anchor's name: untrusted bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ruleset: Option<Text>,
    /// Rule in the anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subrulenr: Option<u32>,
    /// The system whose rule it is.
    pub os: &'static str,
    /// How many.
    pub packets: u64,
    /// How many of them were blocked; absent in an approximate table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<u64>,
    /// How many of them were passed; absent in an approximate table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<u64>,
    /// Its label in the user's ruleset, where all its packets agree on the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// Its text there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// How sure that is: `exact`, or `stale` if it is so for one of the packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<&'static str>,
}

/// Packets from or to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The address.
    #[serde(serialize_with = "address")]
    pub addr: IpAddr,
    /// How many.
    pub packets: u64,
}

fn address<S: Serializer>(addr: &IpAddr, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = Vec::with_capacity(40);
    push_ip(&mut text, *addr);
    serializer.serialize_str(&String::from_utf8_lossy(&text))
}

/// Packets to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The protocol's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<&'static str>,
    /// The protocol's number.
    pub proto_num: u8,
    /// The port.
    pub port: u16,
    /// How many.
    pub packets: u64,
}

/// Records over time. Buckets without records are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Width of a bucket in seconds.
    pub step_s: i64,
    /// The buckets in the order of time.
    pub buckets: Vec<TimeBucket>,
}

/// Records of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimeBucket {
    /// Its first second.
    pub start: Time,
    /// How many.
    pub records: u64,
    /// How many of them pf blocked.
    pub blocked: u64,
    /// How many of them pf passed.
    pub passed: u64,
}

impl Report {
    /// Appends the report as JSON, on one line or on many, without an end of line.
    pub fn write_json(&self, out: &mut Vec<u8>, pretty: bool) {
        let json =
            if pretty { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) };
        // DEL and the C1 controls are legal in JSON, but not on a terminal.
        for c in json.unwrap_or_default().chars() {
            if matches!(c, '\x7f'..='\u{9f}') {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}
