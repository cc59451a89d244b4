//! `-cache`: what became of each flow (5-tuple and direction), from pf: the states of pfsync and
//! the packets of pflog, each matched with SAs and policies. The kernel's own cache is not told
//! over VICI: this is a match of selectors, and says so.

use std::collections::HashMap;
use std::net::IpAddr;

use super::answers::Answers;
use super::field::{Field, Value};
use super::form::{Block, Form, Line, entry, item, line, more, row};
use super::ipsec_sa::is_sa;
use super::traffic;
use crate::ipsec::index::Index;
use crate::ipsec::policy;
use crate::ipsec::selector::Selector;
use crate::ipsec::table::Table;
use crate::packet::proto;
use crate::pf::Direction;
use crate::time::Timestamp;
use crate::vici::views::{self, ChildSa, IkeSa};

const RECORD: &str = "a running number of this report";
const COOKIE: &str = "strongSwan's reqid: the same number for policies and their SAs, over rekeys";
const SECURE: &str = "the selectors of a CHILD_SA admit it; the kernel's cache is not told";
const TRAPPED: &str = "the selectors of a trap policy admit it, and no SA is there";
const SHUNT: &str =
    "the selectors of a pass or drop policy admit it; the kernel's cache is not told";
const PF: &str = "what pf did: no SA or policy of IPsec admits it";
const PF_BLOCKED: &str = "what pf did";
const DIRECTION: &str = "that of the state's first packet, or by the selectors";
const NO_COOKIE: &str = "no policy of IPsec admits it";
const NO_PORT: &str = "not in the packet";
const GONE: &str = "the SA is no longer there";

/// Flows that are kept.
pub const MAX_FLOWS: usize = 200_000;

/// What pf shows of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Who sends.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
    /// IP's protocol.
    pub proto: u8,
    /// Ports; ICMP has none.
    pub ports: Option<(u16, u16)>,
    /// Which way it passed pf.
    pub dir: Option<Direction>,
}

/// The flows, in the order in which they came.
#[derive(Debug, Default)]
pub struct Flows {
    all: Vec<(Seen, Timestamp, bool)>,
    places: HashMap<Seen, usize>,
    /// Flows that were left out: there were too many.
    pub dropped: u64,
}

impl Flows {
    /// A packet or a state, at a time; `passed`: pf did not block it. The last one counts.
    pub fn add(&mut self, seen: Seen, at: Timestamp, passed: bool) {
        if let Some(known) = self.places.get(&seen).and_then(|&place| self.all.get_mut(place)) {
            if at >= known.1 {
                *known = (seen, at, passed);
            }
        } else if self.all.len() < MAX_FLOWS {
            self.places.insert(seen, self.all.len());
            self.all.push((seen, at, passed));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

/// The SA that a flow is sent by.
#[derive(Debug, Clone)]
pub struct Sa {
    /// SA Created or SA Requested.
    pub state: Field,
    /// ESP or AH.
    pub protocol: Field,
    /// Yes in tunnel mode.
    pub tunnel: Field,
    /// SPI.
    pub spi: Field,
    /// Source of the packets outside.
    pub src: Field,
    /// Their destination.
    pub dst: Field,
}

/// A flow in the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is of.
    pub id: Vec<u8>,
    /// Running number.
    pub number: Field,
    /// Number that joins it to policies.
    pub cookie: Field,
    /// Source.
    pub src: Field,
    /// Its port.
    pub src_port: Field,
    /// Destination.
    pub dst: Field,
    /// Its port.
    pub dst_port: Field,
    /// Protocol.
    pub protocol: Field,
    /// inbound or outbound.
    pub direction: Field,
    /// Secure, Pass or Discard.
    pub action: Field,
    /// What outbound packets are sent by.
    pub sas: Vec<Sa>,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let mut lines = vec![
            row([
                entry("Cache Policy Record", "number", self.number),
                entry("Cookie", "cookie", self.cookie),
            ]),
            row([
                entry("Src IP Address", "src", self.src),
                entry("Src Port number", "src_port", self.src_port),
            ]),
            row([
                entry("Dst IP Address", "dst", self.dst),
                entry("Dst Port number", "dst_port", self.dst_port),
            ]),
            row([
                entry("Network Protocol", "protocol", self.protocol),
                entry("Direction", "direction", self.direction),
            ]),
            line("Action", "action", self.action),
        ];
        for (number, sa) in (1..).zip(self.sas) {
            let fields = vec![
                line("State", "state", sa.state),
                line("SA Type", "sa_type", sa.protocol),
                line("Tunnel SA", "tunnel", sa.tunnel),
                line("SPI (hex)", "spi", sa.spi),
                line("Src IP Address", "src", sa.src),
                line("Dst IP Address", "dst", sa.dst),
            ];
            lines.push(item(format!("-- SA Number {number} --"), "sas", fields));
        }
        lines.extend(self.more);
        let title = "-------------------------Cache Policy Rule ---------------------------";
        Form { kind: "cache", title: title.into(), id: self.id, lines }
    }
}

/// A policy of `list-policies`.
struct Shunt {
    mode: Vec<u8>,
    local: Vec<Selector>,
    remote: Vec<Selector>,
    child: Vec<u8>,
}

/// The SAs of answers, to be looked up.
pub fn index(answers: &Answers) -> Index {
    let mut table = Table::new(crate::ipsec::GRACE, answers.services.clone());
    for section in &answers.sas {
        table.event(answers.at, b"list-sa", section);
    }
    table.index()
}

/// SAs and policies to match flows with.
pub struct Matcher<'a> {
    index: &'a Index,
    /// Match at the time of the packet, not of the answers.
    of_the_time: bool,
    at: Timestamp,
    children: HashMap<(&'a [u8], u32), (IkeSa<'a>, ChildSa<'a>)>,
    shunts: Vec<Shunt>,
    answers: &'a Answers,
}

impl std::fmt::Debug for Matcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matcher").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'a> Matcher<'a> {
    /// Of answers and an index of their SAs ([`index`]), or of a journal's: then flows are matched
    /// with the SAs of their time.
    pub fn new(answers: &'a Answers, index: &'a Index, of_the_time: bool) -> Self {
        let numbered = |(ike, child): (IkeSa<'a>, ChildSa<'a>)| {
            Some(((ike.name, child.uniqueid()?), (ike, child)))
        };
        let children = answers.children().filter_map(numbered).collect();
        let read = |list: &[Vec<u8>]| -> Vec<Selector> {
            let read = |text: &Vec<u8>| Selector::parse(text, &answers.services).ok();
            list.iter().filter_map(read).collect()
        };
        let policies = answers.policies.iter().flatten().flat_map(views::policies);
        let shunts = policies.map(|policy| Shunt {
            mode: policy.mode().unwrap_or_default().to_vec(),
            local: read(policy.local_ts()),
            remote: read(policy.remote_ts()),
            child: policy.child().unwrap_or(policy.name).to_vec(),
        });
        Self { index, of_the_time, at: answers.at, children, shunts: shunts.collect(), answers }
    }

