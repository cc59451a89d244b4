//! `struct pfloghdr` of every system and release.
//!
//! Two byte orders live in one header: rule numbers, the rule identifier and the ports are in
//! network order (the kernels `htonl` them), uid, pid, `rule_uid` and `rule_pid` are stored as
//! the machine has them. The length byte does not count the trailing padding (except where the
//! whole struct is its own length: 100), so a reader has to round it up to 4.

use super::Order;

/// Size of `ifname` (`IFNAMSIZ`) and of `ruleset` (`PFLOG_RULESET_NAME_SIZE`).
pub const NAME: usize = 16;

/// `rulenr` of the default rule, `subrulenr` of a rule that is in no anchor: -1.
pub const NO_RULE: u32 = u32::MAX;

/// `AF_INET`, the same everywhere.
pub const AF_INET: u8 = 2;

/// Which `pfloghdr`, by the releases that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// 28 bytes, link type 17, all big endian: OpenBSD 3.0 to 3.3 (net/if_pflog.h 1.7).
    P0,
    /// 45 bytes + 3: OpenBSD 3.4 to 3.7 (net/if_pflog.h 1.5.2.4 of the 3.4 branch), FreeBSD 5.3
    /// to 6, NetBSD 3 and 4, DragonFly 1.2 to 2.6.
    P1,
    /// 49 bytes + 3: OPNsense kernels without `PF_USER_INFO` (opnsense/src 73bba1f).
    P1o,
    /// 61 bytes + 3: OpenBSD 3.8 to 4.8, FreeBSD 7.0 to 13.0, NetBSD 5 on (and NPF), DragonFly
    /// 2.8 on, xnu-1456 on.
    P2,
    /// 100 bytes: OpenBSD 4.9 and 5.0 (net/if_pflog.h 1.17), no `naf` yet.
    P3,
    /// 100 bytes: OpenBSD 5.1 on (net/if_pflog.c 1.45 to if_pflog.h 1.29).
    P4,
    /// 69 bytes + 3: FreeBSD 13.1 and 14 (commits 76c5eecc3490 and 6d4baa0d011c).
    P5,
    /// 68 bytes + 8: pfSense on FreeBSD 12, 64 bit (pfsense/FreeBSD-src adb480a). The pad is
    /// `sizeof(long) - 1`, so the length byte does not tell the size.
    P5x64,
    /// 68 bytes + 4: the same on 32 bit.
    P5x32,
    /// 69 bytes + 3: FreeBSD 15 (commit fcdb520c1b4e), with `naf` in what was padding.
    P6,
    /// A header whose first byte claims this length and that no system has written yet.
    Future(u8),
}

impl Variant {
    /// The `length` byte; P0 has none, its records start with the family.
    pub fn length(self) -> u8 {
        match self {
            Self::P0 => 0,
            Self::P1 => 45,
            Self::P1o => 49,
            Self::P2 => 61,
            Self::P3 | Self::P4 => 100,
            Self::P5 | Self::P6 => 69,
            Self::P5x64 | Self::P5x32 => 68,
            Self::Future(length) => length,
        }
    }

    /// Bytes before the packet: the header with its padding.
    pub fn size(self) -> usize {
        match self {
            Self::P0 => 28,
            Self::P5x64 => 76,
            Self::P5x32 => 72,
            other => usize::from(other.length()).next_multiple_of(4),
        }
    }

    /// The link type of its records.
    pub fn link_type(self) -> u32 {
        if self == Self::P0 { 17 } else { 117 }
    }
}

