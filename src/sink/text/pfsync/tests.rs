use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::Text;
use super::super::names::Names;
use super::*;
use crate::capture::Batch;
use crate::capture::file::File;
use crate::decode::decode;
use crate::event::Frame;
use crate::sink::Sink as _;
use crate::time::{Precision, TimeStyle, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;
use crate::wire::pfsync::{Layout, PROTOCOL};
use crate::wire::writer::Writer;

const GENUINE: [&str; 6] = [
    "aerie-v4-pfsync0.pcap",
    "freebsd14-pfsync-1301.pcap",
    "freebsd15-pfsync-1500.pcap",
    "openbsd80-pfsync0-dlt18.pcap",
    "openbsd80-pfsync0.pcap",
    "openbsd80-sync-eth.pcap",
];

fn plain(verbose: u8) -> Options {
    Options { time: TimeStyle::None, verbose, ..Options::default() }
}

fn text(frame: Frame<'_>, options: &Options) -> String {
    let event = decode(frame, ByteOrder::Little, Writer::new(ByteOrder::Little));
    let mut page = Page::default();
    Text::new(options.clone(), TimeZone::UTC).event(&event, &mut page);
    String::from_utf8(page.text).unwrap()
}

fn frame(link: LinkType, data: &[u8], len: usize) -> Frame<'_> {
    let (ts, precision) = (Timestamp(0), Precision::Micros);
    Frame { ts, precision, len, ..Frame::new(link, data) }
}

/// The text of a whole record of a pfsync device.
fn shown(data: &[u8], options: &Options) -> String {
    text(frame(LinkType::PFSYNC, data, data.len()), options)
}

