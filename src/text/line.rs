//! A piece of text that is written into a place of fixed size.
//!
//! What is appended to a `Vec` costs a look at its capacity and a length that goes through memory,
//! for each of some sixty pieces of a line. A [`Line`]'s length stays in a register.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv6Addr};

use super::{
    EIGHT_DIGITS, Integer, Ipv6Text, ZEROS, digits, hex_digits, ipv4, ipv6, number, octet,
};

/// Bytes of a place: what is longer is for a `Vec`.
pub const SIZE: usize = 4096;

/// Addresses of IPv6 whose text is kept.
const KEPT: usize = 64;

/// A place for a line.
#[derive(Debug)]
pub struct Room {
    bytes: [u8; SIZE],
    /// The addresses of lines before, each in the place that its bits give: a firewall sees its own
    /// in most packets, and one of IPv6 takes ten times as long to write as to copy.
    addresses: [(Ipv6Addr, Ipv6Text, usize); KEPT],
}

impl Default for Room {
    fn default() -> Self {
        let none = Ipv6Addr::UNSPECIFIED;
        let (text, len) = ipv6(none);
        Self { bytes: [0; SIZE], addresses: [(none, text, len); KEPT] }
    }
}

/// A line. It ends where the room does; then it [is none](Line::text).
#[derive(Debug)]
pub struct Line<'r> {
    room: &'r mut [u8; SIZE],
    addresses: &'r mut [(Ipv6Addr, Ipv6Text, usize); KEPT],
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
    V6(Ipv6Text, usize),
}

/// The text of a port or a length, which may stand in a line several times too.
#[derive(Debug, Clone, Copy)]
pub struct Number(u64, usize);

impl Number {
    /// Of a number of five digits at most.
    #[inline(always)]
    pub fn new(n: u16) -> Self {
        let (text, len) = number(n.into());
        Self(text, len)
    }
}

/// A number of more than eight digits, and how many it has. A function for itself that does not get
/// the [`Line`], whose length would have to be in memory for it.
#[inline(never)]
fn long(n: u64) -> ([u8; 32], usize) {
    let mut text = [0; 32];
    let (high, middle) = (n / EIGHT_DIGITS / EIGHT_DIGITS, n / EIGHT_DIGITS % EIGHT_DIGITS);
    let mut len = 0;
    let mut eight = |digits: u64, more: usize| {
        let place = text.get_mut(len..).and_then(<[u8]>::first_chunk_mut);
        place.into_iter().for_each(|place| *place = digits.to_le_bytes());
        len = len.wrapping_add(more);
    };
    if high == 0 {
        let (text, len) = number(middle);
        eight(text, len);
    } else {
        let (text, len) = number(high);
        eight(text, len);
        eight(digits(middle) | ZEROS, 8);
    }
    eight(digits(n % EIGHT_DIGITS) | ZEROS, 8);
    (text, len)
}

/// A piece of text that is ready.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'t> {
    /// It, and what stands behind it.
    text: &'t [u8],
    len: usize,
}

impl<'t> Piece<'t> {
    /// Up to this length it is copied by a fixed size, if as much stands there: the length of a
    /// copy of any size is found out by branches that all pieces share.
    pub const SHORT: usize = 64;

    /// The first `len` bytes of a text.
    #[inline(always)]
    pub const fn new(text: &'t [u8], len: usize) -> Self {
        Self { text, len }
    }

    /// It alone.
    #[inline]
    pub fn bytes(&self) -> &'t [u8] {
        self.text.get(..self.len).unwrap_or(self.text)
    }
}