/// The fields of every `pfloghdr`, by their names in net/if_pflog.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Family of the logged packet, by the numbers of the system.
    pub af: u8,
    /// `PF_PASS`, `PF_DROP`, ...
    pub action: u8,
    /// `PFRES_MATCH`, ...
    pub reason: u8,
    /// Interface, padded with NUL; all 16 bytes may be used.
    pub ifname: [u8; NAME],
    /// Anchor, empty in the main ruleset.
    pub ruleset: [u8; NAME],
    /// Rule in the main ruleset, or the anchor's own rule there.
    pub rulenr: u32,
    /// Rule in the anchor.
    pub subrulenr: u32,
    /// Owner of the local socket, host order.
    pub uid: u32,
    /// Process of the local socket, host order.
    pub pid: i32,
    /// Who loaded the rule, host order.
    pub rule_uid: u32,
    /// The process that loaded the rule, host order.
    pub rule_pid: i32,
    /// `PF_INOUT` 0, `PF_IN` 1, `PF_OUT` 2, `PF_FWD` 3.
    pub dir: u8,
    /// 1 if the addresses below differ from the packet's.
    pub rewritten: u8,
    /// Family of the addresses below.
    pub naf: u8,
    /// Source address; IPv4 in the first 4 bytes.
    pub saddr: [u8; NAME],
    /// Destination address.
    pub daddr: [u8; NAME],
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Tracker number of the rule, 0 if it has none.
    pub ridentifier: u32,
}

impl Default for Header {
    /// A packet blocked on its way in by rule 0 of the main ruleset, no socket looked up.
    fn default() -> Self {
        Self {
            af: AF_INET,
            action: 1,
            reason: 0,
            ifname: name("em0"),
            ruleset: [0; NAME],
            rulenr: 0,
            subrulenr: NO_RULE,
            uid: u32::MAX,
            pid: 100_000,
            rule_uid: 0,
            rule_pid: 4242,
            dir: 1,
            rewritten: 0,
            naf: AF_INET,
            saddr: [0; NAME],
            daddr: [0; NAME],
            sport: 0,
            dport: 0,
            ridentifier: 0,
        }
    }
}

impl Header {
    /// The default header for this IP packet: families, addresses and ports filled in as the
    /// kernel does when nothing is translated. `af6` is the system's `AF_INET6`.
    pub fn of(packet: &[u8], af6: u8) -> Self {
        let version = packet.first().map_or(4, |byte| byte >> 4);
        let (af, source, size, start, protocol) = match version {
            6 => (af6, 8, 16, 40, packet[6]),
            _ => (AF_INET, 12, 4, usize::from(packet[0] & 15) * 4, packet[9]),
        };
        let mut header = Self { af, naf: af, ..Self::default() };
        header.saddr[..size].copy_from_slice(&packet[source..source + size]);
        header.daddr[..size].copy_from_slice(&packet[source + size..source + 2 * size]);
        if let Some(&[a, b, c, d, e, f]) = packet.get(start..).and_then(<[u8]>::first_chunk) {
            (header.sport, header.dport) = match (protocol, a) {
                (6 | 17, _) => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
                // Echo requests have id and type for ports (pf_icmp_mapping of net/pf.c).
                (1, 8) | (58, 128) => (u16::from_be_bytes([e, f]), u16::from(a)),
                _ => (0, 0),
            };
        }
        header
    }

    /// The header's bytes with the padding, uid and pid fields in `host` order.
    pub fn encode(&self, variant: Variant, host: Order) -> Vec<u8> {
        let mut out = match variant {
            Variant::P0 => return self.old(),
            Variant::Future(length) => return self.future(length, host),
            _ => self.prefix(variant),
        };
        match variant {
            // u_int8_t dir; u_int8_t pad[3];
            Variant::P1 => out.push(self.dir),
            // u_int32_t ridentifier; u_int8_t dir; u_int8_t pad[3];
            Variant::P1o => {
                out.extend(self.ridentifier.to_be_bytes());
                out.push(self.dir);
            }
            _ => self.tail(variant, host, &mut out),
        }
        // The kernels clear the header before they fill it in: all padding is zero.
        out.resize(variant.size(), 0);
        out
    }

