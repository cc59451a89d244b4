//! What expressions are true of, asked of decoded frames.

mod errors;
mod frames;
mod random;
mod sync;
mod tcpdump;

use std::io;
use std::net::IpAddr;

use super::*;
use frames::{Sample, samples};

/// A few names that no test machine need know.
pub(super) struct Known;

impl Names for Known {
    fn services(&self) -> io::Result<String> {
        Ok("ssh 22/tcp\ndomain 53/tcp\ndomain 53/udp\nmdns 5353/udp\nftp-data 20/tcp\n".to_owned())
    }

    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "gate" => Ok(vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]),
            "four" | "tcp" => Ok(vec!["10.0.0.1".parse().unwrap()]),
            "none" => Ok(Vec::new()),
            _ => Err(io::Error::other("no such name")),
        }
    }
}

pub(super) fn parse(expression: &str) -> Filter {
    Filter::parse_with(expression, &Known).unwrap_or_else(|error| panic!("{error}"))
}

/// Names of the samples that an expression is true of.
fn matching(samples: &[Sample], expression: &str) -> String {
    let filter = parse(expression);
    let matching = samples.iter().filter(|sample| filter.matches(&sample.event()));
    matching.map(|sample| sample.name).collect::<Vec<_>>().join(" ")
}

fn check(table: &[(&str, &str)]) {
    let samples = samples();
    for (expression, names) in table {
        assert_eq!(matching(&samples, expression), *names, "{expression}");
    }
}

const ALL: &str = "block pass6 afrt short fwd esp natt ah frag carp sctp arp cut caplen junk enc";

#[test]
fn the_empty_expression_is_true_of_everything() {
    check(&[("", ALL), (" \t\n", ALL), ("less 65535", ALL), ("not less 0", ALL)]);
    assert!(parse(" ").is_empty() && !parse("ip").is_empty());
}

#[test]
fn addresses() {
    check(&[
        ("host 10.0.0.1", "block caplen"),
        ("10.0.0.1", "block caplen"),
        ("src host 10.0.0.1", "block"),
        ("dst 10.0.0.1", "caplen"),
        ("src or dst host 10.0.0.1", "block caplen"),
        ("dst or src 10.0.0.1", "block caplen"),
        ("src and dst host 172.16.0.5", "sctp"),
        ("dst and src 172.16.0.5", "sctp"),
        ("host 10.0.0.1 or 2001:db8:1::2", "block pass6 caplen"),
        ("host (10.0.0.1 or 2001:db8:1::2)", "block pass6 caplen"),
        ("src host not 10.0.0.1 and action block", "cut"),
        ("2001:db8::1 or 10.0.0.1", "block pass6 caplen"),
        ("host 2001:0db8::0:1", "pass6"),
        ("host 10.0", "block short caplen"),
        ("net 10", "block short caplen"),
        ("net 10/8", "block short caplen"),
        ("10/8", "block short caplen"),
        ("net 10.0.0.0 mask 255.0.0.0", "block short caplen"),
        ("src net 10.0.0.0 mask 255.255.255.0", "block"),
        ("net 10.0.1", "short"),
        ("net 10.0.0.1", "block caplen"),
        ("net 0", ""),
        ("net 0/0 and pfsync", ""),
        ("src net 2001:db8::/32", "pass6 afrt ah"),
        ("dst net 2001:db8:1::/48", "pass6"),
        ("net ::/0", "pass6 afrt ah"),
        ("ip6 net ::/0", "pass6 afrt ah"),
        ("tcp net 10/8", "block"),
        ("tcp host 10.0.0.1 or 2001:db8::5", "block ah"),
        ("host gate", "block pass6"),
        ("ip host gate", "block"),
        ("ip6 host gate", "pass6"),
        ("host \\tcp", "block caplen"),
        // The packet that an ICMP error quotes is another packet.
        ("host 203.0.113.9", ""),
        // So are the addresses before or after a translation.
        ("host 198.51.100.77", ""),
    ]);
}

