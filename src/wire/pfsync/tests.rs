use std::fs;

use super::*;
use crate::pf::SyncAction;

/// The records of a little-endian pcap file: the bytes, and their number on the wire.
fn records(file: &str) -> Vec<(Vec<u8>, usize)> {
    let path = format!("{}/testdata/genuine/{file}", env!("CARGO_MANIFEST_DIR"));
    let pcap = fs::read(path).unwrap();
    let mut rest = &pcap[24..];
    let mut records = Vec::new();
    while let Some((header, data)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes(*header[at..].first_chunk().unwrap()) as usize;
        let (record, behind) = data.split_at(word(8));
        records.push((record.to_vec(), word(12)));
        rest = behind;
    }
    records
}

/// The record's bytes from the pfsync header on.
fn packet(record: &[u8]) -> &[u8] {
    match start(record) {
        Start::Header => record,
        Start::Ip if record[0] == 0x45 => &record[20..],
        other => panic!("{other:?}"),
    }
}

/// `action` and what it is about, of every message, as one word each.
fn lines(file: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (record, _) in records(file) {
        let bytes = packet(&record);
        let parsed = parse(bytes, bytes.len()).unwrap();
        if let Some(len) = parsed.len {
            assert_eq!(len, bytes.len());
        }
        let mut line = format!("{}:", parsed.layout.map_or("?", Layout::name));
        for (n, message) in parsed.messages().enumerate() {
            let message = message.unwrap();
            assert_eq!(message.index, n);
            let name = message.action.name().unwrap();
            let about = match message.body {
                Body::State(state) => format!("{:x}", state.ids.unwrap().id),
                Body::Ids { ids, .. } => format!("{:x}/{:x}", ids.id, ids.creatorid),
                Body::Compressed(upd) => format!("{:x}", upd.ids.id),
                Body::Clear { ifname, .. } => String::from_utf8_lossy(ifname).into_owned(),
                Body::Bus { status, .. } => status.name().unwrap().to_owned(),
                Body::Tdb(tdb) => format!("{:x}", tdb.spi),
                Body::None | Body::Unknown(_) => panic!("{message:?}"),
            };
            line += &format!(" {name} {about}");
        }
        lines.push(line);
    }
    lines
}

fn shown(file: &str) -> String {
    lines(file).join("\n")
}

#[test]
fn openbsd_records_decode_completely() {
    let expected = "\
openbsd6: upd_req 0/0
openbsd6: upd_req 0/0
openbsd6: ins 0 ins 1 ins 2 ins 3 ins 7
openbsd6: upd_req 0/0
openbsd6: ins 4 ins 5 ins 6 ins 8 ins 9
openbsd6: ins a ins b ins d ins f ins 11
openbsd6: ins c ins e ins 10 ins 13
openbsd6: ins 12
openbsd6: upd_req 0/0
openbsd6: ins 14
openbsd6: ins 15 ins 16
openbsd6: ins 17
openbsd6: upd_req 0/0
openbsd6: upd_c 17
openbsd6: upd_req 0/0
openbsd6: ins 18
openbsd6: ins_ack 1122334455667788/deadbeef
openbsd6: upd_req 0/0
openbsd6: upd_req 5555/deadbeef
openbsd6: upd_req 0/0
openbsd6: bus start upd 0 upd 1 upd 2 upd 3 upd 4
openbsd6: upd 5 upd 6 upd 7 upd 8 upd 9
openbsd6: upd a upd b upd d upd e upd f
openbsd6: upd 10 upd 11 upd 12 upd 13 upd 14
openbsd6: upd 15 upd 16 upd 17 upd 18 upd 1122334455667788 bus end
openbsd6: del_c c/796ed1b8
openbsd6: upd_req 0/0
openbsd6: upd_req 0/0
openbsd6: upd_c 17 upd_c 18
openbsd6: upd_req 0/0
openbsd6: tdb c0ffee01
openbsd6: upd_req 0/0
openbsd6: tdb 1001
openbsd6: del_c d/796ed1b8
openbsd6: del_c 16/796ed1b8 del_c 15/796ed1b8
openbsd6: clr pair0
openbsd6: clr ";
    assert_eq!(shown("openbsd80-pfsync0.pcap"), expected);
    // The same with the link type of OpenBSD's own libpcap.
    assert_eq!(shown("openbsd80-pfsync0-dlt18.pcap"), expected);
    // And as they left on a wire: Ethernet (14 bytes) and IPv4, with one ARP request.
    let wire: Vec<_> = records("openbsd80-sync-eth.pcap").into_iter().skip(1).collect();
    let tap = records("openbsd80-pfsync0.pcap");
    assert_eq!(wire.len(), tap.len());
    for ((wire, _), (tap, _)) in wire.iter().zip(&tap) {
        assert_eq!(wire[14 + 20..], tap[20..]);
    }
}