/// Calls `each` with every frame of a genuine capture.
fn each_frame(file: &str, mut each: impl FnMut(Frame<'_>)) {
    let path = format!("{}/testdata/genuine/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut file = File::open(path.as_ref()).unwrap();
    let (mut batch, mut more) = (Batch::default(), true);
    while more {
        more = file.fill(&mut batch).more;
        batch.frames().for_each(|(_, _, frame)| each(frame));
    }
}

/// The text of one frame of a genuine capture.
fn genuine(file: &str, number: u64, options: &Options) -> String {
    let mut found = String::new();
    each_frame(file, |frame| {
        if frame.number == number {
            found = text(frame, options);
        }
    });
    found
}

/// A packet of version 5 or 6: each message behind its sub-header (action, words, count).
fn packet(version: u8, groups: &[(u8, u8, u16, &[u8])]) -> Vec<u8> {
    let mut packet = vec![0; 20];
    packet[0] = version;
    for &(action, words, count, body) in groups {
        packet.extend([action, words]);
        packet.extend(count.to_be_bytes());
        packet.extend(body);
    }
    let len = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet
}

/// A packet of version 1 to 4.
fn old_packet(version: u8, action: u8, count: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![version, 2, action, count];
    packet.resize(if version > 2 { 20 } else { 4 }, 0);
    packet.extend(body);
    packet
}

/// A state of OpenBSD's version 6: TCP, in, ESTABLISHED.
fn openbsd6() -> Vec<u8> {
    let mut state = vec![0; 264];
    state[7] = 9;
    state[8..11].copy_from_slice(b"em0");
    for at in [24, 64] {
        state[at..at + 4].copy_from_slice(&[192, 0, 2, 10]);
        state[at + 16..at + 20].copy_from_slice(&[198, 51, 100, 20]);
        state[at + 32..at + 36].copy_from_slice(&[0x9c, 0x40, 0, 22]);
        state[at + 38] = 2;
    }
    (state[128], state[160]) = (4, 4);
    state[184..196].fill(0xff);
    state[236..240].copy_from_slice(&[0x79, 0x6e, 0xd1, 0xb8]);
    state[240..248].fill(0xff);
    state[250..253].copy_from_slice(&[2, 6, 1]);
    state[255] = 2;
    state
}

fn with(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut bytes);
    bytes
}

/// The line of a state of OpenBSD's version 6.
fn line(state: &[u8], options: &Options) -> String {
    let text = shown(&packet(6, &[(13, 66, 1, state)]), options);
    let (_, line) = text.split_once("count 1\n").unwrap();
    line.to_owned()
}

const EM0: &str = "    em0 tcp 198.51.100.20:22 <- 192.0.2.10:40000    ESTABLISHED:ESTABLISHED\n";

#[test]
fn states_on_a_wire_of_openbsd() {
    let expected = "\
IP 10.255.0.1 > 224.0.0.240: PFSYNCv6 len 1344 (openbsd6)
    act INS ST count 5
    all udp 203.0.113.9:60277 (10.1.2.3:40003) -> 198.51.100.20:53    SINGLE:NO_TRAFFIC
    all tcp 10.9.9.9:8080 (192.0.2.1:80) <- 192.0.2.10:40004    ESTABLISHED:ESTABLISHED
    all tcp 198.51.100.20:84 <- 192.0.2.10:40010    SYN_SENT:SYN_SENT
    all tcp 198.51.100.1:54946 (2001:db8:1::10[50000]) -> \
198.51.100.7:443 (64:ff9b::c633:6407[443])    SYN_SENT:CLOSED
    all udp 198.51.100.20:41003 -> 192.0.2.10:6666    SINGLE:NO_TRAFFIC
";
    assert_eq!(genuine("openbsd80-sync-eth.pcap", 4, &plain(0)), expected);
    let first = "fe:e1:ba:d2:c3:2c > 01:00:5e:00:00:f0, IPv4, length 1378: \
                 10.255.0.1 > 224.0.0.240: PFSYNCv6 len 1344 (openbsd6)\n";
    let quiet = Options { link: true, quiet: true, ..plain(0) };
    assert_eq!(genuine("openbsd80-sync-eth.pcap", 4, &quiet), first);
}

#[test]
fn details_of_states_of_openbsd() {
    let one = genuine("openbsd80-sync-eth.pcap", 4, &plain(1));
    let expected = "
    all tcp 10.9.9.9:8080 (192.0.2.1:80) <- 192.0.2.10:40004    ESTABLISHED:ESTABLISHED
       [589825 + 1048576] wscale 6  [4115 + 16366] wscale 6
       age 00:00:00, expires in 24:00:00, 3:1 pkts, 158:60 bytes, rule 5
    all tcp 198.51.100.20:84";
    assert!(one.contains(expected), "{one}");
    let two = genuine("openbsd80-sync-eth.pcap", 4, &plain(2));
    let expected = "
       [0 + 1](+2277702110) wscale 6  [8192 + 2](+1503850980) wscale 6
       age 00:00:00, expires in 00:02:00, 1:0 pkts, 60:0 bytes, rule 12
       id: 0000000000000002 creatorid: 796ed1b8, timeout tcp.first, \
flags no-df set-tos random-id scrub-tcp, max-mss 1400, min-ttl 77, tos 32
";
    assert!(two.contains(expected), "{two}");
    let head = "(openbsd6), checksum 00000000000000000000000000000000\n    act INS ST count 5\n";
    assert!(two.contains(head), "{two}");
}

#[test]
fn other_messages_of_openbsd() {
    let messages = |number, verbose| {
        let text = genuine("openbsd80-sync-eth.pcap", number, &plain(verbose));
        text.split_once("    act ").unwrap().1.to_owned()
    };
    let bulk = "id: 0000000000000000 creatorid: 00000000 (everything: bulk request)\n";
    assert_eq!(messages(2, 0), format!("UPD ST REQ count 1\n\t{bulk}"));
    assert_eq!(messages(18, 0), "INS ST ACK count 1\n\tid: 1122334455667788 creatorid: deadbeef\n");
    assert_eq!(messages(20, 0), "UPD ST REQ count 1\n\tid: 0000000000005555 creatorid: deadbeef\n");
    let update = "UPD ST COMP count 1\n\tid: 0000000000000017 creatorid: 796ed1b8\n";
    assert_eq!(messages(15, 0), update);
    let peers = "\t    src ESTABLISHED [20480 + 16385], dst ESTABLISHED [24577 + 16384]\n";
    assert_eq!(messages(15, 1), format!("{update}{peers}"));
    assert_eq!(messages(15, 2), format!("{update}{peers}\t    timeout tcp.established\n"));
    let start = "BULK UPD STAT count 1\n\tcreatorid: 796ed1b8 age: 00:00:00 status: start\n    \
                 act UPD ST count 5\n    all udp ";
    assert!(messages(22, 0).starts_with(start));
    let end = "    act BULK UPD STAT count 1\n\tcreatorid: 796ed1b8 age: 00:00:00 status: end\n";
    assert!(messages(26, 0).ends_with(end));
    assert_eq!(
        messages(32, 0),
        "UPD TDB count 1\n\tspi: 0xc0ffee01 rpl: 16 cur_bytes: 123456789 dst: 198.51.100.20 \
         sproto: esp rdomain: 3\n"
    );
    assert_eq!(
        messages(34, 0),
        "UPD TDB count 1\n\tspi: 0x00001001 rpl: 4294967297 cur_bytes: 78187493520 \
         dst: 2001:db8:2::20 sproto: ah rdomain: 0\n"
    );
    let two = "\n\tid: 0000000000000016 creatorid: 796ed1b8\n\tid: 0000000000000015 \
               creatorid: 796ed1b8\n";
    assert_eq!(messages(36, 0), format!("DEL ST COMP count 2{two}"));
    assert_eq!(messages(37, 0), "CLR ST count 1\n\tcreatorid: 796ed1b8 interface: pair0\n");
    assert_eq!(messages(38, 0), "CLR ST count 1\n\tcreatorid: 796ed1b8\n");
}

/// The device has another address in front, or none.
#[test]
fn devices_show_what_the_wire_does() {
    let behind = |file, number| {
        let text = genuine(file, number, &plain(1));
        text.split_once("PFSYNC").unwrap().1.to_owned()
    };
    for number in 1..=37 {
        let wire = behind("openbsd80-sync-eth.pcap", number + 1);
        for file in ["openbsd80-pfsync0.pcap", "openbsd80-pfsync0-dlt18.pcap"] {
            assert_eq!(behind(file, number), wire, "{number}");
        }
    }
    let link = Options { link: true, ..plain(0) };
    let first = genuine("openbsd80-pfsync0.pcap", 1, &link);
    assert!(first.starts_with("ip: 0.0.0.0 > 224.0.0.240: PFSYNCv6 len 36 (openbsd6)\n"));
    let first = genuine("aerie-v4-pfsync0.pcap", 1, &link);
    assert!(first.starts_with("PFSYNCv4 len 36 (v4)\n    act UPD REQ count 1\n\tid: 00"));
}

#[test]
fn a_header_of_version_4_has_no_length() {
    let text = genuine("aerie-v4-pfsync0.pcap", 5, &plain(2));
    let expected = "\
PFSYNCv4 len 260 (v4), checksum 6f5586f8c05dc5d4362044186a60abce
    act UPD ST count 1
    all tcp 10.9.9.9:8080 (192.0.2.1:80) <- 192.0.2.10:40004    ESTABLISHED:ESTABLISHED
       [589825 + 1048576] wscale 6  [4115 + 16366] wscale 6
";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(
        genuine("aerie-v4-pfsync0.pcap", 25, &plain(0)),
        "PFSYNCv4 len 44 (v4)\n    act CLR ST count 0\n\tcreatorid: c0a80101 interface: lo1\n"
    );
}

