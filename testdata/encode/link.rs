//! What stands before an IP packet on the link types pfscope reads besides pflog.

use super::Order;

/// Link types (tcpdump.org/linktypes.html).
pub mod link_type {
    /// BSD loopback, family in the writer's order.
    pub const NULL: u32 = 0;
    /// Ethernet.
    pub const ETHERNET: u32 = 1;
    /// `DLT_RAW` as most systems number it, found in old files.
    pub const RAW_12: u32 = 12;
    /// `DLT_RAW` as OpenBSD numbers it.
    pub const RAW_14: u32 = 14;
    /// Raw IP.
    pub const RAW: u32 = 101;
    /// `DLT_PFSYNC` of OpenBSD, NetBSD and DragonFly; IP over ATM elsewhere.
    pub const PFSYNC_18: u32 = 18;
    /// `DLT_PFSYNC` of FreeBSD; HHDLC elsewhere.
    pub const PFSYNC_121: u32 = 121;
    /// `LINKTYPE_PFSYNC`: what libpcap writes into files.
    pub const PFSYNC: u32 = 246;
    /// OpenBSD loopback, family in network order.
    pub const LOOP: u32 = 108;
    /// OpenBSD and FreeBSD enc(4).
    pub const ENC: u32 = 109;
    /// Linux cooked.
    pub const SLL: u32 = 113;
    /// pflog(4).
    pub const PFLOG: u32 = 117;
    /// Raw IPv4.
    pub const IPV4: u32 = 228;
    /// Raw IPv6.
    pub const IPV6: u32 = 229;
    /// Linux cooked, version 2.
    pub const SLL2: u32 = 276;
}

/// Two locally administered stations.
const STATIONS: [u8; 12] = [2, 0, 0, 0, 0, 0x14, 2, 0, 0, 0, 0, 0x0a];

/// The `EtherType` of an IP packet.
pub fn ether_type(packet: &[u8]) -> u16 {
    if packet.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 }
}

/// `AF_INET`, or the system's number for IPv6 that the caller names.
pub fn family(packet: &[u8], af6: u8) -> u32 {
    if ether_type(packet) == 0x86dd { u32::from(af6) } else { 2 }
}

/// An Ethernet frame with tags (TPID, VLAN) outermost first: 0x8100 802.1Q, 0x88a8 802.1ad.
pub fn ethernet(tags: &[(u16, u16)], kind: u16, payload: &[u8]) -> Vec<u8> {
    ethernet_between(STATIONS, tags, kind, payload)
}

/// The same between the stations whose addresses (destination first) the caller names.
pub fn ethernet_between(
    stations: [u8; 12],
    tags: &[(u16, u16)],
    kind: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = stations.to_vec();
    for (tpid, vlan) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The check sum at the end of an Ethernet frame (CRC-32, least significant byte first).
pub fn fcs(frame: &[u8]) -> [u8; 4] {
    super::packet::crc32(frame, 0xedb8_8320).to_le_bytes()
}

/// `DLT_NULL` with the order of the writer, `DLT_LOOP` with `Order::Big`.
pub fn null(order: Order, family: u32, packet: &[u8]) -> Vec<u8> {
    [&order.u32(family), packet].concat()
}

/// Linux cooked, received: packet type, `ARPHRD_ETHER`, address, protocol.
pub fn sll(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 0x0a, 0, 0];
    frame.extend(ether_type(packet).to_be_bytes());
    frame.extend(packet);
    frame
}

/// Linux cooked version 2, sent: protocol, interface index, `ARPHRD_ETHER`, packet type, address.
pub fn sll2(index: u32, packet: &[u8]) -> Vec<u8> {
    let mut frame = ether_type(packet).to_be_bytes().to_vec();
    frame.extend([0, 0]);
    frame.extend(index.to_be_bytes());
    frame.extend([0, 1, 4, 6, 2, 0, 0, 0, 0, 0x0a, 0, 0]);
    frame.extend(packet);
    frame
}

/// `M_CONF` of enc(4): the packet was encrypted.
pub const M_CONF: u32 = 0x0400;
/// `M_AUTH` of enc(4): the packet was authenticated.
pub const M_AUTH: u32 = 0x0800;

/// `struct enchdr` of net/if_enc.h: family and flags as the machine has them, SPI in network
/// order.
pub fn enc(order: Order, family: u32, spi: u32, flags: u32, packet: &[u8]) -> Vec<u8> {
    [&order.u32(family), &spi.to_be_bytes(), &order.u32(flags), packet].concat()
}
