//! Writes the captures that `benches/compare.sh` measures with to standard output:
//!
//! ```sh
//! cargo run --release --example input -- log 1000000 > F      # pflog
//! cargo run --release --example input -- updates 1000000 > F  # pfsync
//! ```
//!
//! The log is the genuine OpenBSD records again and again, with times that go on. The updates are
//! OpenBSD's compressed ones, in packets of 1500 bytes, for 100,000 states that are told of first.
#![allow(clippy::print_stderr, reason = "a tool for the shell")]
#![allow(dead_code, reason = "the encoder of the test data writes more than this")]
#![expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "no parser")]

#[path = "../../testdata/encode/mod.rs"]
#[allow(unused_imports, reason = "its tests are not run here")]
mod encode;

use std::env;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use encode::Order;
use encode::capture::{Pcap, Time, Unit};
use encode::pfsync::message::{Message, Update};
use encode::pfsync::state::{Key, State};
use encode::pfsync::{Action, Frame, Layout};

const GENUINE: &[u8] = include_bytes!("../../testdata/genuine/openbsd80-pflog0.pcap");
/// Length of a pcap file's header.
const HEADER: usize = 24;
/// Seconds that the genuine records take, rounded up.
const ROUND: u32 = 7;
/// States that the updates are of.
const STATES: u64 = 100_000;
/// Bytes of messages in a packet.
const ROOM: usize = 1452;
/// DLT_PFSYNC of OpenBSD.
const PFSYNC: u32 = 18;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (kind, count) = match &*arguments {
        [kind, count] => (&**kind, count.parse().ok()),
        _ => ("", None),
    };
    let out = &mut BufWriter::with_capacity(1 << 20, io::stdout().lock());
    match (kind, count) {
        ("log", Some(count)) => log(count, out)?,
        ("updates", Some(count)) => updates(count, out)?,
        _ => {
            eprintln!("usage: input log RECORDS | input updates MESSAGES");
            return Ok(ExitCode::from(2));
        }
    }
    out.flush().map(|()| ExitCode::SUCCESS)
}

fn log(count: u64, out: &mut impl Write) -> io::Result<()> {
    let (header, records) = GENUINE.split_at(HEADER);
    out.write_all(header)?;
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
    let (mut rest, mut later) = (records, 0);
    for _ in 0..count {
        let len = 16 + word(&rest[8..]) as usize;
        out.write_all(&(word(rest) + later).to_le_bytes())?;
        out.write_all(&rest[4..len])?;
        rest = &rest[len..];
        if rest.is_empty() {
            (rest, later) = (records, later + ROUND);
        }
    }
    Ok(())
}

fn updates(count: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&Pcap::new(Order::Little, Unit::Micro, PFSYNC).finish())?;
    let state = |n: u64| {
        let [a, b, c] = [n >> 16, n >> 8, n].map(|part| part as u8);
        let key = Key::new((&format!("10.{a}.{b}.{c}"), 40_000), ("198.51.100.20", 443));
        State { id: n + 1, wire: key, stack: key, ..State::default() }
    };
    // Not in the order of their insertion, as a firewall's traffic is not.
    let later = |n: u64| Update::of(&state(n * 48_271 % STATES)).into();
    let mut packets = 0;
    told(out, &mut packets, Action::Ins, (0..STATES).map(|n| state(n).into()))?;
    told(out, &mut packets, Action::UpdC, (0..count).map(later))
}

/// Writes packets of messages, each packet a millisecond after the one before.
fn told(
    out: &mut impl Write,
    packets: &mut u32,
    action: Action,
    messages: impl Iterator<Item = Message>,
) -> io::Result<()> {
    let layout = Layout::OpenBsd6;
    let mut messages = messages.peekable();
    let size = messages.peek().map_or(ROOM, |first| first.encode(layout, action).len());
    loop {
        let some: Vec<Message> = messages.by_ref().take(ROOM / size).collect();
        if some.is_empty() {
            return Ok(());
        }
        let time = Time { sec: 1_780_000_000 + *packets / 1000, nsec: *packets % 1000 * 1_000_000 };
        let mut pcap = Pcap::new(Order::Little, Unit::Micro, PFSYNC);
        pcap.record(time, &Frame::of(layout, action, &some).bytes());
        out.write_all(&pcap.finish()[HEADER..])?;
        *packets += 1;
    }
}
