//! Reads a capture file through libpcap and does nothing with its packets: the time that reading
//! takes others. `benches/compare.sh` measures against it.
#![allow(clippy::print_stdout, reason = "a tool for the shell")]

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: nothing FILE")?;
    let mut capture = pcap::Capture::from_file(path)?;
    let mut packets = 0_u64;
    while capture.next_packet().is_ok() {
        packets += 1;
    }
    println!("{packets} packets");
    Ok(())
}
