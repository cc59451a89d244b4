//! The classic capture file (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.

use super::Order;

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Whole seconds.
    pub sec: u32,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

/// What the second word of a record's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Magic 0xa1b2c3d4.
    Micro,
    /// Magic 0xa1b23c4d.
    Nano,
}

/// The snapshot length written into the files: no cut.
pub const SNAPLEN: u32 = 262_144;

/// The link-type word of Ethernet whose frames end with a check sum of 4 bytes: bit 26 says
/// that the four highest bits hold its length in units of 16 bits.
pub const ETHERNET_FCS: u32 = 0x2400_0001;

/// A capture file in the making.
#[derive(Clone, Debug)]
pub struct Pcap {
    bytes: Vec<u8>,
    order: Order,
    unit: Unit,
}

impl Pcap {
    /// Starts a file. `link` is the whole word, with the bits about the check sum.
    pub fn new(order: Order, unit: Unit, link: u32) -> Self {
        let magic: u32 = match unit {
            Unit::Micro => 0xa1b2_c3d4,
            Unit::Nano => 0xa1b2_3c4d,
        };
        let mut bytes = order.u32(magic).to_vec();
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        // Time zone and accuracy, which nobody ever set.
        bytes.extend([0; 8]);
        bytes.extend(order.u32(SNAPLEN));
        bytes.extend(order.u32(link));
        Self { bytes, order, unit }
    }

    /// Adds a record that holds all of its packet.
    pub fn record(&mut self, time: Time, data: &[u8]) {
        self.cut_record(time, data, data.len());
    }

    /// Adds a record of a packet of `len` bytes of which `data` was kept.
    pub fn cut_record(&mut self, time: Time, data: &[u8], len: usize) {
        self.record_header(time, data.len() as u32, len as u32);
        self.raw(data);
    }

    /// Adds a record's header alone, whatever it claims.
    pub fn record_header(&mut self, time: Time, caplen: u32, len: u32) {
        let fraction = match self.unit {
            Unit::Micro => time.nsec / 1000,
            Unit::Nano => time.nsec,
        };
        for word in [time.sec, fraction, caplen, len] {
            self.bytes.extend(self.order.u32(word));
        }
    }

    /// Adds bytes that need not be a record.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