impl<'r> Line<'r> {
    /// A line without a piece.
    #[inline(always)]
    pub const fn new(room: &'r mut Room) -> Self {
        let Room { bytes, addresses } = room;
        Self { room: bytes, addresses, len: 0 }
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

    /// Takes back what was appended since it was this long.
    #[inline(always)]
    pub const fn cut(&mut self, len: usize) {
        self.len = len;
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

    /// Appends a piece that is ready.
    #[inline(always)]
    pub fn piece(&mut self, piece: &Piece<'_>) {
        match piece.text.first_chunk::<{ Piece::SHORT }>() {
            Some(text) if piece.len <= Piece::SHORT => self.some(text, piece.len),
            _ => self.bytes(piece.bytes()),
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
            self.part(long(n));
        }
    }

    /// Appends a small number, which is one of a table's.
    #[inline(always)]
    pub fn octet(&mut self, n: u8) {
        let octet = octet(n);
        // Without the dot.
        self.some(&octet.to_le_bytes(), ((octet >> 32) as usize).wrapping_sub(1));
    }

    /// Appends a number whose text is there.
    #[inline(always)]
    pub fn number(&mut self, Number(text, len): &Number) {
        self.some(&text.to_le_bytes(), *len);
    }

    /// Appends bytes as hex digits.
    #[inline(always)]
    pub fn hex(&mut self, bytes: &[u8; 16]) {
        for &four in bytes.as_chunks().0 {
            self.put(&hex_digits(u32::from_be_bytes(four)).to_le_bytes());
        }
    }

    /// The text of an address. Nothing is appended.
    #[inline(always)]
    pub fn address(&mut self, addr: IpAddr) -> Address {
        match addr {
            IpAddr::V4(addr) => {
                let (text, len) = ipv4(addr);
                let words = text.to_le_bytes().as_chunks().0.first_chunk().copied();
                Address::V4(words.unwrap_or_default().map(u64::from_le_bytes), len)
            }
            IpAddr::V6(addr) => {
                let place = self.addresses.get_mut(place(addr));
                let Some((known, text, len)) = place else { return Address::V4([0; 2], 0) };
                if *known != addr {
                    (*text, *len) = ipv6(addr);
                    *known = addr;
                }
                Address::V6(*text, *len)
            }
        }
    }

    /// Appends an address that the line has once.
    #[inline(always)]
    pub fn addr(&mut self, addr: IpAddr) {
        let text = self.address(addr);
        self.ip(&text);
    }

    /// Appends the text of an address.
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

/// Where an address is kept.
#[inline(always)]
fn place(addr: Ipv6Addr) -> usize {
    let octets = addr.octets();
    let halves: Option<&[[u8; 8]; 2]> = octets.as_chunks().0.first_chunk();
    let [net, host] = halves.map_or([0; 2], |halves| halves.map(u64::from_be_bytes));
    let sum = (net ^ net >> 32 ^ host).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [highest, ..] = sum.to_be_bytes();
    usize::from(highest) % KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stand_one_after_the_other() {
        let mut room = Room::default();
        room.bytes.fill(b'?');
        let mut line = Line::new(&mut room);
        assert!(line.is_empty());
        line.put(b"from ");
        let [v6, v4, none] =
            ["2001:db8::1", "192.0.2.255", "::"].map(|text| line.address(text.parse().unwrap()));
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
        line.number(&Number::new(0));
        line.number(&Number::new(65_535));
        line.put(b" ");
        line.dec(0_u8);
        line.put(b" ");
        line.dec(99_999_999_u32);
        line.put(b" ");
        line.dec(u64::MAX);
        line.put(b" ");
        line.dec(100_000_000_u64);
        line.put(b" ");
        line.dec(10_000_000_000_000_000_u64);
        line.put(b" ");
        line.dec(-5_i32);
        line.part((*b" part", 3));
        line.piece(&Piece::new(b" piece", 4));
        line.piece(&Piece::new(&[b'='; 200], Piece::SHORT));
        line.piece(&Piece::new(&[b'-'; 200], 100));
        line.bytes(b" bytes ");
        line.hex(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff\xfe\xfd\xfc\xfb");
        let (equals, dashes) = ("=".repeat(64), "-".repeat(100));
        let expected = format!(
            "from 2001:db8::1 or 192.0.2.255 again 2001:db8::1 ::: 0,9,10,99,100,255,065535 0 \
            99999999 18446744073709551615 100000000 10000000000000000 -5 pa pie\
            {equals}{dashes} bytes 000102030405060708090afffefdfcfb"
        );
        assert_eq!(line.len(), expected.len());
        assert_eq!(line.text(), Some(expected.as_bytes()));
    }

    #[test]
    fn what_has_no_room_is_no_line() {
        for len in [SIZE - 48, SIZE - 8, SIZE - 1, SIZE] {
            let mut room = Room::default();
            let mut line = Line::new(&mut room);
            line.bytes(&vec![b'x'; len]);
            assert_eq!(line.text().map(<[u8]>::len), Some(len));
            for _ in 0..10 {
                line.dec(7_u8);
                line.put(b"more");
            }
            assert!(line.text().is_none() || len + 50 <= SIZE, "{len}");
            line.bytes(b"x");
            let address = line.address("::1".parse().unwrap());
            line.ip(&address);
            assert!(line.text().is_none_or(|text| text.len() > len));
        }
    }
}
