//! Names of algorithms: strongSwan's (`AES_CBC`, `HMAC_SHA1_96`) in the manner of ipsec_report(1M)
//! (`AES128-CBC`, `HMAC-SHA1`), and the numbers of key exchange methods (IANA, IKEv2 Transform
//! Type 4). A name that is not known stays, with dashes.

/// A cipher with the bits of its key.
pub(super) fn cipher(name: &[u8], bits: Option<u16>) -> String {
    let name = dashed(name);
    let (head, tail) = name.split_once('-').unwrap_or((&name, ""));
    let bits = bits.map(|bits| bits.to_string()).unwrap_or_default();
    match tail {
        "" => format!("{head}{bits}"),
        tail => format!("{head}{bits}-{tail}"),
    }
}

/// IKE's cipher: CBC goes without saying with 3DES.
pub(super) fn ike_cipher(name: &[u8], bits: Option<u16>) -> String {
    match name {
        b"3DES_CBC" => "3DES".to_owned(),
        name => cipher(name, bits),
    }
}

/// An integrity algorithm, without the usual length of its tag.
pub(super) fn integrity(name: &[u8]) -> String {
    let name = dashed(name);
    let usual = [
        ("HMAC-SHA1-96", "HMAC-SHA1"),
        ("HMAC-MD5-96", "HMAC-MD5"),
        ("AES-XCBC-96", "AES-XCBC"),
        ("AES-CMAC-96", "AES-CMAC"),
        ("HMAC-SHA2-256-128", "HMAC-SHA2-256"),
        ("HMAC-SHA2-384-192", "HMAC-SHA2-384"),
        ("HMAC-SHA2-512-256", "HMAC-SHA2-512"),
    ];
    usual.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| (*short).to_owned())
}

/// A pseudo random function.
pub(super) fn prf(name: &[u8]) -> String {
    dashed(name.strip_prefix(b"PRF_").unwrap_or(name))
}

/// A transform: `ESP-AES128-HMAC-SHA1`.
pub(super) fn transform(protocol: &[u8], cipher: Option<&str>, integrity: Option<&str>) -> String {
    let cipher = cipher.map(|cipher| cipher.strip_suffix("-CBC").unwrap_or(cipher));
    let protocol = dashed(protocol);
    [Some(&*protocol), cipher, integrity].into_iter().flatten().collect::<Vec<_>>().join("-")
}

/// The number of a key exchange method.
pub(super) fn group(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"MODP_768" => 1,
        b"MODP_1024" => 2,
        b"MODP_1536" => 5,
        b"MODP_2048" => 14,
        b"MODP_3072" => 15,
        b"MODP_4096" => 16,
        b"MODP_6144" => 17,
        b"MODP_8192" => 18,
        b"ECP_256" => 19,
        b"ECP_384" => 20,
        b"ECP_521" => 21,
        b"MODP_1024_160" => 22,
        b"MODP_2048_224" => 23,
        b"MODP_2048_256" => 24,
        b"ECP_192" => 25,
        b"ECP_224" => 26,
        b"ECP_224_BP" => 27,
        b"ECP_256_BP" => 28,
        b"ECP_384_BP" => 29,
        b"ECP_512_BP" => 30,
        b"CURVE_25519" => 31,
        b"CURVE_448" => 32,
        b"ML_KEM_512" => 35,
        b"ML_KEM_768" => 36,
        b"ML_KEM_1024" => 37,
        _ => return None,
    })
}

fn dashed(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_manner_of_the_report() {
        assert_eq!(cipher(b"AES_CBC", Some(128)), "AES128-CBC");
        assert_eq!(cipher(b"AES_GCM_16", Some(256)), "AES256-GCM-16");
        assert_eq!(cipher(b"CHACHA20_POLY1305", None), "CHACHA20-POLY1305");
        assert_eq!(cipher(b"NULL", None), "NULL");
        assert_eq!(ike_cipher(b"3DES_CBC", None), "3DES");
        assert_eq!(integrity(b"HMAC_SHA1_96"), "HMAC-SHA1");
        assert_eq!(integrity(b"HMAC_SHA2_256_96"), "HMAC-SHA2-256-96", "the draft's cut");
        assert_eq!(prf(b"PRF_HMAC_SHA1"), "HMAC-SHA1");
        let made = transform(b"ESP", Some("AES128-CBC"), Some("HMAC-SHA1"));
        assert_eq!(made, "ESP-AES128-HMAC-SHA1");
        assert_eq!(transform(b"AH", None, Some("HMAC-SHA1")), "AH-HMAC-SHA1");
        assert_eq!((group(b"MODP_1024"), group(b"X")), (Some(2), None));
    }
}
