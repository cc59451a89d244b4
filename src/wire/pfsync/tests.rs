use std::fs;

use super::*;

/// The records of a little-endian pcap file: the bytes, and their number on the wire.
fn records(file: &str) -> Vec<(Vec<u8>, usize)> {
    let path = format!("{}/testdata/genuine/{file}", env!("CARGO_MANIFEST_DIR"));
    let pcap = fs::read(path).unwrap();
    let mut rest = &pcap[24..];
    let mut records = Vec::new();
    while let Some((header, data)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()) as usize;
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

/// Every line of the file, with the id's low half as the number of a state.
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
