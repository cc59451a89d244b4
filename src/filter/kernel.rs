//! The part of an expression that a kernel's packet filter can answer, in pcap-filter(7)'s
//! language: true of every frame that the expression is true of, and perhaps of more.
//!
//! On Ethernet this is done in two steps. A frame is *plain* if it is IPv4 without options or IPv6
//! without extension headers, long enough for what it says it is, and neither AH nor pfsync: of
//! such a frame the words below mean the same to a kernel as to us. All other frames (VLAN tags,
//! fragments of pfsync, what is cut or odd, ARP) are let through, to be judged here. A word that
//! a kernel has no answer to is taken for both true and false, whichever lets more through.
//!
//! Linux takes a VLAN tag off before its filter sees the frame, so the frame's length is there 4
//! less than what is captured.
//!
//! On pflog the fields up to the rule numbers, which stand at the same place in every header of 45
//! bytes and more, are looked at by their offsets: libpcap's own words for them are compiled with
//! the header of the system that libpcap was built on.

use crate::packet::proto;
use crate::pf::Family;
use crate::wire::link::LinkType;

use super::Filter;
use super::expr::{Code, Expr, Net, Op, Pattern, Protos, Side, Test};

/// Longer ones are left to us: a kernel's program is bounded too.
const MAX_LEN: usize = 16 * 1024;

/// Of Ethernet, the frames of which the kernel knows what we know.
const PLAIN: &str = "(len >= 42 and ether[12:2] = 0x800 and ether[14] = 0x45 and \
    ether[16:2] >= 28 and ether[23] != 51 and ether[23] != 240) or \
    (len >= 62 and ether[12:2] = 0x86dd and ether[14] & 0xf0 = 0x60 and ether[18:2] >= 8 and \
    ether[20] != 0 and ether[20] != 43 and ether[20] != 44 and ether[20] != 51 and \
    ether[20] != 60 and ether[20] != 240)";

/// Of pflog, the frames that may be none: shorter than the fields that are looked at, or than
/// the header and its padding by its length byte.
const ODD_PFLOG: &str = "len < 48 or link[0] < 45 or len < link[0] + 3";

/// A condition of a kernel's filter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cond {
    Always,
    Never,
    If(String),
}

use Cond::{Always, If, Never};

impl Cond {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Never, _) | (_, Never) => Never,
            (Always, cond) | (cond, Always) => cond,
            (If(a), If(b)) => If(format!("({a} and {b})")),
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Always, _) | (_, Always) => Always,
            (Never, cond) | (cond, Never) => cond,
            (If(a), If(b)) => If(format!("({a} or {b})")),
        }
    }

    fn not(self) -> Self {
        match self {
            Always => Never,
            Never => Always,
            If(cond) => If(format!("not {cond}")),
        }
    }

    fn any(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Never, Self::or)
    }

    fn all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Always, Self::and)
    }
}

/// What a kernel knows of an expression.
#[derive(Debug, Clone)]
struct Bounds {
    /// True wherever the expression is.
    upper: Cond,
    /// True nowhere else.
    lower: Cond,
}

impl Bounds {
    const UNKNOWN: Self = Self { upper: Always, lower: Never };

    fn exactly(cond: Cond) -> Self {
        Self { upper: cond.clone(), lower: cond }
    }

    fn at_most(upper: Cond) -> Self {
        Self { upper, lower: Never }
    }

    fn of(expr: &Expr, test: &impl Fn(&Test) -> Self) -> Self {
        match expr {
            Expr::Test(this) => test(this),
            Expr::Not(inner) => {
                let Self { upper, lower } = Self::of(inner, test);
                Self { upper: lower.not(), lower: upper.not() }
            }
            Expr::Chain(first, rest) => rest.iter().fold(Self::of(first, test), |so_far, part| {
                let (op, part) = (part.0, Self::of(&part.1, test));
                let join = match op {
                    Op::And => Cond::and,
                    Op::Or => Cond::or,
                };
                Self {
                    upper: join(so_far.upper, part.upper),
                    lower: join(so_far.lower, part.lower),
                }
            }),
        }
    }
}

