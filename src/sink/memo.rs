//! What a renderer has written of a pf header, kept for the next plain record that has the same
//! one: a firewall logs millions of packets by some dozens of rules and interfaces.
//!
//! Only what depends on nothing but the header may be kept: its bytes up to where OpenBSD's
//! addresses begin, and what was concluded from the records before ([`Writer`]: systems and byte
//! order). Some slots are a header's by its hash, and have those that came last: a wrong guess costs the
//! time of writing, never a wrong line.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::event::{Event, Frame};
use crate::glance::Glance;
use crate::wire::ByteOrder;
use crate::wire::pflog::Pflog;
use crate::wire::writer::Writer;

/// Headers that are kept at most.
const SLOTS: usize = 256;
/// Bytes that a slot has room for from its first header on, so that a later one costs no allocation.
const USUAL_LEN: usize = 1024;
/// Slots that a header may be in.
const WAYS: usize = 4;

/// Where OpenBSD's header goes on with addresses and ports (`saddr`).
const BEFORE_ADDRESSES: usize = 64;
/// The length byte of a header that has them.
const WITH_ADDRESSES: u8 = 100;
/// Bytes of the longest plain header without them, FreeBSD's of 69 bytes, in words.
const HEAD: usize = 72;

/// Texts in `PIECES` pieces.
#[derive(Debug)]
pub(super) struct Memo<const PIECES: usize> {
    slots: Box<[Pieces<PIECES>]>,
    /// Which slot of a full set is next.
    next: usize,
}

/// What was written of one header.
#[derive(Debug, Clone)]
pub(super) struct Pieces<const PIECES: usize> {
    key: Option<Key>,
    text: Vec<u8>,
    ends: [usize; PIECES],
}

/// Appends a piece of the header of an event.
pub(super) type Write<'a> = &'a dyn Fn(&Event<'_>, &Pflog<'_>, &mut Vec<u8>);

/// All that a header's text depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    /// The header up to its addresses, zeros behind it.
    head: [u8; HEAD],
    writer: Writer,
}

impl Key {
    #[inline(always)]
    fn new(frame: &[u8], writer: Writer) -> Self {
        let mut head = [0; HEAD];
        match (frame.first(), frame.first_chunk::<BEFORE_ADDRESSES>()) {
            // A copy of fixed size.
            (Some(&WITH_ADDRESSES), Some(bytes)) => {
                head.first_chunk_mut().into_iter().for_each(|place| *place = *bytes);
            }
            (hdrlen, _) => {
                let own = hdrlen.and_then(|&hdrlen| frame.get(..usize::from(hdrlen)));
                let bytes = head.iter_mut().zip(own.unwrap_or(frame));
                bytes.for_each(|(place, byte)| *place = *byte);
            }
        }
        Self { head, writer }
    }

    /// Its first slot. By action, reason and interface, rule, user and direction; the anchor's name
    /// does not matter, nor its process.
    #[inline(always)]
    fn set(&self) -> usize {
        let (words, _) = self.head.as_chunks();
        let [first, ifname, _, _, rule, uid, _, dir, _] =
            words.first_chunk().map_or([0; 9], |words| words.map(u64::from_le_bytes));
        let sum = first
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(ifname.wrapping_mul(0xbf58_476d_1ce4_e5b9))
            .wrapping_add(rule.wrapping_mul(0x94d0_49bb_1331_11eb))
            .wrapping_add(uid.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_add(dir.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        let [highest, ..] = (sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        usize::from(highest) % (SLOTS / WAYS) * WAYS
    }
}

impl<const PIECES: usize> Memo<PIECES> {
    /// One that has kept nothing yet.
    pub(super) fn new() -> Self {
        let empty = Pieces { key: None, text: Vec::new(), ends: [0; PIECES] };
        Self { slots: vec![empty; SLOTS].into_boxed_slice(), next: 0 }
    }

    /// What `write` appends of the record's header, piece by piece. It must depend on nothing but
    /// the header without its addresses.
    #[inline]
    pub(super) fn get(
        &mut self,
        frame: &Frame<'_>,
        glance: &Glance<'_>,
        write: [Write<'_>; PIECES],
    ) -> Option<&Pieces<PIECES>> {
        let key = Key::new(frame.data, glance.writer);
        let set = self.slots.get_mut(key.set()..)?.first_chunk_mut::<WAYS>()?;
        let at = match set.iter().position(|slot| slot.key == Some(key)) {
            Some(at) => at,
            None => {
                self.next = self.next.wrapping_add(1);
                let empty = set.iter().position(|slot| slot.key.is_none());
                let at = empty.unwrap_or(self.next % WAYS);
                set.get_mut(at)?.fill(key, frame, write)?;
                at
            }
        };
        set.get(at)
    }
}

impl<const PIECES: usize> Pieces<PIECES> {
    #[cold]
    fn fill(&mut self, key: Key, frame: &Frame<'_>, write: [Write<'_>; PIECES]) -> Option<()> {
        // Only headers on a wire are in the byte order of the file.
        let event = decode(*frame, ByteOrder::Little, key.writer);
        let header = event.pflog.as_ref()?;
        self.key = Some(key);
        self.text.clear();
        self.text.reserve(USUAL_LEN);
        for (write, end) in write.into_iter().zip(&mut self.ends) {
            write(&event, header, &mut self.text);
            *end = self.text.len();
        }
        Some(())
    }

    /// The pieces in their order.
    #[inline]
    pub(super) fn all(&self) -> [&[u8]; PIECES] {
        let mut start = 0;
        self.ends.map(|end| {
            let piece = self.text.get(start..end).unwrap_or_default();
            start = end;
            piece
        })
    }
}
