//! The next-generation capture file (draft-ietf-opsawg-pcapng): typed blocks, in sections that
//! each have their own byte order and interfaces.

use super::Order;

/// Section Header Block; reads the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
/// Interface Description Block.
const INTERFACE: u32 = 1;
/// Simple Packet Block: no time, always of the section's first interface.
const SIMPLE: u32 = 3;
/// Enhanced Packet Block.
const ENHANCED: u32 = 6;

/// An interface description.
#[derive(Clone, Debug)]
pub struct Interface<'a> {
    /// Link type.
    pub link: u16,
    /// Option `if_name`.
    pub name: Option<&'a str>,
    /// Option `if_tsresol`: 10^-n seconds, or 2^-n with the highest bit set. Micro if absent.
    pub tsresol: Option<u8>,
    /// Option `if_tsoffset`: seconds to add to every time.
    pub tsoffset: Option<u64>,
}

/// A capture file in the making.
#[derive(Clone, Debug)]
pub struct Pcapng {
    bytes: Vec<u8>,
    order: Order,
}

impl Pcapng {
    /// Starts a file and its first section.
    pub fn new(order: Order) -> Self {
        let mut file = Self { bytes: Vec::new(), order };
        file.section(order);
        file
    }

    /// Starts another section; its interfaces count from 0 again.
    pub fn section(&mut self, order: Order) {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        // Length of the section: not given.
        body.extend(order.u64(u64::MAX));
        self.block(SECTION, &body);
    }

    /// Adds an interface to the section.
    pub fn interface(&mut self, interface: &Interface<'_>) {
        let mut body = self.order.u16(interface.link).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(super::capture::SNAPLEN));
        if let Some(name) = interface.name {
            self.option(&mut body, 2, name.as_bytes());
        }
        if let Some(resolution) = interface.tsresol {
            self.option(&mut body, 9, &[resolution]);
        }
        if let Some(offset) = interface.tsoffset {
            self.option(&mut body, 14, &self.order.u64(offset));
        }
        // opt_endofopt
        self.option(&mut body, 0, &[]);
        self.block(INTERFACE, &body);
    }

    /// Adds a packet of `len` bytes of which `data` was kept; `ticks` count the interface's unit.
    pub fn packet(&mut self, interface: u32, ticks: u64, data: &[u8], len: usize) {
        let mut body = Vec::new();
        let words = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, len as u32];
        for word in words {
            body.extend(self.order.u32(word));
        }
        pad(&mut body, data);
        self.block(ENHANCED, &body);
    }

    /// Adds a packet without a time.
    pub fn simple(&mut self, data: &[u8]) {
        let mut body = self.order.u32(data.len() as u32).to_vec();
        pad(&mut body, data);
        self.block(SIMPLE, &body);
    }

    /// Adds any block; `body` must be a multiple of 4 long.
    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let length = self.order.u32(body.len() as u32 + 12);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        body.extend(self.order.u16(code));
        body.extend(self.order.u16(value.len() as u16));
        pad(body, value);
    }
}

/// Appends `data` and zeros up to a multiple of 4; every field of pcapng starts at one.
fn pad(body: &mut Vec<u8>, data: &[u8]) {
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
}
