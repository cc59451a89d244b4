//! What a renderer has written of a pf header, kept for the next plain record that has the same
//! one: a firewall logs millions of packets by some dozens of rules and interfaces.
//!
//! Only what depends on nothing but the header may be kept: its bytes up to where OpenBSD's
//! addresses begin, and what was concluded from the records before ([`Writer`]: systems and byte
//! order).
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::event::{Event, Frame};
use crate::glance::Glance;
use crate::sink::ways::Ways;
use crate::text::line::Piece;
use crate::wire::ByteOrder;
use crate::wire::pflog::Pflog;
use crate::wire::writer::Writer;

/// Headers that are kept at most.
const SLOTS: usize = 256;
/// Bytes that a slot has room for from its first header on, so that a later one costs no allocation.
const USUAL_LEN: usize = 1024;

/// Where OpenBSD's header goes on with addresses and ports (`saddr`).
const BEFORE_ADDRESSES: usize = 64;
/// The length byte of a header that has them.
const WITH_ADDRESSES: u8 = 100;
/// The longest plain header without them, FreeBSD's of 69 bytes, in words of eight.
const WORDS: usize = 9;

/// Texts in `PIECES` pieces.
#[derive(Debug)]
pub(super) struct Memo<const PIECES: usize> {
    slots: Box<[Pieces<PIECES>]>,
    ways: Ways,
}

/// What was written of one header.
#[derive(Debug, Clone)]
pub(super) struct Pieces<const PIECES: usize> {
    key: Key,
    text: Vec<u8>,
    ends: [usize; PIECES],
}

/// Appends a piece of the header of an event.
pub(super) type Write<'a> = &'a dyn Fn(&Event<'_>, &Pflog<'_>, &mut Vec<u8>);

/// All that a header's text depends on, in words, which are sooner compared than bytes.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// The header up to its addresses, zeros behind it. It begins with its length, so that none is 0.
    head: [u64; WORDS],
    /// What is known of its [`Writer`].
    writer: u64,
}

impl Key {
    /// Of no header.
    const NONE: Self = Self { head: [0; WORDS], writer: 0 };

    #[inline(always)]
    fn new(frame: &[u8], writer: Writer) -> Self {
        let mut key = Self { writer: writer.bits(), ..Self::NONE };
        let words = key.head.iter_mut();
        match (frame.first(), frame.first_chunk::<BEFORE_ADDRESSES>()) {
            (Some(&WITH_ADDRESSES), Some(bytes)) => {
                let (bytes, _) = bytes.as_chunks();
                words.zip(bytes).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
            }
            (hdrlen, _) => {
                let own = hdrlen.and_then(|&len| frame.get(..len.into())).unwrap_or(frame);
                let (bytes, rest) = own.as_chunks();
                let mut last = [0; 8];
                last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
                let bytes = bytes.iter().chain([&last]);
                words.zip(bytes).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
            }
        }
        key
    }

    /// By action, reason and interface, rule, user and direction; the anchor's name does not
    /// matter, nor its process.
    #[inline(always)]
    const fn sum(&self) -> u64 {
        let [first, ifname, _, _, rule, uid, _, dir, _] = self.head;
        let sum = first
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(ifname.wrapping_mul(0xbf58_476d_1ce4_e5b9))
            .wrapping_add(rule.wrapping_mul(0x94d0_49bb_1331_11eb))
            .wrapping_add(uid.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_add(dir.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        (sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// True if it is the other, without a branch for each word.
    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        let words = self.head.iter().zip(&other.head);
        words.fold(self.writer ^ other.writer, |all, (a, b)| all | (a ^ b)) == 0
    }
}

impl<const PIECES: usize> Memo<PIECES> {
    /// One that has kept nothing yet.
    pub(super) fn new() -> Self {
        let empty = Pieces { key: Key::NONE, text: Vec::new(), ends: [0; PIECES] };
        Self { slots: vec![empty; SLOTS].into_boxed_slice(), ways: Ways::new(SLOTS) }
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
        let Self { slots, ways } = self;
        let key = Key::new(frame.data, glance.writer);
        let sum = key.sum();
        let is = |at: usize| slots.get(at).is_some_and(|slot| slot.key.is(&key));
        let at = match ways.find(sum, is) {
            Some(at) => at,
            None => {
                let at = ways.take(sum);
                slots.get_mut(at)?.fill(key, (frame, glance.writer), write)?;
                at
            }
        };
        slots.get(at)
    }
}

impl<const PIECES: usize> Pieces<PIECES> {
    #[cold]
    fn fill(
        &mut self,
        key: Key,
        (frame, writer): (&Frame<'_>, Writer),
        write: [Write<'_>; PIECES],
    ) -> Option<()> {
        // Only headers on a wire are in the byte order of the file.
        let event = decode(*frame, ByteOrder::Little, writer);
        let header = event.pflog.as_ref()?;
        self.key = key;
        self.text.clear();
        self.text.reserve(USUAL_LEN);
        for (write, end) in write.into_iter().zip(&mut self.ends) {
            write(&event, header, &mut self.text);
            *end = self.text.len();
        }
        // So that short ones are copied by a fixed size.
        self.text.extend([0; Piece::SHORT]);
        Some(())
    }

    /// The pieces in their order.
    #[inline]
    pub(super) fn all(&self) -> [Piece<'_>; PIECES] {
        let mut start = 0;
        self.ends.map(|end| {
            let piece =
                Piece::new(self.text.get(start..).unwrap_or_default(), end.saturating_sub(start));
            start = end;
            piece
        })
    }
}
