//! What differs from tcpdump, and what a file at hand may not show: the rest is compared with
//! tcpdump itself, in `tests/tcpdump.rs`.

use proptest::prelude::*;

use super::*;
use crate::decode::decode;
use crate::event::Frame;
use crate::sink::page::Binder;
use crate::time::Timestamp;
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// UDP 10.0.0.1.1000 > 10.0.0.2.2000 with 2 bytes.
const UDP: [u8; 30] = [
    0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2, 0x03, 0xe8, 0x07,
    0xd0, 0, 10, 0, 0, b'h', b'i',
];

/// A pflog header of this length, little-endian where that matters: block in on em0, rule 5.
fn header(length: u8) -> Vec<u8> {
    let mut header = vec![0; usize::from(length).next_multiple_of(4)];
    header[..4].copy_from_slice(&[length, 2, 1, 0]);
    header[4..7].copy_from_slice(b"em0");
    header[39] = 5;
    header[40..44].fill(0xff);
    let dir = match length {
        45 => 44,
        49 => 48,
        _ => {
            header[44..48].fill(0xff);
            header[48..52].copy_from_slice(&100_000_u32.to_le_bytes());
            header[56..60].copy_from_slice(&77_u32.to_le_bytes());
            60
        }
    };
    header[dir] = 1;
    header
}

fn with(mut header: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut header);
    header
}

fn render(link: LinkType, data: &[u8], len: usize, options: &Options) -> String {
    let mut writer = Writer::new(ByteOrder::Little);
    writer.observe(data);
    let (ts, precision) = (Timestamp(0), Precision::Micros);
    let frame = Frame { ts, precision, len, ..Frame::new(link, data) };
    let mut page = Page::default();
    let mut text = Text::new(options.clone(), TimeZone::UTC);
    text.event(&decode(frame, ByteOrder::Little, writer), &mut page);
    assert_eq!(page.events(), 1);
    let (mut binder, mut scratch) =
        (Binder::new(options.time, options.precision, None), Vec::new());
    String::from_utf8(binder.bind(&page, &mut scratch).bytes.to_vec()).unwrap()
}

const PLAIN: Options = Options {
    link: true,
    quiet: false,
    verbose: 0,
    absolute: false,
    time: TimeStyle::None,
    precision: Precision::Micros,
    dump: None,
    names: None,
    color: false,
};

/// The line of a packet behind this header.
fn line(header: Vec<u8>, options: &Options) -> String {
    let data = [&header[..], &UDP].concat();
    render(LinkType::PFLOG, &data, data.len(), options)
}

const PACKET: &str = "10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 2\n";

#[track_caller]
fn assert_rule(header: Vec<u8>, rule: &str) {
    assert_eq!(line(header, &PLAIN), format!("{rule}{PACKET}"));
}

#[test]
fn a_rule_is_written_as_tcpdump_does() {
    assert_rule(header(61), "rule 5/0(match): block in on em0: ");
    let anchor = with(header(61), |h| {
        h[20..23].copy_from_slice(b"f2b");
        h[40..44].copy_from_slice(&[0, 0, 0, 3]);
    });
    assert_rule(anchor, "rule 5.f2b.3/0(match): block in on em0: ");
}

#[test]
fn the_default_rule_is_def() {
    assert_rule(with(header(61), |h| h[36..40].fill(0xff)), "rule def/0(match): block in on em0: ");
    let anchor = with(header(61), |h| h[20] = b'a');
    assert_rule(anchor, "rule 5.a/0(match): block in on em0: ");
}

#[test]
fn codes_are_named_for_the_systems_that_write_them() {
    assert_rule(with(header(61), |h| h[3] = 3), "rule 5/3(short): block in on em0: ");
    assert_rule(with(header(61), |h| h[3] = 4), "rule 5/4(normalize): block in on em0: ");
    assert_rule(with(header(100), |h| h[2] = 13), "rule 5/0(match): divert in on em0: ");
    let systems = "rule 5/15(translate|map-failed): block in on em0: ";
    let either = with(header(61), |h| {
        h[3] = 15;
        h[48..52].copy_from_slice(&1_u32.to_le_bytes());
    });
    assert_rule(either, systems);
    let unknown = with(header(61), |h| (h[2], h[3], h[60]) = (99, 200, 9));
    assert_rule(unknown, "rule 5/unkn(200): unkn(99) unkn(9) on em0: ");
    let ambiguous = with(header(64), |h| h[2] = 13);
    assert_rule(ambiguous, "rule 5/0(match): 13(divert|afrt|nat64) in on em0: ");
}