#[test]
fn freebsd_records_decode_completely() {
    let frames = |layout: &str, also: &str| {
        let state = |action: &str, n: u8| format!("{layout}: {action} 650000000000000{n}");
        let mut lines: Vec<_> = (0..8).map(|n| state("ins", n)).collect();
        lines.extend((!also.is_empty()).then(|| also.to_owned()));
        lines.extend((0..8).map(|n| state("upd", n)));
        let id = |n: u8| format!("650000000000000{n}");
        lines.push(format!("{layout}: ins {} ins {} ins {} ins {}", id(0), id(1), id(2), id(3)));
        lines.push(format!(
            "{layout}: ins {} ins_ack {}/c0a80101 upd {} upd_c {} del_c {}/c0a80101 \
             del_c {}/c0a80101 upd_req 99/c0a80102",
            id(0),
            id(1),
            id(2),
            id(4),
            id(5),
            id(6),
        ));
        lines.push(format!("?: ins_ack {}/c0a80101", id(1)));
        lines.push(format!("?: upd_c {} upd_c {} upd_c {}", id(2), id(3), id(4)));
        lines.push(format!("?: del_c {}/c0a80101", id(1)));
        lines.extend(["?: upd_req 0/0", "?: clr em0", "?: clr "].map(str::to_owned));
        lines.extend(["?: bus start", "?: bus end"].map(str::to_owned));
        lines.push(state("ins", 2));
        lines.join("\n")
    };
    assert_eq!(shown("freebsd14-pfsync-1301.pcap"), frames("freebsd1301", ""));
    let af_to = "freebsd1500: ins 6500000000000008";
    assert_eq!(shown("freebsd15-pfsync-1500.pcap"), frames("freebsd1500", af_to));
}

#[test]
fn version_4_records_decode_completely() {
    let lines = lines("aerie-v4-pfsync0.pcap");
    assert_eq!(lines.len(), 26);
    assert_eq!(lines[0], "v4: upd_req 0/0");
    assert_eq!(lines[3], "v4: ins 100000001");
    assert_eq!(
        lines[8],
        "v4: ins 10000000a ins 10000000b ins 10000000c ins 10000000d ins 10000000e ins 10000000f"
    );
    assert_eq!(lines[19], "v4: del 100000009");
    // A count of 0 and one record all the same.
    assert_eq!(lines[24..], ["v4: clr lo1", "v4: clr "]);
    let count: usize = lines.iter().map(|line| line.matches("100000").count()).sum();
    assert_eq!(count, 52);
}