#[test]
fn what_only_freebsd_15_tells() {
    let line = |number| {
        let text = genuine("freebsd15-pfsync-1500.pcap", number, &plain(2));
        text.split_once("\n    all ").unwrap().1.to_owned()
    };
    assert_eq!(
        line(6),
        "tcp 198.51.100.1:443 -> 192.0.2.5:40005    ESTABLISHED:SYN_RCVD
       [1000 + 65536] wscale 6  [5000 + 65000] wscale 7
       age 00:01:22, expires in 00:00:45, 15:4294967298 pkts, 1000:78187493520 bytes, rule 5
       id: 6500000000000005 creatorid: c0a80101, timeout tcp.established, \
route-to vtnet0.100@198.51.100.254, rtable 2, max-mss 1400, min-ttl 64, tos 16, queue 7, \
pqueue 8, dnpipe 100, dnrpipe 200, first seen on em0\n"
    );
    let scrubbed = ", anchor 12, rule 4
       id: 6500000000000004 creatorid: c0a80101, timeout tcp.established, flags sloppy set-prio, \
log 3, prio (3, 5), first seen on em0\n";
    assert!(line(5).ends_with(scrubbed));
    assert!(line(8).contains(", timeout purge, flags no-sync ack, dup-to em0, "));
    assert!(line(9).ends_with(", first seen on em0, tag mytag\n"));
    assert!(line(9).starts_with(
        "tcp 198.51.100.1:443 (2001:db8::10[40008]) -> 192.0.2.8:40008 (2001:db8::20[443])    "
    ));
}

