//! What an expression says of an event. Once for every frame: nothing is allocated, and what
//! cannot change the answer is not asked.
//!
//! Not here: what it says of a pfsync message (`sync`).

use std::net::IpAddr;

use crate::event::{Event, Ipsec, Kind};
use crate::packet::{Packet, Transport, proto};
use crate::pf::Family;
use crate::wire::link::{LinkHeader, Network};
use crate::wire::pflog::Pflog;

use super::expr::{Code, Expr, Net, Op, Pattern, Protos, Side, Test};

impl Expr {
    /// The answer by the frame and its packet alone.
    pub(super) fn of_frame(&self, event: &Event<'_>) -> bool {
        self.holds(&|test| test.of_frame(event))
    }

    /// True if one of its tests is this.
    pub(super) fn has(&self, this: &impl Fn(&Test) -> bool) -> bool {
        match self {
            Self::Test(test) => this(test),
            Self::Not(inner) => inner.has(this),
            Self::Chain(first, rest) => {
                first.has(this) || rest.iter().any(|(_, part)| part.has(this))
            }
        }
    }

    /// The answer by what each test says.
    pub(super) fn holds(&self, test: &impl Fn(&Test) -> bool) -> bool {
        match self {
            Self::Test(this) => test(this),
            Self::Not(inner) => !inner.holds(test),
            Self::Chain(first, rest) => {
                rest.iter().fold(first.holds(test), |so_far, (op, part)| match op {
                    Op::And => so_far && part.holds(test),
                    Op::Or => so_far || part.holds(test),
                })
            }
        }
    }
}

impl Test {
    pub(super) fn of_frame(&self, event: &Event<'_>) -> bool {
        let packet = event.packet.as_ref();
        let pf = event.pflog.as_ref();
        let owner = pf.and_then(|h| h.owner.as_ref());
        match self {
            Self::Ip(family) => packet.is_some_and(|p| p.ip.family == *family),
            Self::Ethertype(ethertype) => event.network == Network::Other(*ethertype),
            Self::Proto { family, number } => match packet {
                Some(p) => family.is_none_or(|family| p.ip.family == family) && carries(p, *number),
                // A pfsync device may show no IP header.
                None => family.is_none() && *number == proto::PFSYNC && event.pfsync.is_some(),
            },
            Self::Net { side, net } => {
                packet.is_some_and(|p| side.of(p.ip.src, p.ip.dst, |a| net.has(a)))
            }
            Self::Ports { protos, side, first, last } => packet.is_some_and(|p| {
                let (proto, ports) = match &p.transport {
                    Transport::Tcp(tcp) => (Protos::TCP, tcp.ports),
                    Transport::Udp(udp) => (Protos::UDP, udp.ports),
                    Transport::Sctp(ports) => (Protos::SCTP, *ports),
                    _ => return false,
                };
                let is_in = |port| (*first..=*last).contains(&port);
                !protos.and(proto).is_empty() && side.of(Some(ports.src), Some(ports.dst), is_in)
            }),
            Self::Less(n) => u32::try_from(event.frame.len).is_ok_and(|len| len <= *n),
            Self::Greater(n) => u32::try_from(event.frame.len).map_or(true, |len| len >= *n),
            Self::Ifname(pattern) => pf.is_some_and(|h| pattern.matches(h.ifname)),
            Self::Ruleset(pattern) => pf.is_some_and(|h| pattern.matches(h.ruleset)),
            Self::Rule(n) => pf.is_some_and(|h| h.rulenr == *n),
            Self::Subrule(n) => pf.is_some_and(|h| h.subrulenr == *n),
            Self::Reason(code) => {
                pf.is_some_and(|h| code.is(h.reason.0, |name| h.reason.is_named(name, h.systems)))
            }
            Self::Action(code) => {
                pf.is_some_and(|h| code.is(h.action.0, |name| h.action.is_named(name, h.systems)))
            }
            Self::Dir(dir) => pf.is_some_and(|h| h.dir == Some(*dir)),
            Self::Rid(n) => pf.is_some_and(|h| h.ridentifier == Some(*n)),
            Self::Uid(n) => owner.is_some_and(|o| o.uid == Some(*n)),
            Self::Pid(n) => owner.is_some_and(|o| o.pid == Some(*n)),
            Self::RuleUid(n) => owner.is_some_and(|o| o.rule_uid == *n),
            Self::RulePid(n) => owner.is_some_and(|o| o.rule_pid == *n),
            Self::Spi(n) => {
                matches!(event.link, LinkHeader::Enc { spi, .. } if spi == *n)
                    || packet.is_some_and(|p| {
                        [p.esp(), p.ah].into_iter().flatten().any(|sa| sa.spi == *n)
                    })
            }
            Self::Truncated => event.frame.is_truncated(),
            // Where pfsync's messages end too soon, that is an event by itself.
            Self::Undecoded => {
                event.kind == Kind::Undecoded || (event.pfsync.is_some() && event.error.is_some())
            }
            Self::Suspect => pf.is_some_and(Pflog::is_suspect),
            Self::Rewritten => pf.is_some_and(|h| h.other.is_some_and(|other| other.rewritten)),
            Self::Label(pattern) => event.rule.is_some_and(|rule| {
                rule.labels.iter().any(|label| pattern.matches(label.as_bytes()))
            }),
            Self::Tunnel(name) => event.ipsec.as_ref().is_some_and(|tunnel| name.is_of(tunnel)),
            Self::Sync(_) | Self::Creator(_) | Self::State(_) => false,
        }
    }
}

