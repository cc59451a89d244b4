//! From a frame's bytes to an event: a total function. Whatever the bytes are, there is an
//! event, and it says what could not be read.
#![forbid(unsafe_code)]

use crate::error::DecodeError;
use crate::event::{Event, Frame, Kind};
use crate::packet::{Packet, proto};
use crate::wire::ByteOrder;
use crate::wire::link::{self, LinkType, Network};
use crate::wire::pflog;
use crate::wire::pfsync::{self, Start};
use crate::wire::writer::Writer;

/// Decodes a frame. `order` is the capture file's byte order, `writer` what the records so far
/// have shown of the machine that wrote them.
pub fn decode<'a>(frame: Frame<'a>, order: ByteOrder, writer: Writer) -> Event<'a> {
    match frame.link {
        LinkType::PFLOG => decode_pflog(frame, pflog::parse(frame.data, frame.len, writer), || {
            pflog::parse_cut(frame.data, writer)
        }),
        LinkType::OLD_PFLOG => decode_pflog(frame, pflog::parse_old(frame.data, writer), || None),
        LinkType::PFSYNC | LinkType::PFSYNC_18 | LinkType::PFSYNC_121 => {
            decode_pfsync_device(frame)
        }
        _ => decode_wire(frame, order),
    }
}

#[inline]
fn decode_pflog<'a>(
    frame: Frame<'a>,
    header: Result<pflog::Pflog<'a>, DecodeError>,
    cut: impl FnOnce() -> Option<pflog::Pflog<'a>>,
) -> Event<'a> {
    match header {
        Ok(header) => {
            let (packet, error) = decode_packet(frame, header.skip);
            Event { pflog: Some(header), packet, error, ..Event::new(frame, Kind::Pflog) }
        }
        Err(error) => Event { pflog: cut(), ..undecoded(frame, error) },
    }
}

