//! Which CHILD_SA a clear packet belongs to, by traffic selectors (RFC 4301 4.4.1).
//!
//! A pair of selectors, the local and the remote one, is cut into pairs of prefixes. Pairs of one
//! shape (how long the prefixes are, whether there is one protocol, one port) are found in one
//! look-up; shapes are tried from the most specific on, and there are few. What a shape cannot
//! say, ranges of ports, is asked of the pairs that were found.

use std::collections::HashMap;
use std::net::IpAddr;

use super::index::Entry;
use super::sa::Ike;
use super::selector::{Ports, Selector};
use super::span::{self, Spanned};
use crate::pf::Direction;
use crate::time::Timestamp;

/// Pairs of prefixes of a CHILD_SA that are looked for. The product of both sides' selectors is
/// the peer's to choose.
const MAX_PAIRS: usize = 4096;

/// What a packet shows of its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) proto: Option<u8>,
    /// Source and destination; ICMP: type in the high, code in the low byte, twice.
    pub(super) ports: Option<(u16, u16)>,
}

/// One end of it.
type End = (IpAddr, Option<u16>);

/// What pairs of a kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    v6: bool,
    local_len: u8,
    remote_len: u8,
    proto: bool,
    local_port: bool,
    remote_port: bool,
}

impl Shape {
    /// The larger, the fewer packets it admits.
    fn specific(&self) -> (u16, u8) {
        let more = [self.proto, self.local_port, self.remote_port];
        let more = more.into_iter().map(u8::from).sum();
        (u16::from(self.local_len) + u16::from(self.remote_len), more)
    }
}

/// A pair of prefixes. What the shape has no place for is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    shape: Shape,
    local: u128,
    remote: u128,
    proto: u8,
    local_port: u16,
    remote_port: u16,
}

/// A CHILD_SA that a pair is of, and which of its selectors made it.
#[derive(Debug, Clone, Copy)]
struct Owner {
    entry: u32,
    local: u8,
    remote: u8,
}

/// All pairs of prefixes.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// From the most specific on.
    shapes: Vec<Shape>,
    /// Those of a pair by the time from which on they are there.
    pairs: HashMap<Pair, Vec<Owner>>,
}

impl Policies {
    /// Of entries in the order of their start.
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut policies =
            Self { shapes: Vec::new(), pairs: HashMap::with_capacity(entries.len()) };
        for (number, entry) in (0..).zip(entries) {
            policies.add(number, entry);
        }
        let mut shapes: Vec<Shape> = Vec::new();
        let mut known = std::collections::HashSet::new();
        shapes.extend(policies.pairs.keys().map(|pair| pair.shape).filter(|s| known.insert(*s)));
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.specific()));
        policies.shapes = shapes;
        policies
    }

    fn add(&mut self, number: u32, entry: &Entry) {
        let Entry { ike, child, .. } = entry;
        let mut left = MAX_PAIRS;
        for (l, local) in (0..=u8::MAX).zip(&child.local) {
            for (r, remote) in (0..=u8::MAX).zip(&child.remote) {
                let owner = Owner { entry: number, local: l, remote: r };
                for pair in pairs(ike, local, remote).take(left) {
                    left -= 1;
                    self.pairs.entry(pair).or_default().push(owner);
                }
            }
        }
    }

    /// The most specific CHILD_SA at a time whose selectors admit the flow, and in which direction:
    /// the hint's where both are possible.
    pub(super) fn find<'e>(
        &self,
        entries: &'e [Entry],
        flow: &Flow,
        at: Timestamp,
        hint: Option<Direction>,
        admitted: impl Fn(&Entry) -> bool,
    ) -> Option<(&'e Entry, Option<Direction>)> {
        let ports = flow.ports;
        let src = (flow.src, ports.map(|(src, _)| src));
        let dst = (flow.dst, ports.map(|(_, dst)| dst));
        let v6 = flow.src.is_ipv6();
        for shape in self.shapes.iter().filter(|shape| shape.v6 == v6) {
            let find = |local: End, remote: End| {
                self.owned(entries, *shape, local, remote, flow.proto, at, &admitted)
            };
            match (find(src, dst), find(dst, src)) {
                (Some(out), None) => return Some((out, Some(Direction::OUT))),
                (None, Some(inward)) => return Some((inward, Some(Direction::IN))),
                (Some(_), Some(inward)) if hint == Some(Direction::IN) => {
                    return Some((inward, hint));
                }
                (Some(out), Some(_)) => return Some((out, hint)),
                (None, None) => {}
            }
        }
        None
    }

    #[expect(clippy::too_many_arguments, reason = "two ends and what they are looked for among")]
    fn owned<'e>(
        &self,
        entries: &'e [Entry],
        shape: Shape,
        local: End,
        remote: End,
        proto: Option<u8>,
        at: Timestamp,
        admitted: impl Fn(&Entry) -> bool,
    ) -> Option<&'e Entry> {
        let pair = Pair {
            shape,
            local: masked(local.0, shape.local_len),
            remote: masked(remote.0, shape.remote_len),
            proto: if shape.proto { proto? } else { 0 },
            local_port: if shape.local_port { local.1? } else { 0 },
            remote_port: if shape.remote_port { remote.1? } else { 0 },
        };
        let owners = self.pairs.get(&pair)?;
        let entry = |owner: &Owner| entries.get(owner.entry as usize);
        let found = span::newest(owners, at, |owner| {
            let Some(entry) = entry(owner) else { return Spanned::NEVER };
            let admits = |list: &[Selector], at: u8, host: Option<IpAddr>, end: End| {
                list.get(usize::from(at)).is_some_and(|s| s.admits(end.0, host, proto, end.1))
            };
            let fits = admits(&entry.child.local, owner.local, entry.ike.local, local)
                && admits(&entry.child.remote, owner.remote, entry.ike.remote, remote)
                && admitted(entry);
            Spanned { from: entry.from, to: entry.to, fits }
        });
        found.and_then(entry)
    }
}

