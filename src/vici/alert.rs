//! The kinds of the event `alert`, which strongSwan has since 6.0.3: its `type`, by the README of
//! the vici plugin.

/// True for a kind that tells of a failure: of the daemon's, or of its peer's. The others tell of
/// what is unusual, as does what a later daemon may add.
pub fn is_failure(kind: &[u8]) -> bool {
    let begins = |with: &[u8]| kind.starts_with(with);
    let ends = |with: &[u8]| kind.ends_with(with);
    begins(b"cert-")
        || begins(b"parse-error-")
        || begins(b"proposal-mismatch-")
        || ends(b"-failed")
        || ends(b"-failure")
        || ends(b"-timeout")
        || matches!(
            kind,
            b"ike-sa-expired"
                | b"invalid-ike-spi"
                | b"peer-init-unreachable"
                | b"radius-not-responding"
                | b"ts-mismatch"
        )
}

/// True for a kind that tells why a CHILD_SA did not come to be.
pub fn is_of_child(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"install-child-policy-failed"
            | b"install-child-sa-failed"
            | b"proposal-mismatch-child"
            | b"ts-mismatch"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_what_is_none() {
        for kind in ["peer-auth-failed", "cert-revoked", "half-open-timeout", "ts-mismatch"] {
            assert!(is_failure(kind.as_bytes()), "{kind}");
        }
        for kind in ["ts-narrowed", "unique-replace", "retransmit-send", "shutdown-signal", ""] {
            assert!(!is_failure(kind.as_bytes()), "{kind}");
        }
    }
}
