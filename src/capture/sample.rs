//! Capture files made by hand, for tests.

use crate::wire::ByteOrder;

pub(super) fn u16(order: ByteOrder, n: u16) -> [u8; 2] {
    match order {
        ByteOrder::Little => n.to_le_bytes(),
        ByteOrder::Big => n.to_be_bytes(),
    }
}

pub(super) fn u32(order: ByteOrder, n: u32) -> [u8; 4] {
    match order {
        ByteOrder::Little => n.to_le_bytes(),
        ByteOrder::Big => n.to_be_bytes(),
    }
}

pub(super) fn words(order: ByteOrder, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|&word| u32(order, word)).collect()
}

/// A pcap file's header: `magic` is 0xa1b2c3d4 or 0xa1b23c4d.
pub(super) fn pcap_header(order: ByteOrder, magic: u32, link: u32) -> Vec<u8> {
    let mut file = u32(order, magic).to_vec();
    file.extend([u16(order, 2), u16(order, 4)].concat());
    file.extend(words(order, &[0, 0, 65535, link]));
    file
}

pub(super) fn pcap_record(order: ByteOrder, header: [u32; 4], data: &[u8]) -> Vec<u8> {
    [&words(order, &header), data].concat()
}

/// A pcap file of so many records, of 0, 7, 14, ... bytes.
pub(super) fn pcap(order: ByteOrder, records: u8) -> Vec<u8> {
    let mut file = pcap_header(order, 0xa1b2_c3d4, 117);
    for n in 0..records {
        let data = vec![n; usize::from(n) * 7];
        let len = u32::from(n) * 7;
        file.extend(pcap_record(order, [1_600_000_000 + u32::from(n), 5, len, len + 3], &data));
    }
    file
}

/// A pcapng block of any type; the body is padded.
pub(super) fn block(order: ByteOrder, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = u32::try_from(body.len() + 12).unwrap();
    [&words(order, &[kind, len]), &body[..], &u32(order, len)].concat()
}

pub(super) fn section(order: ByteOrder) -> Vec<u8> {
    let mut body = u32(order, 0x1a2b_3c4d).to_vec();
    body.extend([u16(order, 1), u16(order, 0)].concat());
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

pub(super) fn option(order: ByteOrder, code: u16, value: &[u8]) -> Vec<u8> {
    let len = u16(order, u16::try_from(value.len()).unwrap());
    let mut bytes = [&u16(order, code)[..], &len, value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(super) fn interface(order: ByteOrder, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
    let body = [&u16(order, link)[..], &[0, 0], &u32(order, snaplen), options].concat();
    block(order, 1, &body)
}

pub(super) fn enhanced(order: ByteOrder, interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    let (high, low) = ((ticks >> 32) as u32, (ticks & 0xffff_ffff) as u32);
    let header = words(order, &[interface, high, low, len, len + 3]);
    block(order, 6, &[&header, data].concat())
}

pub(super) fn simple(order: ByteOrder, len: u32, data: &[u8]) -> Vec<u8> {
    block(order, 3, &[&u32(order, len), data].concat())
}

/// A pcapng file with two sections, and blocks of every kind that is read or passed over.
pub(super) fn pcapng() -> Vec<u8> {
    let (le, be) = (ByteOrder::Little, ByteOrder::Big);
    let end = option(le, 0, &[]);
    let nanos = [option(le, 2, b"pflog0"), option(le, 9, &[9]), end].concat();
    [
        section(le),
        interface(le, 117, 16, &[]),
        enhanced(le, 0, 1_600_000_000_000_001, b"first"),
        block(le, 4, b"name resolution"),
        interface(le, 1, 0, &nanos),
        enhanced(le, 1, 1_600_000_000_000_000_002, b"second!"),
        simple(le, 20, b"sixteen bytes..."),
        section(be),
        interface(be, 101, 0, &[]),
        block(be, 0x8000_0bad, &[7; 90]),
        enhanced(be, 0, 3, b""),
        block(be, 2, &[&words(be, &[0x0000_0009, 0, 4, 3, 9])[..], b"old"].concat()),
        enhanced(be, 0, 5, b"last"),
    ]
    .concat()
}
