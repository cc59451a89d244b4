//! IP fragments of pfsync packets put together again (RFC 791, RFC 8200 4.5).
//!
//! A pfsync packet that is larger than the interface's MTU comes in fragments, of which none but
//! the first has a header to decode. What all of them carry is kept beside the batch that holds
//! the last one. Nothing else is put together: pf logs fragments as they are.
//!
//! Bounds: so many packets at a time, each as long as IP allows, each for so long; the oldest
//! gives way.

use std::net::IpAddr;

use super::{Batch, Joined};
use crate::packet::{Frag, Packet, proto};
use crate::time::Timestamp;
use crate::wire::link::{self, LinkType, Network};
use crate::wire::pfsync::{self, Start};

/// Packets that are put together at a time.
const MAX_PENDING: usize = 32;
/// Pieces that are kept of a packet: enough for the longest one at the least MTU.
const MAX_PIECES: usize = 128;
/// Payload of the longest IP packet.
const MAX_LEN: usize = 65_535;
/// Nanoseconds of packet time that a packet's fragments may be apart: `IPFRAGTTL` and RFC 8200's
/// 60 seconds, halved.
const MAX_AGE: i64 = 30_000_000_000;

/// The fragments seen so far.
#[derive(Debug, Default)]
pub struct Defrag {
    /// The oldest first.
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    first: Timestamp,
    /// Length of the whole, known from the last fragment.
    len: Option<usize>,
    bytes: Vec<u8>,
    /// What is there: start and end, in order.
    pieces: Vec<(usize, usize)>,
}

impl Defrag {
    /// Puts together what the batch's records complete, into [`Batch::joined`].
    pub fn join(&mut self, batch: &mut Batch) {
        let mut joined = std::mem::take(&mut batch.joined);
        joined.clear();
        let logs = |link| matches!(link, LinkType::PFLOG | LinkType::OLD_PFLOG);
        if batch.interfaces.iter().any(|interface| !logs(interface.link)) {
            for (_, interface, frame) in batch.frames() {
                let ip = match interface.link {
                    link if logs(link) => None,
                    LinkType::PFSYNC | LinkType::PFSYNC_18 | LinkType::PFSYNC_121 => {
                        (pfsync::start(frame.data) == Start::Ip).then_some(frame.data)
                    }
                    link => match link::parse(link, frame.data, interface.order) {
                        Ok(link) if link.network == Network::Ip => Some(link.payload),
                        _ => None,
                    },
                };
                let ip = ip.filter(|ip| may_be_fragment(ip));
                let Some(Ok(packet)) = ip.map(|ip| Packet::parse(ip, ip.len())) else { continue };
                if let Some(frag) = packet.ip.frag.filter(Frag::is_fragment)
                    && packet.ip.proto == Some(proto::PFSYNC)
                    && let Some(bytes) = self.add(frame.ts, &packet, frag)
                {
                    joined.push(Joined { frame: frame.number, bytes });
                }
            }
        }
        batch.joined = joined;
    }

    /// Adds a fragment; gives the whole if it was the last one missing.
    fn add(&mut self, ts: Timestamp, packet: &Packet<'_>, frag: Frag) -> Option<Vec<u8>> {
        let (src, dst) = (packet.ip.src?, packet.ip.dst?);
        let start = frag.offset as usize;
        let end = start.checked_add(packet.payload_len).filter(|&end| end <= MAX_LEN)?;
        if packet.payload.len() < packet.payload_len {
            return None;
        }
        let age = |pending: &Pending| ts.0.saturating_sub(pending.first.0).saturating_abs();
        self.pending.retain(|pending| age(pending) <= MAX_AGE);
        let same = |p: &Pending| (p.src, p.dst, p.id) == (src, dst, frag.id);
        let at = self.pending.iter().position(same).unwrap_or_else(|| {
            if self.pending.len() >= MAX_PENDING {
                self.pending.remove(0);
            }
            let (bytes, pieces) = (Vec::new(), Vec::new());
            self.pending.push(Pending {
                src,
                dst,
                id: frag.id,
                first: ts,
                len: None,
                bytes,
                pieces,
            });
            self.pending.len() - 1
        });
        let whole = self.pending.get_mut(at)?.put(start, end, packet.payload, frag.more);
        whole.then(|| self.pending.remove(at).bytes)
    }
}

