//! What is wrong with a capture file: as it is opened ([`Error`]) or further on ([`Fault`]).
//!
//! Neither names the file: whoever prints one does (`pfscope: FILE: ...`).

use std::{fmt, io};

use super::MAX_RECORD_LEN;
use crate::text;

/// Why a file cannot be opened as a capture file.
#[derive(Debug)]
pub enum Error {
    /// The system does not give it.
    Io(io::Error),
    /// It is a directory.
    Directory,
    /// There is not one byte in it.
    Empty,
    /// It begins with these bytes (four at most), which no format that is read begins with.
    NotCapture(Vec<u8>),
    /// It begins as a capture file does, but its header cannot be used.
    Header(Cause),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&io_text(error)),
            Self::Directory => f.write_str("is a directory"),
            Self::Empty => f.write_str("is empty: not a capture file"),
            Self::NotCapture(magic) => {
                let mut hex = Vec::new();
                text::push_hex(&mut hex, magic);
                let hex = text::escaped(&hex);
                write!(f, "not a pcap or pcapng file (starts with {hex}")?;
                match format_name(magic) {
                    Some(name) => write!(f, ": {name})"),
                    None => f.write_str(")"),
                }
            }
            Self::Header(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Header(cause) => cause.source(),
            Self::Directory | Self::Empty | Self::NotCapture(_) => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Formats that people try and that are not read; the compressed ones only if they are not
/// unpacked or lie inside another compressed file.
fn format_name(magic: &[u8]) -> Option<&'static str> {
    Some(match magic {
        [0x1f, 0x8b, ..] => "gzip inside another compressed file",
        [0xfd, b'7', b'z', b'X'] => "xz, which is not unpacked",
        [0x04, 0x22, 0x4d, 0x18] => "lz4, which is not unpacked",
        [b'P', b'K', 3, 4] => "zip, which is not unpacked",
        [b's', b'n', b'o', b'o'] => "snoop",
        [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1] => "modified pcap",
        _ => return None,
    })
}

/// Where in a file its reading had to stop, and why. The records before it are good.
#[derive(Debug)]
pub struct Fault {
    /// The reason.
    pub cause: Cause,
    /// Number of the record at fault, or of the one that would have come next, from 1.
    pub record: u64,
    /// Offset of that record's header from the start of the file (decompressed).
    pub offset: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at record {}, byte {}", self.cause, self.record, self.offset)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// What cannot be right in a capture file.
#[derive(Debug)]
pub enum Cause {
    /// The file ends too early.
    Cut {
        /// What it ends in: "record", "block".
        part: &'static str,
        /// Bytes of it that are there.
        have: u64,
        /// Bytes that it has.
        need: u64,
    },
    /// A version that is not read.
    Version {
        /// "pcap" or "pcapng".
        format: &'static str,
        /// Its number before the dot.
        major: u16,
        /// Its number after the dot.
        minor: u16,
    },
    /// More bytes in a record than [`MAX_RECORD_LEN`].
    RecordTooLong(u32),
    /// A pcapng block that has to be in memory as a whole is too large for that.
    BlockTooLong {
        /// Its length.
        len: u32,
        /// What is allowed.
        limit: u32,
    },
    /// A pcapng block length that is no multiple of four or too small for the block's type.
    BlockLength(u32),
    /// The two lengths of a pcapng block differ.
    BlockEnd {
        /// The one in front.
        start: u32,
        /// The one at the end.
        end: u32,
    },
    /// A pcapng packet block is too small for the record in it.
    RecordOverBlock(u32),
    /// The byte-order magic of a pcapng section is none.
    ByteOrder([u8; 4]),
    /// A pcapng packet block of an interface that its section does not describe.
    UnknownInterface(u32),
    /// More pcapng interfaces than are kept.
    TooManyInterfaces(usize),
    /// An option of a pcapng interface block has an impossible length; its code.
    Option(u16),
    /// The file cannot be read on, or what it is compressed with not be unpacked.
    Read(io::Error),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { part, have, need } => {
                write!(
                    f,
                    "the file ends in the middle of a {part}: {have} of {need} bytes are there"
                )
            }
            Self::Version { format, major, minor } => {
                write!(f, "{format} version {major}.{minor} is not known")
            }
            Self::RecordTooLong(len) => {
                write!(f, "record length {len} is over the limit of {MAX_RECORD_LEN}")
            }
            Self::BlockTooLong { len, limit } => {
                write!(f, "block length {len} is over the limit of {limit}")
            }
            Self::BlockLength(len) => write!(f, "block length {len} is not possible"),
            Self::BlockEnd { start, end } => {
                write!(f, "block length is {start} in front and {end} at its end")
            }
            Self::RecordOverBlock(len) => {
                write!(f, "record length {len} is more than its block holds")
            }
            Self::ByteOrder([a, b, c, d]) => {
                write!(f, "byte-order magic {a:02x}{b:02x}{c:02x}{d:02x} is not known")
            }
            Self::UnknownInterface(id) => {
                write!(f, "packet block of interface {id}, which the section does not describe")
            }
            Self::TooManyInterfaces(limit) => write!(f, "more than {limit} interfaces"),
            Self::Option(code) => {
                write!(f, "option {code} of an interface has an impossible length")
            }
            Self::Read(error) => f.write_str(&io_text(error)),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}

/// The error's text without the number that the standard library adds to it.
fn io_text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error ") {
        text.truncate(end);
    }
    text
}