#[test]
fn a_direction_that_is_not_told_is_not_made_up() {
    assert_rule(with(header(61), |h| h[60] = 0), "rule 5/0(match): block in/out on em0: ");
    assert_rule(with(header(100), |h| h[60] = 3), "rule 5/0(match): block fwd on em0: ");
    let none = with(header(61), |h| {
        h.truncate(48);
        h[0] = 47;
    });
    assert_rule(none, "rule 5/0(match): block ? on em0: ");
    let mut old = [0; 28];
    (old[3], old[25], old[27]) = (2, 1, 1);
    old[4..7].copy_from_slice(b"em0");
    let data = [&old[..], &UDP].concat();
    let written = render(LinkType::OLD_PFLOG, &data, data.len(), &PLAIN);
    assert_eq!(written, format!("rule 0/0(match): block in|out on em0: {PACKET}"));
}

#[test]
fn a_pass_that_was_a_drop_is_marked() {
    let suspect = with(header(61), |h| (h[2], h[3]) = (0, 8));
    assert_rule(suspect, "rule 5/8(ip-option): pass in on em0: [suspect: dropped] ");
}

#[test]
fn names_cannot_control_a_terminal() {
    let hostile = with(header(61), |h| {
        h[4..10].copy_from_slice(b"\x1b[31m\n");
        h[20..24].copy_from_slice(b"\xe2\x80\xae\\");
    });
    let rule = "rule 5.\\xe2\\x80\\xae\\\\/0(match): block in on \\x1b[31m\\x0a: ";
    assert_rule(hostile, rule);
}

#[test]
fn verbose_shows_owners_tracker_and_translation() {
    let verbose = Options { verbose: 1, ..PLAIN };
    let shown = |header| {
        let text = line(header, &verbose);
        let (_, behind) = text.split_once(" on em0: ").unwrap();
        behind.split_once("(tos ").unwrap().0.to_owned()
    };
    assert_eq!(shown(header(45)), "");
    assert_eq!(shown(header(61)), "[rule uid 0, pid 77] ");
    let owned = with(header(61), |h| {
        h[44..48].copy_from_slice(&1000_u32.to_le_bytes());
        h[48..52].copy_from_slice(&321_u32.to_le_bytes());
    });
    assert_eq!(shown(owned), "[rule uid 0, pid 77] [uid 1000, pid 321] ");
    let tracked = with(header(69), |h| h[67] = 7);
    assert_eq!(shown(tracked), "[rule uid 0, pid 77] [ridentifier 7] ");
    assert_eq!(shown(header(100)), "[rule uid 0, pid 77] ", "the kernel filled in nothing");
    let translated = |rewritten, naf| {
        with(header(100), |h| {
            (h[61], h[62]) = (rewritten, naf);
            h[64..68].copy_from_slice(&[192, 0, 2, 1]);
            h[80..84].copy_from_slice(&[10, 0, 0, 2]);
            h[96..100].copy_from_slice(&[0, 123, 0, 53]);
        })
    };
    let rewritten = "[rule uid 0, pid 77] [rewritten: src 192.0.2.1:123, dst 10.0.0.2:53] ";
    assert_eq!(shown(translated(1, 2)), rewritten);
    assert_eq!(shown(translated(0, 0)), rewritten, "the addresses differ");
    assert_eq!(
        shown(translated(1, 24)),
        "[rule uid 0, pid 77] [rewritten: src [c000:201::]:123, dst [a00:2::]:53] "
    );
    let padded = with(header(68), |h| h.extend([0; 4]));
    assert_eq!(shown(padded), "[rule uid 0, pid 77] [packet at 72] ");
}

#[test]
fn only_the_action_is_painted() {
    let color = Options { color: true, ..PLAIN };
    let painted = |action, text: &str| {
        let header = with(header(100), |h| h[2] = action);
        assert_eq!(line(header, &color), format!("rule 5/0(match): {text} in on em0: {PACKET}"));
    };
    painted(0, "\x1b[32mpass\x1b[0m");
    painted(1, "\x1b[31mblock\x1b[0m");
    painted(12, "\x1b[33mmatch\x1b[0m");
    painted(8, "rdr");
}

#[test]
fn what_cannot_be_read_is_one_line_with_its_reason() {
    let cut = header(100)[..70].to_vec();
    assert_eq!(
        render(LinkType::PFLOG, &cut, 200, &PLAIN),
        "rule 5/0(match): block in on em0: \
         [|pflog] pflog cut: needs 100 bytes (offset 0 of the frame)\n"
    );
    let short = Options { link: false, ..PLAIN };
    let line = render(LinkType::PFLOG, &[3, 1], 2, &short);
    assert_eq!(line, "[|pflog] pflog header length 3 is not possible (offset 0 of the frame)\n");
    let line = render(LinkType(999), &[3, 1], 2, &short);
    assert_eq!(line, "[|link] link type 999 is not read (offset 0 of the frame)\n");
    let no_packet = [&header(61)[..], &[0x42]].concat();
    let line = render(LinkType::PFLOG, &no_packet, no_packet.len(), &short);
    assert_eq!(line, "IP bad-hlen 8\n");
}

