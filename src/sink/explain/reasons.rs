//! What pf's reasons mean, by the comments of pfvar.h and what pf does before it gives one.

/// Why pf did it, to be read behind "because". `None` for a reason that has no name.
pub(super) fn because(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "match" => "a rule matched it",
        "bad-offset" => "a header in it would start outside of the packet",
        "fragment" => {
            "it is a fragment that cannot be put together: a part is missing, overlaps another, or \
             lies outside of the packet, or the rules drop fragments"
        }
        "short" => "it ends before the headers do that it says it has",
        "normalize" => {
            "it is malformed: pf's normalization (scrub, set reassemble) does not let it through"
        }
        "memory" => "pf had no memory left for it",
        "bad-timestamp" => {
            "its TCP timestamp does not go on from the connection's earlier ones (RFC 7323)"
        }
        "congestion" => {
            "the firewall was overloaded: with its input queue full pf does not evaluate rules for \
             packets without a state"
        }
        "ip-option" => {
            "it has IP options or a routing header, and the rule does not say allow-opts"
        }
        "proto-cksum" => "the checksum of its TCP, UDP or ICMP header is wrong",
        "state-mismatch" => {
            "there is a state for its addresses and ports that it does not fit: a TCP sequence \
             number outside of the window, wrong flags, or another way through the firewall \
             (asymmetric routing)"
        }
        "state-insert" => {
            "pf could not make a state for it, as one with the same addresses and ports exists"
        }
        "state-limit" => {
            "as many states exist as are allowed (the rule's max, or 'set limit states')"
        }
        "src-limit" => {
            "its source has as many states or connections as the rule allows (max-src-states, \
             max-src-conn, max-src-conn-rate, max-src-nodes)"
        }
        "synproxy" => "pf does the TCP handshake itself here (synproxy state)",
        "translate" => "pf could not translate its addresses",
        "no-route" => "there is no route to where the rule sends it",
        "map-failed" => "no port or address was free to translate it to",
        "state-locked" => "its state was in use by another processor",
        "dummynet" => "it was handed to dummynet, which shapes traffic, and was not let through",
        "invalid-port" => "one of its ports is not valid",
        _ => return None,
    })
}

/// What pf did, to be read behind "pf"; `{}` is where the packet is named.
pub(super) fn did(action: &str) -> Option<(&'static str, &'static str)> {
    Some(match action {
        "pass" => ("let", "through"),
        "block" => ("blocked", ""),
        "match" => ("took note of", "by a match rule, which decides neither pass nor block"),
        "scrub" => ("normalized", ""),
        "noscrub" => ("did not normalize", ""),
        "nat" => ("translated the source of", ""),
        "nonat" => ("did not translate the source of", "as a 'no nat' rule says"),
        "binat" => ("translated the source or destination of", "by a binat rule"),
        "nobinat" => ("did not translate", "as a 'no binat' rule says"),
        "rdr" => ("redirected", "to another destination"),
        "nordr" => ("did not redirect", "as a 'no rdr' rule says"),
        "synproxy-drop" => ("kept", "to itself, as it does the handshake for the server"),
        "defer" => ("held back", "until the other firewall knows its state (pfsync defer)"),
        "divert" => ("handed", "to a program on the firewall (divert-packet or divert-to)"),
        "rt" => ("sent", "by the rule's own route (route-to, reply-to or dup-to)"),
        "afrt" => ("translated", "to the other IP version and sent it there (af-to)"),
        "dummynet" => ("handed", "to dummynet, which shapes traffic"),
        "nodummynet" => ("did not hand", "to dummynet"),
        "nat64" => ("translated", "between IPv6 and IPv4"),
        "nonat64" => ("did not translate", "between IPv6 and IPv4"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pf::{Action, Reason};

    #[test]
    fn every_code_that_has_a_name_has_words() {
        for name in Reason::NAMES {
            assert!(because(name).is_some(), "{name}");
        }
        for name in Action::NAMES {
            assert!(did(name).is_some(), "{name}");
        }
        assert_eq!((because("x"), did("x")), (None, None));
    }
}
