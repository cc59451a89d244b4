//! A ruleset at one time: which rule a pflog header means, if it can be that one.
//!
//! `rulenr` counts in the main ruleset. For a rule in an anchor it is the main ruleset's rule that
//! leads there, `ruleset` the last part of the anchor's path, cut to 15 bytes, and `subrulenr` counts
//! in the anchor (if_pflog.c). A header with `subrulenr` and no anchor is one of FreeBSD 15.1, whose
//! `rulenr` does not change and whose `subrulenr` counts in the main ruleset.

use std::collections::HashMap;

use twox_hash::XxHash64;

use super::line::{Kind, Line, On, Ports, Verb};
use super::listing::{Entry, Listing, Numbers};
use crate::event::Event;
use crate::packet::{Packet, proto};
use crate::pf::{Action, Direction, Family, Reason};
use crate::wire::pflog::Pflog;

/// Bytes of an anchor's name in a header: `PFLOG_RULESET_NAME_SIZE` without the NUL.
const NAME_LEN: usize = 15;

/// A ruleset, and where each rule is found.
#[derive(Debug)]
pub struct Ruleset {
    listing: Listing,
    checksum: u64,
    /// A rule makes rules log that do not say so (`log (matches)`).
    log_matches: bool,
    by_place: HashMap<(usize, Kind, u32), Place>,
    /// Anchors by their names in a header: of the last part of the path, and of the path.
    by_name: HashMap<Box<[u8]>, Vec<usize>>,
    /// Anchors by the rule of the main ruleset that leads to them.
    by_top: HashMap<u32, Vec<usize>>,
    by_tracker: HashMap<u32, Vec<usize>>,
}

/// What stands at a number.
#[derive(Debug, Clone, Copy)]
enum Place {
    Rule(usize),
    /// Different rules: two listings in one file.
    Several,
}

/// What a header means.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// This rule.
    Rule {
        /// The rule.
        entry: &'a Entry,
        /// It has another place than the header says, and was found by its tracker or its anchor.
        moved: bool,
    },
    /// What stands there, or all that does, contradicts the packet.
    Implausible,
    /// Nothing that is known, or several rules that it may be.
    Nothing,
}

impl Ruleset {
    /// The ruleset of a listing.
    pub fn new(listing: Listing) -> Self {
        let mut set = Self {
            checksum: checksum(&listing),
            log_matches: listing.entries.iter().any(|entry| entry.line.log_matches),
            by_place: HashMap::new(),
            by_name: HashMap::new(),
            by_top: HashMap::new(),
            by_tracker: HashMap::new(),
            listing,
        };
        for (at, anchor) in set.listing.anchors.iter().enumerate().skip(1) {
            if let Some(top) = anchor.top {
                set.by_top.entry(top).or_default().push(at);
            }
            let leaf = anchor.path.rsplit('/').next().unwrap_or_default();
            let mut names = vec![cut(leaf)];
            if cut(&anchor.path) != cut(leaf) {
                names.push(cut(&anchor.path));
            }
            for name in names {
                set.by_name.entry(name.into()).or_default().push(at);
            }
        }
        for (at, entry) in set.listing.entries.iter().enumerate() {
            if let Some(number) = entry.number {
                let same = |other: usize| {
                    set.listing.entries.get(other).is_some_and(|other| other.line == entry.line)
                };
                set.by_place
                    .entry((entry.anchor, entry.line.kind, number))
                    .and_modify(|place| {
                        if !matches!(*place, Place::Rule(other) if same(other)) {
                            *place = Place::Several;
                        }
                    })
                    .or_insert(Place::Rule(at));
            }
            if let Some(tracker) = entry.line.ridentifier {
                set.by_tracker.entry(tracker).or_default().push(at);
            }
        }
        set
    }

    /// What was read.
    pub const fn listing(&self) -> &Listing {
        &self.listing
    }

    /// XXH64 of places and texts of all rules: the same for two files that differ in counters only.
    pub const fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Path of the anchor of a rule of this ruleset.
    pub fn path(&self, entry: &Entry) -> &str {
        self.listing.anchors.get(entry.anchor).map_or("", |anchor| anchor.path.as_str())
    }

