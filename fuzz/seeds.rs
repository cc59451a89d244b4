//! Fills fuzz/corpus with what testdata holds, so that the fuzzer starts from real records:
//! `cargo run --example seeds`.
#![expect(clippy::print_stdout, reason = "it says what it did")]

use std::path::Path;
use std::{fs, io};

use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::event::Frame;
use pfscope::wire::link::LinkType;

/// Expressions for the filter target, each followed by a frame.
const EXPRESSIONS: [&str; 6] = [
    "action block and on em0 and not dst port 22",
    "(src net 10/8 or 2001:db8::/32) && udp portrange 1-1023",
    "rnr 5 or srnr 3 or rset alpha or reason short",
    "inbound and ip6 and icmp6 or esp and spi 0x1001",
    "host 192.0.2.10 or 192.0.2.11 and less 100",
    "truncated || suspect || ifname em*",
];

/// Traffic selectors in each notation.
const SELECTORS: [&str; 9] = [
    "10.1.0.0/16",
    "10.1.0.1..10.1.0.9",
    "2001:db8::/32[tcp/https]",
    "dynamic",
    "[udp/10001]",
    "10.1.0.0/16[udp/1000-2000]",
    "10.1.0.0/16[icmp/8(0)-10(255)]",
    "0.0.0.0/0[tcp/OPAQUE]",
    "10.1.0.0/16[/443]",
];

fn main() -> io::Result<()> {
    let corpus = Path::new("fuzz/corpus");
    for target in
        ["frame", "packet", "file", "filter", "summary", "states", "rules", "selector", "vici"]
    {
        fs::create_dir_all(corpus.join(target))?;
    }
    let mut seeds = 0;
    for folder in ["testdata/pflog", "testdata/pfsync", "testdata/genuine"] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fs::copy(&path, corpus.join("file").join(&name))?;
            let Ok(mut file) = File::open(&path) else { continue };
            let (mut batch, mut more) = (Batch::default(), true);
            let mut packets = vec![7];
            while more {
                more = file.fill(&mut batch).more;
                for (_, _, frame) in batch.frames() {
                    add_packet(&mut packets, frame);
                }
                // Every fifth record is enough to show each kind.
                for (_, _, frame) in batch.frames().step_by(5) {
                    let seed = format!("{name}-{}", frame.number);
                    let choice = match frame.link {
                        LinkType::OLD_PFLOG => 3,
                        LinkType::ETHERNET => 5,
                        LinkType::PFSYNC | LinkType::PFSYNC_18 | LinkType::PFSYNC_121 => 16,
                        _ => 0,
                    };
                    let data = [&[choice, 0], frame.data].concat();
                    fs::write(corpus.join("frame").join(&seed), &data)?;
                    fs::write(corpus.join("summary").join(&seed), &data)?;
                    let packet = frame.data.get(100..).unwrap_or(frame.data);
                    fs::write(corpus.join("packet").join(&seed), packet)?;
                    seeds += 1;
                }
            }
            if packets.len() > 1 {
                fs::write(corpus.join("states").join(&name), packets)?;
            }
        }
    }
    for entry in fs::read_dir("testdata/vici")? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (i, chunk) in chunks(&fs::read_to_string(&path)?).into_iter().enumerate() {
            // A packet without its length and type, and where it has no name a message.
            let message = chunk.get(5..).unwrap_or_default();
            fs::write(corpus.join("vici").join(format!("{name}-{i}")), &chunk)?;
            fs::write(corpus.join("vici").join(format!("{name}-{i}-message")), message)?;
            seeds += 1;
        }
    }
    for (i, expression) in EXPRESSIONS.iter().enumerate() {
        let mut data = expression.as_bytes().to_vec();
        data.resize(expression.len() * 2, 0);
        fs::write(corpus.join("filter").join(i.to_string()), data)?;
    }
    for entry in fs::read_dir("testdata/rules")? {
        let path = entry?.path();
        if path.is_file() {
            let mut data = fs::read(&path)?;
            data.resize(data.len() * 2, 0);
            let name = path.file_name().unwrap_or_default();
            fs::write(corpus.join("rules").join(name), data)?;
        }
    }
    for (i, selector) in SELECTORS.iter().enumerate() {
        fs::write(corpus.join("selector").join(i.to_string()), selector)?;
    }
    println!("{seeds} records are seeds of {}", corpus.display());
    Ok(())
}

/// Adds a packet of a pfsync device to what the states target reads: as it is, half a second
/// after the one before it.
fn add_packet(packets: &mut Vec<u8>, frame: Frame<'_>) {
    let pfsync = [LinkType::PFSYNC, LinkType::PFSYNC_18, LinkType::PFSYNC_121];
    let packet = match frame.data.first() {
        Some(0x45) => frame.data.get(20..).unwrap_or_default(),
        _ => frame.data,
    };
    let units = packet.len().div_ceil(4);
    if let (true, Ok(units)) = (pfsync.contains(&frame.link), u8::try_from(units)) {
        let end = packets.len() + 3 + usize::from(units) * 4;
        packets.extend([0, 100, units]);
        packets.extend_from_slice(packet);
        packets.resize(end, 0);
    }
}

/// The bytes of each line of a VICI transcript: `@CONNECTION SECONDS DIRECTION HEX`.
fn chunks(transcript: &str) -> Vec<Vec<u8>> {
    let digits = |line: &str| -> Option<Vec<u8>> {
        let hex = line.split(' ').nth(3)?;
        let pairs = (0..hex.len()).step_by(2);
        pairs.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
    };
    transcript.lines().filter(|line| line.starts_with('@')).filter_map(digits).collect()
}