#[test]
fn ports_and_protocols() {
    check(&[
        ("port 22", "block"),
        ("port ssh", "block"),
        ("tcp port 22", "block"),
        ("udp port 22", ""),
        ("ip port 22", "block"),
        ("ip6 port 53", "pass6"),
        ("ip6 port 22", ""),
        ("src port 22", ""),
        ("dst port 22 or 5353", "block pass6"),
        ("port (22 or domain) and not tcp", "pass6"),
        ("udp portrange 5000-6000", "pass6"),
        ("portrange 6000-5000", "pass6"),
        ("portrange domain-domain", "pass6"),
        ("portrange ftp-data-ssh", "block"),
        ("portrange 22", "block"),
        ("src and dst portrange 53-5353", "pass6 natt"),
        ("port 0x16 or 011601", "block"),
        ("sctp port 7", "sctp"),
        ("port 4500", "natt"),
        ("port 443", "ah"),
        ("tcp", "block ah"),
        ("udp", "pass6 natt frag"),
        ("port 0", ""),
        ("icmp", "short"),
        ("icmp6", "afrt"),
        ("esp", "esp"),
        ("ah", "ah"),
        ("carp", "carp"),
        ("vrrp", "carp"),
        ("sctp", "sctp"),
        ("proto 6", "block ah"),
        ("proto tcp or \\udp", "block pass6 natt ah frag"),
        ("ip proto 17", "natt frag"),
        ("ip6 proto udp", "pass6"),
        ("ip6 proto 0", "ah"),
        ("proto 51", "ah"),
        ("proto icmp6", "afrt"),
        ("ip", "block short fwd esp natt frag carp sctp caplen enc"),
        ("ip6", "pass6 afrt ah"),
        ("arp", "arp"),
        ("rarp", ""),
        ("igmp or gre or pfsync", "fwd"),
        ("pim", "caplen"),
        ("spi 0x1001", "esp"),
        ("spi 0x1001 or 0x1002 or 4099", "esp natt ah"),
        ("spi 0x2000", "enc"),
    ]);
}

#[test]
fn fields_of_pf() {
    check(&[
        ("on em", ""),
        ("on em0", "block cut"),
        ("ifname (em0 or em10)", "block pass6 cut"),
        ("on em*", "block pass6 cut"),
        ("on em?", "block cut"),
        ("on (em10 or vtnet0)", "pass6 afrt"),
        ("rset f2b/sshd", "pass6"),
        ("ruleset f2b", ""),
        ("ruleset f2b/*", "pass6"),
        ("ruleset ?*", "pass6"),
        ("rnr 5", "block cut"),
        ("rulenum 5 or 7", "block pass6 cut"),
        ("rnr def", "short"),
        ("rnr 0xffffffff", "short"),
        ("srnr 2", "pass6"),
        ("subrulenum none", "block afrt short fwd cut"),
        ("reason match", "block pass6 fwd cut"),
        ("reason 0", "block pass6 fwd cut"),
        ("reason short", "short"),
        ("reason SHORT or map-failed", "afrt short"),
        // 15 is FreeBSD's map-failed, and OpenBSD's translate.
        ("reason 15", "afrt"),
        ("reason translate", ""),
        ("action block", "block cut"),
        ("action drop", "block cut"),
        ("action pass or accept", "pass6 short fwd"),
        ("action afrt", "afrt"),
        ("action divert", ""),
        ("action 13", "afrt"),
        ("inbound", "block afrt short"),
        ("outbound", "pass6"),
        ("dir in", "block afrt short"),
        ("dir fwd", "fwd"),
        ("direction out", "pass6"),
        ("rid 1000000001", "afrt"),
        ("rid 0", ""),
        ("uid 1000", "pass6"),
        ("uid 4294967295", ""),
        ("pid 321", "pass6"),
        ("ruleuid 0 and rulepid 16667", "pass6"),
        ("rewritten", "pass6"),
        ("suspect", "short"),
        ("undecoded", "cut junk"),
        ("truncated", "cut caplen"),
        ("action block and undecoded", "cut"),
    ]);
}

