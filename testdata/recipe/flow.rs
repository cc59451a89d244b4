//! Conversations, whose sequence numbers are printed relative to their start.

use super::{Log, blocked, openbsd};
use crate::encode::packet::ip::Ip;
use crate::encode::packet::transport::{ACK, FIN, PSH, RST, SYN, Tcp, option};
use crate::encode::pflog::Header;

/// A step: from the client (or server), flags, relative sequence number and acknowledgement,
/// payload, ranges the receiver already has.
type Step = (bool, u16, u32, u32, &'static [u8], &'static [(u32, u32)]);

const CLIENT: bool = true;
const SERVER: bool = false;

/// Handshake, a request, an answer of which the middle is lost and sent again, the end.
const STEPS: [Step; 15] = [
    (CLIENT, SYN, 0, 0, b"", &[]),
    (SERVER, SYN | ACK, 0, 1, b"", &[]),
    (CLIENT, ACK, 1, 1, b"", &[]),
    (CLIENT, PSH | ACK, 1, 1, b"GET / HTTP/1.0\r\n\r\n", &[]),
    (SERVER, ACK, 1, 19, b"", &[]),
    (SERVER, ACK, 1, 19, b"HTTP/1.0 200 OK\r", &[]),
    (SERVER, ACK, 33, 19, b"and the third 16", &[]),
    (CLIENT, ACK, 19, 17, b"", &[(33, 49)]),
    (SERVER, PSH | ACK, 49, 19, b"the end", &[]),
    (CLIENT, ACK, 19, 17, b"", &[(33, 56)]),
    (SERVER, ACK, 17, 19, b"\n\r\nthe second 16", &[]),
    (CLIENT, ACK, 19, 56, b"", &[]),
    (SERVER, FIN | ACK, 56, 19, b"", &[]),
    (CLIENT, FIN | ACK, 19, 57, b"", &[]),
    (SERVER, ACK, 57, 20, b"", &[]),
];

/// The first numbers of client and server; the server's wraps in the middle of its answer.
const START: [u32; 2] = [1_000_000, u32::MAX - 20];

/// Both conversations step by step, then a connection that is refused and a stray segment.
pub(super) fn file() -> Vec<u8> {
    let mut log = Log::pflog();
    let pairs = [Ip::v4(), Ip::v6()];
    for step in STEPS {
        for ip in &pairs {
            add(&mut log, ip, 40010, step);
        }
    }
    for ip in &pairs {
        add(&mut log, ip, 40011, (CLIENT, SYN, 0, 0, b"", &[]));
        add(&mut log, ip, 40011, (SERVER, RST | ACK, 0, 1, b"", &[]));
        // The middle of a conversation whose start was not logged.
        add(&mut log, ip, 40012, (CLIENT, PSH | ACK, 5000, 6000, b"stray", &[]));
        add(&mut log, ip, 40012, (SERVER, ACK, 6000, 5005, b"", &[]));
        // The same ports again: a new conversation.
        add(&mut log, ip, 40010, (CLIENT, SYN, 77_000, 0, b"", &[]));
    }
    log.finish()
}

fn add(log: &mut Log, ip: &Ip, port: u16, (client, flags, seq, ack, payload, has): Step) {
    let (ip, sport, dport) = if client { (ip.clone(), port, 80) } else { (ip.reply(), 80, port) };
    let [mine, theirs] = if client { START } else { [START[1], START[0]] };
    let options = if flags & SYN != 0 {
        [option::mss(1460), option::SACK_OK.to_vec()].concat()
    } else if has.is_empty() {
        Vec::new()
    } else {
        let absolute: Vec<_> = has
            .iter()
            .map(|(left, right)| (theirs.wrapping_add(*left), theirs.wrapping_add(*right)))
            .collect();
        [option::NOP.to_vec(), option::NOP.to_vec(), option::sack(&absolute)].concat()
    };
    let tcp = Tcp {
        sport,
        dport,
        seq: mine.wrapping_add(seq),
        ack: if flags & ACK == 0 { 0 } else { theirs.wrapping_add(ack) },
        flags,
        options,
        ..Tcp::default()
    };
    let packet = tcp.packet(&ip, payload);
    let dir = if client { 1 } else { 2 };
    log.add(&openbsd(&Header { action: 0, dir, rulenr: 9, ..blocked(&packet) }, &packet));
}
