//! The bytes of VICI: transport segments, packets, message elements. Pure; the README of
//! strongSwan's vici plugin is the reference.
//!
//! ```text
//! segment  length u32 (of what follows, at most 512 KiB), packet
//! packet   type u8, for types with a name: length u8 and name, then a message or nothing
//!          0 CMD_REQUEST name message   1 CMD_RESPONSE message   2 CMD_UNKNOWN
//!          3 EVENT_REGISTER name        4 EVENT_UNREGISTER name  5 EVENT_CONFIRM
//!          6 EVENT_UNKNOWN              7 EVENT name message
//! element  type u8: 1 SECTION_START name   2 SECTION_END   3 KEY_VALUE name value
//!                   4 LIST_START name   5 LIST_ITEM value   6 LIST_END
//! name     length u8, bytes            value  length u16, bytes
//! ```
//! All numbers in network order. A message that cannot be decoded is an error value: the
//! segment's length still tells where the next one starts.

use std::fmt;

use nom::combinator::{map, success};
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

use super::message::{Item, Section};

/// Most bytes of a segment, its length field not counted; charon closes the connection above.
pub const MAX_SEGMENT: usize = 512 * 1024;
/// Most sections within each other. strongSwan's own messages nest five deep.
pub const MAX_DEPTH: usize = 32;
/// Bytes of the length field before a segment.
const HEADER: usize = 4;

/// What a segment holds. Bodies are messages, not yet decoded: see [`decode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// 0, client: run a command.
    CmdRequest {
        /// The command.
        name: &'a [u8],
        /// Its arguments.
        body: &'a [u8],
    },
    /// 1, server: the command's result.
    CmdResponse(&'a [u8]),
    /// 2, server: there is no such command.
    CmdUnknown,
    /// 3, client: send events of this name.
    EventRegister(&'a [u8]),
    /// 4, client: send them no more.
    EventUnregister(&'a [u8]),
    /// 5, server: (un)registered.
    EventConfirm,
    /// 6, server: there is no such event, or it was not registered.
    EventUnknown,
    /// 7, server: an event.
    Event {
        /// The event.
        name: &'a [u8],
        /// What it tells.
        body: &'a [u8],
    },
}

/// A step through a message, borrowed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element<'a> {
    /// 1: a section of this name begins.
    SectionStart(&'a [u8]),
    /// 2: the innermost section ends.
    SectionEnd,
    /// 3: a key and its value.
    KeyValue(&'a [u8], &'a [u8]),
    /// 4: a list of this name begins.
    ListStart(&'a [u8]),
    /// 5: an item of the list.
    ListItem(&'a [u8]),
    /// 6: the list ends.
    ListEnd,
}

/// Why bytes are no packet or no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes end within an element, a section, a list or a name.
    Truncated,
    /// A packet type that is not defined.
    UnknownPacket(u8),
    /// An element type that is not defined.
    UnknownElement(u8),
    /// A defined element where it may not stand: an item outside a list, a key within one.
    Misplaced(u8),
    /// Sections nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A segment longer than [`MAX_SEGMENT`].
    TooLong(usize),
    /// A name longer than 255 bytes (when encoding).
    LongName(usize),
    /// A value longer than 65535 bytes (when encoding).
    LongValue(usize),
}

/// Where and why decoding or encoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodecError {
    /// Offset in the packet or message that was decoded, or in what had been encoded so far.
    pub offset: usize,
    /// The cause.
    pub fault: Fault,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Truncated => write!(f, "ends too soon")?,
            Fault::UnknownPacket(n) => write!(f, "packet type {n} is not known")?,
            Fault::UnknownElement(n) => write!(f, "element type {n} is not known")?,
            Fault::Misplaced(n) => write!(f, "element type {n} may not stand here")?,
            Fault::TooDeep => write!(f, "more than {MAX_DEPTH} sections within each other")?,
            Fault::TooLong(n) => write!(f, "{n} bytes are more than the {MAX_SEGMENT} allowed")?,
            Fault::LongName(n) => write!(f, "a name of {n} bytes: at most 255 are allowed")?,
            Fault::LongValue(n) => write!(f, "a value of {n} bytes: at most 65535 are allowed")?,
        }
        write!(f, " (offset {})", self.offset)
    }
}

impl std::error::Error for CodecError {}

const fn fail<T>(offset: usize, fault: Fault) -> Result<T, CodecError> {
    Err(CodecError { offset, fault })
}