const fn undecoded(frame: Frame<'_>, error: DecodeError) -> Event<'_> {
    Event { error: Some(error), ..Event::new(frame, Kind::Undecoded) }
}

/// A record of a pfsync device: pfsync at once, or IP in front of it. The link type's numbers
/// have other meanings too, so the bytes tell.
fn decode_pfsync_device(frame: Frame<'_>) -> Event<'_> {
    match pfsync::start(frame.data) {
        Start::Ip | Start::OtherIp => decode_ip(frame, 0),
        Start::Header | Start::Unknown => {
            decode_pfsync(Event::new(frame, Kind::Pfsync), frame.data, frame.len, 0)
        }
    }
}

fn decode_wire(frame: Frame<'_>, order: ByteOrder) -> Event<'_> {
    let link = match link::parse(frame.link, frame.data, order) {
        Ok(link) => link,
        Err(error) => return undecoded(frame, error),
    };
    let event = match link.network {
        Network::Ip => decode_ip(frame, frame.data.len().saturating_sub(link.payload.len())),
        Network::Other(_) | Network::Llc => Event::new(frame, Kind::Packet),
    };
    Event { link: link.header, network: link.network, ..event }
}

/// The packet that starts `at` bytes into a frame of a wire, and pfsync in it.
fn decode_ip(frame: Frame<'_>, at: usize) -> Event<'_> {
    let packet = match decode_packet(frame, at) {
        (Some(packet), _) => packet,
        (None, error) => {
            return Event { error, ..Event::new(frame, Kind::Undecoded) };
        }
    };
    let event = Event { packet: Some(packet), ..Event::new(frame, Kind::Packet) };
    if packet.ip.proto != Some(proto::PFSYNC) || packet.payload.is_empty() {
        return event;
    }
    if packet.ip.frag.is_some_and(|frag| frag.is_fragment()) {
        return match frame.whole {
            Some(whole) => decode_pfsync(event, whole, whole.len(), 0),
            None => event,
        };
    }
    let before = packet.payload.as_ptr().addr().wrapping_sub(frame.data.as_ptr().addr());
    decode_pfsync(event, packet.payload, packet.payload_len, before)
}

/// Puts pfsync's header and the first fault of its messages into an event. `at` is where the
/// header stands in the frame.
fn decode_pfsync<'a>(event: Event<'a>, bytes: &'a [u8], len: usize, at: usize) -> Event<'a> {
    let behind =
        |error: DecodeError| DecodeError { offset: error.offset.saturating_add(at), ..error };
    match pfsync::parse(bytes, len) {
        Ok(packet) => {
            let error = packet.fault().map(behind);
            Event { kind: Kind::Pfsync, pfsync: Some(packet), error, ..event }
        }
        Err(error) => Event { kind: Kind::Undecoded, error: Some(behind(error)), ..event },
    }
}

/// The packet that starts `at` bytes into the frame.
#[inline]
fn decode_packet(frame: Frame<'_>, at: usize) -> (Option<Packet<'_>>, Option<DecodeError>) {
    let bytes = frame.data.get(at..).unwrap_or_default();
    match Packet::parse(bytes, frame.len.saturating_sub(at)) {
        Ok(packet) => (Some(packet), None),
        Err(error) => {
            (None, Some(DecodeError { offset: error.offset.saturating_add(at), ..error }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Fault, Layer};
    use crate::time::{Precision, Timestamp};
    use crate::wire::link::LinkHeader;

    /// UDP, port 1 to 2, one byte of data.
    const IP: [u8; 29] = [
        0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 20, 192, 0, 2, 10, // IP
        0, 1, 0, 2, 0, 9, 0, 0, b'x', // UDP
    ];

    fn event(link: LinkType, data: &[u8], len: usize) -> Event<'_> {
        let (ts, precision) = (Timestamp(0), Precision::Micros);
        let frame = Frame { ts, precision, len, ..Frame::new(link, data) };
        decode(frame, ByteOrder::Little, Writer::new(ByteOrder::Little))
    }

    #[test]
    fn a_logged_packet() {
        let mut frame = vec![0; 64];
        (frame[0], frame[1]) = (61, 2);
        frame.extend(IP);
        let event = event(LinkType::PFLOG, &frame, frame.len());
        assert_eq!((event.kind, event.error), (Kind::Pflog, None));
        assert_eq!((event.link, event.network), (LinkHeader::None, Network::Ip));
        assert_eq!(event.packet.unwrap().bytes, IP);
    }

    /// The header is whole, what follows it is no packet: pf's verdict still counts.
    #[test]
    fn a_logged_riddle() {
        let mut frame = vec![0; 68];
        (frame[0], frame[1]) = (61, 2);
        let found = event(LinkType::PFLOG, &frame, frame.len());
        assert_eq!(found.kind, Kind::Pflog);
        assert!(found.pflog.is_some() && found.packet.is_none());
        let error = found.error.unwrap();
        let expected = DecodeError { layer: Layer::Ip, offset: 64, fault: Fault::BadVersion(0) };
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), "ip version 0 is not known (offset 64 of the frame)");
        let found = event(LinkType::PFLOG, &frame[..64], 68);
        assert_eq!(found.error.unwrap().fault, Fault::Truncated { needed: 20 });
    }

    #[test]
    fn a_packet_on_a_wire() {
        let frame = [&[2, 0, 0, 0], &IP[..]].concat();
        for n in 0..=frame.len() {
            let event = event(LinkType::NULL, &frame[..n], frame.len());
            let kind = if n <= 4 { Kind::Undecoded } else { Kind::Packet };
            assert_eq!(event.kind, kind, "{n}");
            let offset = event.error.map(|error| (error.layer, error.offset));
            let expected = match n {
                0..4 => Some((Layer::Link, 0)),
                4 => Some((Layer::Ip, 4)),
                _ => None,
            };
            assert_eq!(offset, expected);
            assert_eq!(event.packet.map_or(0, |packet| packet.bytes.len()), n.saturating_sub(4));
        }
    }

    #[test]
    fn what_is_not_ip_is_a_packet_all_the_same() {
        // AF_APPLETALK
        let event = event(LinkType::LOOP, &[0, 0, 0, 16, 1, 2, 3], 7);
        assert_eq!((event.kind, event.network), (Kind::Packet, Network::Other(16)));
        assert_eq!((event.packet, event.error), (None, None));
    }

    #[test]
    fn a_link_type_that_is_not_read() {
        let event = event(LinkType(147), &IP, IP.len());
        assert_eq!((event.kind, event.packet, event.pflog), (Kind::Undecoded, None, None));
        assert_eq!(event.error.unwrap().fault, Fault::UnknownLinkType(147));
    }
}