    /// The flows' rows. ESP and AH are no flows of the cache: the SPI finds their SA.
    pub fn rows<'f>(&'f self, flows: &'f Flows) -> impl Iterator<Item = Row> + 'f {
        let clear =
            flows.all.iter().filter(|(seen, ..)| !matches!(seen.proto, proto::ESP | proto::AH));
        (1_u32..)
            .zip(clear)
            .map(|(number, (seen, at, passed))| self.row(number, seen, *at, *passed))
    }

    fn row(&self, number: u32, seen: &Seen, at: Timestamp, passed: bool) -> Row {
        let flow = policy::Flow {
            src: seen.src,
            dst: seen.dst,
            proto: Some(seen.proto),
            ports: seen.ports,
        };
        let when = if self.of_the_time { at } else { self.at };
        let found = self.index.by_selector(&flow, when, seen.dir, !is_ike(seen));
        let sa = found.map(|found| (found, self.children.get(&(found.ike, found.uniqueid))));
        let shunt = self.shunt(seen);
        // The narrower one goes first, as in the kernel.
        let shunt = shunt.filter(|(_, _, width)| match &sa {
            None => true,
            Some((_, child)) => child.is_some_and(|child| *width < self.width(child, seen)),
        });
        let dir = sa.as_ref().and_then(|(found, _)| found.dir).or(seen.dir);
        let port = |side: fn((u16, u16)) -> u16| {
            Field::told(seen.ports.map(|ports| u32::from(side(ports))), NO_PORT)
        };
        let mut row = Row {
            id: identity(seen),
            number: Field::derived(number, RECORD),
            cookie: Field::Missing(NO_COOKIE),
            src: Field::known(seen.src),
            src_port: port(|(src, _)| src),
            dst: Field::known(seen.dst),
            dst_port: port(|(_, dst)| dst),
            protocol: Field::known(traffic::name(seen.proto)),
            direction: match (seen.dir, dir.map(direction)) {
                (Some(_), Some(word)) => Field::known(word),
                (None, Some(word)) => Field::derived(word, DIRECTION),
                (_, None) => Field::Missing("neither pf nor the selectors tell"),
            },
            action: Field::derived(if passed { "Pass" } else { "Discard" }, PF),
            sas: Vec::new(),
            more: Vec::new(),
        };
        if !passed {
            row.action = Field::derived("Discard", PF_BLOCKED);
        } else if let Some((shunt, _, _)) = shunt {
            row.more = vec![more("Rule Name", "child", Field::known(shunt.child.as_slice()))];
            if matches!(&*shunt.mode, b"PASS" | b"DROP") {
                let word = if shunt.mode == b"PASS" { "Pass" } else { "Discard" };
                row.action = Field::derived(word, SHUNT);
            } else {
                row.action = Field::derived("Secure", TRAPPED);
                row.sas = vec![requested()];
            }
        } else if let Some((found, child)) = sa {
            row.action = Field::derived("Secure", SECURE);
            if let Some(known) = found.child {
                row.cookie = Field::concluded(known.reqid, COOKIE, "no reqid is told");
                row.more = vec![
                    more("Policy Name", "ike", Field::known(found.ike)),
                    more("Rule Name", "child", Field::known(known.name)),
                ];
            }
            if dir == Some(Direction::OUT) {
                row.sas = vec![child.map_or_else(gone, |(ike, child)| used(ike, child))];
            }
        }
        row
    }

