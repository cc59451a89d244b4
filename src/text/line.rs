//! A piece of text that is written into a place of fixed size.
//!
//! What is appended to a `Vec` costs a look at its capacity and a length that goes through memory,
//! for each of some sixty pieces of a line. A [`Line`]'s length stays in a register.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::{EIGHT_DIGITS, Integer, ZEROS, digits, hex_digits, ipv4, ipv6, number, octet};

/// Bytes of a place: what is longer is for a `Vec`.
pub const SIZE: usize = 4096;

/// A place for a line.
pub type Room = [u8; SIZE];

/// A line. It ends where the room does; then it [is none](Line::text).
#[derive(Debug)]
pub struct Line<'r> {
    room: &'r mut Room,
    /// More than there is room for once a piece had none.
    len: usize,
}

/// The text of an address, which may stand in a line several times: it is not read from there, where
/// it lies in other pieces' stores.
#[derive(Debug, Clone, Copy)]
pub enum Address {
    /// IPv4 in two words, and how long it is: in one piece of memory it would be loaded again
    /// while the words are still being stored.
    V4([u64; 2], usize),
    /// IPv6, and how long it is.
    V6([u8; 48], usize),
}

impl Address {
    /// An address's.
    #[inline(always)]
    pub fn new(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => {
                let (text, len) = ipv4(addr);
                let words = text.to_le_bytes().as_chunks().0.first_chunk().copied();
                Self::V4(words.unwrap_or_default().map(u64::from_le_bytes), len)
            }
            IpAddr::V6(addr) => {
                let (text, len) = ipv6(addr);
                Self::V6(text, len)
            }
        }
    }
}

/// The text of a port, which may stand in a line several times too.
#[derive(Debug, Clone, Copy)]
pub struct Port(u64, usize);

impl Port {
    /// A port's.
    #[inline(always)]
    pub fn new(port: u16) -> Self {
        let (text, len) = number(port.into());
        Self(text, len)
    }
}

impl<'r> Line<'r> {
    /// A line without a piece.
    #[inline(always)]
    pub const fn new(room: &'r mut Room) -> Self {
        Self { room, len: 0 }
    }

    /// The line, unless the room was too small.
    #[inline(always)]
    pub fn text(&self) -> Option<&[u8]> {
        self.room.get(..self.len)
    }

    /// How long it is.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if it has no piece.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the first `len` of some bytes: a copy of fixed size is a store.
    #[inline(always)]
    fn some<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        match self.room.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            Some(place) => {
                *place = *bytes;
                self.len = self.len.wrapping_add(len);
            }
            None => self.len = SIZE + 1,
        }
    }

    /// Appends the first bytes of a text.
    #[inline(always)]
    pub fn part<const N: usize>(&mut self, (text, len): ([u8; N], usize)) {
        self.some(&text, len);
    }

    /// Appends text as it is.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, text: &[u8; N]) {
        self.some(text, N);
    }

    /// Appends bytes as they are.
    #[inline(always)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.wrapping_add(bytes.len());
        match self.room.get_mut(self.len..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.len = SIZE + 1,
        }
    }

    /// Appends a decimal number.
    #[inline(always)]
    pub fn dec(&mut self, n: impl Integer) {
        let (negative, n) = n.parts();
        if negative {
            self.put(b"-");
        }
        if n < EIGHT_DIGITS {
            let (text, len) = number(n);
            self.some(&text.to_le_bytes(), len);
        } else {
            self.long_dec(n);
        }
    }

    #[inline(never)]
    fn long_dec(&mut self, n: u64) {
        self.dec(n / EIGHT_DIGITS);
        self.put(&(digits(n % EIGHT_DIGITS) | ZEROS).to_le_bytes());
    }

    /// Appends a small number, which is one of a table's.
    #[inline(always)]
    pub fn octet(&mut self, n: u8) {
        let octet = octet(n);
        // Without the dot.
        self.some(&octet.to_le_bytes(), ((octet >> 32) as usize).wrapping_sub(1));
    }

    /// Appends a port.
    #[inline(always)]
    pub fn port(&mut self, Port(text, len): &Port) {
        self.some(&text.to_le_bytes(), *len);
    }

    /// Appends bytes as hex digits.
    #[inline(always)]
    pub fn hex(&mut self, bytes: &[u8; 16]) {
        for &four in bytes.as_chunks().0 {
            self.put(&hex_digits(u32::from_be_bytes(four)).to_le_bytes());
        }
    }

    /// Appends an address.
    #[inline(always)]
    pub fn ip(&mut self, addr: &Address) {
        match addr {
            Address::V4(words, len) => {
                let place = self.room.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut);
                let Some(place): Option<&mut [u8; 16]> = place else {
                    self.len = SIZE + 1;
                    return;
                };
                let (halves, _) = place.as_chunks_mut();
                for (half, word) in halves.iter_mut().zip(words) {
                    *half = word.to_le_bytes();
                }
                self.len = self.len.wrapping_add(*len);
            }
            Address::V6(text, len) => self.some(text, *len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stand_one_after_the_other() {
        let mut room = [b'?'; SIZE];
        let mut line = Line::new(&mut room);
        assert!(line.is_empty());
        line.put(b"from ");
        let [v6, v4, none] =
            ["2001:db8::1", "192.0.2.255", "::"].map(|text| Address::new(text.parse().unwrap()));
        line.ip(&v6);
        line.put(b" or ");
        line.ip(&v4);
        line.put(b" again ");
        line.ip(&v6);
        line.put(b" ");
        line.ip(&none);
        line.put(b": ");
        for n in [0, 9, 10, 99, 100, 255] {
            line.octet(n);
            line.put(b",");
        }
        line.port(&Port::new(0));
        line.port(&Port::new(65_535));
        line.put(b" ");
        line.dec(0_u8);
        line.put(b" ");
        line.dec(99_999_999_u32);
        line.put(b" ");
        line.dec(u64::MAX);
        line.put(b" ");
        line.dec(-5_i32);
        line.part((*b" part", 3));
        line.bytes(b" bytes ");
        line.hex(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff\xfe\xfd\xfc\xfb");
        let expected = "from 2001:db8::1 or 192.0.2.255 again 2001:db8::1 ::: 0,9,10,99,100,255,065535 0 \
            99999999 18446744073709551615 -5 pa bytes 000102030405060708090afffefdfcfb";
        assert_eq!(line.len(), expected.len());
        assert_eq!(line.text(), Some(expected.as_bytes()));
    }

    #[test]
    fn what_has_no_room_is_no_line() {
        for len in [SIZE - 48, SIZE - 8, SIZE - 1, SIZE] {
            let mut room = [0; SIZE];
            let mut line = Line::new(&mut room);
            line.bytes(&vec![b'x'; len]);
            assert_eq!(line.text().map(<[u8]>::len), Some(len));
            for _ in 0..10 {
                line.dec(7_u8);
                line.put(b"more");
            }
            assert!(line.text().is_none() || len + 50 <= SIZE, "{len}");
            line.bytes(b"x");
            line.ip(&Address::new("::1".parse().unwrap()));
            assert!(line.text().is_none_or(|text| text.len() > len));
        }
    }
}