    /// The 44 bytes that all headers with a length byte begin with.
    fn prefix(&self, variant: Variant) -> Vec<u8> {
        let mut out = vec![variant.length(), self.af, self.action, self.reason];
        out.extend(self.ifname);
        out.extend(self.ruleset);
        out.extend(self.rulenr.to_be_bytes());
        out.extend(self.subrulenr.to_be_bytes());
        out
    }

    /// What follows at 44 since the header knows users: uid to dir, then the systems differ.
    fn tail(&self, variant: Variant, host: Order, out: &mut Vec<u8>) {
        out.extend(host.u32(self.uid));
        out.extend(host.u32(self.pid.cast_unsigned()));
        out.extend(host.u32(self.rule_uid));
        out.extend(host.u32(self.rule_pid.cast_unsigned()));
        out.push(self.dir);
        match variant {
            // u_int8_t rewritten; (4.9) u_int8_t pad[2]; (5.1) sa_family_t naf; u_int8_t pad[1];
            Variant::P3 | Variant::P4 => {
                out.push(self.rewritten);
                out.push(if variant == Variant::P4 { self.naf } else { 0 });
                out.push(0);
                out.extend(self.saddr);
                out.extend(self.daddr);
                out.extend(self.sport.to_be_bytes());
                out.extend(self.dport.to_be_bytes());
            }
            // 60 is followed by 3 bytes the compiler adds to align ridentifier.
            Variant::P5 | Variant::P5x64 | Variant::P5x32 => {
                out.extend([0; 3]);
                out.extend(self.ridentifier.to_be_bytes());
            }
            // u_int8_t rewritten (never set); sa_family_t naf; u_int8_t pad;
            Variant::P6 => {
                out.extend([0, self.naf, 0]);
                out.extend(self.ridentifier.to_be_bytes());
            }
            _ => {}
        }
    }

    /// `struct old_pfloghdr`: everything is wider and in network order, there is no anchor.
    fn old(&self) -> Vec<u8> {
        let mut out = u32::from(self.af).to_be_bytes().to_vec();
        out.extend(self.ifname);
        // short rnr: -1 is the default rule.
        out.extend((self.rulenr as u16).to_be_bytes());
        out.extend(u16::from(self.reason).to_be_bytes());
        out.extend(u16::from(self.action).to_be_bytes());
        out.extend(u16::from(self.dir).to_be_bytes());
        out
    }

    /// The longest known header that fits, then bytes a reader cannot know and must skip.
    fn future(&self, length: u8, host: Order) -> Vec<u8> {
        let variant = Variant::Future(length);
        let mut out = match length {
            100.. => self.encode(Variant::P4, host),
            61.. => self.encode(Variant::P2, host)[..61].to_vec(),
            _ => self.prefix(variant),
        };
        out.resize(variant.size(), 0xa5);
        if let Some(first) = out.first_mut() {
            *first = length;
        }
        out
    }
}

