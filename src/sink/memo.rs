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

/// Where OpenBSD's header goes on with addresses and ports (`saddr`), and FreeBSD's with the number
/// that a rule has by `ridentifier`; others end before it.
const HEAD: usize = 64;
/// The length byte of FreeBSD's header, which in a frame takes eight bytes more than the head.
const FREEBSD: u8 = 69;

/// Texts in `PIECES` pieces.
#[derive(Debug)]
pub(super) struct Memo<const PIECES: usize> {
    slots: Box<[Pieces<PIECES>]>,
    ways: Ways<SLOTS>,
}

/// What was written of one header. It lies in two lines of the cache, the key's head in the first.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Pieces<const PIECES: usize> {
    key: Key,
    text: Vec<u8>,
    ends: [usize; PIECES],
}

/// Appends a piece of the header of an event.
pub(super) type Write<'a> = &'a dyn Fn(&Event<'_>, &Pflog<'_>, &mut Vec<u8>);

/// All that a header's text depends on.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Key {
    /// The header up to where it may have addresses, with what pads it. It begins with its length, so
    /// that none is all 0.
    head: [u8; HEAD],
    /// What FreeBSD's has behind that, with what pads it, in a word.
    tail: u64,
    /// What is known of its [`Writer`].
    writer: u64,
}

impl Key {
    /// Of no header.
    const NONE: Self = Self { head: [0; HEAD], tail: 0, writer: 0 };

    /// True if it has this head, tail and writer. The words are compared where they stand, without a
    /// branch for each.
    #[inline(always)]
    fn is(&self, head: &[u8; HEAD], tail: u64, writer: u64) -> bool {
        let (own, _) = self.head.as_chunks::<8>();
        let (words, _) = head.as_chunks::<8>();
        let words = own.iter().zip(words);
        let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
        let differs = (self.tail ^ tail) | (self.writer ^ writer);
        words.fold(differs, |all, (a, b)| all | (word(a) ^ word(b))) == 0
    }
}

/// By action, reason and interface, rule, user and direction; the anchor's name does not matter, nor
/// its process.
#[inline(always)]
fn sum(head: &[u8; HEAD]) -> u64 {
    let (words, _) = head.as_chunks();
    let &[first, ifname, _, _, rule, uid, _, dir] = words.first_chunk().unwrap_or(&[[0; 8]; 8]);
    let word = u64::from_le_bytes;
    let sum = word(first)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(word(ifname).wrapping_mul(0xbf58_476d_1ce4_e5b9))
        .wrapping_add(word(rule).wrapping_mul(0x94d0_49bb_1331_11eb))
        .wrapping_add(word(uid).wrapping_mul(0xd6e8_feb8_6659_fd93))
        .wrapping_add(word(dir).wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    (sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<const PIECES: usize> Memo<PIECES> {
    /// One that has kept nothing yet.
    pub(super) fn new() -> Self {
        let empty = Pieces { key: Key::NONE, text: Vec::new(), ends: [0; PIECES] };
        Self { slots: vec![empty; SLOTS].into_boxed_slice(), ways: Ways::new() }
    }

    /// What `write` appends of the record's header, piece by piece. It must depend on nothing but
    /// the header without its addresses.
    #[inline(always)]
    pub(super) fn get(
        &mut self,
        frame: &Frame<'_>,
        glance: &Glance<'_>,
        write: [Write<'_>; PIECES],
    ) -> Option<&Pieces<PIECES>> {
        let Self { slots, ways } = self;
        let (head, rest) = frame.data.split_first_chunk::<HEAD>()?;
        let tail = match (head, rest.first_chunk()) {
            ([FREEBSD, ..], Some(tail)) => u64::from_ne_bytes(*tail),
            _ => 0,
        };
        let (sum, writer) = (sum(head), glance.writer.bits());
        let is = |at: usize| slots.get(at).is_some_and(|slot| slot.key.is(head, tail, writer));
        let at = match ways.find(sum, is) {
            Some(at) => at,
            None => {
                let at = ways.take(sum);
                let key = Key { head: *head, tail, writer };
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