    /// The narrowest policy that admits a flow, which way, and how wide it is.
    fn shunt(&self, seen: &Seen) -> Option<(&Shunt, Direction, u32)> {
        let candidates = self.shunts.iter().filter_map(|shunt| {
            // A trap counts only where its SA is not there: the index has those.
            let (dir, width) = widths(&shunt.local, &shunt.remote, (None, None), seen)?;
            Some((shunt, dir, width))
        });
        candidates.min_by_key(|(_, _, width)| *width)
    }

    fn width(&self, (ike, child): &(IkeSa<'_>, ChildSa<'_>), seen: &Seen) -> u32 {
        let read = |list: &[Vec<u8>]| -> Vec<Selector> {
            let read = |text: &Vec<u8>| Selector::parse(text, &self.answers.services).ok();
            list.iter().filter_map(read).collect()
        };
        let hosts = (ike.local_host(), ike.remote_host());
        widths(&read(child.local_ts()), &read(child.remote_ts()), hosts, seen)
            .map_or(u32::MAX, |(_, width)| width)
    }
}

fn identity(seen: &Seen) -> Vec<u8> {
    let Seen { src, dst, proto, ports, dir } = seen;
    let (sport, dport) = ports.unwrap_or_default();
    let dir = dir.map_or("", direction);
    format!("{proto} {src} {sport} {dst} {dport} {dir}").into_bytes()
}

fn is_ike(seen: &Seen) -> bool {
    let is = |port: u16| matches!(port, 500 | 4500);
    seen.proto == proto::UDP && seen.ports.is_some_and(|(src, dst)| is(src) || is(dst))
}

/// How wide the narrowest pair of selectors is that admits a flow, in bits of its addresses.
fn widths(
    local: &[Selector],
    remote: &[Selector],
    hosts: (Option<IpAddr>, Option<IpAddr>),
    seen: &Seen,
) -> Option<(Direction, u32)> {
    let (sport, dport) = seen.ports.map_or((None, None), |(s, d)| (Some(s), Some(d)));
    let out = ((seen.src, sport), (seen.dst, dport), Direction::OUT);
    let inward = ((seen.dst, dport), (seen.src, sport), Direction::IN);
    let ways = [out, inward].into_iter().filter(|(.., dir)| seen.dir.is_none_or(|d| d == *dir));
    let found = ways.filter_map(|(near, far, dir)| {
        let side =
            |list: &[Selector], host: Option<IpAddr>, (addr, port): (IpAddr, Option<u16>)| {
                let admits = |s: &&Selector| s.admits(addr, host, Some(seen.proto), port);
                list.iter().filter(admits).map(bits).min()
            };
        Some((dir, side(local, hosts.0, near)? + side(remote, hosts.1, far)?))
    });
    found.min_by_key(|(_, width)| *width)
}

/// Bits of a selector's addresses that are free; a protocol makes it narrower.
fn bits(selector: &Selector) -> u32 {
    let span = match selector.range {
        Some((IpAddr::V4(first), IpAddr::V4(last))) => {
            u128::from(u32::from(last).saturating_sub(u32::from(first)))
        }
        Some((IpAddr::V6(first), IpAddr::V6(last))) => {
            u128::from(last).saturating_sub(u128::from(first))
        }
        _ => 0,
    };
    (u128::BITS - span.leading_zeros()) * 2 + u32::from(selector.proto.is_none())
}

fn direction(dir: Direction) -> &'static str {
    if dir == Direction::IN { "inbound" } else { "outbound" }
}

fn used(ike: &IkeSa<'_>, child: &ChildSa<'_>) -> Sa {
    let state = if is_sa(child) { "SA Created" } else { "SA Requested" };
    let tunnel = if child.mode() == Some(b"TUNNEL") { "Yes" } else { "No" };
    Sa {
        state: Field::known(state),
        protocol: Field::told(child.protocol(), "not told"),
        tunnel: Field::known(tunnel),
        spi: Field::told(child.spi_out().map(Value::Spi), "not told"),
        src: Field::told(ike.local_host(), "not told"),
        dst: Field::told(ike.remote_host(), "not told"),
    }
}

fn gone() -> Sa {
    let missing = Field::Missing(GONE);
    Sa {
        state: missing.clone(),
        protocol: missing.clone(),
        tunnel: missing.clone(),
        spi: missing.clone(),
        src: missing.clone(),
        dst: missing,
    }
}

fn requested() -> Sa {
    const NONE: &str = "there is no SA yet";
    let missing = Field::Missing(NONE);
    Sa {
        state: Field::derived("SA Requested", TRAPPED),
        protocol: missing.clone(),
        tunnel: missing.clone(),
        spi: missing.clone(),
        src: missing.clone(),
        dst: missing,
    }
}