impl Filter {
    /// The part for a kernel, on a device of this link type; `None` if that is everything.
    pub fn kernel(&self, link: LinkType) -> Option<String> {
        let expr = self.expr.as_ref()?;
        let (others, bounds) = match link {
            LinkType::ETHERNET => (format!("not ({PLAIN})"), Bounds::of(expr, &on_ethernet)),
            LinkType::PFLOG => (ODD_PFLOG.to_owned(), Bounds::of(expr, &on_pflog)),
            _ => return None,
        };
        let text = match bounds.upper {
            Always => return None,
            Never => others,
            If(cond) => format!("{others} or {cond}"),
        };
        (text.len() <= MAX_LEN).then_some(text)
    }
}

/// What is known of a plain frame.
fn on_ethernet(test: &Test) -> Bounds {
    Bounds::exactly(match test {
        Test::Ip(family) => If(ip_word(*family).to_owned()),
        Test::Proto { family: Some(family), number } => carries(*family, *number),
        Test::Proto { family: None, number } => {
            carries(Family::Inet, *number).or(carries(Family::Inet6, *number))
        }
        Test::Net { side, net } => of_side(*side, within(*net, true), within(*net, false)),
        Test::Ports { protos, side, first, last } => {
            let families = [Family::Inet, Family::Inet6];
            Cond::any(families.map(|family| {
                let at = |offset| between(family, offset, *first, *last);
                let ports = of_side(*side, at(0), at(2));
                Cond::all([with_ports(family, *protos), not_later(family), ports])
            }))
        }
        // The tag that may have been taken off counts.
        Test::Less(n) => {
            return Bounds {
                upper: If(format!("len <= {n}")),
                lower: n.checked_sub(4).map_or(Never, |n| If(format!("len <= {n}"))),
            };
        }
        Test::Greater(n) => {
            return Bounds {
                upper: n.checked_sub(4).map_or(Always, |n| If(format!("len >= {n}"))),
                lower: If(format!("len >= {n}")),
            };
        }
        // In ESP itself, or in UDP.
        Test::Spi(n) => {
            let here = |ip, at| If(format!("({ip}[{at}:4] = {n:#x})"));
            let esp4 = carries(Family::Inet, proto::ESP).and(here("ip", 20));
            let esp6 = carries(Family::Inet6, proto::ESP).and(here("ip6", 40));
            let udp = [Family::Inet, Family::Inet6].map(|family| carries(family, proto::UDP));
            return Bounds::at_most(Cond::any([esp4, esp6]).or(Cond::any(udp)));
        }
        // Whose a packet is, the kernel does not know.
        Test::Truncated | Test::Tunnel(_) => return Bounds::UNKNOWN,
        // It is IP, it has no header of pf's, and no messages of pfsync's.
        Test::Ethertype(_)
        | Test::Ifname(_)
        | Test::Ruleset(_)
        | Test::Rule(_)
        | Test::Subrule(_)
        | Test::Reason(_)
        | Test::Action(_)
        | Test::Dir(_)
        | Test::Rid(_)
        | Test::Uid(_)
        | Test::Pid(_)
        | Test::RuleUid(_)
        | Test::RulePid(_)
        | Test::Undecoded
        | Test::Suspect
        | Test::Rewritten
        | Test::Sync(_)
        | Test::Creator(_)
        | Test::State(_)
        | Test::Label(_) => Never,
    })
}

const fn ip_word(family: Family) -> &'static str {
    match family {
        Family::Inet => "ip",
        Family::Inet6 => "ip6",
    }
}

/// The IP header names the protocol.
fn carries(family: Family, number: u8) -> Cond {
    If(match family {
        Family::Inet => format!("(ip[9] = {number})"),
        Family::Inet6 => format!("(ip6[6] = {number})"),
    })
}

