//! Lines against those that the programs print.

use super::*;
use crate::decode::decode;
use crate::event::Frame;
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::writer::Writer;

/// A FreeBSD 14 header: action, reason, direction, rule, rule in the anchor.
fn header(action: u8, reason: u8, dir: u8, [rule, sub]: [u32; 2]) -> Vec<u8> {
    let mut bytes = vec![0; 72];
    (bytes[0], bytes[1], bytes[2], bytes[3]) = (69, 2, action, reason);
    bytes[4..8].copy_from_slice(b"igb0");
    if sub != u32::MAX {
        bytes[20..28].copy_from_slice(b"f2b/sshd");
    }
    bytes[36..40].copy_from_slice(&rule.to_be_bytes());
    bytes[40..44].copy_from_slice(&sub.to_be_bytes());
    bytes[44..52].copy_from_slice(&[0xff; 8]);
    bytes[60] = dir;
    bytes[64..68].copy_from_slice(&1_000_000_103_u32.to_be_bytes());
    bytes
}

fn line(flavour: Flavour, data: &[u8], len: usize) -> String {
    let (link, ts, precision) = (LinkType::PFLOG, Timestamp(0), Precision::Micros);
    let (number, offset, whole, iface, flow) = (1, 24, None, None, None);
    let place = None;
    let frame = Frame { number, offset, ts, precision, link, data, len, whole, iface, flow, place };
    let mut writer = Writer::new(ByteOrder::Little);
    writer.observe(data);
    let event = decode(frame, ByteOrder::Little, writer);
    let mut page = Page::default();
    Filterlog::new(flavour).event(&event, &mut page);
    String::from_utf8(page.text).unwrap()
}

/// Both lines of a packet behind a header.
fn lines(header: &[u8], packet: &[u8]) -> [String; 2] {
    let data = [header, packet].concat();
    [Flavour::Pfsense, Flavour::Opnsense].map(|flavour| line(flavour, &data, data.len()))
}

/// An IPv4 packet of this protocol.
fn ip(proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, proto, 0, 0];
    packet.extend([192, 0, 2, 10, 198, 51, 100, 20]);
    packet[3] = u8::try_from(20 + payload.len()).unwrap();
    packet.extend(payload);
    packet
}

const NONE: u32 = u32::MAX;

#[test]
fn the_default_rule_and_anchors() {
    let udp = ip(17, &[0x04, 0xd2, 0, 53, 0, 8, 0, 0]);
    let rest = "in,4,0x0,,64,4660,0,DF,17,udp,28,192.0.2.10,198.51.100.20,1234,53,8\n";
    let [pfsense, opnsense] = lines(&header(1, 0, 1, [5, NONE]), &udp);
    assert_eq!(pfsense, format!("5,,,1000000103,igb0,match,block,{rest}"));
    assert_eq!(opnsense, format!("5,,,0,igb0,match,block,{rest}"));
    let [pfsense, opnsense] = lines(&header(0, 0, 1, [NONE, 3]), &udp);
    assert_eq!(pfsense, format!("4294967295,3,f2b/sshd,1000000103,igb0,match,pass,{rest}"));
    assert_eq!(opnsense, format!(",3,f2b/sshd,0,igb0,match,pass,{rest}"));
}

#[test]
fn numbers_without_a_name_are_shown() {
    let udp = ip(17, &[0; 8]);
    let of = |action, reason, dir| {
        let short = |line: &String| line.split(',').skip(5).take(3).collect::<Vec<_>>().join(",");
        lines(&header(action, reason, dir, [5, NONE]), &udp).each_ref().map(short)
    };
    assert_eq!(of(12, 15, 3), ["unkn(15),unkn(12),unkn(3)", "unknown(15),unknown(12),unknown(3)"]);
    assert_eq!(of(5, 8, 0), ["ip-option,nat,in/out"; 2], "no nat");
    assert_eq!(of(7, 14, 2), ["synproxy,binat,out"; 2], "no binat");
    assert_eq!(of(9, 0, 2), ["match,rdr,out"; 2], "no rdr");
    assert_eq!(of(3, 0, 2), ["match,unkn(3),out", "match,unknown(3),out"], "no scrub");
}

/// What stands behind the addresses.
fn tails(packet: &[u8]) -> [String; 2] {
    let lines = lines(&header(1, 0, 1, [5, NONE]), packet);
    lines.map(|line| line.split_once("198.51.100.20,").unwrap().1.trim_end_matches('\n').to_owned())
}

