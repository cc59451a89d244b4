//! The same expressions asked of the same frames by tcpdump, that is, by libpcap.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::frames::{Pf, Sample, esp, ip, later_fragment, sctp, tcp, udp};
use super::parse;
use super::{Filter, Known};
use crate::wire::link::LinkType;

/// Random expressions that are tried.
const EXPRESSIONS: usize = 100;

/// A pcap file with a frame a second, from 0 on.
fn pcap(samples: &[Sample]) -> Vec<u8> {
    let mut out = Vec::new();
    let words = |out: &mut Vec<u8>, words: &[u32]| {
        words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    };
    words(&mut out, &[0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, samples[0].link.0]);
    for (second, sample) in (0..).zip(samples) {
        let size = |n: usize| u32::try_from(n).unwrap();
        words(&mut out, &[second, 0, size(sample.bytes.len()), size(sample.len)]);
        out.extend_from_slice(&sample.bytes);
    }
    out
}

/// The frames that tcpdump lets pass, or what it says against the expression; `None` if it does
/// not run here.
fn tcpdump(file: &[u8], expression: &str) -> Option<Result<Vec<usize>, String>> {
    let mut child = Command::new("tcpdump")
        .args(["-r", "-", "-w", "-", expression])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // It stops early if it does not like the expression.
    child.stdin.take().unwrap().write_all(file).ok();
    let (mut out, mut err) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    if !child.wait().unwrap().success() {
        return Some(Err(err));
    }
    let little = out.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]);
    let word = |bytes: &[u8]| {
        let bytes = bytes[..4].try_into().unwrap();
        let word = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(word).unwrap()
    };
    let (mut passed, mut rest) = (Vec::new(), &out[24..]);
    while !rest.is_empty() {
        passed.push(word(rest));
        rest = &rest[16 + word(&rest[8..])..];
    }
    Some(Ok(passed))
}

fn named(samples: &[Sample], numbers: &[usize]) -> Vec<&'static str> {
    numbers.iter().map(|&number| samples[number].name).collect()
}

