//! The samples of ipsec_report(1M), fed as data: the same labels, order and words come out.

use std::io::Write;
use std::path::Path;

use super::field::{Field, Value};
use super::traffic::Traffic;
use super::{Block, bypass, cache, host, ike_sa, interface, ipsec_sa, text, tunnel};

fn words(text: &str) -> Field {
    Field::known(text)
}

fn number(number: u32) -> Field {
    Field::known(number)
}

fn spi(spi: u32) -> Field {
    Field::Known(Value::Spi(spi))
}

fn traffic(addr: &str, port: u32) -> Traffic {
    Traffic { addr: words(addr), port: number(port), protocol: words("TCP") }
}

fn printed(rows: Vec<impl Block>) -> String {
    let mut out = Vec::new();
    rows.into_iter().for_each(|row| text::push(&mut out, &row.form(), false));
    String::from_utf8(out).unwrap()
}

/// Holds what is printed against the sample, and the sample against the manual page, where that
/// is: dashes at the end of a title are of any number there.
fn hold(printed: &str, sample: &str) {
    assert_eq!(printed, sample);
    let path = "../shared/seeds/003_16ab933eb80fb95a.txt";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let Ok(manual) = std::fs::read_to_string(path) else {
        // Not by a macro: the test runner would keep that to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/seeds is not there");
        return;
    };
    // A line that the page has broken.
    let manual = manual.replace("6666\n:7777", "6666:7777");
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.trim().trim_end_matches('-').trim().to_owned()).collect()
    };
    let (manual, sample) = (lines(&manual), lines(sample));
    let is_there = manual.windows(sample.len()).any(|window| window == sample);
    assert!(is_there, "the manual page has no such sample:\n{}", sample.join("\n"));
}

#[test]
fn sa_ike() {
    let row = ike_sa::Row {
        id: Vec::new(),
        version: 2,
        index: words("d7acae5476072ef9:80036a37b499c21d"),
        local: words("192.1.1.1/500"),
        remote: words("192.1.1.3/500"),
        role: words("Initiator"),
        state: words("Established"),
        auth_record: words("my_auth"),
        policy: words("default"),
        auth_method: words("PSK"),
        encr: words("3DES"),
        hash: words("AES-XCBC"),
        prf: words("HMAC-SHA1"),
        dh_group: number(2),
        pfs: words("off"),
        more: Vec::new(),
    };
    let sample = "\
------------------------ IKEv2 SA ----------------------------
Index: d7acae5476072ef9:80036a37b499c21d
Local IP Addr: 192.1.1.1/500
Remote IP Addr: 192.1.1.3/500
Role: Initiator State: Established
Auth Record: my_auth
Policy Name: default
Auth Method: PSK
ENCR: 3DES
HASH: AES-XCBC
PRF: HMAC-SHA1
DH Group: 2
PFS: off
";
    hold(&printed(vec![row]), sample);
}

#[test]
fn sa_ipsec() {
    let lifetime = |bytes, addtime, usetime| ipsec_sa::Lifetime {
        bytes: number(bytes),
        addtime: number(addtime),
        usetime: number(usetime),
    };
    let sa = |count, value, [src, dst]: [&str; 2], bytes| ipsec_sa::Row {
        id: Vec::new(),
        number: number(count),
        spi: spi(value),
        state: words("MATURE"),
        kind: words("ESP with AES128-CBC encryption and HMAC-SHA1 authentication"),
        src: words(src),
        dst: words(dst),
        current: lifetime(bytes, 14, 12),
        hard: lifetime(0, 28800, 0),
        soft: lifetime(0, 24264, 0),
        more: Vec::new(),
    };
    let sample = "\
------------------------ IPsec SA ------------------------
Sequence number: 1
SPI (hex): 1FE472 State: MATURE
SA Type: ESP with AES128-CBC encryption and HMAC-SHA1 authentication
Src IP Addr: 192.1.1.1 Dst IP Addr: 192.1.1.3
--- Current Lifetimes ---
bytes processed: 3384
addtime (seconds): 14
usetime (seconds): 12
--- Hard Lifetimes ---
bytes processed: 0
addtime (seconds): 28800
usetime (seconds): 0
--- Soft Lifetimes ---
bytes processed: 0
addtime (seconds): 24264
usetime (seconds): 0
------------------------ IPsec SA ------------------------
Sequence number: 2
SPI (hex): 241988 State: MATURE
SA Type: ESP with AES128-CBC encryption and HMAC-SHA1 authentication
Src IP Addr: 192.1.1.3 Dst IP Addr: 192.1.1.1
--- Current Lifetimes ---
bytes processed: 1648
addtime (seconds): 14
usetime (seconds): 12
--- Hard Lifetimes ---
bytes processed: 0
addtime (seconds): 28800
usetime (seconds): 0
--- Soft Lifetimes ---
bytes processed: 0
addtime (seconds): 24264
usetime (seconds): 0
";
    let rows = vec![
        sa(1, 0x1f_e472, ["192.1.1.1", "192.1.1.3"], 3384),
        sa(2, 0x24_1988, ["192.1.1.3", "192.1.1.1"], 1648),
    ];
    hold(&printed(rows), sample);
}