/// Cuts a stream of bytes into segments, however the bytes arrive.
#[derive(Debug, Default)]
pub struct Segments {
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been given out.
    taken: usize,
}

impl Segments {
    /// Adds bytes as they were received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole segment without its length field, if it has arrived.
    ///
    /// # Errors
    /// [`Fault::TooLong`] as soon as the length field is there: nothing is reserved for it, and
    /// what follows cannot be cut any more.
    pub fn next_segment(&mut self) -> Result<Option<&[u8]>, CodecError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length > MAX_SEGMENT {
            return fail(0, Fault::TooLong(length));
        }
        let Some(segment) = rest.get(..length) else { return Ok(None) };
        self.taken = self.taken.saturating_add(HEADER).saturating_add(length);
        Ok(Some(segment))
    }

    /// True if the stream may end here: no segment has begun.
    pub fn is_at_boundary(&self) -> bool {
        self.taken >= self.buffer.len()
    }
}

impl<'a> Packet<'a> {
    /// Parses a segment. What stands behind a packet that has no message is ignored, as
    /// strongSwan does.
    ///
    /// # Errors
    /// An empty segment, an unknown type, a name that is longer than the segment.
    pub fn parse(segment: &'a [u8]) -> Result<Self, CodecError> {
        let Some((&kind, rest)) = segment.split_first() else {
            return fail(0, Fault::Truncated);
        };
        let named = || match name(rest) {
            Ok((body, name)) => Ok((name, body)),
            Err(_) => fail(1, Fault::Truncated),
        };
        Ok(match kind {
            0 => named().map(|(name, body)| Self::CmdRequest { name, body })?,
            1 => Self::CmdResponse(rest),
            2 => Self::CmdUnknown,
            3 => named().map(|(name, _)| Self::EventRegister(name))?,
            4 => named().map(|(name, _)| Self::EventUnregister(name))?,
            5 => Self::EventConfirm,
            6 => Self::EventUnknown,
            7 => named().map(|(name, body)| Self::Event { name, body })?,
            other => return fail(0, Fault::UnknownPacket(other)),
        })
    }

    /// The whole segment, length field included.
    ///
    /// # Errors
    /// [`Fault::LongName`], [`Fault::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let (kind, name, body): (u8, Option<&[u8]>, &[u8]) = match *self {
            Self::CmdRequest { name, body } => (0, Some(name), body),
            Self::CmdResponse(body) => (1, None, body),
            Self::CmdUnknown => (2, None, &[]),
            Self::EventRegister(name) => (3, Some(name), &[]),
            Self::EventUnregister(name) => (4, Some(name), &[]),
            Self::EventConfirm => (5, None, &[]),
            Self::EventUnknown => (6, None, &[]),
            Self::Event { name, body } => (7, Some(name), body),
        };
        let mut out = vec![0; HEADER];
        out.push(kind);
        if let Some(name) = name {
            put_name(&mut out, name)?;
        }
        out.extend_from_slice(body);
        let length = out.len().saturating_sub(HEADER);
        match (u32::try_from(length), out.first_chunk_mut::<HEADER>()) {
            (Ok(field), Some(header)) if length <= MAX_SEGMENT => *header = field.to_be_bytes(),
            _ => return fail(0, Fault::TooLong(length)),
        }
        Ok(out)
    }
}

fn name(i: &[u8]) -> IResult<&[u8], &[u8]> {
    length_data(be_u8).parse(i)
}

fn value(i: &[u8]) -> IResult<&[u8], &[u8]> {
    length_data(be_u16).parse(i)
}

/// The element behind its type; `None` for an unknown type.
fn element(kind: u8, i: &[u8]) -> Option<IResult<&[u8], Element<'_>>> {
    Some(match kind {
        1 => map(name, Element::SectionStart).parse(i),
        2 => success(Element::SectionEnd).parse(i),
        3 => map((name, value), |(name, value)| Element::KeyValue(name, value)).parse(i),
        4 => map(name, Element::ListStart).parse(i),
        5 => map(value, Element::ListItem).parse(i),
        6 => success(Element::ListEnd).parse(i),
        _ => return None,
    })
}

/// The elements of a message in order, checked as they are read: sections and lists are
/// balanced, items stand in lists alone, nothing is nested deeper than [`MAX_DEPTH`]. Allocates
/// nothing. After an error there are no more.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    offset: usize,
    depth: usize,
    in_list: bool,
}

