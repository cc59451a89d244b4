//! The words of the language: those that are read, those that a later version will read, and
//! those of pcap-filter that are not.

use crate::packet::proto;
use crate::pf::{Direction, Family};

use super::expr::Test;

/// What a word means where an expression or a qualifier may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Src,
    Dst,
    /// What the value behind it is.
    Kind(Kind),
    Mask,
    /// By itself, or before the other qualifiers.
    Protocol(Protocol),
    /// A field and a value behind it.
    Field(Field),
    /// A question by itself.
    Flag(Flag),
}

/// pcap-filter's types of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Net,
    Port,
    Portrange,
    Proto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Ip(Family),
    /// In one version of IP only, or in both.
    Of(Option<Family>, u8),
    Ethertype(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Ifname,
    Ruleset,
    Rule,
    Subrule,
    Reason,
    Action,
    Dir,
    Rid,
    Uid,
    Pid,
    RuleUid,
    RulePid,
    Spi,
    Less,
    Greater,
    Sync,
    Creator,
    State,
    Label,
    Tunnel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Inbound,
    Outbound,
    Truncated,
    Undecoded,
    Suspect,
    Rewritten,
}

/// The words that are read.
const KEYWORDS: [(&str, Keyword); 56] = [
    ("src", Keyword::Src),
    ("dst", Keyword::Dst),
    ("host", Keyword::Kind(Kind::Host)),
    ("net", Keyword::Kind(Kind::Net)),
    ("mask", Keyword::Mask),
    ("port", Keyword::Kind(Kind::Port)),
    ("portrange", Keyword::Kind(Kind::Portrange)),
    ("proto", Keyword::Kind(Kind::Proto)),
    ("ip", Keyword::Protocol(Protocol::Ip(Family::Inet))),
    ("ip6", Keyword::Protocol(Protocol::Ip(Family::Inet6))),
    ("tcp", of(proto::TCP)),
    ("udp", of(proto::UDP)),
    ("sctp", of(proto::SCTP)),
    ("icmp", Keyword::Protocol(Protocol::Of(Some(Family::Inet), proto::ICMP))),
    ("icmp6", Keyword::Protocol(Protocol::Of(Some(Family::Inet6), proto::ICMP6))),
    ("igmp", Keyword::Protocol(Protocol::Of(Some(Family::Inet), proto::IGMP))),
    ("esp", of(proto::ESP)),
    ("ah", of(proto::AH)),
    ("gre", of(proto::GRE)),
    ("carp", of(proto::CARP)),
    ("vrrp", of(proto::CARP)),
    ("pfsync", of(proto::PFSYNC)),
    ("pim", of(PIM)),
    ("arp", Keyword::Protocol(Protocol::Ethertype(0x0806))),
    ("rarp", Keyword::Protocol(Protocol::Ethertype(0x8035))),
    ("less", Keyword::Field(Field::Less)),
    ("greater", Keyword::Field(Field::Greater)),
    ("on", Keyword::Field(Field::Ifname)),
    ("ifname", Keyword::Field(Field::Ifname)),
    ("rset", Keyword::Field(Field::Ruleset)),
    ("ruleset", Keyword::Field(Field::Ruleset)),
    ("rnr", Keyword::Field(Field::Rule)),
    ("rulenum", Keyword::Field(Field::Rule)),
    ("srnr", Keyword::Field(Field::Subrule)),
    ("subrulenum", Keyword::Field(Field::Subrule)),
    ("reason", Keyword::Field(Field::Reason)),
    ("action", Keyword::Field(Field::Action)),
    ("dir", Keyword::Field(Field::Dir)),
    ("inbound", Keyword::Flag(Flag::Inbound)),
    ("outbound", Keyword::Flag(Flag::Outbound)),
    ("rid", Keyword::Field(Field::Rid)),
    ("uid", Keyword::Field(Field::Uid)),
    ("pid", Keyword::Field(Field::Pid)),
    ("ruleuid", Keyword::Field(Field::RuleUid)),
    ("rulepid", Keyword::Field(Field::RulePid)),
    ("spi", Keyword::Field(Field::Spi)),
    ("truncated", Keyword::Flag(Flag::Truncated)),
    ("undecoded", Keyword::Flag(Flag::Undecoded)),
    ("suspect", Keyword::Flag(Flag::Suspect)),
    ("rewritten", Keyword::Flag(Flag::Rewritten)),
    ("direction", Keyword::Field(Field::Dir)),
    ("sync", Keyword::Field(Field::Sync)),
    ("creator", Keyword::Field(Field::Creator)),
    ("state", Keyword::Field(Field::State)),
    ("label", Keyword::Field(Field::Label)),
    ("tunnel", Keyword::Field(Field::Tunnel)),
];