    /// The rule that the event's header means. Allocates nothing.
    pub fn find(&self, event: &Event<'_>, header: &Pflog<'_>) -> Found<'_> {
        let must_log = !self.log_matches && header.reason == Reason::MATCH;
        let mut search = Search { event, header, must_log, one: None, others: false, wrong: false };
        let kind = kind_of(header);
        match (header.ruleset, header.subrulenr) {
            (b"", None) => {
                let Some(number) = header.rulenr else { return Found::Nothing };
                search.look(self.at(0, kind, number), false);
            }
            (b"", Some(number)) => {
                search.look(self.at(0, kind, number), false);
                // The name of an anchor may be what was lost.
                let anchors = header.rulenr.and_then(|top| self.by_top.get(&top));
                for &at in anchors.into_iter().flatten() {
                    search.look(self.at(at, kind, number), true);
                }
            }
            (name, number) => {
                let Some(number) = number else { return Found::Nothing };
                self.look_in(&mut search, name, kind, number, header.rulenr);
                // Anchors without a name are called _1, _2, ... by pfctl, which does not print it.
                if name.starts_with(b"_") {
                    self.look_in(&mut search, b"_", kind, number, header.rulenr);
                }
            }
        }
        if search.one.is_none()
            && let Some(rules) = header.ridentifier.and_then(|id| self.by_tracker.get(&id))
        {
            for &at in rules {
                search.look(self.listing.entries.get(at), true);
            }
        }
        search.found()
    }

    /// Looks into every anchor of a name. One that the header's rule of the main ruleset leads to
    /// is preferred.
    fn look_in<'a>(
        &'a self,
        search: &mut Search<'a, '_>,
        name: &[u8],
        kind: Kind,
        number: u32,
        top: Option<u32>,
    ) {
        let Some(anchors) = self.by_name.get(name) else { return };
        let leads = |at: usize| {
            self.listing
                .anchors
                .get(at)
                .is_some_and(|anchor| anchor.top.is_some() && anchor.top == top)
        };
        let any = anchors.iter().any(|&at| leads(at));
        for &at in anchors.iter().filter(|&&at| !any || leads(at)) {
            search.look(self.at(at, kind, number), !any);
        }
    }

    fn at(&self, anchor: usize, kind: Kind, number: u32) -> Option<&Entry> {
        match self.by_place.get(&(anchor, kind, number))? {
            Place::Rule(at) => self.listing.entries.get(*at),
            Place::Several => None,
        }
    }

    /// True if rules and who loaded them are the same; counters may differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.checksum == other.checksum && self.listing == other.listing
    }

    /// True if the numbers are pfctl's own.
    pub fn is_numbered(&self) -> bool {
        self.listing.numbers == Numbers::Printed
    }
}

/// A search among the rules that a header may mean.
struct Search<'a, 'e> {
    event: &'e Event<'e>,
    header: &'e Pflog<'e>,
    /// Only a rule with `log` can have logged it.
    must_log: bool,
    one: Option<(&'a Entry, bool)>,
    /// There was another one that it may be.
    others: bool,
    /// There was one that it cannot be.
    wrong: bool,
}

impl<'a> Search<'a, '_> {
    fn look(&mut self, entry: Option<&'a Entry>, moved: bool) {
        let Some(entry) = entry else { return };
        let tracker = |line: &Line| line.ridentifier.zip(self.header.ridentifier);
        let other = tracker(&entry.line).is_some_and(|(rule, header)| rule != header);
        let silent = self.must_log && !entry.line.log;
        if other || silent || !fits(&entry.line, self.event, self.header) {
            self.wrong = true;
            return;
        }
        match self.one {
            None => self.one = Some((entry, moved)),
            Some((one, _)) if one.line == entry.line => {}
            Some(_) => self.others = true,
        }
    }

    fn found(self) -> Found<'a> {
        match self.one {
            Some((entry, moved)) if !self.others => Found::Rule { entry, moved },
            Some(_) => Found::Nothing,
            None if self.wrong => Found::Implausible,
            None => Found::Nothing,
        }
    }
}

/// The first bytes of an anchor's name.
fn cut(name: &str) -> &[u8] {
    name.as_bytes().get(..NAME_LEN).unwrap_or(name.as_bytes())
}