fn within(net: Net, src: bool) -> Cond {
    let part = |ip: &str, at: usize, addr: u32, mask: u32| match mask {
        0 => Always,
        u32::MAX => If(format!("({ip}[{at}:4] = {addr:#x})")),
        _ => If(format!("({ip}[{at}:4] & {mask:#x} = {addr:#x})")),
    };
    match net {
        Net::V4 { addr, mask } => {
            let at = if src { 12 } else { 16 };
            If("ip".to_owned()).and(part("ip", at, addr, mask))
        }
        Net::V6 { addr, mask } => {
            let at = if src { 8 } else { 24 };
            let word = |n: usize| {
                let shift = 96 - 32 * n;
                let low = |wide: u128| u32::try_from(wide >> shift & 0xffff_ffff).unwrap_or(0);
                part("ip6", at + 4 * n, low(addr), low(mask))
            };
            If("ip6".to_owned()).and(Cond::all([0, 1, 2, 3].map(word)))
        }
    }
}

fn of_side(side: Side, src: Cond, dst: Cond) -> Cond {
    match side {
        Side::Src => src,
        Side::Dst => dst,
        Side::Either => src.or(dst),
        Side::Both => src.and(dst),
    }
}

fn between(family: Family, offset: usize, first: u16, last: u16) -> Cond {
    let (ip, at) = match family {
        Family::Inet => ("ip", 20 + offset),
        Family::Inet6 => ("ip6", 40 + offset),
    };
    If(match (first, last) {
        (first, last) if first == last => format!("({ip}[{at}:2] = {first})"),
        (first, last) => format!("({ip}[{at}:2] >= {first} and {ip}[{at}:2] <= {last})"),
    })
}

fn with_ports(family: Family, protos: Protos) -> Cond {
    let known = [(Protos::TCP, proto::TCP), (Protos::UDP, proto::UDP), (Protos::SCTP, proto::SCTP)];
    let wanted = known.into_iter().filter(|(set, _)| !set.and(protos).is_empty());
    Cond::any(wanted.map(|(_, number)| carries(family, number)))
}

/// Not a fragment but the first; IPv6's have a header that is not plain.
fn not_later(family: Family) -> Cond {
    match family {
        Family::Inet => If("(ip[6:2] & 0x1fff = 0)".to_owned()),
        Family::Inet6 => Always,
    }
}

/// What is known of a frame of pflog; no more than that a word cannot be true.
fn on_pflog(test: &Test) -> Bounds {
    Bounds::at_most(match test {
        Test::Action(code) => is_code(2, *code),
        Test::Reason(code) => is_code(3, *code),
        Test::Ifname(pattern) => begins(4, pattern),
        Test::Ruleset(pattern) => begins(20, pattern),
        Test::Rule(Some(n)) => If(format!("(link[36:4] = {n:#x})")),
        Test::Subrule(Some(n)) => If(format!("(link[40:4] = {n:#x})")),
        Test::Less(n) => If(format!("len <= {n}")),
        Test::Greater(n) => If(format!("len >= {n}")),
        _ => Always,
    })
}

/// The byte is the code, or one that has its name on some system.
fn is_code(at: usize, code: Code) -> Cond {
    let is = |number: u8| If(format!("(link[{at}] = {number})"));
    match code {
        Code::Number(number) => is(number),
        Code::Name { numbers, .. } => {
            Cond::any((0..32_u8).filter(|n| numbers >> n & 1 != 0).map(is))
        }
    }
}

/// The field of 16 bytes is the name, NUL included if there is room, or begins as the pattern
/// does.
fn begins(at: usize, pattern: &Pattern) -> Cond {
    let text = pattern.text.as_bytes();
    let wild = text.iter().position(|byte| pattern.glob && b"*?".contains(byte));
    let fixed = text.get(..wild.unwrap_or(text.len())).unwrap_or(text);
    let mut bytes = fixed.to_vec();
    if wild.is_none() {
        bytes.push(0);
    }
    bytes.truncate(16);
    let is = |(offset, byte): (usize, &u8)| If(format!("(link[{}] = {byte})", at + offset));
    Cond::all(bytes.iter().enumerate().map(is))
}