/// The pairs of prefixes that two selectors admit together.
fn pairs<'s>(
    ike: &Ike,
    local: &'s Selector,
    remote: &'s Selector,
) -> impl Iterator<Item = Pair> + use<'s> {
    let range = |selector: &Selector, host: Option<IpAddr>| {
        selector.range.or(host.map(|host| (host, host)))
    };
    let both = range(local, ike.local).zip(range(remote, ike.remote));
    // A selector of both families admits nothing; nor do two protocols.
    let both = both.filter(|(l, r)| l.0.is_ipv4() == r.0.is_ipv4());
    let proto = match (local.proto, remote.proto) {
        (Some(l), Some(r)) if l != r => None,
        (l, r) => Some(l.or(r)),
    };
    let one = |ports: Ports| match ports {
        Ports::Range(first, last) if first == last => Some(first),
        _ => None,
    };
    let (local_port, remote_port) = (one(local.ports), one(remote.ports));
    both.zip(proto).into_iter().flat_map(move |(((l0, l1), (r0, r1)), proto)| {
        prefixes(l0, l1).flat_map(move |(local, local_len)| {
            prefixes(r0, r1).map(move |(remote, remote_len)| Pair {
                shape: Shape {
                    v6: l0.is_ipv6(),
                    local_len,
                    remote_len,
                    proto: proto.is_some(),
                    local_port: local_port.is_some(),
                    remote_port: remote_port.is_some(),
                },
                local,
                remote,
                proto: proto.unwrap_or(0),
                local_port: local_port.unwrap_or(0),
                remote_port: remote_port.unwrap_or(0),
            })
        })
    })
}

/// An address as a number, in the high bits for IPv4 as for IPv6.
fn bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => u128::from(u32::from(addr)) << 96,
        IpAddr::V6(addr) => u128::from(addr),
    }
}

fn masked(addr: IpAddr, len: u8) -> u128 {
    bits(addr) & !u128::MAX.checked_shr(len.into()).unwrap_or(0)
}

/// The prefixes that a range of addresses is cut into, each with its length.
fn prefixes(first: IpAddr, last: IpAddr) -> impl Iterator<Item = (u128, u8)> {
    let width: u32 = if first.is_ipv4() { 32 } else { 128 };
    let unit = 128 - width;
    let (mut next, last) = (Some(bits(first) >> unit), bits(last) >> unit);
    std::iter::from_fn(move || {
        let start = next.filter(|&start| start <= last)?;
        // As many low bits as are zero, and as stay within the range.
        let mut free = start.trailing_zeros().min(width);
        let end = |free: u32| start | u128::MAX.checked_shr(128 - free).unwrap_or(0);
        while free > 0 && end(free) > last {
            free -= 1;
        }
        next = end(free).checked_add(1).filter(|_| end(free) < last);
        u8::try_from(width - free).ok().map(|len| (start << unit, len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    #[test]
    fn ranges_in_prefixes() {
        let cut = |first: &str, last: &str| {
            let shown = |(start, len): (u128, u8)| {
                let start = u32::try_from(start >> 96).unwrap();
                format!("{}/{len}", Ipv4Addr::from(start))
            };
            let cut = prefixes(first.parse().unwrap(), last.parse().unwrap()).map(shown);
            cut.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(cut("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
        assert_eq!(cut("10.0.0.0", "10.0.255.255"), "10.0.0.0/16");
        assert_eq!(cut("10.0.0.1", "10.0.0.4"), "10.0.0.1/32 10.0.0.2/31 10.0.0.4/32");
        assert_eq!(cut("255.255.255.255", "255.255.255.255"), "255.255.255.255/32");
        let all = prefixes(
            "::".parse().unwrap(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap(),
        );
        assert_eq!(all.collect::<Vec<_>>(), [(0, 0)]);
        let most = prefixes(
            "::1".parse().unwrap(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe".parse().unwrap(),
        );
        assert_eq!(most.count(), 254);
    }

    proptest! {
        #[test]
        fn a_range_is_its_prefixes(a: u32, b: u32, probe: u32) {
            let (first, last) = (a.min(b), a.max(b));
            let ip = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
            let holding = prefixes(ip(first), ip(last))
                .filter(|&(start, len)| masked(ip(probe), len) == start)
                .count();
            prop_assert_eq!(holding, usize::from((first..=last).contains(&probe)));
        }
    }
}
