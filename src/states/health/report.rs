//! The numbers, for JSON and for a page.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::tally::Tally;
use super::{Creator, Finding, Health, Node, SECOND};
use crate::text::push_ip;
use crate::time::{Clock, Precision, Timestamp};

/// What [`Health`] has seen.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// First packet; times are RFC 3339, UTC.
    pub from: Option<String>,
    /// Last packet.
    pub to: Option<String>,
    /// Seconds between them.
    pub seconds: f64,
    /// Who sent.
    pub senders: Vec<SenderReport>,
    /// Whose states.
    pub creators: Vec<CreatorReport>,
    /// Frames of senders beyond those that are told apart.
    pub other_frames: u64,
    /// Messages about creators beyond those that are told apart.
    pub other_messages: u64,
    /// What the guard suspects, by word.
    pub suspicions: BTreeMap<&'static str, u64>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// A sender.
#[derive(Debug, Clone, Serialize)]
pub struct SenderReport {
    /// Its address; `local` for packets of the machine itself, on its pfsync0.
    pub sender: String,
    /// First packet.
    pub first: String,
    /// Last packet.
    pub last: String,
    /// Packets.
    pub frames: u64,
    /// Packets by version.
    pub versions: BTreeMap<String, u64>,
    /// States by layout.
    pub layouts: BTreeMap<&'static str, u64>,
    /// Creators whose states it inserts.
    pub creatorids: Vec<String>,
    /// Messages by action.
    pub messages: BTreeMap<&'static str, u64>,
    /// The same a second, over the time that was observed.
    pub messages_per_s: BTreeMap<&'static str, f64>,
    /// Updates in the second with most of them.
    pub most_updates_per_s: u64,
    /// Requests in the second with most of them.
    pub most_requests_per_s: u64,
    /// Requests for all states.
    pub asked: u64,
    /// Those that nobody answered.
    pub unanswered: u64,
    /// Largest packet, in bytes.
    pub longest: usize,
    /// Packets larger than a link carries, or in fragments.
    pub oversize: u64,
    /// Packets that could not be decoded completely.
    pub faulty: u64,
}

/// A creator.
#[derive(Debug, Clone, Serialize)]
pub struct CreatorReport {
    /// Eight hexadecimal digits.
    pub creatorid: String,
    /// First message.
    pub first: String,
    /// Last message.
    pub last: String,
    /// Messages by action.
    pub messages: BTreeMap<&'static str, u64>,
    /// The same a second, over the time that was observed.
    pub messages_per_s: BTreeMap<&'static str, f64>,
    /// Bulk updates it started.
    pub bulks_started: u64,
    /// Of them the last.
    pub bulks: Vec<BulkReport>,
}

/// A bulk update.
#[derive(Debug, Clone, Serialize)]
pub struct BulkReport {
    /// When it started.
    pub start: String,
    /// When it ended.
    pub end: Option<String>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// States in it.
    pub states: u64,
}

impl Health {
    /// The numbers so far, and what is wrong.
    pub fn report(&self) -> Report {
        let seconds = self.first.map_or(0.0, |first| seconds(first, self.last));
        Report {
            from: self.first.map(when),
            to: self.first.map(|_| when(self.last)),
            seconds,
            senders: self
                .nodes
                .iter()
                .map(|(sender, node)| node.report(*sender, seconds))
                .collect(),
            creators: self
                .creators
                .iter()
                .map(|(id, creator)| creator.report(*id, seconds))
                .collect(),
            other_frames: self.other_frames,
            other_messages: self.other_messages,
            suspicions: self.suspicions.iter().map(|(&name, found)| (name, found.count)).collect(),
            findings: self.findings(),
        }
    }
}

impl Node {
    fn report(&self, sender: Option<IpAddr>, seconds: f64) -> SenderReport {
        let versions = (0_u8..).zip(self.versions).filter(|&(_, n)| n > 0);
        SenderReport {
            sender: name(sender),
            first: when(self.first),
            last: when(self.last),
            frames: self.frames,
            versions: versions.map(|(version, n)| (version.to_string(), n)).collect(),
            layouts: self.layouts.iter().map(|(layout, &n)| (layout.name(), n)).collect(),
            creatorids: self.own.iter().map(|id| format!("{id:08x}")).collect(),
            messages: self.messages.counts(),
            messages_per_s: per_s(&self.messages, seconds),
            most_updates_per_s: self.updates.most,
            most_requests_per_s: self.requests.most,
            asked: self.asked,
            unanswered: self.unanswered,
            longest: self.longest,
            oversize: self.oversize,
            faulty: self.faulty,
        }
    }
}

impl Creator {
    fn report(&self, creatorid: u32, observed: f64) -> CreatorReport {
        let bulks = self.bulks.iter().map(|bulk| BulkReport {
            start: when(bulk.start),
            end: bulk.end.map(when),
            seconds: bulk.end.map(|end| seconds(bulk.start, end)),
            states: bulk.states,
        });
        CreatorReport {
            creatorid: format!("{creatorid:08x}"),
            first: when(self.first),
            last: when(self.last),
            messages: self.messages.counts(),
            messages_per_s: per_s(&self.messages, observed),
            bulks_started: self.started,
            bulks: bulks.collect(),
        }
    }
}

/// Over at least a second: a single packet is no rate.
#[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
fn per_s(tally: &Tally, seconds: f64) -> BTreeMap<&'static str, f64> {
    let rate = |n: u64| (n as f64 / seconds.max(1.0) * 1000.0).round() / 1000.0;
    tally.counts().into_iter().map(|(name, n)| (name, rate(n))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction")]
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0) as f64 / SECOND as f64
}

/// The name of a sender.
pub(super) fn name(sender: Option<IpAddr>) -> String {
    let mut out = Vec::new();
    match sender {
        Some(sender) => push_ip(&mut out, sender),
        None => out.extend_from_slice(b"local"),
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn when(ts: Timestamp) -> String {
    let mut out = Vec::new();
    Clock::new(TimeZone::UTC).push_rfc3339(&mut out, ts, Precision::Micros);
    String::from_utf8_lossy(&out).into_owned()
}
