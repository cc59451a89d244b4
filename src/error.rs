//! What went wrong while decoding a frame: the layer, the byte, the cause.
//!
//! Not here: faults of a file as a whole (`capture`) and wrong usage (`cli`).

use std::fmt;

/// The layer at which decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// The link layer below IP, or a link type that is not read.
    Link,
    /// `struct pfloghdr`, net/if_pflog.h.
    Pflog,
    /// pfsync header and messages, net/if_pfsync.h.
    Pfsync,
    /// The IP header, either version, and IPv6 extension headers.
    Ip,
    /// The header after IP.
    Transport,
}

impl Layer {
    /// The word used in text and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Pflog => "pflog",
            Self::Pfsync => "pfsync",
            Self::Ip => "ip",
            Self::Transport => "transport",
        }
    }
}

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes end before the structure does; `needed` counts from the layer's start.
    Truncated {
        /// Bytes the layer needs in all.
        needed: usize,
    },
    /// A length field holds a value that no writer produces.
    BadLength(usize),
    /// A version field (IP version nibble, pfsync version) holds an unknown value.
    BadVersion(u8),
    /// A link type that is not read.
    UnknownLinkType(u32),
    /// An ethertype or address family that is not IP.
    NotIp(u32),
}

impl Fault {
    /// The cause as one word, as in JSON's `error.cause`.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::BadLength(_) => "bad-length",
            Self::BadVersion(_) => "bad-version",
            Self::UnknownLinkType(_) => "unknown-link-type",
            Self::NotIp(_) => "not-ip",
        }
    }
}

/// Where and why the decoding of a frame stopped. Small and `Copy`: made on the hot path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeError {
    /// The layer that could not be read.
    pub layer: Layer,
    /// Offset of the fault from the frame's first byte.
    pub offset: usize,
    /// The cause.
    pub fault: Fault,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self.layer.name();
        match self.fault {
            Fault::Truncated { needed } => write!(f, "{layer} cut: needs {needed} bytes")?,
            Fault::BadLength(n) => write!(f, "{layer} header length {n} is not possible")?,
            Fault::BadVersion(n) => write!(f, "{layer} version {n} is not known")?,
            Fault::UnknownLinkType(n) => write!(f, "link type {n} is not read")?,
            Fault::NotIp(n) => write!(f, "{layer} protocol 0x{n:04x} is not IP")?,
        }
        write!(f, " (offset {} of the frame)", self.offset)
    }
}

impl std::error::Error for DecodeError {}