impl Pending {
    /// Puts a piece where it belongs; true if nothing is missing any more. What is there already
    /// stays: the first one to come wins, as on BSD.
    fn put(&mut self, start: usize, end: usize, piece: &[u8], more: bool) -> bool {
        let before = self.pieces.partition_point(|&(_, have)| have <= start);
        let overlaps = self.pieces.get(before).is_some_and(|&(have, _)| have < end);
        if overlaps || start >= end || self.pieces.len() >= MAX_PIECES {
            return false;
        }
        self.pieces.insert(before, (start, end));
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(piece);
        }
        if !more {
            self.len = Some(end);
        }
        let reached = self
            .pieces
            .iter()
            .try_fold(0, |reached, &(start, end)| (start == reached).then_some(end));
        reached.is_some() && reached == self.len
    }
}

/// False if an IP header says by itself that the packet is whole.
const fn may_be_fragment(ip: &[u8]) -> bool {
    match ip {
        // More fragments, or an offset.
        [0x40..=0x4f, _, _, _, _, _, high, low, ..] => *high & 0x3f != 0 || *low != 0,
        [0x60..=0x6f, _, _, _, _, _, next, ..] => *next != proto::PFSYNC,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// An IPv4 fragment of protocol 240.
    fn fragment(id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
        let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
        let bits = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
        let ([a, b], [c, d], [e, f]) = (total, id.to_be_bytes(), bits.to_be_bytes());
        let mut packet =
            vec![0x45, 0, a, b, c, d, e, f, 255, 240, 0, 0, 10, 0, 0, 1, 224, 0, 0, 240];
        packet.extend_from_slice(payload);
        packet
    }

    fn add(defrag: &mut Defrag, ts: i64, bytes: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::parse(bytes, bytes.len()).unwrap();
        defrag.add(Timestamp(ts), &packet, packet.ip.frag.unwrap())
    }

    #[test]
    fn fragments_come_in_any_order_and_twice() {
        let whole: Vec<u8> = (0..40).collect();
        let pieces = [(0, true), (16, true), (32, false)];
        let part = |i: usize| {
            let (start, more) = pieces[i];
            fragment(7, start, more, &whole[start..(start + 16).min(40)])
        };
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            let mut defrag = Defrag::default();
            assert_eq!(add(&mut defrag, 0, &part(order[0])), None);
            assert_eq!(add(&mut defrag, 1, &part(order[0])), None, "the same once more");
            assert_eq!(add(&mut defrag, 2, &part(order[1])), None);
            assert_eq!(add(&mut defrag, 3, &part(order[2])).as_deref(), Some(&whole[..]));
            assert!(defrag.pending.is_empty());
        }
    }

    #[test]
    fn a_missing_piece_is_waited_for_only_so_long() {
        let mut defrag = Defrag::default();
        assert_eq!(add(&mut defrag, 0, &fragment(7, 0, true, &[1; 16])), None);
        let late = MAX_AGE + 1;
        assert_eq!(add(&mut defrag, late, &fragment(7, 16, false, &[2; 8])), None);
        assert_eq!(
            add(&mut defrag, late, &fragment(7, 0, true, &[1; 16])).map(|b| b.len()),
            Some(24)
        );
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut defrag = Defrag::default();
        for id in 0..1000_u16 {
            assert_eq!(add(&mut defrag, 0, &fragment(id, 65_528 - 1400, true, &[0; 1392])), None);
            assert_eq!(
                add(&mut defrag, 0, &fragment(9999, usize::from(id) * 16, true, &[0; 8])),
                None
            );
        }
        assert!(defrag.pending.len() <= MAX_PENDING);
        assert!(
            defrag.pending.iter().all(|p| p.bytes.len() <= MAX_LEN && p.pieces.len() <= MAX_PIECES)
        );
    }

    #[test]
    fn what_ends_behind_an_ip_packet_is_refused() {
        let mut defrag = Defrag::default();
        assert_eq!(add(&mut defrag, 0, &fragment(1, 65_528, false, &[0; 100])), None);
        assert!(defrag.pending.is_empty());
    }

    #[test]
    fn packets_of_others_are_not_mixed() {
        let mut defrag = Defrag::default();
        let mut other = fragment(7, 16, false, &[9; 8]);
        other[15] = 2;
        assert_eq!(add(&mut defrag, 0, &fragment(7, 0, true, &[1; 16])), None);
        assert_eq!(add(&mut defrag, 0, &other), None);
        assert_eq!(defrag.pending.len(), 2);
        assert_eq!(defrag.pending[0].src, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    }
}