#[test]
fn messages_of_every_kind_in_a_packet() {
    let expected = "\
PFSYNCv5 len 900 (freebsd1500)
    act INS ST count 1
    all tcp 198.51.100.1:443 <- 192.0.2.0:40000    SYN_RCVD:ESTABLISHED
    act INS ST ACK count 1
	id: 6500000000000001 creatorid: c0a80101
    act UPD ST count 1
    all udp 2001:db8::20[443] <- 2001:db8::10[40002]    SINGLE:MULTIPLE
    act UPD ST COMP count 1
	id: 6500000000000004 creatorid: c0a80101
    act DEL ST COMP count 2
	id: 6500000000000005 creatorid: c0a80101
	id: 6500000000000006 creatorid: c0a80101
    act UPD ST REQ count 1
	id: 0000000000000099 creatorid: c0a80102
";
    assert_eq!(genuine("freebsd15-pfsync-1500.pcap", 19, &plain(0)), expected);
}

#[test]
fn states_of_tcp_have_words_for_proxies_and_nonsense() {
    let levels = |src, dst| {
        let text = line(&with(openbsd6(), |s| (s[128], s[160]) = (src, dst)), &plain(0));
        text.rsplit_once("    ").unwrap().1.trim_end().to_owned()
    };
    // It came in: the receiver stands first.
    assert_eq!(levels(2, 0), "CLOSED:SYN_SENT");
    assert_eq!(levels(11, 0), "PROXY:SRC");
    assert_eq!(levels(0, 12), "PROXY:DST");
    assert_eq!(levels(11, 77), "PROXY:SRC");
    assert_eq!(levels(13, 77), "<BAD STATE LEVELS 77:13>");
}

#[test]
fn routing_domains_stand_in_front_of_addresses() {
    assert_eq!(line(&openbsd6(), &plain(0)), EM0);
    let inside = with(openbsd6(), |s| s[101] = 3);
    let expected = "    em0 tcp (3) 198.51.100.20:22 (198.51.100.20:22) <- \
                    (3) 192.0.2.10:40000 (192.0.2.10:40000)    ESTABLISHED:ESTABLISHED\n";
    assert_eq!(line(&inside, &plain(0)), expected);
}

#[test]
fn ports_have_names_unless_numbers_are_asked_for() {
    let names = Names::parse("ssh 22/tcp\n", "", false);
    let options = Options { names: Some(Arc::new(names)), ..plain(0) };
    assert_eq!(line(&openbsd6(), &options), EM0.replace(":22 ", ":ssh "));
}

#[test]
fn what_has_no_name_is_a_number() {
    let odd = with(openbsd6(), |s| {
        (s[102], s[62], s[250], s[251]) = (99, 99, 99, 200);
        (s[255], s[254]) = (77, 9);
        s[260] = 0x80;
    });
    let expected = "    em0 200 ?:22 <- ?:40000    4:4
       age 00:00:00, expires in 00:00:00, 0:0 pkts, 0:0 bytes
       id: 0000000000000009 creatorid: 796ed1b8, timeout unkn(77), flags unkn(32768), rt 9\n";
    assert_eq!(line(&odd, &plain(2)), expected);
}

#[test]
fn unknown_actions_are_stepped_over() {
    let id = [0; 12];
    let groups: [(u8, u8, u16, &[u8]); 3] =
        [(77, 2, 3, &[0; 24]), (13, 60, 1, &[0; 240]), (7, 3, 1, &id)];
    let expected = "\
PFSYNCv6 len 308 (openbsd6)
    act UNKNOWN id 77 count 3
	not decoded, length 24
    act INS ST count 1
	not decoded, length 240
    act DEL ST COMP count 1
	id: 0000000000000000 creatorid: 00000000
";
    assert_eq!(shown(&packet(6, &groups), &plain(0)), expected);
}