/// A name in its field of 16 bytes: padded with NUL, or cut without one.
pub fn name(text: impl AsRef<[u8]>) -> [u8; NAME] {
    let mut field = [0; NAME];
    for (to, from) in field.iter_mut().zip(text.as_ref()) {
        *to = *from;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn sizes_are_the_kernels() {
        for (variant, size) in [
            (Variant::P0, 28),
            (Variant::P1, 48),
            (Variant::P1o, 52),
            (Variant::P2, 64),
            (Variant::P3, 100),
            (Variant::P4, 100),
            (Variant::P5, 72),
            (Variant::P5x64, 76),
            (Variant::P5x32, 72),
            (Variant::P6, 72),
            (Variant::Future(44), 44),
            (Variant::Future(253), 256),
        ] {
            for order in [Order::Little, Order::Big] {
                assert_eq!(Header::default().encode(variant, order).len(), size, "{variant:?}");
            }
        }
    }

    /// A record of OpenBSD of 2014 (`PID_MAX` 32766, little endian): NetBIOS to the broadcast.
    #[test]
    fn openbsd_2014() {
        let header = Header {
            pid: 32767,
            rule_pid: 16667,
            saddr: name([10, 8, 111, 83]),
            daddr: name([10, 8, 111, 255]),
            sport: 137,
            dport: 137,
            ..Header::default()
        };
        let bytes = header.encode(Variant::P4, Order::Little);
        assert_eq!(bytes[..2], [100, 2]);
        assert_eq!(bytes[44..52], [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0]);
        assert_eq!(bytes[52..64], [0, 0, 0, 0, 0x1b, 0x41, 0, 0, 1, 0, 2, 0]);
        assert_eq!(bytes[64..68], [10, 8, 0x6f, 0x53]);
        assert_eq!(bytes[80..84], [10, 8, 0x6f, 0xff]);
        assert_eq!(bytes[96..], [0, 0x89, 0, 0x89]);
    }

    /// A record of macOS of 2014, as gopacket's tests have it.
    #[test]
    fn darwin_2014() {
        let header = Header {
            action: 0,
            ifname: name("en0"),
            ruleset: name("logging"),
            subrulenr: 174,
            uid: 0x7fff_ffff,
            rule_pid: 47296,
            dir: 2,
            ..Header::default()
        };
        let bytes = header.encode(Variant::P2, Order::Little);
        assert_eq!(bytes[..8], [0x3d, 2, 0, 0, b'e', b'n', b'0', 0]);
        assert_eq!(bytes[20..28], *b"logging\0");
        assert_eq!(bytes[36..48], [0, 0, 0, 0, 0, 0, 0, 0xae, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(bytes[48..], [0xa0, 0x86, 1, 0, 0, 0, 0, 0, 0xc0, 0xb8, 0, 0, 2, 0, 0, 0]);
    }

    /// A record of OpenBSD 8.0: `log (user)` on a UDP packet to a socket of uid 1000, pid 4321.
    #[test]
    fn openbsd_8() {
        let header = Header {
            action: 0,
            ifname: name("pair0"),
            rulenr: 7,
            uid: 1000,
            pid: 4321,
            rule_uid: 501,
            saddr: name([192, 0, 2, 10]),
            daddr: name([192, 0, 2, 1]),
            sport: 41000,
            dport: 5555,
            rule_pid: 4242,
            ..Header::default()
        };
        assert_eq!(
            hex(&header.encode(Variant::P4, Order::Little)),
            "640200007061697230000000000000000000000000000000000000000000000000000000\
             00000007ffffffffe8030000e1100000f50100009210000001000200c000020a00000000\
             0000000000000000c0000201000000000000000000000000a02815b3"
        );
    }

    /// A record of FreeBSD 14: blocklistd's anchor, a rule with a number of its own.
    #[test]
    fn freebsd_14() {
        let header = Header {
            af: 28,
            ruleset: name("blocklist"),
            rulenr: 12,
            subrulenr: 9,
            rule_uid: 501,
            ridentifier: 1_000_000_049,
            ..Header::default()
        };
        assert_eq!(
            hex(&header.encode(Variant::P5, Order::Little)),
            "451c0100656d3000000000000000000000000000626c6f636b6c697374000000000000000000000c\
             00000009ffffffffa0860100f501000092100000010000003b9aca3100000000"
        );
    }

    #[test]
    fn host_order_is_only_for_users() {
        let header = Header { ridentifier: 1_000_000_001, ..Header::default() };
        let little = header.encode(Variant::P5, Order::Little);
        let big = header.encode(Variant::P5, Order::Big);
        assert_eq!(little[..44], big[..44]);
        assert_eq!(little[48..52], [0xa0, 0x86, 1, 0]);
        assert_eq!(big[48..52], [0, 1, 0x86, 0xa0]);
        assert_eq!(little[64..], big[64..]);
        assert_eq!(little[64..68], 1_000_000_001_u32.to_be_bytes());
    }
}