#[test]
fn what_follows_an_ipv4_header() {
    let echo = ip(1, &[8, 0, 0, 0, 0, 77, 0, 2, 1, 2, 3, 4]);
    assert_eq!(tails(&echo), ["request,77,212", "datalength=12,echoreq,0,77,2,"]);
    let mut needfrag = vec![3, 4, 0, 0, 0, 0, 0x05, 0x78];
    needfrag.extend(ip(17, &[0, 1, 0, 53, 0, 8, 0, 0]));
    let expected = ["needfrag,198.51.100.20,140036", "datalength=36,unreach,needfrag,,,1400"];
    assert_eq!(tails(&ip(1, &needfrag)), expected);
    needfrag[1] = 3;
    let expected = ["unreachport,198.51.100.20,UDP,5336", "datalength=36,unreach,port-unr,,,"];
    assert_eq!(tails(&ip(1, &needfrag)), expected);
    let carp = ip(112, &[0x21, 7, 100, 7, 0, 1]);
    assert_eq!(tails(&carp), ["advertise,64,7,2,100,1"; 2]);
    assert_eq!(tails(&ip(47, &[0; 4])), ["datalength=4 ", "datalength=4"]);
    let sctp = ip(132, &[0, 7, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(tails(&sctp), ["7,9,2", "datalength=14"]);
    assert_eq!(tails(&ip(4, &[0; 20])), ["IPV4-IN-IPV4,", "datalength=20"]);
    let mut syn = vec![0x9c, 0x40, 0, 23, 0, 0, 3, 232, 0, 0, 0, 0, 0x60, 2, 0x40, 0, 0, 0, 0, 0];
    syn.extend([2, 4, 5, 0xb4]);
    assert_eq!(tails(&ip(6, &syn)), ["40000,23,0,S,1000,,16384,,mss"; 2]);
    syn.extend(b"abc");
    assert_eq!(tails(&ip(6, &syn)), ["40000,23,3,S,1000:1003,,16384,,mss"; 2]);
}

#[test]
fn what_follows_an_ipv6_header() {
    // RFC 9777: a report to ff02::16, with hop-by-hop options: router alert, PadN.
    let mut report = vec![0x60, 0x01, 0x23, 0x45, 0, 36, 0, 1];
    report.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    report.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16]);
    report.extend([58, 0, 5, 2, 0, 0, 1, 0]);
    report.extend([143, 0, 0, 0, 0, 0, 0, 1]);
    report.extend([0; 20]);
    let [pfsense, opnsense] = lines(&header(0, 0, 2, [5, NONE]), &report);
    assert_eq!(
        pfsense,
        "5,,,1000000103,igb0,match,pass,out,6,0x00,0x12345,1,Options,0,36,fe80::1,ff02::16,\
         HBH,RTALERT,0x0000,PADN,\n"
    );
    assert_eq!(
        opnsense,
        "5,,,0,igb0,match,pass,out,6,0x00,0x12345,1,ipv6-icmp,58,36,fe80::1,ff02::16,\
         datalength=28,listenrepv2,0,,,\n"
    );
}

#[test]
fn a_cut_packet_has_empty_fields() {
    let data = [header(1, 0, 1, [5, NONE]), ip(17, &[0x04, 0xd2, 0, 53, 0, 8, 0, 0])].concat();
    for n in 72..data.len() {
        for flavour in [Flavour::Pfsense, Flavour::Opnsense] {
            let line = line(flavour, &data[..n], data.len());
            assert_eq!(line.matches('\n').count(), 1);
            if n > 73 {
                let fields = line.split(',').count();
                let whole = if n >= 82 { 22 } else { 20 };
                assert!(fields >= whole.min(20), "{n} {fields}: {line}");
            }
        }
    }
    let line = line(Flavour::Pfsense, &data[..72 + 20], data.len());
    assert!(line.ends_with(",192.0.2.10,198.51.100.20,,,\n"), "{line}");
}

#[test]
fn a_header_that_cannot_be_read() {
    let whole = header(1, 0, 1, [5, NONE]);
    assert_eq!(line(Flavour::Pfsense, &whole[..40], 100), "[|pflog]\n");
    assert_eq!(line(Flavour::Pfsense, &[], 100), "[|pflog]\n");
    assert_eq!(line(Flavour::Opnsense, &[44, 2], 100), "[pflog: invalid header length!]\n");
}

#[test]
fn a_name_cannot_move_the_fields() {
    let mut name = header(1, 0, 1, [5, NONE]);
    name[4..12].copy_from_slice(b"a,b\n\\\x1b\xff ");
    let [pfsense, opnsense] = lines(&name, &ip(17, &[0; 8]));
    for line in [pfsense, opnsense] {
        assert_eq!(line.split(',').nth(4), Some("a\\x2cb\\x0a\\x5c\\x1b\\xff "));
        assert_eq!(line.matches('\n').count(), 1);
    }
}
