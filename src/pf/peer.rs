//! How far one side of a state has come: TCP's states of netinet/tcp_fsm.h with pf's two of its
//! own, and pfvar.h's `PFUDPS_` and `PFOTHERS_`.

/// The state of one peer; what it means depends on the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerState(pub u8);

impl PeerState {
    /// `PF_TCPS_PROXY_SRC`: pf does the handshake with the source.
    pub const PROXY_SRC: Self = Self(11);
    /// `PF_TCPS_PROXY_DST`: pf does the handshake with the destination.
    pub const PROXY_DST: Self = Self(12);

    /// The name as pfctl and tcpdump write it. ICMP's are numbers.
    pub const fn name(self, proto: u8) -> Option<&'static str> {
        match proto {
            6 => self.tcp(),
            1 | 58 => None,
            _ => match self.0 {
                0 => Some("NO_TRAFFIC"),
                1 => Some("SINGLE"),
                2 => Some("MULTIPLE"),
                _ => None,
            },
        }
    }

    const fn tcp(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "CLOSED",
            1 => "LISTEN",
            2 => "SYN_SENT",
            3 => "SYN_RCVD",
            4 => "ESTABLISHED",
            5 => "CLOSE_WAIT",
            6 => "FIN_WAIT_1",
            7 => "CLOSING",
            8 => "LAST_ACK",
            9 => "FIN_WAIT_2",
            10 => "TIME_WAIT",
            11 => "PROXY_SRC",
            12 => "PROXY_DST",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_gives_the_name() {
        assert_eq!(PeerState(4).name(6), Some("ESTABLISHED"));
        assert_eq!(PeerState::PROXY_DST.name(6), Some("PROXY_DST"));
        assert_eq!(PeerState(13).name(6), None);
        assert_eq!(PeerState(2).name(17), Some("MULTIPLE"));
        assert_eq!(PeerState(1).name(47), Some("SINGLE"));
        assert_eq!(PeerState(3).name(17), None);
        assert_eq!((PeerState(0).name(1), PeerState(0).name(58)), (None, None));
    }
}
