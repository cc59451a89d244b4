use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The README's example, byte for byte.
#[rustfmt::skip]
const EXAMPLE: &[u8] = &[
    3, 4,b'k',b'e',b'y',b'1', 0,6,b'v',b'a',b'l',b'u',b'e',b'1',
    1, 8,b's',b'e',b'c',b't',b'i',b'o',b'n',b'1',
    1, 11,b's',b'u',b'b',b'-',b's',b'e',b'c',b't',b'i',b'o',b'n',
    3, 4,b'k',b'e',b'y',b'2', 0,6,b'v',b'a',b'l',b'u',b'e',b'2',
    2,
    4, 5,b'l',b'i',b's',b't',b'1',
    5, 0,5,b'i',b't',b'e',b'm',b'1',
    5, 0,5,b'i',b't',b'e',b'm',b'2',
    6,
    2,
];

fn example() -> Section {
    let mut section = Section::new();
    section.push_section("sub-section", Section::new().with("key2", "value2"));
    section.push_list("list1", ["item1", "item2"]);
    let mut root = Section::new().with("key1", "value1");
    root.push_section("section1", section);
    root
}

#[test]
fn the_readmes_example() {
    assert_eq!(decode(EXAMPLE).unwrap(), example());
    assert_eq!(encode(&example()).unwrap(), EXAMPLE);
}

#[test]
fn every_packet_type() {
    let packets = [
        (Packet::CmdRequest { name: b"version", body: b"" }, &b"\0\0\0\x09\0\x07version"[..]),
        (Packet::CmdResponse(EXAMPLE), &[]),
        (Packet::CmdUnknown, b"\0\0\0\x01\x02"),
        (Packet::EventRegister(b"log"), b"\0\0\0\x05\x03\x03log"),
        (Packet::EventUnregister(b"log"), b"\0\0\0\x05\x04\x03log"),
        (Packet::EventConfirm, b"\0\0\0\x01\x05"),
        (Packet::EventUnknown, b"\0\0\0\x01\x06"),
        (Packet::Event { name: b"", body: EXAMPLE }, &[]),
    ];
    for (packet, bytes) in packets {
        let encoded = packet.encode().unwrap();
        assert!(bytes.is_empty() || encoded == bytes, "{packet:?}");
        assert_eq!(Packet::parse(&encoded[4..]).unwrap(), packet);
    }
}

fn fault(body: &[u8]) -> (usize, Fault) {
    let error = decode(body).unwrap_err();
    let mut elements = Elements::new(body);
    assert_eq!(elements.by_ref().find_map(Result::err), Some(error));
    assert_eq!(elements.next(), None, "no more after an error");
    (error.offset, error.fault)
}

#[test]
fn a_wrong_message_says_where_and_why() {
    assert_eq!(fault(&[9]), (0, Fault::UnknownElement(9)));
    assert_eq!(fault(&[3, 1, b'k', 0, 1, b'v', 0]), (6, Fault::UnknownElement(0)));
    assert_eq!(fault(&[2]), (0, Fault::Misplaced(2)));
    assert_eq!(fault(&[5, 0, 0]), (0, Fault::Misplaced(5)));
    assert_eq!(fault(&[6]), (0, Fault::Misplaced(6)));
    for inside in [&[1, 0][..], &[2], &[3, 0, 0, 0], &[4, 0]] {
        let body = [&[4, 1, b'l'], inside].concat();
        assert_eq!(fault(&body), (3, Fault::Misplaced(inside[0])));
    }
    assert_eq!(fault(&[1, 0]), (2, Fault::Truncated));
    assert_eq!(fault(&[4, 0]), (2, Fault::Truncated));
    assert_eq!(fault(&[3, 4, b'k', b'e']), (0, Fault::Truncated));
    assert_eq!(fault(&[4, 0, 5, 0xff, 0xff]), (2, Fault::Truncated));
}