#[test]
fn a_field_that_is_not_there_is_no_match_and_its_contrary_is() {
    check(&[
        ("not action pass", "block afrt esp natt ah frag carp sctp arp cut caplen junk enc"),
        ("not inbound and not outbound and ip and not rnr 9", "esp natt frag carp sctp caplen enc"),
        ("not port 22 and udp", "pass6 natt frag"),
    ]);
}

#[test]
fn and_binds_like_or_and_not_binds_tighter() {
    check(&[
        ("udp or tcp and port 22", "block"),
        ("udp or (tcp and port 22)", "block pass6 natt frag"),
        ("tcp and port 22 or udp", "block pass6 natt frag"),
        ("tcp && port 22 || udp", "block pass6 natt frag"),
        ("not tcp and ip6", "pass6 afrt"),
        ("!tcp&&ip6", "pass6 afrt"),
        ("not (tcp or udp) and ip6", "afrt"),
        ("not not tcp", "block ah"),
        ("port 22 or (tcp or udp) or 443", "block pass6 natt ah frag"),
        ("port not 22 and tcp", "ah"),
        ("tcp and port 22 or 443", "block ah"),
        ("(port 22) and tcp", "block"),
    ]);
}

#[test]
fn lengths() {
    let samples = samples();
    for sample in &samples {
        let len = sample.event().frame.len;
        for (expression, expected) in [
            (format!("less {len}"), true),
            (format!("less {}", len - 1), false),
            (format!("greater {len}"), true),
            (format!("greater {}", len + 1), false),
        ] {
            assert_eq!(parse(&expression).matches(&sample.event()), expected, "{expression}");
        }
    }
}

#[test]
fn long_and_deep_expressions_are_bounded() {
    let long = vec!["tcp"; 9000].join(" or ");
    assert!(long.len() < MAX_LEN);
    let samples = samples();
    assert_eq!(matching(&samples, &long), "block ah");
    let nested = |depth: usize| format!("{}tcp{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(matching(&samples, &nested(MAX_DEPTH)), "block ah");
    assert_eq!(matching(&samples, &format!("{}tcp", "not ".repeat(MAX_DEPTH))), "block ah");
    for expression in [
        nested(MAX_DEPTH + 1),
        "!".repeat(MAX_LEN),
        "(".repeat(MAX_LEN),
        format!("port {}", "(".repeat(9000)),
    ] {
        let error = Filter::parse_with(&expression, &Known).unwrap_err();
        assert!(error.message.contains("256 levels"), "{}", error.message);
    }
    let error = Filter::parse_with(&" ".repeat(MAX_LEN + 1), &Known).unwrap_err();
    assert!(error.message.contains("65536 bytes"));
}

#[test]
fn an_expression_is_written_as_it_was_understood() {
    for (expression, written) in [
        ("10/8 or 53.1", "net 10.0.0.0/8 or net 53.1.0.0/16"),
        ("tcp port ssh or 0x50", "tcp port 22 or tcp port 80"),
        ("ip6 port domain", "ip6 and port 53"),
        ("host gate", "host 192.0.2.1 or host 2001:db8::1"),
        ("host gate and !icmp", "(host 192.0.2.1 or host 2001:db8::1) and not ip proto 1"),
        ("on (\\and or \\not)", "ifname \\and or ifname \\not"),
        ("inbound && action accept", "dir in and action pass"),
        ("udp src or dst portrange 9-7", "udp portrange 7-9"),
        ("spi 255 or rnr def", "spi 0x000000ff or rulenum def"),
        ("sync INS or upd_c or 13", "sync ins or sync upd_c or sync 13"),
        ("creator 0x1 or DEADBEEF", "creator 00000001 or creator deadbeef"),
        ("state 0x00000000000000Af", "state 00000000000000af"),
        ("net 10.0.2.0 mask 255.0.255.0", "net 10.0.2.0 mask 255.0.255.0"),
    ] {
        assert_eq!(parse(expression).to_string(), written);
    }
}
