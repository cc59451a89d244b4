//! A compiled expression, and how it is written.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::pf::{Action, Direction, Family, Reason, SyncAction, Systems};

use super::lex;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    /// A single question.
    Test(Test),
    /// Its contrary.
    Not(Box<Self>),
    /// Several, from left to right. `and` and `or` bind alike, so that a list of any length is
    /// one level deep: `a or b and c` is `(a or b) and c`.
    Chain(Box<Self>, Vec<(Op, Self)>),
}

/// How a part of a chain is joined to what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    And,
    Or,
}

/// A question about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// The packet is of this IP version.
    Ip(Family),
    /// Not IP: this ethertype.
    Ethertype(u16),
    /// IP carries this protocol, in this version if one is said.
    Proto {
        family: Option<Family>,
        number: u8,
    },
    /// Address in a network.
    Net {
        side: Side,
        net: Net,
    },
    /// Port in a range.
    Ports {
        protos: Protos,
        side: Side,
        first: u16,
        last: u16,
    },
    /// The frame had at most so many bytes.
    Less(u32),
    /// The frame had at least so many bytes.
    Greater(u32),
    Ifname(Pattern),
    Ruleset(Pattern),
    /// `None` for the default rule.
    Rule(Option<u32>),
    /// `None` for a rule outside of anchors.
    Subrule(Option<u32>),
    Reason(Code),
    Action(Code),
    Dir(Direction),
    Rid(u32),
    Uid(u32),
    Pid(i32),
    RuleUid(u32),
    RulePid(i32),
    Spi(u32),
    Truncated,
    Undecoded,
    Suspect,
    Rewritten,
    /// The message is of this action.
    Sync(Act),
    /// The message names this creator.
    Creator(u32),
    /// The message names this state.
    State(u64),
    /// The rule has this label.
    Label(Pattern),
    /// The tunnel's IKE_SA or CHILD_SA has this name.
    Tunnel(Pattern),
}

/// Which of two addresses or ports is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Src,
    Dst,
    Either,
    Both,
}

/// A set of the protocols that have ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protos(pub(super) u8);

impl Protos {
    pub(super) const TCP: Self = Self(1);
    pub(super) const UDP: Self = Self(2);
    pub(super) const SCTP: Self = Self(4);
    pub(super) const ALL: Self = Self(7);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The word for a single one; nothing for all, and for sets the language has no word for.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TCP => "tcp",
            Self::UDP => "udp",
            Self::SCTP => "sctp",
            _ => "",
        }
    }
}

/// A network; no bit outside of the mask is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Net {
    V4 { addr: u32, mask: u32 },
    V6 { addr: u128, mask: u128 },
}

impl Net {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::V4 { .. } => Family::Inet,
            Self::V6 { .. } => Family::Inet6,
        }
    }
}

/// A name to compare with, or a pattern of one: `*` is any bytes, `?` any single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) glob: bool,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), glob: text.contains(['*', '?']) }
    }
}

/// A code of pf's, by number or by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Number(u8),
    /// `numbers` has the bits of those that have the name on some system.
    Name {
        name: &'static str,
        numbers: u32,
    },
}

impl Code {
    const EVERY_SYSTEM: Systems = Systems::ANY.or(Systems::OPENBSD_3).or(Systems::IPFW);

    pub(super) fn action(name: &'static str) -> Self {
        Self::named(name, |n| Action(n).is_named(name, Self::EVERY_SYSTEM))
    }

    pub(super) fn reason(name: &'static str) -> Self {
        Self::named(name, |n| Reason(n).is_named(name, Self::EVERY_SYSTEM))
    }

    fn named(name: &'static str, is_named: impl Fn(u8) -> bool) -> Self {
        let numbers = (0..32).filter(|&n| is_named(n)).fold(0, |set, n| set | 1 << n);
        Self::Name { name, numbers }
    }
}

/// An action of pfsync, by name or by number, which each version has its own meanings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Name(SyncAction),
    Number(u8),
}

impl Act {
    /// The action that a name of [`SyncAction::NAMES`] is of.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = (1..=6).flat_map(|version| {
            (0..=u8::MAX).map(move |number| SyncAction::from_wire(version, number))
        });
        all.find(|action| action.name() == Some(name)).map(Self::Name)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(test) => test.fmt(f),
            Self::Not(inner) => write!(f, "not {}", Part(inner)),
            Self::Chain(first, rest) => {
                Part(first).fmt(f)?;
                rest.iter().try_for_each(|(op, part)| {
                    f.write_str(if *op == Op::And { " and " } else { " or " })?;
                    Part(part).fmt(f)
                })
            }
        }
    }
}