/// The list that a header's number counts in.
fn kind_of(header: &Pflog<'_>) -> Kind {
    match header.action.name(header.systems) {
        Some("scrub" | "noscrub") => Kind::Scrub,
        Some("nat" | "nonat") => Kind::Nat,
        Some("binat" | "nobinat") => Kind::Binat,
        Some("rdr" | "nordr") => Kind::Rdr,
        _ => Kind::Filter,
    }
}

/// True unless the rule contradicts the packet.
///
/// A packet of a state is logged with the rule that made the state: with `log (all)`, and where it
/// does not fit the state. It may be an answer, which goes the other way, perhaps by another
/// interface; ICMP that tells of the state's packets; or (af-to) of the other IP version.
fn fits(rule: &Line, event: &Event<'_>, header: &Pflog<'_>) -> bool {
    let of_state = matches!(rule.verb, Verb::Pass | Verb::Match)
        && (rule.log_all || header.reason != Reason::MATCH);
    let other_way = rule.dir.is_some_and(|dir| match header.dir {
        Some(logged @ (Direction::IN | Direction::OUT)) => logged != dir,
        _ => false,
    });
    let other_family =
        rule.family.is_some_and(|family| Family::from_af(header.af).is_some_and(|af| af != family));
    fits_action(rule, header)
        && if other_way { of_state } else { fits_interface(rule, header) }
        && (!other_family || (of_state && rule.text.contains(" af-to ")))
        && event.packet.as_ref().is_none_or(|packet| {
            fits_protocol(rule, packet, of_state) && (of_state || fits_ports(rule, packet, header))
        })
}

/// A packet that was dropped for its own faults may have been of any rule but one that blocks and
/// is logged as pass.
fn fits_action(rule: &Line, header: &Pflog<'_>) -> bool {
    let is_match = header.reason == Reason::MATCH;
    match rule.verb {
        Verb::Anchor => false,
        Verb::Other => true,
        Verb::Block => match header.action {
            Action::BLOCK => true,
            _ => header.action.name(header.systems).is_none() && header.action != Action::PASS,
        },
        Verb::Pass => {
            (header.action != Action::BLOCK || !is_match)
                && header.action.name(header.systems) != Some("match")
        }
        Verb::Match => !is_match || !matches!(header.action, Action::BLOCK | Action::PASS),
    }
}

fn fits_interface(rule: &Line, header: &Pflog<'_>) -> bool {
    // A name of 15 bytes may have been cut.
    let is = |name: &str| header.ifname == cut(name);
    match &rule.on {
        _ if header.ifname.is_empty() => true,
        None => true,
        Some(On::Is(name)) => is(name),
        Some(On::Not(name)) => !is(name),
    }
}

fn fits_protocol(rule: &Line, packet: &Packet<'_>, of_state: bool) -> bool {
    let ip = &packet.ip;
    if ip.frag.is_some_and(|frag| frag.is_fragment()) {
        return true;
    }
    // Behind AH pf sees AH.
    let is = |rule: u8| {
        packet.ah.is_some()
            || ip.proto.is_none_or(|number| {
                number == rule || (of_state && matches!(number, proto::ICMP | proto::ICMP6))
            })
    };
    rule.proto.is_none_or(is)
}

/// The ports of the packet, or those on the other side of a translation where the header has them.
fn fits_ports(rule: &Line, packet: &Packet<'_>, header: &Pflog<'_>) -> bool {
    let Some(here) = packet.ports() else { return true };
    let has = |ports: Option<Ports>, here: u16, there: Option<u16>| {
        ports.is_none_or(|ports| ports.has(here) || there.is_some_and(|there| ports.has(there)))
    };
    rule.verb == Verb::Other
        || (has(rule.from, here.src, header.other.map(|other| other.sport))
            && has(rule.to, here.dst, header.other.map(|other| other.dport)))
}

fn checksum(listing: &Listing) -> u64 {
    let mut text = Vec::new();
    for entry in &listing.entries {
        let path = listing.anchors.get(entry.anchor).map_or("", |anchor| anchor.path.as_str());
        let number = entry.number.map_or(-1, i64::from);
        let tracker = entry.line.ridentifier.unwrap_or_default();
        text.extend_from_slice(
            format!("{path}\n{number}\n{tracker}\n{}\n", entry.line.text).as_bytes(),
        );
    }
    XxHash64::oneshot(0, &text)
}
