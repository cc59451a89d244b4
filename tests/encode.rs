//! The test data holds what its recipes say, and its encoder writes what the kernels write.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failing test may panic anywhere, and one that is skipped says so"
)]

#[path = "../testdata/encode/mod.rs"]
mod encode;
#[path = "../testdata/recipe/mod.rs"]
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};

use encode::Order;
use encode::pflog::{Header, Variant};
use encode::pfsync::message::{Bulk, Clear, Delete, Message, Tdb, Update};
use encode::pfsync::state::{Key, Peer, State};
use encode::pfsync::{Action, Frame, Layout, tapped};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// `cargo run --example testdata` makes this pass.
#[test]
fn committed_captures_are_the_recipes() {
    for (name, files) in recipe::folders() {
        let folder = testdata().join(name);
        assert_eq!(recipe::strays(&folder, &files).unwrap(), Vec::<PathBuf>::new());
        for file in files {
            let found = fs::read(folder.join(&file.name));
            assert!(found.is_ok_and(|bytes| bytes == file.bytes), "{name}/{} differs", file.name);
        }
    }
}

/// What is kept of a capture elsewhere is named after the file alone.
#[test]
fn captures_of_all_folders_have_their_own_names() {
    let folders = recipe::folders();
    let mut names: Vec<_> = folders.iter().flat_map(|(_, files)| files).map(|f| &f.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn specimens_have_their_own_names() {
    for list in [encode::zoo::ipv4(), encode::zoo::ipv6(), encode::zoo::common()] {
        let mut names: Vec<_> = list.iter().map(|specimen| &specimen.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), list.len());
    }
}

/// The fields of every genuine header, encoded again, give the same bytes, padding included.
#[test]
fn genuine_headers_come_out_the_same() {
    for (file, variant, records) in [
        ("openbsd80-pflog0.pcap", Variant::P4, 59),
        ("openbsd80-pflog1.pcap", Variant::P4, 3),
        ("freebsd14-pflog.pcap", Variant::P5, 51),
        ("aerie-v4-pflog0.pcap", Variant::P2, 43),
    ] {
        let bytes = fs::read(testdata().join("genuine").join(file)).unwrap();
        let mut rest = &bytes[24..];
        let mut seen = 0;
        while !rest.is_empty() {
            let end = 16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            let genuine = &rest[16..16 + variant.size()];
            let encoded = fields(genuine).encode(variant, Order::Little);
            assert_eq!(encoded, genuine, "{file}, record {}", seen + 1);
            rest = &rest[end..];
            seen += 1;
        }
        assert_eq!(seen, records, "{file}");
    }
}

/// The fields of a header with users, written by a little-endian machine.
fn fields(bytes: &[u8]) -> Header {
    let name = |at: usize| bytes[at..at + 16].try_into().unwrap();
    let word = |at: usize| bytes[at..at + 4].try_into().unwrap();
    let mut header = Header {
        af: bytes[1],
        action: bytes[2],
        reason: bytes[3],
        ifname: name(4),
        ruleset: name(20),
        rulenr: u32::from_be_bytes(word(36)),
        subrulenr: u32::from_be_bytes(word(40)),
        uid: u32::from_le_bytes(word(44)),
        pid: i32::from_le_bytes(word(48)),
        rule_uid: u32::from_le_bytes(word(52)),
        rule_pid: i32::from_le_bytes(word(56)),
        dir: bytes[60],
        ..Header::default()
    };
    match bytes[0] {
        69 => header.ridentifier = u32::from_be_bytes(word(64)),
        100 => {
            header.rewritten = bytes[61];
            header.naf = bytes[62];
            header.saddr = name(64);
            header.daddr = name(80);
            header.sport = u16::from_be_bytes([bytes[96], bytes[97]]);
            header.dport = u16::from_be_bytes([bytes[98], bytes[99]]);
        }
        _ => {}
    }
    header
}

/// Captures of pfsync that kernels wrote, if they are here or in `$PFSCOPE_SHARED`.
fn genuine_pfsync(file: &str) -> Option<Vec<Vec<u8>>> {
    let shared = std::env::var("PFSCOPE_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let shared = Path::new(&shared).join("captures/pfsync");
    let places = [testdata().join("genuine"), shared];
    let Some(bytes) = places.iter().find_map(|folder| fs::read(folder.join(file)).ok()) else {
        println!("SKIPPED: no {file}: set PFSCOPE_SHARED to the folder of the shared captures");
        return None;
    };
    let mut rest = &bytes[24..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let end = 16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        records.push(rest[16..end].to_vec());
        rest = &rest[end..];
    }
    Some(records)
}

/// Every packet, taken apart by the places in the structs and put together again, is the same.
#[test]
fn genuine_pfsync_comes_out_the_same() {
    for (file, layout, packets, messages) in [
        ("aerie-v4-pfsync0.pcap", Layout::V4, 26, 59),
        ("freebsd14-pfsync-1301.pcap", Layout::FreeBsd1301, 27, 38),
        ("freebsd15-pfsync-1500.pcap", Layout::FreeBsd1500, 28, 39),
        ("openbsd80-pfsync0.pcap", Layout::OpenBsd6, 37, 77),
    ] {
        let Some(records) = genuine_pfsync(file) else { continue };
        assert_eq!(records.len(), packets, "{file}");
        let mut seen = 0;
        for (number, genuine) in (1..).zip(&records) {
            let (id, packet) = match genuine[0] {
                0x45 => (Some(u16::from_be_bytes([genuine[4], genuine[5]])), &genuine[20..]),
                _ => (None, &genuine[..]),
            };
            let (frame, count) = again(packet, layout);
            seen += count;
            let encoded = match id {
                Some(id) => tapped(id, &frame.bytes()),
                None => frame.bytes(),
            };
            assert_eq!(hex(&encoded), hex(genuine), "{file}, record {number}");
        }
        assert_eq!(seen, messages, "{file}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A packet from its header on, as the encoder would have written it, and its messages.
fn again(packet: &[u8], layout: Layout) -> (Frame, usize) {
    let mut frame = Frame::new(layout);
    frame.checksum = packet[4..20].try_into().unwrap();
    let action = |number| {
        let mut all = Action::ALL.into_iter();
        all.find(|action| action.number(layout) == Some(number)).unwrap()
    };
    let mut rest = &packet[20..];
    if layout.version() < 5 {
        let action = action(packet[2]);
        let count = usize::from(packet[3]).max(usize::from(action == Action::Clr));
        let messages = split(rest, action, layout, count);
        return (frame.add(action, &messages), count);
    }
    let mut seen = 0;
    while !rest.is_empty() {
        let action = action(rest[0]);
        let count = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        rest = &rest[4..];
        if action == Action::Eof {
            break;
        }
        let size = size(action, layout);
        frame = frame.add(action, &split(&rest[..size * count], action, layout, count));
        rest = &rest[size * count..];
        seen += count;
    }
    (frame, seen)
}

fn size(action: Action, layout: Layout) -> usize {
    let old = layout.version() < 5;
    match action {
        Action::Ins | Action::Upd => layout.state(),
        Action::Del => layout.of(action).state(),
        Action::UpdC => 84,
        Action::Clr => {
            if old {
                24
            } else {
                20
            }
        }
        Action::Tdb => 52,
        _ => {
            if old {
                16
            } else {
                12
            }
        }
    }
}

fn split(bytes: &[u8], action: Action, layout: Layout, count: usize) -> Vec<Message> {
    let size = size(action, layout);
    assert_eq!(bytes.len(), size * count);
    bytes.chunks(size).map(|bytes| message(bytes, action, layout)).collect()
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn message(b: &[u8], action: Action, layout: Layout) -> Message {
    match action {
        Action::Ins | Action::Upd | Action::Del => state(b, layout.of(action)).into(),
        Action::UpdC => Message::Update(Update {
            id: be64(b, 0),
            src: peer(&b[8..]),
            dst: peer(&b[40..]),
            creatorid: be32(b, 72),
            expire: be32(b, 76),
            timeout: b[80],
            updates: 0,
            state_flags: b[81],
        }),
        Action::DelC => Delete { id: be64(b, 0), creatorid: be32(b, 8), peers: [0; 2] }.into(),
        Action::InsAck => Message::Ack { id: be64(b, 0), creatorid: be32(b, 8) },
        Action::UpdReq => Message::Request { id: be64(b, 0), creatorid: be32(b, 8) },
        Action::Bus => Bulk { creatorid: be32(b, 0), endtime: be32(b, 4), status: b[8] }.into(),
        Action::Tdb => Message::Tdb(Tdb {
            spi: be32(b, 0),
            dst: match b[4] {
                16 => <[u8; 4]>::try_from(&b[8..12]).unwrap().into(),
                _ => <[u8; 16]>::try_from(&b[12..28]).unwrap().into(),
            },
            rpl: be64(b, 32),
            cur_bytes: be64(b, 40),
            sproto: b[48],
            updates: b[49],
            rdomain: be16(b, 50),
        }),
        // Its padding is garbage of the kernel's stack.
        Action::Clr if layout.version() < 5 => Message::Raw(b.to_vec()),
        Action::Clr => Clear { ifname: b[..16].try_into().unwrap(), creatorid: be32(b, 16) }.into(),
        other => panic!("{other:?} is in no genuine capture"),
    }
}

fn peer(b: &[u8]) -> Peer {
    Peer {
        scrub_flags: be16(b, 0),
        scrub_ttl: b[2],
        scrub: b[3],
        ts_mod: be32(b, 4),
        seqlo: be32(b, 8),
        seqhi: be32(b, 12),
        seqdiff: be32(b, 16),
        max_win: be16(b, 20),
        mss: be16(b, 22),
        state: b[24],
        wscale: b[25],
    }
}

/// The IP version of a family of either system.
fn ip(family: u8) -> u8 {
    match family {
        2 => 4,
        24 | 28 => 6,
        other => other,
    }
}

fn state(b: &[u8], layout: Layout) -> State {
    let name = |at: usize| b[at..at + 16].try_into().unwrap();
    let six = layout == Layout::OpenBsd6;
    let key = |at: usize| Key {
        addr: [name(at), name(at + 16)],
        port: [be16(b, at + 32), be16(b, at + 34)],
        rdomain: if six { be16(b, at + 36) } else { 0 },
        ip: if six { ip(b[at + 38]) } else { 0 },
    };
    let two = |at: usize| [be64(b, at), be64(b, at + 8)];
    // From the peers on all of version 6 is 8 bytes further.
    let more = if six { 8 } else { 0 };
    let mut state = State {
        id: be64(b, 0),
        ifname: name(8),
        wire: key(24),
        stack: key(if six { 64 } else { 60 }),
        src: peer(&b[96 + more..]),
        dst: peer(&b[128 + more..]),
        rt_addr: name(160 + more),
        rule: be32(b, 176 + more),
        anchor: be32(b, 180 + more),
        nat_rule: be32(b, 184 + more),
        creation: be32(b, 188 + more),
        expire: be32(b, 192 + more),
        packets: two(196 + more),
        bytes: two(212 + more),
        creatorid: be32(b, 228 + more),
        ..State::default()
    };
    tail(&mut state, b, layout);
    state
}

/// What follows the creator.
fn tail(state: &mut State, b: &[u8], layout: Layout) {
    let signed = |at| be32(b, at).cast_signed();
    match layout {
        Layout::V4 | Layout::FreeBsd1301 => {
            let at = if layout == Layout::V4 { 235 } else { 237 };
            (state.wire.ip, state.proto, state.direction) = (ip(b[232]), b[233], b[234]);
            (state.log, state.state_flags) = (b[at], b[at + 1].into());
            (state.timeout, state.sync_flags, state.updates) = (b[at + 2], b[at + 3], b[at + 4]);
        }
        Layout::FreeBsd1500 => {
            let name = |at: usize| b[at..at + 16].try_into().unwrap();
            state.tagname = b[232..296].to_vec();
            (state.rt_ifname, state.orig_ifname) = (name(296), name(312));
            (state.rtableid[0], state.state_flags) = (signed(328), be16(b, 332));
            state.queues = [be16(b, 334), be16(b, 336)];
            state.pipes = [be16(b, 338), be16(b, 340)];
            state.max_mss = be16(b, 342);
            (state.wire.ip, state.stack.ip, state.rt_ip) = (ip(b[344]), ip(b[345]), ip(b[346]));
            (state.proto, state.stack_proto, state.log) = (b[347], b[348], b[349]);
            (state.timeout, state.direction, state.rt) = (b[350], b[351], b[352]);
            (state.min_ttl, state.set_tos, state.set_prio) = (b[353], b[354], [b[355], b[356]]);
        }
        Layout::OpenBsd6 => {
            state.rtableid = [signed(240), signed(244)];
            state.max_mss = be16(b, 248);
            assert_eq!(ip(b[250]), state.wire.ip);
            (state.proto, state.direction, state.log, state.rt) = (b[251], b[252], b[253], b[254]);
            (state.timeout, state.sync_flags, state.updates) = (b[255], b[256], b[257]);
            (state.min_ttl, state.set_tos, state.state_flags) = (b[258], b[259], be16(b, 260));
            state.set_prio = [b[262], b[263]];
        }
        other => panic!("{other:?} is in no genuine capture"),
    }
}