const PIM: u8 = 103;

const fn of(number: u8) -> Keyword {
    Keyword::Protocol(Protocol::Of(None, number))
}

/// Words of pcap-filter that are not read, and what is said of them.
const NOT_READ: [(&[&str], &str); 6] = [
    (&["len", "length"], "write 'less N' or 'greater N' for the frame's length"),
    (&["byte"], "expressions over bytes are not read: select by field with --format json"),
    (&["protochain"], "write 'proto', which looks behind extension headers"),
    (&["gateway"], "link-layer addresses are not compared"),
    (&["ether", "link", "fddi", "tr", "wlan", "ppp", "slip"], "link headers are not compared"),
    (
        &["broadcast", "multicast", "vlan", "mpls", "pppoed", "pppoes", "geneve", "llc", "ifindex"],
        "it has no meaning for pf's log",
    ),
];

/// The keyword that a word is.
pub(super) fn keyword(word: &str) -> Option<Keyword> {
    KEYWORDS.iter().find(|(name, _)| *name == word).map(|&(_, keyword)| keyword)
}

/// All words that are read, operators included.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().map(|&(name, _)| name).chain(["and", "or", "not"])
}

/// What to say of a word that is known and not read.
pub(super) fn not_read(word: &str) -> Option<String> {
    let (_, why) = NOT_READ.iter().find(|(names, _)| names.contains(&word))?;
    Some(format!("'{word}' is not read: {why}"))
}

/// The number of a protocol by the names of protocols(5), and pf's for ICMPv6.
pub(super) fn protocol(name: &str) -> Option<u8> {
    match name {
        "icmp6" => Some(proto::ICMP6),
        "vrrp" => Some(proto::CARP),
        "ipip" => Some(proto::IPIP),
        _ => (0..=u8::MAX).find(|&number| proto::name(number) == Some(name)),
    }
}

/// Names of protocols.
pub(super) fn protocols() -> impl Iterator<Item = &'static str> {
    (0..=u8::MAX).filter_map(proto::name).chain(["icmp6", "vrrp", "ipip"])
}

impl Protocol {
    pub(super) const fn test(self) -> Test {
        match self {
            Self::Ip(family) => Test::Ip(family),
            Self::Of(family, number) => Test::Proto { family, number },
            Self::Ethertype(ethertype) => Test::Ethertype(ethertype),
        }
    }
}

impl Flag {
    pub(super) const fn test(self) -> Test {
        match self {
            Self::Inbound => Test::Dir(Direction::IN),
            Self::Outbound => Test::Dir(Direction::OUT),
            Self::Truncated => Test::Truncated,
            Self::Undecoded => Test::Undecoded,
            Self::Suspect => Test::Suspect,
            Self::Rewritten => Test::Rewritten,
        }
    }
}

impl Field {
    /// The word for a field whose values are any names, so that no value can be told from a
    /// mistyped keyword.
    pub(super) const fn of_any_name(self) -> Option<&'static str> {
        match self {
            Self::Ifname => Some("ifname"),
            Self::Ruleset => Some("ruleset"),
            Self::Label => Some("label"),
            Self::Tunnel => Some("tunnel"),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Net => "net",
            Self::Port => "port",
            Self::Portrange => "portrange",
            Self::Proto => "proto",
        }
    }
}