#[test]
fn faults_stand_behind_what_could_be_read() {
    let ids = [[7; 12], [8; 12]].concat();
    let whole = packet(6, &[(7, 3, 2, &ids)]);
    let first = "    act DEL ST COMP count 2\n\tid: 0707070707070707 creatorid: 07070707\n";
    let cut = text(frame(LinkType::PFSYNC, &whole[..40], whole.len()), &plain(0));
    let fault = "    [|pfsync] cut: the messages need 48 bytes (offset 36 of the frame)\n";
    assert_eq!(cut, format!("PFSYNCv6 len 48 (openbsd6)\n{first}{fault}"));
    let quiet = Options { quiet: true, ..plain(0) };
    let cut = text(frame(LinkType::PFSYNC, &whole[..40], whole.len()), &quiet);
    assert_eq!(cut, "PFSYNCv6 len 48 (openbsd6) [|pfsync]\n");
    let longer = with(whole.clone(), |p| p[3] = 60);
    let fault =
        "    [|pfsync] the header says 60 bytes, the packet has 48 (offset 2 of the frame)\n";
    assert!(shown(&longer, &plain(0)).ends_with(fault));
    for at in [21, 23] {
        let empty = with(whole.clone(), |p| p[at] = 0);
        let written = shown(&empty, &plain(0));
        assert!(written.contains("\n    [|pfsync] messages without a size or a count (offset 2"));
    }
    let unknown = "[|pfsync] pfsync version 9 is not known (offset 0 of the frame)\n";
    assert_eq!(shown(&with(whole, |p| p[0] = 9), &plain(0)), unknown);
}

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2.
fn ip(flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 255, PROTOCOL, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let len = u16::try_from(payload.len() + 20).unwrap();
    ip[2..4].copy_from_slice(&len.to_be_bytes());
    ip[6..8].copy_from_slice(&flags.to_be_bytes());
    ip.extend(payload);
    ip
}

#[test]
fn fragments_show_what_they_carry_together() {
    let whole = packet(6, &[(13, 66, 1, &openbsd6())]);
    let (first, last) = (ip(0x2000, &whole[..144]), ip(18, &whole[144..]));
    let data = frame(LinkType::RAW, &first, first.len());
    let short = "IP 10.0.0.1 > 10.0.0.2: pfsync, version 6, action 13 count 1, length 144\n";
    assert_eq!(text(data, &plain(0)), short);
    let data = Frame { whole: Some(&whole), ..frame(LinkType::RAW, &last, last.len()) };
    let expected = format!(
        "IP 10.0.0.1 > 10.0.0.2: ip-proto-240, reassembled: PFSYNCv6 len 288 (openbsd6)\n    \
         act INS ST count 1\n{EM0}"
    );
    assert_eq!(text(data, &plain(0)), expected);
}

#[test]
fn a_bad_version_on_a_wire_is_said_in_words() {
    let packet = ip(0, &[9; 30]);
    let written = text(frame(LinkType::RAW, &packet, packet.len()), &plain(0));
    let expected = "IP 10.0.0.1 > 10.0.0.2: [|pfsync] pfsync version 9 is not known \
                    (offset 20 of the frame)\n";
    assert_eq!(written, expected);
}

/// pf logs the packets, not what they say; a page may have shown messages before.
#[test]
fn logged_packets_have_the_short_form() {
    let whole = packet(6, &[(13, 66, 1, &openbsd6())]);
    let inner = ip(0, &whole);
    let mut logged = vec![0; 64];
    (logged[0], logged[1]) = (61, 2);
    logged.extend(inner);
    let mut page = Page::default();
    let mut sink = Text::new(plain(0), TimeZone::UTC);
    for (link, data) in [(LinkType::PFSYNC, &whole), (LinkType::PFLOG, &logged)] {
        let writer = Writer::new(ByteOrder::Little);
        let event = decode(frame(link, data, data.len()), ByteOrder::Little, writer);
        page.clear();
        sink.event(&event, &mut page);
    }
    let expected = "IP 10.0.0.1 > 10.0.0.2: pfsync, version 6, action 13 count 1, length 288\n";
    assert_eq!(String::from_utf8(page.text).unwrap(), expected);
}

#[test]
fn names_cannot_control_a_terminal() {
    let hostile = with(openbsd6(), |s| s[8..16].copy_from_slice(b"\x1b[2J\n\t\xff\\"));
    let expected = EM0.replace("em0", "\\x1b[2J\\x0a\\x09\\xff\\\\");
    assert_eq!(line(&hostile, &plain(0)), expected);
    let clear = with(vec![0; 20], |c| c[..3].copy_from_slice(b"\n\r\x9b"));
    let written = shown(&packet(6, &[(0, 5, 1, &clear)]), &plain(0));
    assert!(written.ends_with("\tcreatorid: 00000000 interface: \\x0a\\x0d\\x9b\n"));
    let mut state = vec![1; 360];
    state[350] = 2;
    let written = shown(&packet(5, &[(15, 0, 1, &state)]), &plain(2));
    assert_lines(&written);
    assert!(written.contains(", tag \\x01\\x01"), "{written}");
}

