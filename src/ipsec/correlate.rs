//! The tunnel of an event: ESP and AH by SPI, bare or in UDP; IKE by its SPIs; what is in the clear
//! by the traffic selectors; pfsync's messages, a state by its addresses and an SA's counters
//! (`tdb`) by SPI.

use std::net::IpAddr;

use super::index::Index;
use super::policy::Flow;
use crate::event::{Event, Ipsec};
use crate::packet::{Packet, Transport, proto};
use crate::time::Timestamp;
use crate::wire::link::LinkHeader;
use crate::wire::pfsync::Body;
use crate::wire::state::{Ends, State};
use crate::wire::tdb::Tdb;

/// The SAs that a packet names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    what: What,
    pub(super) src: Option<IpAddr>,
    pub(super) dst: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Protocol and SPI.
    Sa(u8, u32),
    /// The initiator's SPI and the responder's.
    Ike(u64, u64),
}

impl Named {
    /// Those of a packet that is ESP, AH, ESP in UDP, or IKE.
    pub(super) fn of(packet: &Packet<'_>) -> Option<Self> {
        let what = match (packet.ah, packet.esp(), packet.ike()) {
            (Some(ah), ..) => What::Sa(proto::AH, ah.spi),
            (None, Some(esp), _) => What::Sa(proto::ESP, esp.spi),
            (None, None, Some(ike)) => What::Ike(ike.initiator_spi, ike.responder_spi),
            (None, None, None) => return None,
        };
        Some(Self { what, src: packet.ip.src, dst: packet.ip.dst })
    }

    /// True of an IKE_SA's own.
    pub(super) const fn is_ike(&self) -> bool {
        matches!(self.what, What::Ike(..))
    }

    pub(super) fn find<'i>(&self, index: &'i Index, at: Timestamp) -> Option<Ipsec<'i>> {
        let hosts = (self.src, self.dst);
        match self.what {
            What::Sa(proto, spi) => index.by_spi(proto, spi, hosts, at),
            What::Ike(initiator, responder) => index.by_ike((initiator, responder), hosts, at),
        }
    }
}

impl Index {
    /// The tunnel of the event's packet.
    pub fn packet(&self, event: &Event<'_>) -> Option<Ipsec<'_>> {
        if self.is_empty() && !self.has_ikes() {
            return None;
        }
        let (packet, at) = (event.packet.as_ref()?, event.frame.ts);
        if event.pfsync.is_some() {
            return None;
        }
        let named = Named::of(packet);
        if let Some(found) = named.and_then(|named| named.find(self, at)) {
            return Some(found);
        }
        let flow = flow(packet)?;
        if let LinkHeader::Enc { spi, .. } = event.link
            && let Some(found) = self.by_inner(spi, &flow, at)
        {
            return Some(found);
        }
        // ESP of a later fragment shows no SPI.
        let outer = matches!(packet.ip.proto, Some(proto::ESP | proto::AH));
        let is_clear = named.is_none() && !outer;
        let hint = event.pflog.and_then(|header| header.dir);
        self.by_selector(&flow, at, hint, is_clear)
    }

    /// The tunnels that the messages of a pfsync packet tell of, each with the message's place.
    pub fn messages(&self, event: &Event<'_>) -> Vec<(usize, Ipsec<'_>)> {
        let (at, packet) = (event.frame.ts, event.pfsync.iter());
        let messages = packet.flat_map(|packet| packet.messages()).map_while(Result::ok);
        let found = messages.filter_map(|message| {
            let found = match &message.body {
                Body::Tdb(tdb) => self.tdb(tdb, at),
                Body::State(state) => self.state(state, at),
                _ => None,
            };
            found.map(|found| (message.index, found))
        });
        found.collect()
    }

    /// An SA whose counters a firewall tells its peer.
    fn tdb(&self, tdb: &Tdb, at: Timestamp) -> Option<Ipsec<'_>> {
        self.by_spi(tdb.sproto, tdb.spi, (None, tdb.dst), at)
    }

    /// The tunnel that a state's packets go through, by its ends on either side of a translation.
    /// Direction is that of the state's first packet.
    fn state(&self, state: &State<'_>, at: Timestamp) -> Option<Ipsec<'_>> {
        let find = |proto: u8, ends: Ends| {
            let (src, dst) = (ends.src.addr?, ends.dst.addr?);
            let ported = matches!(proto, proto::TCP | proto::UDP | proto::SCTP);
            let ports = ported.then_some((ends.src.port, ends.dst.port));
            let is_clear = !matches!(proto, proto::ESP | proto::AH)
                && ports
                    .is_none_or(|(src, dst)| ![src, dst].iter().any(|p| [500, 4500].contains(p)));
            self.by_selector(&Flow { src, dst, proto: Some(proto), ports }, at, None, is_clear)
        };
        let wire = find(state.wire.proto, state.wire_ends());
        wire.or_else(|| find(state.stack.proto, state.stack_ends()))
    }
}

fn flow(packet: &Packet<'_>) -> Option<Flow> {
    let ports = match packet.transport {
        Transport::Icmp(icmp) | Transport::Icmp6(icmp) => icmp.code.map(|code| {
            let both = u16::from_be_bytes([icmp.kind, code]);
            (both, both)
        }),
        _ => packet.ports().map(|ports| (ports.src, ports.dst)),
    };
    Some(Flow { src: packet.ip.src?, dst: packet.ip.dst?, proto: packet.ip.proto, ports })
}