/// True if the IP header names the protocol, or one of the headers behind it that are stepped
/// over does.
fn carries(packet: &Packet<'_>, number: u8) -> bool {
    let ip = &packet.ip;
    let named_first = match ip.family {
        Family::Inet => ip.header.get(9),
        Family::Inet6 => ip.header.get(6),
    };
    ip.proto == Some(number)
        || named_first == Some(&number)
        || (number == proto::AH && packet.ah.is_some())
        || (number == proto::FRAGMENT && ip.family == Family::Inet6 && ip.frag.is_some())
}

impl Side {
    pub(super) fn of<T>(self, src: Option<T>, dst: Option<T>, is: impl Fn(T) -> bool) -> bool {
        match self {
            Self::Src => src.is_some_and(is),
            Self::Dst => dst.is_some_and(is),
            Self::Either => src.is_some_and(&is) || dst.is_some_and(&is),
            Self::Both => src.is_some_and(&is) && dst.is_some_and(&is),
        }
    }
}

impl Net {
    pub(super) fn has(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { addr, mask }, IpAddr::V4(a)) => u32::from(a) & mask == addr,
            (Self::V6 { addr, mask }, IpAddr::V6(a)) => u128::from(a) & mask == addr,
            _ => false,
        }
    }
}

impl Code {
    #[inline]
    pub(super) fn is(self, number: u8, is_named: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Number(n) => n == number,
            Self::Name { name, numbers } => {
                numbers.checked_shr(u32::from(number)).is_some_and(|bits| bits & 1 != 0)
                    && is_named(name)
            }
        }
    }
}

impl Pattern {
    /// True of a tunnel with this name for its IKE_SA or its CHILD_SA.
    pub(super) fn is_of(&self, tunnel: &Ipsec<'_>) -> bool {
        self.matches(tunnel.ike) || tunnel.child.is_some_and(|child| self.matches(child.name))
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        if self.glob { glob(self.text.as_bytes(), name) } else { self.text.as_bytes() == name }
    }
}

/// Compares with a pattern. Only the last `*` is ever gone back to, so the work is bounded by
/// the product of the lengths.
fn glob(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut again = None;
    loop {
        match (pattern, name) {
            ([b'*', rest @ ..], _) => {
                again = Some((rest, name));
                pattern = rest;
            }
            ([], []) => return true,
            ([p, rest @ ..], [n, tail @ ..]) if p == n || *p == b'?' => {
                (pattern, name) = (rest, tail);
            }
            _ => match again {
                Some((rest, [_, tail @ ..])) => {
                    again = Some((rest, tail));
                    (pattern, name) = (rest, tail);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, yes, no) in [
            ("em*", &["em", "em0", "em10"][..], &["xem0", "e"][..]),
            ("em?", &["em0", "em1"], &["em", "em10"]),
            ("*", &["", "em0"], &[]),
            ("?*", &["a", "ab"], &[""]),
            ("*b/*d", &["b/d", "f2b/sshd", "b/b/d"], &["f2b", "f2b/ssh", "bd"]),
            ("**a**", &["a", "xax"], &["", "x"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
        ] {
            let pattern = Pattern::new(pattern);
            for name in yes {
                assert!(pattern.matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name.as_bytes()), "{pattern} {name}");
            }
        }
        assert!(!Pattern::new("em").matches(b"em0"));
    }
}