#[test]
fn every_cut_of_a_message_is_an_error_or_whole_entries() {
    let whole = [0, 14, EXAMPLE.len()];
    for cut in 0..=EXAMPLE.len() {
        assert_eq!(decode(&EXAMPLE[..cut]).is_ok(), whole.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn depth_is_limited_both_ways() {
    let nested = |depth: usize| [[1, 0].repeat(depth), vec![2; depth]].concat();
    let deepest = decode(&nested(MAX_DEPTH)).unwrap();
    assert_eq!(encode(&deepest).unwrap(), nested(MAX_DEPTH));
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), (2 * MAX_DEPTH, Fault::TooDeep));
    assert_eq!(fault(&[1, 0].repeat(MAX_SEGMENT / 2)).1, Fault::TooDeep);
    let mut deeper = Section::new();
    deeper.push_section("", deepest);
    assert_eq!(encode(&deeper).unwrap_err().fault, Fault::TooDeep);
}

#[test]
fn lengths_are_limited_when_encoding() {
    let fault = |section| encode(&section).unwrap_err().fault;
    assert_eq!(fault(Section::new().with([b'n'; 256], "")), Fault::LongName(256));
    assert_eq!(fault(Section::new().with("", vec![0; 65536])), Fault::LongValue(65536));
    let mut big = Section::new().with([b'n'; 255], vec![0; 65535]);
    assert_eq!(decode(&encode(&big).unwrap()).unwrap(), big);
    big.push_list("", vec![vec![0; 65535]; 8]);
    assert!(matches!(fault(big), Fault::TooLong(_)));
    assert_eq!(
        Packet::EventRegister(&[b'n'; 256]).encode().unwrap_err().fault,
        Fault::LongName(256)
    );
    let body = vec![0; MAX_SEGMENT];
    let fault = Packet::CmdResponse(&body).encode().unwrap_err().fault;
    assert_eq!(fault, Fault::TooLong(MAX_SEGMENT + 1));
    assert!(Packet::CmdResponse(&body[1..]).encode().is_ok());
    assert_eq!(decode(&[&body[..], &[0]].concat()).unwrap_err().fault, Fault::TooLong(524_289));
}

#[test]
fn wrong_packets() {
    fn fault(segment: &[u8]) -> CodecError {
        Packet::parse(segment).unwrap_err()
    }
    assert_eq!(fault(b""), CodecError { offset: 0, fault: Fault::Truncated });
    assert_eq!(fault(b"\x08"), CodecError { offset: 0, fault: Fault::UnknownPacket(8) });
    assert_eq!(fault(b"\xff\x01"), CodecError { offset: 0, fault: Fault::UnknownPacket(255) });
    for kind in [0, 3, 4, 7] {
        assert_eq!(fault(&[kind]), CodecError { offset: 1, fault: Fault::Truncated });
        assert_eq!(fault(&[kind, 2, b'x']), CodecError { offset: 1, fault: Fault::Truncated });
    }
    // As strongSwan, a packet without a message may have bytes behind it.
    assert_eq!(Packet::parse(b"\x05rest"), Ok(Packet::EventConfirm));
}

#[test]
fn a_length_field_reserves_nothing() {
    let mut segments = Segments::default();
    segments.push(&[0, 8, 0, 0]);
    assert_eq!(segments.next_segment(), Ok(None), "exactly 512 KiB is served");
    assert!(segments.buffer.capacity() < 100);
    assert!(!segments.is_at_boundary());
    let mut segments = Segments::default();
    segments.push(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(segments.next_segment().unwrap_err().fault, Fault::TooLong(0xffff_ffff));
    let mut segments = Segments::default();
    segments.push(&[0, 8, 0, 1]);
    assert_eq!(segments.next_segment().unwrap_err().fault, Fault::TooLong(MAX_SEGMENT + 1));
}

fn item() -> impl Strategy<Value = Item> {
    let bytes = || vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![
        bytes().prop_map(Item::Value),
        vec(bytes(), 0..4).prop_map(Item::List),
        Just(Item::Section(Section::new())),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        // Few names, so that some are there twice.
        vec(("[a-b]{0,1}", inner), 0..5).prop_map(|entries| {
            let mut section = Section::new();
            entries.into_iter().for_each(|(name, item)| section.push(name, item));
            Item::Section(section)
        })
    })
}

fn tree() -> impl Strategy<Value = Section> {
    vec((vec(any::<u8>(), 0..6), item()), 0..6).prop_map(|entries| {
        let mut section = Section::new();
        entries.into_iter().for_each(|(name, item)| section.push(name, item));
        section
    })
}

proptest! {
    #[test]
    fn decode_is_the_inverse_of_encode(message in tree()) {
        prop_assert_eq!(decode(&encode(&message).unwrap()).unwrap(), message);
    }

    #[test]
    fn encode_is_the_inverse_of_decode(bytes in vec(0u8..8, 0..60)) {
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(encode(&message).unwrap(), bytes);
        }
    }

    #[test]
    fn segments_do_not_depend_on_how_they_arrive(
        bodies in vec(vec(any::<u8>(), 0..40), 0..8),
        cuts in vec(any::<proptest::sample::Index>(), 0..20),
    ) {
        let packets: Vec<_> = bodies.iter().map(|body| Packet::CmdResponse(body)).collect();
        let stream: Vec<u8> = packets.iter().flat_map(|p| p.encode().unwrap()).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let (mut segments, mut count) = (Segments::default(), 0);
        for piece in at.windows(2) {
            segments.push(&stream[piece[0]..piece[1]]);
            while let Some(segment) = segments.next_segment().unwrap() {
                prop_assert_eq!(Packet::parse(segment).unwrap(), packets[count]);
                count += 1;
            }
        }
        prop_assert_eq!(count, packets.len());
        prop_assert!(segments.is_at_boundary());
    }
}