/// A packet of version 5 or 6 with these groups: action, second byte, count, messages.
fn framed(version: u8, groups: &[(u8, u8, u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![version, 0, 0, 0];
    bytes.extend([0xab; 16]);
    for (action, words, count, messages) in groups {
        bytes.extend([*action, *words]);
        bytes.extend(count.to_be_bytes());
        bytes.extend(*messages);
    }
    let len = u16::try_from(bytes.len()).unwrap();
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

/// The first message of a genuine record's packet.
fn first(file: &str, record: usize) -> Vec<u8> {
    let (bytes, _) = records(file).swap_remove(record);
    parse(packet(&bytes), bytes.len()).unwrap().messages().next().unwrap().unwrap().bytes.to_vec()
}

/// What the packet's messages are, and its fault.
fn outcome(bytes: &[u8], len: usize) -> (Vec<(SyncAction, Option<Layout>)>, Option<DecodeError>) {
    let mut messages = parse(bytes, len).unwrap().messages();
    let mut good = Vec::new();
    let mut fault = None;
    for message in messages.by_ref() {
        assert!(fault.is_none(), "nothing comes behind a fault");
        match message {
            Ok(message) => good.push((message.action, message.layout)),
            Err(err) => fault = Some(err),
        }
    }
    assert!(messages.next().is_none() && messages.next().is_none());
    (good, fault)
}

const fn fault(offset: usize, fault: Fault) -> Option<DecodeError> {
    Some(DecodeError { layer: Layer::Pfsync, offset, fault })
}

const EOF: (u8, u8, u16, &[u8]) = (12, 0, 1, &[]);

#[test]
fn headers() {
    let parsed = |bytes: &'static [u8]| parse(bytes, bytes.len());
    let err = |offset, cause| Err(fault(offset, cause).unwrap());
    assert_eq!(parsed(&[]), err(0, Fault::Truncated { needed: 1 }));
    assert_eq!(parsed(&[0, 0, 0, 0]), err(0, Fault::BadVersion(0)));
    assert_eq!(parsed(&[7, 0, 0, 0]), err(0, Fault::BadVersion(7)));
    assert_eq!(parsed(&[2, 0, 8]), err(0, Fault::Truncated { needed: 4 }));
    assert_eq!(parsed(&[3, 0, 8, 1]), err(0, Fault::Truncated { needed: 20 }));
    // A length that ends inside the header.
    for len in 0..20 {
        let mut bytes = framed(6, &[]);
        bytes[3] = len;
        assert_eq!(parse(&bytes, 20), err(2, Fault::BadLength(usize::from(len))));
    }
    let bytes = framed(6, &[]);
    let empty = parse(&bytes, 20).unwrap();
    assert_eq!((empty.version, empty.len, empty.hdrlen), (6, Some(20), 20));
    assert_eq!(empty.checksum, Some(&[0xab; 16][..]));
    assert_eq!(empty.messages().count(), 0);
    let old = parsed(&[2, 0, 6, 1]).unwrap();
    assert_eq!((old.len, old.checksum, old.layout), (None, None, Some(Layout::V2)));
}

#[test]
fn a_record_starts_with_either_header_or_is_something_else() {
    assert_eq!(start(&[6, 0, 0, 36]), Start::Header);
    assert_eq!(start(&records("openbsd80-pfsync0.pcap")[0].0), Start::Ip);
    assert_eq!(start(&[0x60, 0, 0, 0, 0, 0, 240]), Start::Ip);
    // Classical IP over ATM, and HHDLC.
    assert_eq!(start(&[0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1]), Start::OtherIp);
    assert_eq!(start(&[0x60, 0, 0, 0, 0, 0, 58]), Start::OtherIp);
    assert_eq!(start(&[0x0f, 0, 8, 0]), Start::Unknown);
    assert_eq!(start(&[0x45]), Start::Ip);
    assert_eq!(start(&[]), Start::Unknown);
}

#[test]
fn a_packet_cut_anywhere_gives_what_is_whole_and_one_fault() {
    let files =
        ["openbsd80-pfsync0.pcap", "freebsd14-pfsync-1301.pcap", "freebsd15-pfsync-1500.pcap"];
    for file in files.into_iter().chain(["aerie-v4-pfsync0.pcap"]) {
        for (record, _) in records(file) {
            let bytes = packet(&record);
            let whole: Vec<_> =
                parse(bytes, bytes.len()).unwrap().messages().map(Result::unwrap).collect();
            for cut in 0..bytes.len() {
                let Ok(parsed) = parse(&bytes[..cut], bytes.len()) else {
                    assert!(cut < 20);
                    continue;
                };
                let mut messages = parsed.messages();
                for message in &whole {
                    if message.offset + message.bytes.len() > cut {
                        break;
                    }
                    assert_eq!(messages.next().unwrap().unwrap().bytes, message.bytes);
                }
                match messages.next() {
                    Some(Err(DecodeError {
                        fault: Fault::Truncated { needed }, offset, ..
                    })) => {
                        assert!(needed > cut && offset <= cut);
                    }
                    // The mark at the end is missing, or a part of it.
                    other => panic!("{file} cut at {cut}: {other:?}"),
                }
                assert!(messages.next().is_none());
            }
        }
    }
}

#[test]
fn numbers_above_12_mean_what_the_version_says() {
    let [state5, state6] = [vec![0; 277], vec![0; 264]];
    let five = framed(5, &[(13, 0, 1, &state5), (14, 0, 1, &state5), (15, 0, 1, &[0; 360]), EOF]);
    let (ins, upd) = (SyncAction::Ins, SyncAction::Upd);
    let (l1400, l1500) = (Some(Layout::Freebsd1400), Some(Layout::Freebsd1500));
    let good = vec![(ins, l1400), (upd, l1400), (ins, l1500)];
    assert_eq!(outcome(&five, five.len()), (good, None));
    let six = framed(6, &[(13, 66, 1, &state6), (14, 66, 1, &state6), (15, 13, 1, &[0; 52])]);
    let layout = Some(Layout::Openbsd6);
    let good = vec![(ins, layout), (upd, layout), (SyncAction::Tdb, layout)];
    assert_eq!(outcome(&six, six.len()), (good, None));
    // No version has 17.
    let five = framed(5, &[(17, 0, 1, &[1, 2, 3]), EOF]);
    let unknown = parse(&five, five.len()).unwrap().messages().next().unwrap().unwrap();
    assert_eq!(unknown.action, SyncAction::Other(17));
    assert_eq!(unknown.body, Body::Unknown(&[1, 2, 3, 12, 0, 0, 1]));
}

#[test]
fn the_size_tells_the_layout_of_version_5() {
    let freebsd = first("freebsd14-pfsync-1301.pcap", 2);
    let mut openbsd = freebsd.clone();
    openbsd.drain(235..237);
    let layout = |bytes: &[u8], len| parse(bytes, len).unwrap().layout;
    for action in [1, 3, 6] {
        for count in 1..=4 {
            let times = |state: &[u8]| state.repeat(usize::from(count));
            let ack = (2, 0, 1, &[0; 12][..]);
            for (state, expected) in
                [(times(&freebsd), Layout::Freebsd1301), (times(&openbsd), Layout::Openbsd5)]
            {
                let bytes = framed(5, &[ack, (action, 0, count, &state), ack, EOF]);
                assert_eq!(layout(&bytes, bytes.len()), Some(expected));
                let (good, fault) = outcome(&bytes, bytes.len());
                assert_eq!((good.len(), fault), (usize::from(count) + 2, None));
            }
        }
    }
    // Deletes in the newer layouts, and in the oldest beside the newer.
    for (size, expected) in [(277, Layout::Freebsd1400), (360, Layout::Freebsd1500)] {
        let bytes = framed(5, &[(6, 0, 2, &vec![0; 2 * size]), EOF]);
        assert_eq!(layout(&bytes, bytes.len()), Some(expected));
    }
    let bytes = framed(5, &[(13, 0, 1, &[0; 277]), (6, 0, 1, &freebsd), EOF]);
    let (good, fault) = outcome(&bytes, bytes.len());
    let layouts: Vec<_> = good.iter().filter_map(|(_, layout)| *layout).collect();
    assert_eq!((layouts, fault), (vec![Layout::Freebsd1400, Layout::Freebsd1301], None));
    // Of a cut packet the length may still tell; else only the number of IPv6 does.
    let bytes = framed(5, &[(1, 0, 4, &openbsd.repeat(4)), EOF]);
    assert_eq!(layout(&bytes[..600], bytes.len()), Some(Layout::Openbsd5));
    let ack = (2, 0, 1, &[0; 12][..]);
    let bytes = framed(5, &[(1, 0, 1, &openbsd), ack, EOF]);
    assert_eq!(layout(&bytes[..260], bytes.len()), Some(Layout::Freebsd1301));
    openbsd[232] = 24;
    let bytes = framed(5, &[(1, 0, 1, &openbsd), ack, EOF]);
    assert_eq!(layout(&bytes[..260], bytes.len()), Some(Layout::Openbsd5));
    // Without a state neither is said.
    let bytes = framed(5, &[(5, 0, 1, &[0; 12]), EOF]);
    assert_eq!(layout(&bytes, bytes.len()), None);
}

#[test]
fn counts_that_do_not_fit_end_at_once() {
    // Zero bytes each, 65535 times: one message.
    let five = framed(5, &[(8, 0, u16::MAX, &[]), (9, 0, u16::MAX, &[]), EOF]);
    let none = vec![(SyncAction::InsF, None), (SyncAction::DelF, None)];
    assert_eq!(outcome(&five, five.len()), (none, None));
    // Nothing, many times.
    let group = (7, 0, 0, &[][..]);
    let five = framed(5, &[group; 1000]);
    assert_eq!(outcome(&five, five.len()), (vec![], None));
    // 65535 of 12 bytes, of which two are there.
    for version in [5, 6] {
        let bytes = framed(version, &[(7, 3, u16::MAX, &[0; 27])]);
        let (good, err) = outcome(&bytes, bytes.len());
        assert_eq!(good.len(), 2);
        assert_eq!(err, fault(48, Fault::Truncated { needed: 24 + 65535 * 12 }));
    }
    let six = framed(6, &[(99, 255, u16::MAX, &[0; 64])]);
    let err = fault(24, Fault::Truncated { needed: 24 + 65535 * 1020 });
    assert_eq!(outcome(&six, six.len()), (vec![], err));
}

#[test]
fn version_6_steps_by_its_length_words() {
    let layout = Some(Layout::Openbsd6);
    // A longer state than is known: what is known of it is read.
    let state = first("openbsd80-pfsync0.pcap", 2);
    let longer = [&state[..], &[0xee; 8]].concat();
    let bytes = framed(6, &[(13, 68, 2, &longer.repeat(2)), (10, 3, 1, &[0; 12])]);
    let (good, err) = outcome(&bytes, bytes.len());
    let ins = (SyncAction::Ins, layout);
    assert_eq!((good, err), (vec![ins, ins, (SyncAction::Bus, layout)], None));
    let message = parse(&bytes, bytes.len()).unwrap().messages().nth(1).unwrap().unwrap();
    assert_eq!((message.index, message.nth, message.count), (1, 1, 2));
    assert_eq!((message.offset, message.bytes.len()), (24 + 272, 272));
    let Body::State(second) = message.body else { panic!("{message:?}") };
    assert_eq!(Some(second), crate::wire::state::parse(&state, Layout::Openbsd6));
    // A shorter one, an unknown action and version 6's first layout are stepped over, whole.
    let old = [0; 248];
    let bytes = framed(6, &[(13, 2, 3, &[1; 24]), (40, 1, 2, &[2; 8]), (1, 62, 1, &old), EOF]);
    let bodies: Vec<_> = parse(&bytes, 500)
        .unwrap()
        .messages()
        .map(|m| (m.unwrap().count, m.unwrap().body))
        .collect();
    let unknown = |count, bytes| (count, Body::Unknown(bytes));
    assert_eq!(bodies, [unknown(3, &[1; 24]), unknown(2, &[2; 8]), unknown(1, &old)]);
    // No length, no messages.
    let bytes = framed(6, &[(5, 3, 1, &[0; 12]), (13, 0, 5, &[])]);
    let req = vec![(SyncAction::UpdReq, layout)];
    assert_eq!(outcome(&bytes, bytes.len()), (req.clone(), fault(37, Fault::BadLength(0))));
    let bytes = framed(6, &[(5, 3, 1, &[0; 12]), (13, 66, 0, &[])]);
    assert_eq!(outcome(&bytes, bytes.len()), (req, fault(38, Fault::BadLength(0))));
}

#[test]
fn the_length_in_the_header_may_lie() {
    let mut bytes = framed(6, &[(5, 3, 2, &[0; 24])]);
    bytes.extend([0; 6]);
    let layout = Some(Layout::Openbsd6);
    let req = (SyncAction::UpdReq, layout);
    // What is behind it, as in a short Ethernet frame, is no part of it.
    assert_eq!(outcome(&bytes, bytes.len()), (vec![req, req], None));
    // Into a message: the count says more.
    bytes[3] = 40;
    let err = fault(36, Fault::Truncated { needed: 48 });
    assert_eq!(outcome(&bytes, bytes.len()), (vec![req], err));
    // Beyond the packet.
    bytes.truncate(48);
    bytes[3] = 200;
    assert_eq!(outcome(&bytes, 48), (vec![req, req], fault(2, Fault::BadLength(200))));
    // The packet was that long, the capture is not.
    let err = fault(48, Fault::Truncated { needed: 52 });
    assert_eq!(outcome(&bytes, 200), (vec![req, req], err));
}

/// Messages of versions 2 to 4, one kind a packet.
#[test]
fn older_messages() {
    let old = |version, action, count, body: &[u8]| {
        let mut bytes = vec![version, 0, action, count];
        bytes.resize(if version == 2 { 4 } else { 20 }, 0xab);
        bytes.extend(body);
        bytes
    };
    let only = |bytes: &[u8]| -> String {
        let parsed = parse(bytes, bytes.len()).unwrap();
        let bodies: Vec<_> = parsed.messages().map(|m| m.unwrap().body).collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        format!("{:?}", bodies[0])
    };
    let id = [0, 0, 0, 0, 0, 0, 0, 9];
    let creator = [0xde, 0xad, 0xbe, 0xef];
    let ids = "Ids { id: 9, creatorid: 3735928559 }";
    for version in [2, 3, 4] {
        let deleted = [&id[..], &creator, &[4, 10, 0, 0]].concat();
        let expected = format!("Ids {{ ids: {ids}, states: Some([PeerState(4), PeerState(10)]) }}");
        assert_eq!(only(&old(version, 5, 1, &deleted)), expected);
        let expected = format!("Ids {{ ids: {ids}, states: None }}");
        assert_eq!(only(&old(version, 8, 1, &deleted)), expected);
        let bus = [&creator[..], &[0, 0, 0, 60], &[2, 0, 0, 0, 0, 0, 0, 0]].concat();
        let expected = "Bus { status: BulkStatus(2), endtime_s: 60, creatorid: 3735928559 }";
        assert_eq!(only(&old(version, 9, 1, &bus)), expected);
        let clear = [&b"em0\0junk\0\0\0\0\0\0\0\0"[..], &creator, &[0; 4]].concat();
        let expected = "Clear { ifname: [101, 109, 48], creatorid: 3735928559 }";
        assert_eq!(only(&old(version, 0, 0, &clear)), expected);
        // id, peers, creatorid, expire, timeout, updates
        let upd = [&id[..], &[0; 64], &creator, &[0; 4], &[2, 7], &[0; 6]].concat();
        let bytes = old(version, 4, 1, &upd);
        let message = parse(&bytes, bytes.len()).unwrap().messages().next().unwrap().unwrap();
        let Body::Compressed(upd) = message.body else { panic!("{message:?}") };
        assert_eq!((upd.timeout.0, upd.updates, upd.state_flags), (2, Some(7), None));
        // Fragments have no layout: what is there is one message.
        assert_eq!(only(&old(version, 6, 9, &[1, 2, 3])), "Unknown([1, 2, 3])");
    }
    assert_eq!(
        only(&old(2, 0, 0, &[1, 2, 3, 4, 0, 0, 0, 0])),
        format!("{:?}", Body::Clear { ifname: &[], creatorid: 0x0102_0304 })
    );
    assert!(only(&old(3, 10, 1, &[0; 48])).starts_with("Tdb("));
    // Version 1: two states of a 32-bit machine, and something that is none.
    let bytes = [&[1, 0, 1, 2][..], &[0; 288]].concat();
    let v1 = Some(Layout::V1);
    assert_eq!(outcome(&bytes, bytes.len()), (vec![(SyncAction::Ins, v1); 2], None));
    assert_eq!(only(&[1, 0, 1, 3, 9, 9]), "Unknown([9, 9])");
    // More than there is.
    let two = old(4, 5, 3, &[0; 40]);
    let del = (SyncAction::DelC, Some(Layout::V4));
    let err = fault(52, Fault::Truncated { needed: 68 });
    assert_eq!(outcome(&two, two.len()), (vec![del, del], err));
}

#[test]
fn compressed_updates_as_openbsd_sent_them() {
    let (record, _) = records("openbsd80-pfsync0.pcap").swap_remove(13);
    let bytes = packet(&record);
    let message = parse(bytes, bytes.len()).unwrap().messages().next().unwrap().unwrap();
    let Body::Compressed(upd) = message.body else { panic!("{message:?}") };
    assert_eq!((upd.ids.id, upd.ids.creatorid), (0x17, 0x796e_d1b8));
    assert_eq!((upd.src.seqlo, upd.src.seqhi, upd.src.max_win), (0x5000, 0x9001, 0x4000));
    assert_eq!((upd.dst.seqlo, upd.dst.seqhi), (0x6001, 0xa001));
    assert_eq!([upd.src, upd.dst].map(|peer| peer.state.name(6)), [Some("ESTABLISHED"); 2]);
    assert_eq!(upd.timeout.name(Layout::Openbsd6.systems()), Some("tcp.established"));
    assert_eq!((upd.state_flags.unwrap().0, upd.updates), (0, None));
}
