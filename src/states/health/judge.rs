//! From the numbers to findings.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::report::{name, seconds, when};
use super::{Finding, Health, Kind, Node, SECOND, Severity};
use crate::states::regression::Back;
use crate::time::Timestamp;

/// Bytes of a packet that any Ethernet carries.
pub(super) const MTU: usize = 1500;
/// Updates of one state within a second that are a storm: the kernel puts a state once into a
/// packet and sends once a second if nothing presses.
pub(super) const STORM: u16 = 25;
/// Requests of a sender within a second that are a flood.
pub(super) const FLOOD: u64 = 20;
/// Requests for everything that nobody answered, from which on nobody listens: the kernel gives
/// up after 12 and becomes master all the same.
pub(super) const UNANSWERED: u64 = 2;
/// Seconds that a peer must be missed before it counts as not heard, and packets of the one that
/// is heard.
pub(super) const SILENT_S: i64 = 30;
/// See [`SILENT_S`].
pub(super) const SILENT_FRAMES: u64 = 10;
/// Seconds after which a bulk update without an end counts as unfinished.
pub(super) const BULK_S: i64 = 60;
/// A skew is told from this many states and this part of the larger number (a tenth) on.
pub(super) const SKEW: u64 = 10;

impl Health {
    /// What is wrong, the worst first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.one_way(&mut found);
        self.bulks(&mut found);
        self.traffic(&mut found);
        self.versions(&mut found);
        self.states(&mut found);
        for trouble in self.suspicions.values() {
            let (n, what) = (trouble.count, trouble.last.sentence());
            let times = if n == 1 { String::new() } else { format!(" ({n} times, this the last)") };
            let sentence = format!("Suspicious packet at {}: {what}{times}.", when(trouble.ts));
            found.push(Finding::new(Kind::Spoof, Severity::Error, n, sentence));
        }
        let other = self.other_frames.saturating_add(self.other_messages);
        if other > 0 {
            let sentence = format!(
                "There are more senders or creators than can be told apart: {} packets and {} messages are not in this report.",
                self.other_frames, self.other_messages
            );
            found.push(Finding::new(Kind::TooMany, Severity::Warning, other, sentence));
        }
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        found
    }

    /// Senders with an address: on its own pfsync0 a machine hears only itself.
    fn heard_nodes(&self) -> impl Iterator<Item = (IpAddr, &Node)> {
        self.nodes.iter().filter_map(|(sender, node)| Some(((*sender)?, node)))
    }

    fn one_way(&self, found: &mut Vec<Finding>) {
        for (sender, node) in &self.nodes {
            let late = |asked: Timestamp| {
                self.last.0.saturating_sub(asked.0) > super::ANSWER_S.saturating_mul(SECOND)
            };
            let n = node.unanswered.saturating_add(u64::from(node.asking.is_some_and(late)));
            if n >= UNANSWERED && sender.is_some() {
                let who = name(*sender);
                let sentence = format!(
                    "{who} asked {} times for all states and was not answered {n} times: its peer is down, does not hear it, or its answers are lost.",
                    node.asked
                );
                found.push(Finding::new(Kind::OneWay, Severity::Error, n, sentence).of_sender(who));
            }
        }
        if !found.is_empty() {
            return;
        }
        let mut nodes = self.heard_nodes();
        let (Some((sender, node)), None) = (nodes.next(), nodes.next()) else { return };
        let observed = node.last.0.saturating_sub(node.first.0);
        if observed < SILENT_S.saturating_mul(SECOND) || node.frames < SILENT_FRAMES {
            return;
        }
        let who = name(Some(sender));
        let foreign =
            self.creators.keys().find(|id| !node.own.is_empty() && !node.own.contains(id));
        let evidence = match (node.unicast, foreign) {
            (Some(peer), _) => format!("its peer {} never did", name(Some(peer))),
            (None, Some(id)) => {
                format!("the firewall that created the states of {id:08x} never did")
            }
            (None, None) => return,
        };
        let sentence = format!(
            "In {:.0} seconds {who} sent {} packets and {evidence}. A backup that passes no traffic may be silent; if the peer does pass traffic, its packets are lost.",
            seconds(node.first, node.last),
            node.frames
        );
        let finding = Finding::new(Kind::OneWay, Severity::Warning, node.frames, sentence);
        found.push(finding.of_sender(who));
    }

    fn bulks(&self, found: &mut Vec<Finding>) {
        let mut last = Vec::new();
        for (&id, creator) in &self.creators {
            let open = creator.bulks.last().filter(|bulk| bulk.end.is_none()).filter(|bulk| {
                self.last.0.saturating_sub(bulk.start.0) > BULK_S.saturating_mul(SECOND)
            });
            let n = creator.unfinished.saturating_add(u64::from(open.is_some()));
            if n > 0 {
                let at = open
                    .or_else(|| creator.bulks.last())
                    .map_or_else(String::new, |bulk| when(bulk.start));
                let sentence = format!(
                    "{n} of {} bulk updates of creator {id:08x} started and never ended (the last start at {at}): the peer may lack states.",
                    creator.started
                );
                let finding = Finding::new(Kind::BulkUnfinished, Severity::Warning, n, sentence);
                found.push(finding.of_creator(id));
            }
            let ended = creator.bulks.iter().rfind(|bulk| bulk.end.is_some());
            last.extend(ended.map(|bulk| (bulk.states, id)));
        }
        let (Some(&(least, a)), Some(&(most, b))) = (last.iter().min(), last.iter().max()) else {
            return;
        };
        let skew = most.saturating_sub(least);
        if skew >= SKEW && skew.saturating_mul(10) > most {
            let sentence = format!(
                "The last bulk update of {b:08x} had {most} states, that of {a:08x} {least}: the firewalls do not know the same states."
            );
            found.push(Finding::new(Kind::CountSkew, Severity::Warning, skew, sentence));
        }
    }

    fn traffic(&self, found: &mut Vec<Finding>) {
        for (sender, node) in &self.nodes {
            let who = name(*sender);
            if node.requests.most >= FLOOD {
                let n = node.requests.most;
                let sentence = format!(
                    "{who} asked for {n} states within a second ({}): it lacks states, so packets with their insertions are lost.",
                    when(node.requests.at)
                );
                let finding = Finding::new(Kind::RequestFlood, Severity::Warning, n, sentence);
                found.push(finding.of_sender(who.clone()));
            }
            if node.oversize > 0 {
                let (n, longest) = (node.oversize, node.longest);
                let sentence = format!(
                    "{n} packets of {who} were larger than {MTU} bytes or came in fragments (the largest seen has {longest}): the MTU of its interface does not fit the link, and one lost fragment loses all of a packet's states."
                );
                let finding = Finding::new(Kind::Mtu, Severity::Warning, n, sentence);
                found.push(finding.of_sender(who.clone()));
            }
            if node.faulty > 0 {
                let (n, frames) = (node.faulty, node.frames);
                let sentence =
                    format!("{n} of {frames} packets of {who} could not be decoded completely.");
                let finding = Finding::new(Kind::Faulty, Severity::Warning, n, sentence);
                found.push(finding.of_sender(who));
            }
        }
    }

    fn versions(&self, found: &mut Vec<Finding>) {
        let mut versions = BTreeSet::new();
        let mut layouts = BTreeSet::new();
        let mut each = Vec::new();
        for (sender, node) in &self.nodes {
            let spoken = (0_u8..).zip(node.versions).filter(|&(version, n)| version > 0 && n > 0);
            let spoken: Vec<_> = spoken.map(|(version, _)| version).collect();
            versions.extend(spoken.iter().copied());
            layouts.extend(node.layouts.keys().copied());
            let words = spoken.iter().map(|version| format!("version {version}"));
            let names = node.layouts.keys().map(|layout| layout.name().to_owned());
            let words: Vec<_> = words.chain(names).collect();
            each.push(format!("{} {}", name(*sender), words.join(", ")));
        }
        let n = versions.len().max(layouts.len());
        if n > 1 {
            let sentence = format!(
                "The firewalls do not speak the same pfsync ({}): a receiver drops what is not its own.",
                each.join("; ")
            );
            let count = u64::try_from(n).unwrap_or(u64::MAX);
            found.push(Finding::new(Kind::VersionMismatch, Severity::Error, count, sentence));
        }
    }

    fn states(&self, found: &mut Vec<Finding>) {
        if let Some(storm) = &self.storm {
            let ((ids, most), n) = (storm.last, storm.count);
            let sentence = format!(
                "{n} times a state was updated {STORM} times or more within a second; the most was {most}, state {:016x} of creator {:08x} at {}: both firewalls may be forwarding the same connection.",
                ids.id,
                ids.creatorid,
                when(storm.ts)
            );
            let finding = Finding::new(Kind::UpdateStorm, Severity::Warning, n, sentence);
            found.push(finding.of_creator(ids.creatorid));
        }
        if let Some(trouble) = &self.regressions {
            let (n, last) = (trouble.count, trouble.last);
            let side = if last.src { "source" } else { "destination" };
            let what = match last.back {
                Back::Window { from, to } => {
                    format!("the {side}'s window went from {from} to {to}")
                }
                Back::Level { from, to } => format!(
                    "the {side} went from {} to {}",
                    from.name(6).unwrap_or("?"),
                    to.name(6).unwrap_or("?")
                ),
            };
            let sentence = format!(
                "{n} updates set a state back; the last, at {}: of state {:016x} of creator {:08x} {what}. A firewall has old knowledge of connections, which break if it takes over.",
                when(trouble.ts),
                last.ids.id,
                last.ids.creatorid
            );
            let finding = Finding::new(Kind::Regression, Severity::Warning, n, sentence);
            found.push(finding.of_creator(last.ids.creatorid));
        }
        if self.strays > 0 {
            let n = self.strays;
            let sentence = format!(
                "{n} states that began while watching were updated and never inserted: packets with their insertions are lost."
            );
            found.push(Finding::new(Kind::NeverInserted, Severity::Warning, n, sentence));
        }
        if self.orphans > 0 {
            let n = self.orphans;
            let sentence = format!(
                "{n} compressed updates were of states never seen inserted. This is usual for states that are older than the capture."
            );
            found.push(Finding::new(Kind::NeverInserted, Severity::Info, n, sentence));
        }
    }
}
