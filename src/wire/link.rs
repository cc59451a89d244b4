//! Link types as capture files number them (the LINKTYPE_ registry; for these the same numbers
//! as DLT_ unless said).

/// A link type: what the first byte of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: address family in the writer's byte order, then IP.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP: DLT_RAW on most systems, written into files as it is by some tools.
    pub const RAW_12: Self = Self(12);
    /// Raw IP: DLT_RAW of OpenBSD.
    pub const RAW_14: Self = Self(14);
    /// pflog of OpenBSD 3.0 to 3.3.
    pub const OLD_PFLOG: Self = Self(17);
    /// Raw IP: LINKTYPE_RAW.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network order, then IP.
    pub const LOOP: Self = Self(108);
    /// enc(4) of OpenBSD and FreeBSD: `struct enchdr` (family, SPI, flags), then IP.
    pub const ENC: Self = Self(109);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// pflog: `struct pfloghdr`, then IP.
    pub const PFLOG: Self = Self(117);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// The name tcpdump gives the link type, if it is one that is read.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "EN10MB",
            Self::RAW_12 | Self::RAW_14 | Self::RAW => "RAW",
            Self::OLD_PFLOG => "OLD_PFLOG",
            Self::LOOP => "LOOP",
            Self::ENC => "ENC",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::PFLOG => "PFLOG",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }
}