/// An expression inside of another: a chain in parentheses.
struct Part<'a>(&'a Expr);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            chain @ Expr::Chain(..) => write!(f, "({chain})"),
            other => other.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(family) => f.write_str(ip_word(*family)),
            Self::Ethertype(0x8035) => f.write_str("rarp"),
            Self::Ethertype(_) => f.write_str("arp"),
            Self::Proto { family: None, number } => write!(f, "proto {number}"),
            Self::Proto { family: Some(family), number } => {
                write!(f, "{} proto {number}", ip_word(*family))
            }
            Self::Net { side, net } => write!(f, "{side}{net}"),
            Self::Ports { protos, side, first, last } => {
                let proto = protos.name();
                let blank = if proto.is_empty() { "" } else { " " };
                write!(f, "{proto}{blank}{side}")?;
                match first == last {
                    true => write!(f, "port {first}"),
                    false => write!(f, "portrange {first}-{last}"),
                }
            }
            Self::Less(n) => write!(f, "less {n}"),
            Self::Greater(n) => write!(f, "greater {n}"),
            Self::Ifname(pattern) => write!(f, "ifname {pattern}"),
            Self::Ruleset(pattern) => write!(f, "ruleset {pattern}"),
            Self::Rule(None) => f.write_str("rulenum def"),
            Self::Rule(Some(n)) => write!(f, "rulenum {n}"),
            Self::Subrule(None) => f.write_str("subrulenum none"),
            Self::Subrule(Some(n)) => write!(f, "subrulenum {n}"),
            Self::Reason(code) => write!(f, "reason {code}"),
            Self::Action(code) => write!(f, "action {code}"),
            Self::Dir(dir) => match dir.name() {
                Some(name) => write!(f, "dir {name}"),
                None => write!(f, "dir {}", dir.0),
            },
            Self::Rid(n) => write!(f, "rid {n}"),
            Self::Uid(n) => write!(f, "uid {n}"),
            Self::Pid(n) => write!(f, "pid {n}"),
            Self::RuleUid(n) => write!(f, "ruleuid {n}"),
            Self::RulePid(n) => write!(f, "rulepid {n}"),
            Self::Spi(n) => write!(f, "spi {n:#010x}"),
            Self::Truncated => f.write_str("truncated"),
            Self::Undecoded => f.write_str("undecoded"),
            Self::Suspect => f.write_str("suspect"),
            Self::Rewritten => f.write_str("rewritten"),
            Self::Sync(act) => write!(f, "sync {act}"),
            Self::Creator(id) => write!(f, "creator {id:08x}"),
            Self::State(id) => write!(f, "state {id:016x}"),
            Self::Label(pattern) => write!(f, "label {pattern}"),
            Self::Tunnel(pattern) => write!(f, "tunnel {pattern}"),
        }
    }
}

const fn ip_word(family: Family) -> &'static str {
    match family {
        Family::Inet => "ip",
        Family::Inet6 => "ip6",
    }
}

/// With a blank behind it, if there is something to say.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Src => "src ",
            Self::Dst => "dst ",
            Self::Either => "",
            Self::Both => "src and dst ",
        })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4 { addr, mask: u32::MAX } => write!(f, "host {}", Ipv4Addr::from(addr)),
            Self::V4 { addr, mask } if mask.leading_ones() + mask.trailing_zeros() == 32 => {
                write!(f, "net {}/{}", Ipv4Addr::from(addr), mask.leading_ones())
            }
            Self::V4 { addr, mask } => {
                write!(f, "net {} mask {}", Ipv4Addr::from(addr), Ipv4Addr::from(mask))
            }
            Self::V6 { addr, mask: u128::MAX } => write!(f, "host {}", Ipv6Addr::from(addr)),
            Self::V6 { addr, mask } => {
                write!(f, "net {}/{}", Ipv6Addr::from(addr), mask.leading_ones())
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = if lex::needs_escape(&self.text) { "\\" } else { "" };
        write!(f, "{escape}{}", self.text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Name { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) | Self::Name(SyncAction::Other(n)) => write!(f, "{n}"),
            Self::Name(action) => f.write_str(action.name().unwrap_or_default()),
        }
    }
}