fn default(which: host::Which, cookie: Field) -> host::Row {
    host::Row {
        which,
        id: Vec::new(),
        name: words("default"),
        priority: number(0),
        cookie,
        src: Vec::new(),
        dst: Vec::new(),
        protocol: Field::Absent,
        action: words("Pass"),
        state: Field::Absent,
        flags: Field::Absent,
        tunnel: Field::Absent,
        proposals: Vec::new(),
        pairs: Vec::new(),
        more: Vec::new(),
    }
}

fn telnet(which: host::Which) -> host::Row {
    let proposal = host::Proposal {
        transform: words("ESP-AES128-HMAC-SHA1"),
        seconds: number(28800),
        kbytes: number(0),
    };
    host::Row {
        name: words("telnet_in"),
        priority: number(10),
        src: vec![traffic("192.1.1.1", 23)],
        protocol: words("TCP"),
        action: words("Dynamic key SA"),
        flags: words("EXCLUSIVE"),
        proposals: vec![proposal],
        ..default(which, Field::Absent)
    }
}

#[test]
fn host_active() {
    let pair = host::Pair {
        protocol: words("ESP"),
        encr: words("AES128-CBC"),
        auth: words("HMAC-SHA1"),
        spi_out: spi(0x1f_e472),
        spi_in: spi(0x24_1988),
    };
    let rule = host::Row {
        cookie: number(3),
        dst: vec![traffic("192.1.1.3", 56122)],
        state: words("Ready"),
        pairs: vec![pair],
        ..telnet(host::Which::Active)
    };
    let sample = "\
------------------- Active Host Policy Rule ---------------------
Rule Name: telnet_in Priority: 10 Cookie: 3
Src IP Addr: 192.1.1.1 Port number: 23
Dst IP Addr: 192.1.1.3 Port number: 56122
Network Protocol: TCP Action: Dynamic key SA
State: Ready
FLAGS: EXCLUSIVE
Proposal 1: Transform: ESP-AES128-HMAC-SHA1
Lifetime Seconds: 28800
Lifetime Kbytes: 0
-- SA Pair --
SA Type: ESP
Encryption Algorithm: AES128-CBC
Authentication Algorithm: HMAC-SHA1
Outbound SPI (hex): 1FE472
Inbound SPI (hex): 241988
------------------- Active Host Policy Rule ---------------------
Rule Name: default Priority: 0 Cookie: 1
Action: Pass
";
    hold(&printed(vec![rule, default(host::Which::Active, number(1))]), sample);
}

#[test]
fn host_configured() {
    let which = host::Which::Configured;
    let rule = host::Row { dst: vec![traffic("192.1.1.0", 0)], ..telnet(which) };
    let sample = "\
----------------- Configured Host Policy Rule -------------------
Rule Name: telnet_in Priority: 10
Src IP Addr: 192.1.1.1 Port number: 23
Dst IP Addr: 192.1.1.0 Port number: 0
Network Protocol: TCP Action: Dynamic key SA
FLAGS: EXCLUSIVE
Proposal 1: Transform: ESP-AES128-HMAC-SHA1
Lifetime Seconds: 28800
Lifetime Kbytes: 0
----------------- Configured Host Policy Rule -------------------
Rule Name: default Priority: 0
Action: Pass
";
    hold(&printed(vec![rule, default(which, Field::Absent)]), sample);
}