/// TCP 10.0.0.1.1000 > 10.0.0.2.22: SYN and ACK with an MSS option.
const TCP: [u8; 44] = [
    0x45, 0, 0, 44, 0, 1, 0, 0, 64, 6, 0x66, 0xca, 10, 0, 0, 1, 10, 0, 0, 2, 0x03, 0xe8, 0, 22, 0,
    0, 0, 100, 0, 0, 0, 200, 0x60, 0x12, 0x10, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4,
];

#[test]
fn of_a_cut_packet_all_is_shown_that_is_there() {
    for (n, text) in [
        (
            44,
            "10.0.0.1.1000 > 10.0.0.2.22: Flags [S.], seq 100, ack 200, win 4096, options [mss 1460], length 0\n",
        ),
        (
            42,
            "10.0.0.1.1000 > 10.0.0.2.22: Flags [S.], seq 100, ack 200, win 4096, options [mss [|tcp]], length 0\n",
        ),
        (36, "10.0.0.1.1000 > 10.0.0.2.22: Flags [S.], seq 100, ack 200, win 4096 [|tcp]\n"),
        (34, "10.0.0.1.1000 > 10.0.0.2.22: Flags [S.], seq 100, ack 200 [|tcp]\n"),
        (30, "10.0.0.1.1000 > 10.0.0.2.22: seq 100 [|tcp]\n"),
        (24, "10.0.0.1.1000 > 10.0.0.2.22:  [|tcp]\n"),
        (22, "10.0.0.1 > 10.0.0.2: [|tcp]\n"),
        (19, "10.0.0.1 > ?: [|ip]\n"),
        (12, " [|ip]\n"),
    ] {
        let line = render(LinkType::RAW, &TCP[..n], TCP.len(), &PLAIN);
        assert_eq!(line, format!("ip: {text}"), "{n} bytes");
    }
}

#[test]
fn packets_in_packets_end() {
    let mut packet = UDP.to_vec();
    for _ in 0..1000 {
        let len = u16::try_from(packet.len() + 20).unwrap().to_be_bytes();
        let mut outer = UDP[..20].to_vec();
        outer[2..4].copy_from_slice(&len);
        outer[9] = proto::IPIP;
        packet.splice(0..0, outer);
    }
    let line = render(LinkType::RAW, &packet, packet.len(), &PLAIN);
    assert!(line.ends_with("[nested too deep]\n"), "{line}");
}

/// Every way to show a packet.
fn all_options() -> impl Strategy<Value = Options> {
    let flags = (any::<bool>(), any::<bool>(), 0..3_u8, any::<bool>(), 0..6_u8);
    flags.prop_map(|(link, quiet, verbose, absolute, time)| Options {
        link,
        quiet,
        verbose,
        absolute,
        time: TimeStyle::from_count(time).unwrap(),
        ..PLAIN
    })
}

proptest! {
    #[test]
    fn any_bytes_make_lines_without_control_bytes(
        options in all_options(),
        link in prop::sample::select(vec![0, 1, 12, 17, 101, 108, 109, 113, 117, 228, 229, 276]),
        start in prop::sample::select(vec![0_u8, 45, 61, 0x45, 0x4f, 0x60, 69, 100]),
        mut data in prop::collection::vec(any::<u8>(), 1..200),
        packet in prop::sample::select(vec![&UDP[..], &TCP[..], &[0x60, 0, 0, 0, 0, 90, 0, 1][..]]),
        at in 0_usize..110,
        more in 0_usize..100,
    ) {
        data[0] = start;
        for (to, from) in data.iter_mut().skip(at).zip(packet) {
            *to = *from;
        }
        let text = render(LinkType(link), &data, data.len() + more, &options);
        prop_assert!(text.ends_with('\n'));
        // With -v IPv4 goes on in a second line, and GRE in one behind a tab.
        for (i, line) in text.trim_end_matches('\n').split('\n').enumerate() {
            let indent = if i == 0 { Some("") } else { ["\t", "    "].into_iter().find(|s| line.starts_with(s)) };
            prop_assert!(indent.is_some(), "{line:?}");
            let line = line.strip_prefix(indent.unwrap_or_default()).unwrap_or(line);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
        }
    }
}