/// Holds every expression against tcpdump's answer, but for those that differ with reason: for
/// them `differing` has what is true here.
fn compare(samples: &[Sample], expressions: &[&str], differing: &[(&str, &[&str])]) {
    let file = pcap(samples);
    if tcpdump(&file, "").is_none() {
        eprintln!(
            "SKIPPED: tcpdump is not installed, {} expressions not held against it",
            expressions.len()
        );
        return;
    }
    let ours = |expression: &str| {
        let filter = parse(expression);
        let all = 0..samples.len();
        named(samples, &all.filter(|&n| filter.matches(&samples[n].event())).collect::<Vec<_>>())
    };
    let mut wrong = Vec::new();
    for expression in expressions {
        let theirs = named(samples, &tcpdump(&file, expression).unwrap().unwrap());
        if ours(expression) != theirs {
            wrong.push(format!("{expression}: here {:?}, tcpdump {theirs:?}", ours(expression)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (expression, expected) in differing {
        assert_eq!(ours(expression), *expected, "{expression}");
        let theirs = named(samples, &tcpdump(&file, expression).unwrap().unwrap());
        eprintln!("{expression}: here {expected:?}, tcpdump {theirs:?}");
    }
}

/// Raw packets; behind extension headers and AH in the last three.
fn raw_samples() -> Vec<Sample> {
    let raw = |name, packet| Sample::new(name, LinkType::RAW, packet);
    let (a, b, c) = ("10.0.0.1", "10.1.2.3", "192.0.2.9");
    let (x, y, z) = ("2001:db8::1", "2001:db8:0:1::2", "fe80::9");
    let fragment =
        |offset: u16| [&[6, 0][..], &offset.to_be_bytes(), &[0; 4], &tcp(80, 81)].concat();
    let mut first = ip(17, a, c, &udp(53, 1024, &[0; 16]));
    first[6] = 0x20;
    vec![
        raw("ssh", ip(6, a, b, &tcp(40000, 22))),
        raw("back", ip(6, b, a, &tcp(22, 40000))),
        raw("web", ip(6, c, b, &tcp(50000, 443))),
        raw("dns", ip(17, b, c, &udp(53, 53, &[0; 30]))),
        raw("zero", ip(17, "0.0.0.0", "255.255.255.255", &udp(68, 67, &[0; 8]))),
        raw("ssh6", ip(6, x, y, &tcp(22, 1022))),
        raw("dns6", ip(17, y, z, &udp(5353, 53, &[0; 9]))),
        raw("ping", ip(1, a, c, &[8, 0, 0, 0, 0, 22, 0, 22])),
        raw(
            "error",
            ip(1, a, c, &[&[3, 3, 0, 0, 0, 0, 0, 0], &*ip(17, c, b, &udp(53, 22, &[]))].concat()),
        ),
        raw("ping6", ip(58, x, z, &[128, 0, 0, 0, 0, 22, 0, 22])),
        raw("esp", ip(50, a, b, &esp(0x1001))),
        raw("esp6", ip(50, x, y, &esp(0x1002))),
        raw("sctp", ip(132, a, a, &sctp(22, 5060))),
        raw("igmp", ip(2, b, "224.0.0.1", &[0x11; 8])),
        raw("carp", ip(112, c, "224.0.0.18", &[0x21; 36])),
        raw("pim", ip(103, c, "224.0.0.13", &[0x20; 8])),
        raw("gre", ip(47, c, b, &[0; 8])),
        raw("first", first),
        raw("later", later_fragment(ip(17, a, c, &[0, 22, 0, 22, 0, 0, 0, 0]))),
        raw("later6", ip(44, x, y, &fragment(0x100))),
        raw("cut", ip(6, a, b, &tcp(40000, 22))).cut(24),
        raw("unknown", vec![0x20; 40]),
        raw("ah", ip(51, a, b, &[&[6, 4][..], &[0; 22], &tcp(443, 444)].concat())),
        raw("hops", ip(0, x, y, &[&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(443, 445)].concat())),
        raw("first6", ip(44, x, y, &fragment(1))),
    ]
}

/// What libpcap takes for an expression, with values that stand alone in every place, means the
/// same here. The same expressions in every run.
#[test]
fn what_libpcap_reads_is_read_alike() {
    const PARTS: &[&str] = &[
        "tcp",
        "udp",
        "ip",
        "ip6",
        "icmp",
        "less 44",
        "port 22",
        "src port 53",
        "udp port 53",
        "portrange 20-60",
        "host 10.0.0.1",
        "src host 10.1.2.3",
        "net 10.1",
        "net 2001:db8::/32",
        "src or dst host 192.0.2.9",
        "src and dst port 53",
        "ip proto 17",
        "host 2001:db8::1",
        "22",
        "53",
        "10.0.0.1",
        "192.0.2.9",
        "10.1",
        "10.0.0.0/8",
        "2001:db8::1",
        "17",
        "443",
        "port (22 or 53)",
        "host not 10.0.0.1",
        "domain",
        "20-60",
        "port not 53",
        "proto 6",
    ];
    let mut samples = raw_samples();
    samples.truncate(samples.len() - 3);
    let file = pcap(&samples);
    if tcpdump(&file, "").is_none() {
        eprintln!("SKIPPED: tcpdump is not installed");
        return;
    }
    let part = (
        prop::sample::select(vec!["", "", "", "not ", "(", "(", "not (", "! not "]),
        prop::sample::select(PARTS),
        prop::sample::select(vec!["", "", ")", ")"]),
        prop::sample::select(vec![" and ", " or ", "||", " && "]),
    );
    let soup = prop::collection::vec(part, 1..5);
    let mut runner = TestRunner::deterministic();
    let (mut read, mut wrong) = (0, Vec::new());
    for _ in 0..EXPRESSIONS {
        let mut text = String::new();
        for (before, part, after, glue) in soup.new_tree(&mut runner).unwrap().current() {
            text += &format!("{before}{part}{after}{glue}");
        }
        let text = text.trim_end_matches([' ', '|', '&']);
        let text = text.strip_suffix(" and").or_else(|| text.strip_suffix(" or")).unwrap_or(text);
        let Ok(theirs) = tcpdump(&file, text).unwrap() else { continue };
        read += 1;
        let ours = Filter::parse_with(text, &Known).map(|filter| {
            let all = 0..samples.len();
            all.filter(|&n| filter.matches(&samples[n].event())).collect::<Vec<_>>()
        });
        match ours {
            Ok(ours) if ours == theirs => {}
            Ok(ours) => wrong.push(format!(
                "{text}: here {:?}, tcpdump {:?}",
                named(&samples, &ours),
                named(&samples, &theirs)
            )),
            // libpcap takes the number for an address: 22 is 0.0.0.22.
            Err(error) if error.suggestion.as_ref().is_some_and(|s| s.starts_with("port ")) => {}
            Err(error) => wrong.push(error.to_string()),
        }
    }
    eprintln!("{read} of {EXPRESSIONS} read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > EXPRESSIONS / 10, "{read}");
}

#[test]
fn raw_packets_match_as_tcpdump_has_it() {
    compare(
        &raw_samples(),
        &[
            "",
            "ip",
            "ip6",
            "udp",
            "icmp",
            "icmp6",
            "esp",
            "ah",
            "sctp",
            "igmp",
            "carp",
            "vrrp",
            "pim",
            "not ip",
            "not udp and ip6",
            "! esp",
            "udp or icmp and host 10.0.0.1",
            "not icmp or esp and ip6",
            "host 10.0.0.1",
            "src host 10.0.0.1",
            "dst host 10.0.0.1",
            "src or dst host 10.1.2.3",
            "src and dst host 10.0.0.1",
            "src 10.0.0.1",
            "src or dst 10.0.0.1 or 192.0.2.9",
            "host 10.0.0.1 or 192.0.2.9 and not udp",
            "host (10.1.2.3 or 2001:db8::1)",
            "host not 10.0.0.1",
            "host 10.1",
            "net 10",
            "net 10.1",
            "net 0",
            "net 10.0.0.0/8",
            "net 10.0.0.0 mask 255.0.0.0",
            "net 0.0.0.0/0",
            "net 10.1.2.3",
            "dst net 224.0.0.0/4",
            "host 2001:db8::1",
            "net 2001:db8::/32",
            "src net 2001:db8::/63",
            "net ::/0",
            "ip6 host 2001:db8::1",
            "ip host 10.0.0.1",
            "port 22",
            "src port 22",
            "dst port 22 or 53",
            "src and dst port 53",
            "src or dst port 22",
            "port not 22",
            "port (22 or 53) and not tcp",
            "udp port 53",
            "tcp port 22 or 443 and host 192.0.2.9",
            "sctp port 22",
            "port domain",
            "udp port domain",
            "portrange 50-60",
            "udp portrange 60-50",
            "tcp dst portrange 20-60",
            "portrange 22",
            "port 0x16",
            "port 026",
            "proto 47",
            "proto \\udp",
            "ip proto 17",
            "ip6 proto 17",
            "ip6 proto 58",
            "ip6 proto 44",
            "ip proto \\icmp or \\igmp",
            "less 40",
            "greater 41",
            "less 40 or greater 60",
            "(port 22 or 53) and not (udp or sctp)",
            "host 10.0.0.1 and (port 22 or port 53)",
            "port 22 or (53) and ip6",
            "udp and net 10 or ip6",
            "not (ip or ip6)",
            "tcp and not ip6 and not host 10.0.0.1",
        ],
        &[
            // libpcap looks for a protocol in IPv6's first header and behind a fragment header,
            // and for ports behind neither; here, behind all headers and AH.
            ("tcp", &["ssh", "back", "web", "ssh6", "later6", "cut", "ah", "hops", "first6"]),
            ("port 443", &["web", "ah", "hops"]),
            ("tcp port 80", &["first6"]),
            // CARP and VRRP also run over IPv6, where libpcap does not look.
        ],
    );
}

#[test]
fn pflog_frames_match_as_tcpdump_has_it() {
    let pflog =
        |name, header: Pf, packet: &[u8]| Sample::new(name, LinkType::PFLOG, header.frame(packet));
    let ssh = ip(6, "10.0.0.1", "10.1.2.3", &tcp(40000, 22));
    let dns = ip(17, "10.1.2.3", "192.0.2.9", &udp(53, 1053, &[0; 20]));
    let ping = ip(1, "10.0.0.1", "192.0.2.9", &[8, 0, 0, 0, 0, 0, 0, 0]);
    let dns6 = ip(17, "2001:db8::1", "2001:db8::2", &udp(53, 1053, &[0; 20]));
    let one = Pf { action: 1, rule: 5, ..Pf::new(100) };
    let two = Pf { ruleset: "f2b", rule: 7, subrule: 2, dir: 2, reason: 3, ..Pf::new(61) };
    let three = Pf { ifname: "vlan10", action: 8, rule: 5, subrule: 7, ..Pf::new(100) };
    let four =
        Pf { ifname: "vtnet0", action: 4, reason: 14, rule: u32::MAX, rid: 9, ..Pf::new(69) };
    let six = Pf { af: 24, ruleset: "f2b/sshd", rule: 8, ..Pf::new(100) };
    let short = Pf { rule: 9, ifname: "sis4", ..Pf::new(45) };
    let samples = [
        pflog("one", one, &ssh),
        pflog("two", two, &dns),
        pflog("three", three, &ping),
        pflog("four", four, &ssh),
        pflog("five", Pf { dir: 2, ..one }, &dns),
        pflog("six", six, &dns6),
        pflog("short", short, &ssh),
    ];
    compare(
        &samples,
        &[
            "",
            "ip",
            "tcp and host 10.0.0.1",
            "port 22",
            "icmp",
            "host 192.0.2.9",
            "net 10",
            "not tcp and ip",
            "less 120",
            "greater 140",
            "on em0",
            "ifname vlan10",
            "on vtnet0 or icmp",
            "rset \\f2b/sshd",
            "rnr 5",
            "rulenum 7",
            "srnr 2",
            "subrulenum 7",
            "rnr 4294967295",
            "reason match",
            "reason short",
            "reason 14",
            "reason synproxy",
            "action block",
            "action drop",
            "action pass",
            "action accept",
            "action rdr",
            "action nat",
            "not action pass",
            "action block and on em0",
            "inbound and not on sis4",
            "outbound",
            "outbound and udp or srnr 7",
        ],
        &[
            // libpcap compares as many bytes as are typed.
            ("on em", &[]),
            ("on vlan1", &[]),
            ("ruleset f2b", &["two"]),
            // It takes byte 60 for the direction, whatever the header's length.
            ("inbound and on sis4", &["short"]),
            // It knows the family by the numbers of the host it was built for.
            ("ip6", &["six"]),
            ("udp", &["two", "five", "six"]),
            ("port 53", &["two", "five", "six"]),
        ],
    );
}