#[test]
fn tunnels() {
    let sa = |value, src: &str, dst: &str, direction: &str| tunnel::Sa {
        spi: spi(value),
        protocol: words("ESP"),
        auth: words("HMAC-SHA1"),
        encr: words("DES-CBC"),
        src: words(src),
        dst: words(dst),
        direction: words(direction),
    };
    let (near, far) = ("fe80::260:1111:2222:3333", "fe80::230:6666:7777:8888");
    let row = tunnel::Row {
        id: Vec::new(),
        name: words("mipv6_tunnel_name"),
        cookie: number(3),
        tunnel_src: words(near),
        tunnel_dst: words(far),
        src: vec![traffic("0::0", 0)],
        dst: vec![traffic(far, 0)],
        protocol: words("TCP"),
        action: words("Manual Key SA"),
        state: Field::Absent,
        error: Field::Absent,
        error_age: Field::Absent,
        transform: words("ESP-DES-HMAC-SHA1"),
        sas: vec![
            sa(0x3eb, far, near, "INBOUND"),
            // As it stands there.
            sa(0x3ea, "fe80::260:b1111:2222:3333", far, "OUTBOUND"),
        ],
        more: Vec::new(),
    };
    let sample = "\
-------------------- Tunnel Policy Rule ----------------------
Tunnel Name: mipv6_tunnel_name Cookie: 3
Tunnel Src IP Addr: fe80::260:1111:2222:3333 Tunnel Dst IP Addr: fe80::230:6666:7777:8888
Src IP Addr: 0::0
Dst IP Addr: fe80::230:6666:7777:8888
Network Protocol: TCP Action: Manual Key SA
Transform: ESP-DES-HMAC-SHA1
-- SA Number 1 --
SPI (hex): 3EB
SA Type: ESP
Authentication Algorithm: HMAC-SHA1
Encryption Algorithm: DES-CBC
Src IP Addr: fe80::230:6666:7777:8888
Dst IP Addr: fe80::260:1111:2222:3333
SA direction: INBOUND
-- SA Number 2 --
SPI (hex): 3EA
SA Type: ESP
Authentication Algorithm: HMAC-SHA1
Encryption Algorithm: DES-CBC
Src IP Addr: fe80::260:b1111:2222:3333
Dst IP Addr: fe80::230:6666:7777:8888
SA direction: OUTBOUND
";
    hold(&printed(vec![row]), sample);
}

#[test]
fn interfaces() {
    let row = |name: Value, address: &str, ipsec: &str| interface::Row {
        id: Vec::new(),
        name: Field::Known(name),
        address: words(address),
        ipsec: words(ipsec),
        more: Vec::new(),
    };
    let rows = vec![
        row("lan0".into(), "192.1.1.1", "On"),
        row("lan1".into(), "192.2.2.1", "Off"),
        row(Value::Starred(b"lan0:1".to_vec()), "192.1.3.3", "On"),
    ];
    let sample = "\
--------------------------- System Configured Interface --------------
Interface Name: lan0 Address: 192.1.1.1
IPSec: On
--------------------------- System Configured Interface --------------
Interface Name: lan1 Address: 192.2.2.1
IPSec: Off
--------------------------- System Configured Interface --------------
Interface Name: lan0:1* Address: 192.1.3.3
IPSec: On
";
    hold(&printed(rows), sample);
}

#[test]
fn the_bypass_list() {
    let row = bypass::Row {
        which: bypass::Which::Bypass,
        id: Vec::new(),
        address: words("192.2.2.1"),
        remote: Field::Absent,
        protocol: Field::Absent,
        name: Field::Absent,
    };
    let sample = "\
--------------------- Configured Bypass IP List ---------------------
IP Address: 192.2.2.1
";
    let printed = format!("{}\n{}", bypass::Which::Bypass.title(), printed(vec![row]));
    hold(&printed, sample);
}

#[test]
fn the_cache() {
    let sa = cache::Sa {
        state: words("SA Created"),
        protocol: words("ESP"),
        tunnel: words("No"),
        spi: spi(0x1f_e472),
        src: words("192.1.1.1"),
        dst: words("192.1.1.3"),
    };
    let row = cache::Row {
        id: Vec::new(),
        number: number(9),
        cookie: number(3),
        src: words("192.1.1.1"),
        src_port: number(23),
        dst: words("192.1.1.3"),
        dst_port: number(56122),
        protocol: words("TCP"),
        direction: words("outbound"),
        action: words("Secure"),
        sas: vec![sa],
        more: Vec::new(),
    };
    let sample = "\
-------------------------Cache Policy Rule ---------------------------
Cache Policy Record: 9 Cookie: 3
Src IP Address: 192.1.1.1 Src Port number: 23
Dst IP Address: 192.1.1.3 Dst Port number: 56122
Network Protocol: TCP Direction: outbound
Action: Secure
-- SA Number 1 --
State: SA Created
SA Type: ESP
Tunnel SA: No
SPI (hex): 1FE472
Src IP Address: 192.1.1.1
Dst IP Address: 192.1.1.3
";
    hold(&printed(vec![row]), sample);
}
