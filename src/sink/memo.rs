//! What a renderer has written of a pf header, kept for the next packet that has the same one:
//! a firewall logs millions of packets by some dozens of rules and interfaces.
//!
//! Only what depends on nothing but the header may be kept: its bytes up to where OpenBSD's
//! addresses begin, and what was concluded from the records before ([`Writer`], so systems and
//! byte order). A slot is a header's by its hash, and the last one's that came: a wrong guess
//! costs the time of writing, never a wrong line.
//!
//! [`Writer`]: crate::wire::writer::Writer
#![forbid(unsafe_code)]

use crate::pf::Systems;
use crate::wire::pflog::Pflog;

/// Headers that are kept at most.
const SLOTS: usize = 256;

/// Where OpenBSD's header goes on with addresses and ports (`saddr`).
const BEFORE_ADDRESSES: usize = 64;
/// The shortest header that has them.
const WITH_ADDRESSES: u8 = 100;
/// Words of the longest header without them: pfSense's of 68 bytes, padded.
const WORDS: usize = 9;

/// Texts in `PIECES` pieces.
#[derive(Debug)]
pub(super) struct Memo<const PIECES: usize> {
    slots: Box<[Pieces<PIECES>]>,
}

/// What was written of one header.
#[derive(Debug, Clone)]
pub(super) struct Pieces<const PIECES: usize> {
    key: Option<Key>,
    text: Vec<u8>,
    ends: [usize; PIECES],
}

/// All that a header's text depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    words: [u64; WORDS],
    /// Words in an order that the header itself does not tell, as they were understood: uid, pid,
    /// rule_uid, rule_pid.
    owner: [u32; 4],
    skip: usize,
    hdrlen: u8,
    systems: Systems,
}

impl Key {
    #[inline]
    fn new(frame: &[u8], header: &Pflog<'_>) -> Self {
        let mut words = [0; WORDS];
        if header.hdrlen >= WITH_ADDRESSES
            && let Some(head) = frame.first_chunk::<BEFORE_ADDRESSES>()
        {
            for (word, bytes) in words.iter_mut().zip(head.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        } else {
            let head = frame.get(..usize::from(header.hdrlen)).unwrap_or(frame);
            for (word, bytes) in words.iter_mut().zip(head.chunks(8)) {
                *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            }
        }
        let owner = header.owner.map_or([0; 4], |owner| {
            [
                owner.uid.unwrap_or_default(),
                owner.pid.unwrap_or_default().cast_unsigned(),
                owner.rule_uid,
                owner.rule_pid.cast_unsigned(),
            ]
        });
        let Pflog { skip, hdrlen, systems, .. } = *header;
        Self { words, owner, skip, hdrlen, systems }
    }

    /// By action, reason and interface, rule, user and direction; the anchor's name does not
    /// matter, nor its process.
    #[inline]
    fn slot(&self) -> usize {
        let [first, ifname, .., rule, uid, _, dir, _] = self.words;
        let sum = first
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(ifname.wrapping_mul(0xbf58_476d_1ce4_e5b9))
            .wrapping_add(rule.wrapping_mul(0x94d0_49bb_1331_11eb))
            .wrapping_add(uid.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_add(dir.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
        (sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize
            >> (usize::BITS - SLOTS.trailing_zeros())
    }
}

impl<const PIECES: usize> Memo<PIECES> {
    /// One that has kept nothing yet.
    pub(super) fn new() -> Self {
        let empty = Pieces { key: None, text: Vec::new(), ends: [0; PIECES] };
        Self { slots: vec![empty; SLOTS].into_boxed_slice() }
    }

    /// What `write` appends of the header that the frame starts with, piece by piece. It must
    /// depend on nothing but the header without its addresses.
    #[inline]
    pub(super) fn get(
        &mut self,
        frame: &[u8],
        header: &Pflog<'_>,
        write: [&dyn Fn(&mut Vec<u8>); PIECES],
    ) -> Option<&Pieces<PIECES>> {
        let key = Key::new(frame, header);
        let slot = self.slots.get_mut(key.slot())?;
        if slot.key != Some(key) {
            slot.fill(key, write);
        }
        Some(slot)
    }
}

impl<const PIECES: usize> Pieces<PIECES> {
    #[cold]
    fn fill(&mut self, key: Key, write: [&dyn Fn(&mut Vec<u8>); PIECES]) {
        self.key = Some(key);
        self.text.clear();
        for (write, end) in write.into_iter().zip(&mut self.ends) {
            write(&mut self.text);
            *end = self.text.len();
        }
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
