//! IP protocol numbers that are taken apart or printed by name (RFC 790 and its successors).
#![expect(missing_docs, reason = "the names are the registry's")]

pub const HOPOPTS: u8 = 0;
pub const ICMP: u8 = 1;
pub const IGMP: u8 = 2;
pub const IPIP: u8 = 4;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const IPV6: u8 = 41;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const GRE: u8 = 47;
pub const ESP: u8 = 50;
pub const AH: u8 = 51;
pub const ICMP6: u8 = 58;
pub const NONE: u8 = 59;
pub const DSTOPTS: u8 = 60;
pub const CARP: u8 = 112;
pub const SCTP: u8 = 132;
pub const PFSYNC: u8 = 240;

/// The protocol's name as pfctl and /etc/protocols write it, for those that pf meets.
pub const fn name(proto: u8) -> Option<&'static str> {
    Some(match proto {
        HOPOPTS => "hopopt",
        ICMP => "icmp",
        IGMP => "igmp",
        IPIP => "ipencap",
        TCP => "tcp",
        UDP => "udp",
        IPV6 => "ipv6",
        ROUTING => "ipv6-route",
        FRAGMENT => "ipv6-frag",
        46 => "rsvp",
        GRE => "gre",
        ESP => "esp",
        AH => "ah",
        ICMP6 => "ipv6-icmp",
        NONE => "ipv6-nonxt",
        DSTOPTS => "ipv6-opts",
        88 => "eigrp",
        89 => "ospf",
        97 => "etherip",
        103 => "pim",
        108 => "ipcomp",
        CARP => "carp",
        115 => "l2tp",
        SCTP => "sctp",
        136 => "udplite",
        137 => "mpls",
        PFSYNC => "pfsync",
        _ => return None,
    })
}

/// True for the IPv6 extension headers that are stepped over.
pub const fn is_extension(proto: u8) -> bool {
    matches!(proto, HOPOPTS | ROUTING | FRAGMENT | DSTOPTS)
}