#[test]
fn old_deletions_tell_how_far_the_peers_were() {
    let deleted = [0, 0, 0, 0, 0, 0, 0, 5, 0x79, 0x6e, 0xd1, 0xb8, 4, 9, 0, 0];
    let packet = old_packet(3, 5, 1, &deleted);
    let short = "PFSYNCv3 len 36 (v3)\n    act DEL ST COMP count 1\n\t\
                 id: 0000000000000005 creatorid: 796ed1b8";
    assert_eq!(shown(&packet, &plain(0)), format!("{short}\n"));
    assert_eq!(shown(&packet, &plain(1)), format!("{short} states: 4:9\n"));
}

/// No control byte, and every line but the first starts with a blank or a tab.
#[track_caller]
fn assert_lines(text: &str) {
    assert!(text.bytes().all(|b| matches!(b, b'\n' | b'\t' | b' '..=b'~')), "{text:?}");
    let mut lines = text.strip_suffix('\n').unwrap().split('\n');
    assert!(lines.next().is_some_and(|first| !first.starts_with([' ', '\t'])), "{text:?}");
    assert!(lines.all(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty()), "{text:?}");
}

#[track_caller]
fn assert_prefixes(whole: Frame<'_>) {
    for (n, verbose, quiet) in
        (0..=whole.data.len()).flat_map(|n| [(n, 0, false), (n, 2, false), (n, 2, true)])
    {
        let options = Options { link: n % 2 == 0, quiet, ..plain(verbose) };
        let Some(data) = whole.data.get(..n) else { continue };
        let written = text(Frame { data, ..whole }, &options);
        // With -v IPv4 has a line of its own.
        assert!(!quiet || written.matches('\n').count() <= 2, "{written:?}");
        assert_lines(&written);
    }
}

#[test]
fn any_piece_of_a_genuine_frame_is_lines() {
    for file in GENUINE {
        each_frame(file, |frame| {
            if frame.number % 5 == 0 || frame.data.len() < 120 {
                assert_prefixes(frame);
            }
        });
    }
}

#[test]
fn any_piece_of_a_packet_of_each_version_is_lines() {
    let pattern =
        |size: usize| (0..size).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect::<Vec<_>>();
    let mut packets = vec![old_packet(1, 1, 2, &pattern(2 * 144)), old_packet(1, 9, 3, &[1; 40])];
    for version in 2..=4 {
        let size = if version == 2 { 224 } else { 240 };
        packets.push(old_packet(version, 1, 2, &pattern(2 * size)));
        packets.push(old_packet(version, 0, 0, &pattern(24)));
        packets.push(old_packet(version, 0, 0, &pattern(8)));
        for (action, size) in [(4, 88), (5, 16), (6, 9), (8, 16), (9, 16), (10, 48)] {
            packets.push(old_packet(version, action, 2, &pattern(2 * size)));
        }
    }
    for (action, layout) in
        [(1, Layout::Freebsd1301), (13, Layout::Freebsd1400), (15, Layout::Freebsd1500)]
    {
        let state = pattern(layout.state_size().unwrap());
        packets.push(packet(5, &[(action, 0, 1, &state), (8, 0, 9, &[]), (12, 0, 1, &[])]));
    }
    packets.push(packet(5, &[(1, 0, 2, &pattern(480)), (7, 0, 1, &[0; 12])]));
    packets.push(packet(5, &[(7, 0, 1, &[0; 12]), (99, 0, 2, &pattern(30))]));
    for (action, size) in
        [(13, 264), (1, 240), (4, 84), (0, 20), (2, 12), (10, 12), (15, 52), (11, 48), (8, 4)]
    {
        let body = pattern(2 * size);
        packets.push(packet(
            6,
            &[(action, u8::try_from(size / 4).unwrap(), 2, &body), (7, 3, 1, &[0; 12])],
        ));
    }
    for packet in packets {
        assert!(!shown(&packet, &plain(0)).contains("[|"), "{:?}", shown(&packet, &plain(0)));
        assert_prefixes(frame(LinkType::PFSYNC, &packet, packet.len()));
        let wire = ip(0, &packet);
        assert_prefixes(frame(LinkType::RAW, &wire, wire.len()));
    }
}
