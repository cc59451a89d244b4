//! From a frame's bytes to an event: a total function. Whatever the bytes are, there is an
//! event, and it says what could not be read.
#![forbid(unsafe_code)]

use crate::error::DecodeError;
use crate::event::{Event, Frame, Kind};
use crate::packet::Packet;
use crate::wire::ByteOrder;
use crate::wire::link::{self, LinkHeader, LinkType, Network};
use crate::wire::pflog;
use crate::wire::writer::Writer;

/// Decodes a frame. `order` is the capture file's byte order, `writer` what the records so far
/// have shown of the machine that wrote them.
pub fn decode<'a>(frame: Frame<'a>, order: ByteOrder, writer: Writer) -> Event<'a> {
    match frame.link {
        LinkType::PFLOG => decode_pflog(frame, pflog::parse(frame.data, frame.len, writer), || {
            pflog::parse_cut(frame.data, writer)
        }),
        LinkType::OLD_PFLOG => decode_pflog(frame, pflog::parse_old(frame.data, writer), || None),
        _ => decode_wire(frame, order),
    }
}

fn decode_pflog<'a>(
    frame: Frame<'a>,
    header: Result<pflog::Pflog<'a>, DecodeError>,
    cut: impl FnOnce() -> Option<pflog::Pflog<'a>>,
) -> Event<'a> {
    let (link, network) = (LinkHeader::None, Network::Ip);
    match header {
        Ok(header) => {
            let (packet, error) = decode_packet(frame, header.skip);
            Event { frame, kind: Kind::Pflog, link, network, pflog: Some(header), packet, error }
        }
        Err(error) => {
            let (pflog, error) = (cut(), Some(error));
            Event { frame, kind: Kind::Undecoded, link, network, pflog, packet: None, error }
        }
    }
}

fn decode_wire(frame: Frame<'_>, order: ByteOrder) -> Event<'_> {
    let (link, pflog) = match link::parse(frame.link, frame.data, order) {
        Ok(link) => (link, None),
        Err(error) => {
            return Event {
                frame,
                kind: Kind::Undecoded,
                link: LinkHeader::None,
                network: Network::Ip,
                pflog: None,
                packet: None,
                error: Some(error),
            };
        }
    };
    let (packet, error) = match link.network {
        Network::Ip => decode_packet(frame, frame.data.len().saturating_sub(link.payload.len())),
        Network::Other(_) | Network::Llc => (None, None),
    };
    let kind = if error.is_some() { Kind::Undecoded } else { Kind::Packet };
    Event { frame, kind, link: link.header, network: link.network, pflog, packet, error }
}

/// The packet that starts `at` bytes into the frame.
fn decode_packet(frame: Frame<'_>, at: usize) -> (Option<Packet<'_>>, Option<DecodeError>) {
    let bytes = frame.data.get(at..).unwrap_or_default();
    match Packet::parse(bytes, frame.len.saturating_sub(at)) {
        Ok(packet) => (Some(packet), None),
        Err(error) => {
            (None, Some(DecodeError { offset: error.offset.saturating_add(at), ..error }))
        }
    }
}
