//! `event.id`: the same for the same event whenever it is read, and no other event's.
//!
//! XXH3 of 128 bits over the record's bytes. Its seed is XXH3 of 64 bits over
//!
//! ```text
//! 0 which of the frame's lines:4   4 place:8   12 ts, nanoseconds:8   20 link type:4
//! ```
//! in little-endian order, whose seed is that of the observer's name. The place is the record's
//! offset in its file (decompressed); of a device it is the frame's number, and the device's name is
//! hashed between the observer's and this. So a file has the same ids under another name, after
//! rotation and packed, and reading it twice makes no duplicate in a store that is keyed by them; two
//! records with the same bytes in a file differ by their place, and equal places in two files by
//! time and bytes.

use twox_hash::{XxHash3_64, XxHash3_128};

use super::json::{Line, Origin};
use crate::event::Frame;
use crate::event::notice::{Notice, What};
use crate::text::push_hex;
use crate::time::Timestamp;
use crate::vici::codec;
use crate::vici::message::Section;

/// Makes the ids of an observer.
#[derive(Debug, Clone)]
pub struct Ids {
    seed: u64,
    input: Vec<u8>,
}

/// The line of the event itself; a message's is its index.
const EVENT: u32 = u32::MAX;
/// That of what ended the messages early.
const FAULT: u32 = u32::MAX - 1;
/// The first notice about a frame; those after it count down.
const NOTICE: u32 = u32::MAX - 2;

impl Ids {
    /// For an observer of this name.
    pub fn new(observer: &str) -> Self {
        Self { seed: XxHash3_64::oneshot(observer.as_bytes()), input: Vec::new() }
    }

    /// Appends the id of an event's line: 32 hexadecimal digits.
    pub(super) fn push(
        &self,
        out: &mut Vec<u8>,
        origin: &Origin,
        frame: &Frame<'_>,
        line: Line<'_>,
    ) {
        push_hex(out, &self.line(origin, frame, line));
    }

    /// The id of an event's line.
    pub fn line(&self, origin: &Origin, frame: &Frame<'_>, line: Line<'_>) -> [u8; 16] {
        let line = match line {
            Line::Event => EVENT,
            Line::Fault => FAULT,
            Line::Message(message) => u32::try_from(message.index).unwrap_or(NOTICE),
        };
        self.hash(origin, frame, line)
    }

    /// The id of what a feed says of itself: of its output, and the number of such a notice there.
    pub fn own(&mut self, output: &str, ts: Timestamp, sequence: u64) -> [u8; 16] {
        self.input.clear();
        self.input.extend_from_slice(&sequence.to_le_bytes());
        self.input.extend_from_slice(&ts.0.to_le_bytes());
        self.input.extend_from_slice(output.as_bytes());
        XxHash3_128::oneshot_with_seed(self.seed, &self.input).to_be_bytes()
    }

    /// The id of what an event of the IKE daemon tells of its `nth` SA: of the time it came, its name
    /// and its message.
    pub(super) fn of_vici(
        &mut self,
        at: Timestamp,
        event: &[u8],
        message: &Section,
        nth: usize,
    ) -> [u8; 16] {
        let input = &mut self.input;
        input.clear();
        input.extend_from_slice(&(nth as u64).to_le_bytes());
        input.extend_from_slice(&at.0.to_le_bytes());
        input.extend_from_slice(event);
        input.push(0);
        // What cannot be encoded has not come from a daemon; time and name are left.
        input.extend_from_slice(&codec::encode(message).unwrap_or_default());
        XxHash3_128::oneshot_with_seed(self.seed, input).to_be_bytes()
    }

    /// Appends the id of a notice about a frame.
    pub(super) fn push_notice(
        &self,
        out: &mut Vec<u8>,
        origin: &Origin,
        frame: &Frame<'_>,
        nth: usize,
    ) {
        let line = NOTICE.saturating_sub(u32::try_from(nth).unwrap_or(NOTICE));
        push_hex(out, &self.hash(origin, frame, line));
    }

    /// Appends the id of something that happened to a source.
    pub(super) fn push_happening(&mut self, out: &mut Vec<u8>, notice: &Notice) {
        push_hex(out, &self.happening(notice));
    }

    /// The id of something that happened to a source.
    pub fn happening(&mut self, notice: &Notice) -> [u8; 16] {
        let input = &mut self.input;
        input.clear();
        input.extend_from_slice(&notice.ts.0.to_le_bytes());
        for text in [notice.what.kind().as_bytes(), &notice.source] {
            input.extend_from_slice(text);
            input.push(0);
        }
        if let What::Loss(loss) = &notice.what {
            input.extend_from_slice(loss.place.name().as_bytes());
            input.extend_from_slice(&loss.count.to_le_bytes());
        }
        XxHash3_128::oneshot_with_seed(self.seed, input).to_be_bytes()
    }

    fn hash(&self, origin: &Origin, frame: &Frame<'_>, line: u32) -> [u8; 16] {
        let (place, seed) = match origin {
            Origin::File(_) => (frame.offset, self.seed),
            Origin::Devices => {
                let name = frame.iface.unwrap_or_default();
                (frame.number, XxHash3_64::oneshot_with_seed(self.seed, name))
            }
        };
        // The four numbers in one piece.
        let low = u128::from(line) | u128::from(place) << 32;
        let ts = u128::from(frame.ts.0.cast_unsigned());
        let high = u64::try_from(ts >> 32).unwrap_or_default() | u64::from(frame.link.0) << 32;
        let mut head = [0; 24];
        if let Some((first, second)) = head.split_first_chunk_mut() {
            *first = (low | ts << 96).to_le_bytes();
            second.copy_from_slice(&high.to_le_bytes());
        }
        let seed = XxHash3_64::oneshot_with_seed(seed, &head);
        XxHash3_128::oneshot_with_seed(seed, frame.data).to_be_bytes()
    }
}
