//! The sections of a pcapng file (draft-ietf-opsawg-pcapng, section header block) and the numbers
//! of their interfaces.

use crate::sink::savefile::{Kind, push_section};
use crate::wire::ByteOrder;

/// The sections of a pcapng file: one for each byte order, begun again where they take turns.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// Kind and number of the interfaces of a source.
    pub(super) numbers: Vec<(Kind, u32)>,
    source: usize,
    /// The section that is being written.
    pub(super) order: Option<ByteOrder>,
    little: Section,
    big: Section,
}

/// What a section begins with.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) bytes: Vec<u8>,
    interfaces: u32,
}

impl Sections {
    /// Goes to a source, which numbers its interfaces anew.
    pub(super) fn begin(&mut self, source: usize) {
        if self.source != source {
            self.source = source;
            self.numbers.clear();
        }
    }

    /// Goes to the section of a byte order; what it begins with, if another was written.
    pub(super) fn turn_to(&mut self, order: ByteOrder) -> Option<&[u8]> {
        if self.order.replace(order) == Some(order) {
            return None;
        }
        let section = self.section(order);
        if section.bytes.is_empty() {
            push_section(order, &mut section.bytes);
        }
        Some(&section.bytes)
    }

    pub(super) fn section(&mut self, order: ByteOrder) -> &mut Section {
        match order {
            ByteOrder::Little => &mut self.little,
            ByteOrder::Big => &mut self.big,
        }
    }

    /// Adds an interface to the section that is being written: its block, and what the section
    /// begins with from now on.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        name: Option<&[u8]>,
        snaplen: u32,
    ) -> (Vec<u8>, &[u8]) {
        let mut block = Vec::new();
        kind.push_interface(name, snaplen, &mut block);
        let section = self.section(kind.order);
        let number = section.interfaces;
        section.interfaces += 1;
        section.bytes.extend_from_slice(&block);
        self.numbers.push((kind, number));
        let bytes = match kind.order {
            ByteOrder::Little => &self.little.bytes,
            ByteOrder::Big => &self.big.bytes,
        };
        (block, bytes)
    }
}