impl<'a> Elements<'a> {
    /// The elements of a packet's body.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, offset: 0, depth: 0, in_list: false }
    }

    fn step(&mut self) -> Result<Option<Element<'a>>, CodecError> {
        let at = self.offset;
        let Some((&kind, rest)) = self.rest.split_first() else {
            let open = self.depth > 0 || self.in_list;
            return if open { fail(at, Fault::Truncated) } else { Ok(None) };
        };
        let Some(parsed) = element(kind, rest) else {
            return fail(at, Fault::UnknownElement(kind));
        };
        let Ok((rest, element)) = parsed else { return fail(at, Fault::Truncated) };
        let fits = match element {
            Element::ListItem(_) | Element::ListEnd => self.in_list,
            Element::SectionEnd => !self.in_list && self.depth > 0,
            _ => !self.in_list,
        };
        if !fits {
            return fail(at, Fault::Misplaced(kind));
        }
        match element {
            Element::SectionStart(_) if self.depth == MAX_DEPTH => return fail(at, Fault::TooDeep),
            Element::SectionStart(_) => self.depth = self.depth.saturating_add(1),
            Element::SectionEnd => self.depth = self.depth.saturating_sub(1),
            Element::ListStart(_) => self.in_list = true,
            Element::ListEnd => self.in_list = false,
            Element::KeyValue(..) | Element::ListItem(_) => {}
        }
        self.offset = at.saturating_add(self.rest.len().saturating_sub(rest.len()));
        self.rest = rest;
        Ok(Some(element))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if matches!(step, Some(Err(_))) {
            *self = Self::new(&[]);
        }
        step
    }
}

/// Decodes a message into its tree.
///
/// # Errors
/// The first element that is not as it should be; nothing is kept of such a message.
pub fn decode(body: &[u8]) -> Result<Section, CodecError> {
    if body.len() > MAX_SEGMENT {
        return fail(0, Fault::TooLong(body.len()));
    }
    section(&mut Elements::new(body))
}

/// The entries up to the section's end; [`Elements`] limits the depth.
fn section(elements: &mut Elements<'_>) -> Result<Section, CodecError> {
    let mut section_of = Section::new();
    while let Some(element) = elements.next().transpose()? {
        match element {
            Element::SectionStart(name) => section_of.push_section(name, section(elements)?),
            Element::SectionEnd => break,
            Element::KeyValue(name, value) => section_of.push_value(name, value),
            Element::ListStart(name) => section_of.push(name, Item::List(list(elements)?)),
            // Elements gives these within lists alone.
            Element::ListItem(_) | Element::ListEnd => {}
        }
    }
    Ok(section_of)
}

fn list(elements: &mut Elements<'_>) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut items = Vec::new();
    while let Some(Element::ListItem(item)) = elements.next().transpose()? {
        items.push(item.to_vec());
    }
    Ok(items)
}

/// Encodes a tree; the inverse of [`decode`].
///
/// # Errors
/// [`Fault::LongName`], [`Fault::LongValue`], [`Fault::TooDeep`], [`Fault::TooLong`].
pub fn encode(message: &Section) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    put_entries(&mut out, message, 0)?;
    if out.len() > MAX_SEGMENT {
        return fail(0, Fault::TooLong(out.len()));
    }
    Ok(out)
}

fn put_entries(out: &mut Vec<u8>, section: &Section, depth: usize) -> Result<(), CodecError> {
    for (name, item) in section.entries() {
        match item {
            Item::Value(value) => {
                out.push(3);
                put_name(out, name)?;
                put_value(out, value)?;
            }
            Item::List(items) => {
                out.push(4);
                put_name(out, name)?;
                for item in items {
                    out.push(5);
                    put_value(out, item)?;
                }
                out.push(6);
            }
            Item::Section(_) if depth == MAX_DEPTH => return fail(out.len(), Fault::TooDeep),
            Item::Section(inner) => {
                out.push(1);
                put_name(out, name)?;
                put_entries(out, inner, depth.saturating_add(1))?;
                out.push(2);
            }
        }
    }
    Ok(())
}

fn put_name(out: &mut Vec<u8>, name: &[u8]) -> Result<(), CodecError> {
    let Ok(length) = u8::try_from(name.len()) else {
        return fail(out.len(), Fault::LongName(name.len()));
    };
    out.push(length);
    out.extend_from_slice(name);
    Ok(())
}

fn put_value(out: &mut Vec<u8>, value: &[u8]) -> Result<(), CodecError> {
    let Ok(length) = u16::try_from(value.len()) else {
        return fail(out.len(), Fault::LongValue(value.len()));
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests;
