//! Headers by hand, and what is left of them when they are cut. More: tests/packets.rs.

use super::*;

const UDP: [u8; 9] = [0, 1, 0, 2, 0, 9, 0xab, 0xcd, b'x'];

/// An IPv4 header of 20 bytes, then this.
fn v4(proto: u8, frag: u16, payload: &[u8]) -> Vec<u8> {
    let [hi, lo] = frag.to_be_bytes();
    let total = u8::try_from(20 + payload.len()).unwrap();
    [
        &[0x45, 0, 0, total][..], // version and header length, TOS, total length
        &[0x12, 0x34, hi, lo],    // identification, flags and offset
        &[64, proto, 0, 0],       // TTL, protocol, check sum
        &[192, 0, 2, 10],         // source
        &[198, 51, 100, 20],      // destination
        payload,
    ]
    .concat()
}

/// An IPv6 header, then this.
fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [
        &[0x60, 0, 0, 0][..], // version, class, flow
        &[0, len, next, 255], // payload length, next header, hop limit
        &[0xfe; 16],          // source
        &[0xff; 16],          // destination
        payload,
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Packet<'_> {
    Packet::parse(bytes, bytes.len()).unwrap()
}

#[test]
fn ipv4_field_by_field_as_far_as_it_goes() {
    let bytes = v4(proto::UDP, 0x4000, &UDP);
    for n in 1..=bytes.len() {
        let packet = Packet::parse(&bytes[..n], bytes.len()).unwrap();
        let ip = packet.ip;
        assert_eq!(ip.family, Family::Inet);
        assert_eq!(ip.len, (n >= 4).then_some(29));
        let frag = Frag { id: 0x1234, offset: 0, more: false, dont: true };
        assert_eq!(ip.frag, (n >= 8).then_some(frag));
        assert_eq!(ip.ttl, (n >= 9).then_some(64));
        assert_eq!(ip.proto, (n >= 10).then_some(proto::UDP));
        assert_eq!(ip.src, (n >= 16).then(|| [192, 0, 2, 10].into()));
        assert_eq!(ip.dst, (n >= 20).then(|| [198, 51, 100, 20].into()));
        assert_eq!(packet.ports(), (n >= 24).then_some(Ports { src: 1, dst: 2 }));
        let Transport::Udp(udp) = packet.transport else { continue };
        assert_eq!(udp.len, (n >= 26).then_some(9));
        assert_eq!(udp.cksum, (n >= 28).then_some(0xabcd));
        assert_eq!(udp.payload, if n > 28 { &b"x"[..] } else { b"" });
        assert_eq!(packet.is_truncated(), n < bytes.len());
    }
}

#[test]
fn ipv6_field_by_field_as_far_as_it_goes() {
    let bytes = v6(proto::UDP, &UDP);
    for n in 1..=bytes.len() {
        let packet = Packet::parse(&bytes[..n], bytes.len()).unwrap();
        let ip = packet.ip;
        assert_eq!(ip.family, Family::Inet6);
        assert_eq!(ip.len, (n >= 6).then_some(49));
        assert_eq!(ip.proto, (n >= 7).then_some(proto::UDP));
        assert_eq!(ip.ttl, (n >= 8).then_some(255));
        assert_eq!(ip.src, (n >= 24).then(|| [0xfe; 16].into()));
        assert_eq!(ip.dst, (n >= 40).then(|| [0xff; 16].into()));
        assert_eq!(packet.ports(), (n >= 44).then_some(Ports { src: 1, dst: 2 }));
    }
}

#[test]
fn what_is_no_ip() {
    let fault = |bytes: &[u8]| Packet::parse(bytes, bytes.len()).unwrap_err().fault;
    assert_eq!(fault(&[]), Fault::Truncated { needed: 20 });
    for first in 0..=255u8 {
        let expected = match (first >> 4, first & 15) {
            (4, ihl @ 0..5) => Fault::BadLength(usize::from(ihl) * 4),
            (4 | 6, _) => continue,
            (version, _) => Fault::BadVersion(version),
        };
        assert_eq!(fault(&[first; 60]), expected);
    }
}

/// The protocol of a cut packet is not that of the extension header it was cut in.
#[test]
fn a_chain_of_extension_headers() {
    let chain = [
        &[proto::ROUTING, 0, 1, 4, 0, 0, 0, 0][..], // hop by hop, 8 bytes
        &[proto::FRAGMENT, 0, 0, 0, 0, 0, 0, 0],    // routing
        &[proto::DSTOPTS, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef], // fragment: the first, more follow
        &[proto::AH, 0, 1, 4, 0, 0, 0, 0],          // destination options
        &[proto::DSTOPTS, 2, 0, 0, 0, 0, 0x0a, 0x11, 0, 0, 0, 9, 1, 2, 3, 4], // AH
        &[proto::UDP, 0, 1, 4, 0, 0, 0, 0],         // destination options again
        &UDP,
    ]
    .concat();
    let bytes = v6(proto::HOPOPTS, &chain);
    for n in 40..=bytes.len() {
        let packet = Packet::parse(&bytes[..n], bytes.len()).unwrap();
        let known = n - 40;
        assert_eq!(packet.ip.proto, (known >= 50).then_some(proto::UDP), "{n}");
        let frag = Frag { id: 0xdead_beef, offset: 0, more: true, dont: false };
        assert_eq!(packet.ip.frag, (known >= 24).then_some(frag));
        assert_eq!(packet.ah.map(|sa| sa.spi), (known >= 40).then_some(0xa11));
        assert_eq!(packet.ip.extensions.len(), known.min(32));
        assert_eq!(packet.payload, chain.get(56..known).unwrap_or_default());
    }
    assert_eq!(read(&bytes).ports(), Some(Ports { src: 1, dst: 2 }));
}

#[test]
fn later_fragments_have_no_ports() {
    for (frag, ports) in [(0x2000, true), (0x2001, false), (0x0001, false), (0x1fff, false)] {
        let bytes = v4(proto::UDP, frag, &UDP);
        assert_eq!(read(&bytes).ports().is_some(), ports, "{frag:#x}");
        // AH is not looked for in the middle of a packet.
        let bytes = v4(proto::AH, frag, &[17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(read(&bytes).ah.is_some(), ports);
        let proto = if ports { proto::UDP } else { proto::AH };
        assert_eq!(read(&bytes).ip.proto, Some(proto));
    }
}

#[test]
fn length_fields_bound_the_payload() {
    // Padding of Ethernet behind the packet is not of it.
    let mut bytes = v4(proto::UDP, 0, &UDP);
    bytes.extend([0; 17]);
    assert_eq!((read(&bytes).payload, read(&bytes).payload_len), (&UDP[..], 9));
    // 0, as segments have it before the card cuts them: all there is.
    bytes[3] = 0;
    assert_eq!(read(&bytes).payload_len, 26);
    let mut bytes = v6(proto::UDP, &UDP);
    bytes[5] = 0;
    assert_eq!(read(&bytes).payload, UDP);
    // More than there is: cut.
    bytes[5] = 200;
    assert_eq!(Packet::parse(&bytes, 240).unwrap().payload_len, 200);
    assert!(Packet::parse(&bytes, 240).unwrap().is_truncated());
}
