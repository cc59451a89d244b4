//! -w: what is written is what was read; appended, rotated, reopened, on a full disk, killed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "common/pace.rs"]
mod pace;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{each_event, testdata};
use pace::{END, in_time};
use tempfile::TempDir;

const PFLOG: &str = "testdata/genuine/openbsd80-pflog0.pcap";
const ETHERNET: &str = "testdata/genuine/openbsd80-sync-eth.pcap";

/// Not by a macro: the test runner would keep that to itself.
fn skipped(why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}

fn pfscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.env("TZ", "UTC").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    pfscope().args(arguments).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn done(arguments: &[&str]) {
    let output = run(arguments);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a record is, but for its number.
type Seen = (i64, u32, Vec<u8>, usize, Option<Vec<u8>>);

fn records(path: &Path) -> Vec<Seen> {
    let mut all = Vec::new();
    each_event(path, |event| {
        let frame = event.frame;
        let name = frame.iface.map(<[u8]>::to_vec);
        all.push((frame.ts.0, frame.link.0, frame.data.to_vec(), frame.len, name));
    });
    all
}

fn without_names(mut all: Vec<Seen>) -> Vec<Seen> {
    all.iter_mut().for_each(|seen| seen.4 = None);
    all
}

/// How many packets tcpdump reads, if it reads the file to its end.
fn tcpdump_counts(path: &Path) -> Option<usize> {
    let output = Command::new("tcpdump").args(["--count", "-r", text(path)]).output().unwrap();
    let count = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| count.split(' ').next()?.parse().ok())?
}

fn captures() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["genuine", "pflog", "pfsync"] {
        for entry in fs::read_dir(testdata(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().contains(".pcap") {
                all.push(path);
            }
        }
    }
    all.sort();
    assert!(all.len() > 40, "{} captures", all.len());
    all
}

#[test]
fn what_is_written_is_what_was_read() {
    let scratch = TempDir::new().unwrap();
    let (mut pcap, mut refused) = (0, 0);
    for path in captures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let saved = scratch.path().join(format!("{name}.saved.pcapng"));
        if pfscope::capture::file::File::open(&path).is_err() {
            assert_eq!(run(&["-w", text(&saved), "-r", text(&path)]).status.code(), Some(1));
            assert!(!saved.exists(), "{name}");
            continue;
        }
        let expected = records(&path);
        let output = run(&["--pcapng", "-w", text(&saved), "-r", text(&path)]);
        assert!(output.status.code().unwrap() < 2, "{name}: {}", err(&output));
        if saved.exists() {
            assert_eq!(records(&saved), expected, "{name}");
        } else {
            assert!(expected.is_empty(), "{name}");
        }
        // pcapng again from pcapng: the same bytes.
        if saved.exists() {
            let again = scratch.path().join("again.pcapng");
            run(&["--pcapng", "-w", text(&again), "-r", text(&saved)]);
            assert_eq!(fs::read(&again).unwrap(), fs::read(&saved).unwrap(), "{name}");
            fs::remove_file(again).unwrap();
        }

        let saved = scratch.path().join(format!("{name}.saved.pcap"));
        let output = run(&["-w", text(&saved), "-r", text(&path)]);
        if err(&output).contains("--pcapng") {
            refused += 1;
            continue;
        }
        assert!(output.status.code().unwrap() < 2, "{name}: {}", err(&output));
        if !saved.exists() {
            assert!(expected.is_empty(), "{name}");
            continue;
        }
        assert_eq!(records(&saved), without_names(expected.clone()), "{name}");
        // Numbers of some systems' own that its libpcap does not know in any file.
        let known = !matches!(expected.first(), Some((_, 14 | 17 | 18, ..)));
        assert_eq!(tcpdump_counts(&saved), known.then_some(expected.len()), "{name}");
        pcap += 1;
    }
    // Several link types, byte orders or precisions in one file are few.
    assert!(pcap > 40 && refused > 0, "{pcap} written, {refused} refused");
}

#[test]
fn a_plain_pcap_is_written_byte_for_byte_in_its_own_order() {
    let scratch = TempDir::new().unwrap();
    let bytes = fs::read(PFLOG).unwrap();
    let saved = scratch.path().join("saved");
    done(&["-r", PFLOG, "-w", text(&saved)]);
    assert_eq!(fs::read(&saved).unwrap()[24..], bytes[24..]);
    let output = run(&["-r", PFLOG, "-w", "-", "-c", "3", "tcp"]);
    fs::write(&saved, &output.stdout).unwrap();
    let shown = run(&["-n", "-r", PFLOG, "-c", "3", "tcp"]).stdout;
    assert_eq!(run(&["-n", "-r", text(&saved)]).stdout, shown);
    let none = scratch.path().join("none");
    done(&["-r", PFLOG, "-w", text(&none), "host 192.0.2.250"]);
    assert_eq!(fs::read(&none).unwrap(), fs::read(&saved).unwrap()[..24]);
}

#[test]
fn pcapng_takes_what_pcap_cannot() {
    let scratch = TempDir::new().unwrap();
    let (pcap, pcapng) = (scratch.path().join("pcap"), scratch.path().join("pcapng"));
    let both = ["-r", PFLOG, "-r", ETHERNET];
    let output = run(&[&both[..], &["-w", text(&pcap)]].concat());
    assert_eq!(output.status.code(), Some(1));
    let message =
        "holds packets of link type 117 and cannot take those of 1: write both with --pcapng";
    assert!(err(&output).contains(message), "{}", err(&output));
    assert_eq!(records(&pcap), records(Path::new(PFLOG)), "what came before is there");
    done(&[&both[..], &["--pcapng", "-w", text(&pcapng)]].concat());
    let mut expected = records(Path::new(PFLOG));
    expected.extend(records(Path::new(ETHERNET)));
    assert_eq!(records(&pcapng), expected);

    // One link type, microseconds and nanoseconds: pcap can be told.
    let nanos = scratch.path().join("nanos");
    done(&["--nano", "-r", PFLOG, "-w", text(&nanos)]);
    assert_eq!(fs::read(&nanos).unwrap()[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    let mixed = ["-r", PFLOG, "-r", text(&nanos), "-w"];
    let refused = scratch.path().join("refused");
    let output = run(&[&mixed[..], &[text(&refused)]].concat());
    assert!(err(&output).contains("--nano"), "{}", err(&output));
    let told = scratch.path().join("told");
    done(&[&mixed[..], &[text(&told), "--nano"]].concat());
    assert_eq!(records(&told).len(), 2 * records(Path::new(PFLOG)).len());
}

#[test]
fn tcpdump_reads_our_pcapng() {
    let scratch = TempDir::new().unwrap();
    let saved = scratch.path().join("saved");
    done(&["--pcapng", "-r", PFLOG, "-w", text(&saved)]);
    // A second section behind the first.
    done(&["--pcapng", "-r", PFLOG, "-w", text(&saved)]);
    let lines = |path: &str| {
        let output = Command::new("tcpdump").args(["-n", "-e", "-S", "-r", path]).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(lines(text(&saved)), lines(PFLOG).repeat(2));
}

/// What is beside a file: the names that begin with its name and `.bad.`.
fn aside(path: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}.bad.", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix)).collect()
}

#[test]
fn a_file_that_fits_is_appended_to() {
    let scratch = TempDir::new().unwrap();
    let once = records(Path::new(PFLOG));
    for pcapng in [&[][..], &["--pcapng"]] {
        let saved = scratch.path().join(format!("saved{}", pcapng.len()));
        let arguments = [&["-r", PFLOG, "-w", text(&saved)], pcapng].concat();
        for times in 1..4 {
            done(&arguments);
            assert_eq!(records(&saved), vec![once.clone(); times].concat());
        }
        // Cut at any byte of the last record it is repaired and goes on.
        let whole = fs::read(&saved).unwrap();
        let last = once.last().unwrap().2.len();
        let stride = if pcapng.is_empty() { 1 } else { 7 };
        for cut in (1..last).step_by(stride) {
            fs::write(&saved, &whole[..whole.len() - cut]).unwrap();
            let output = run(&arguments);
            let message = "ended in a record that is not whole";
            assert!(err(&output).contains(message), "{cut}: {}", err(&output));
            assert_eq!(output.status.code(), Some(0));
            let mut expected = vec![once.clone(); 3].concat();
            expected.pop();
            expected.extend(once.clone());
            assert_eq!(records(&saved), expected, "{cut}");
        }
        assert!(aside(&saved).is_empty());
    }
}

#[test]
fn an_empty_file_gets_its_header_and_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = TempDir::new().unwrap();
    let saved = scratch.path().join("saved");
    File::create(&saved).unwrap().set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    done(&["-r", PFLOG, "-w", text(&saved)]);
    assert_eq!(records(&saved), records(Path::new(PFLOG)));
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_file_that_does_not_fit_is_moved_aside() {
    let scratch = TempDir::new().unwrap();
    let pcap = fs::read(PFLOG).unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = pcap.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    for (name, there, why) in [
        ("link", fs::read(ETHERNET).unwrap(), "link type"),
        ("snaplen", changed(16, &[116, 0, 0, 0]), "snapshot length 116, not 262144"),
        ("order", changed(0, &[0xa1, 0xb2, 0xc3, 0xd4]), "byte order"),
        ("precision", changed(0, &[0x4d, 0x3c, 0xb2, 0xa1]), "precision"),
        ("version", changed(4, &[3, 0]), "version"),
        ("cut", pcap[..23].to_vec(), "not whole"),
        ("text", b"precious notes, not packets at all".to_vec(), "header differs"),
        ("damaged", changed(24 + 8, &[0xff, 0xff, 0xff, 0x7f]), "limit"),
    ] {
        let saved = scratch.path().join(name);
        fs::write(&saved, &there).unwrap();
        let output = run(&["-r", PFLOG, "-w", text(&saved)]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert!(err(&output).contains(why), "{name}: {}", err(&output));
        let [aside] = &aside(&saved)[..] else { panic!("{name} was not moved") };
        assert!(err(&output).contains(text(aside)), "{name}");
        assert_eq!(fs::read(aside).unwrap(), there, "{name}: nothing is lost");
        assert_eq!(records(&saved), records(Path::new(PFLOG)), "{name}");
    }
    // A reader's limit that is larger, or none, fits.
    for (name, snaplen) in [("larger", [0, 0, 8, 0]), ("none", [0; 4])] {
        let saved = scratch.path().join(name);
        fs::write(&saved, changed(16, &snaplen)).unwrap();
        done(&["-r", PFLOG, "-w", text(&saved)]);
        assert_eq!(records(&saved).len(), 2 * records(Path::new(PFLOG)).len());
    }
    let saved = scratch.path().join("pcapng");
    fs::write(&saved, &pcap).unwrap();
    assert!(err(&run(&["--pcapng", "-r", PFLOG, "-w", text(&saved)])).contains("not pcapng"));
}

// Numbered packets, so that each is found once.

/// A pcap file's header: Ethernet, microseconds.
fn header() -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        out.extend(word.to_le_bytes());
    }
    out
}

/// A record of an IPv4 packet in Ethernet with its number in its UDP payload, and so many bytes.
fn numbered(number: u32, payload: usize) -> Vec<u8> {
    let ip = u16::try_from(28 + payload).unwrap();
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    packet.extend(ip.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x30, 0x39, 0xd4, 0x31]);
    packet.extend((ip - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(number.to_be_bytes());
    packet.resize(42 + payload, 0);
    let mut out = Vec::new();
    let len = u32::try_from(packet.len()).unwrap();
    for word in [1_790_000_000 + number / 1000, number % 1000 * 1000, len, len] {
        out.extend(word.to_le_bytes());
    }
    out.extend(packet);
    out
}

/// Adds the numbers of a file's packets.
fn count_numbers(path: &Path, found: &mut BTreeMap<u32, u32>) {
    each_event(path, |event| {
        assert_eq!(event.frame.data.len(), event.frame.len, "{}", path.display());
        let number = event.frame.data[42..46].try_into().unwrap();
        *found.entry(u32::from_be_bytes(number)).or_default() += 1;
    });
}

#[track_caller]
fn each_once(found: &BTreeMap<u32, u32>, count: u32) {
    let doubled: Vec<_> = found.iter().filter(|&(_, &times)| times > 1).take(5).collect();
    assert!(doubled.is_empty(), "more than once: {doubled:?}");
    let missing: Vec<_> = (0..count).filter(|number| !found.contains_key(number)).collect();
    assert!(
        missing.is_empty(),
        "{} missing, as {:?}",
        missing.len(),
        &missing[..missing.len().min(5)]
    );
    assert_eq!(found.len(), count as usize);
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A running program that reads packets from its standard input; ended whatever happens.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM, upon which it ends well, and in time.
    #[track_caller]
    fn ends_in_time(&mut self) {
        let started = Instant::now();
        self.signal("-TERM");
        let mut status = None;
        wait_until("the end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        assert!(started.elapsed() < END, "{:?}", started.elapsed());
        assert_eq!(status.unwrap().code(), Some(0));
    }

    /// Ends the input and waits.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.0.stdin.take());
        let mut said = String::new();
        io::Read::read_to_string(&mut self.0.stderr.take().unwrap(), &mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait_until(what: &str, mut yes: impl FnMut() -> bool) {
    let started = Instant::now();
    while !yes() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not come");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_hundred_rotations_at_full_rate_lose_and_double_nothing() {
    const COUNT: u32 = 66_000;
    let scratch = TempDir::new().unwrap();
    let input = scratch.path().join("input");
    let mut bytes = header();
    (0..COUNT).for_each(|number| bytes.extend(numbered(number, 100)));
    fs::write(&input, &bytes).unwrap();
    for more in [&[][..], &["--pcapng"], &["-U", "--compress", "zstd"]] {
        let folder = TempDir::new_in(scratch.path()).unwrap();
        let log = folder.path().join("log");
        // 10 MB in files of 45 KiB.
        done(&[&["-r", text(&input), "-w", text(&log), "-C", "45k"], more].concat());
        let names = files(folder.path());
        assert!(names.len() > 200, "{} files", names.len());
        let mut found = BTreeMap::new();
        for name in &names {
            count_numbers(&folder.path().join(name), &mut found);
        }
        each_once(&found, COUNT);
        let packed = names.iter().filter(|name| name.ends_with(".zst")).count();
        assert_eq!(packed, if more.contains(&"zstd") { names.len() - 1 } else { 0 });
    }
}

#[test]
fn zstd_s_own_program_unpacks_what_was_compressed() {
    if Command::new("zstd").arg("--version").output().is_err() {
        return skipped("zstd is not installed");
    }
    let scratch = TempDir::new().unwrap();
    let (plain, packed) = (scratch.path().join("plain"), scratch.path().join("packed"));
    let input = scratch.path().join("input");
    let mut bytes = header();
    (0..30_000).for_each(|number| bytes.extend(numbered(number, 100)));
    fs::write(&input, &bytes).unwrap();
    // More than a frame each.
    done(&["-r", text(&input), "-w", text(&plain), "-C", "2"]);
    done(&["-r", text(&input), "-w", text(&packed), "-C", "2", "--compress", "zstd"]);
    for number in ["", "1"] {
        let zst = format!("{}{number}.zst", packed.display());
        let output = Command::new("zstd").args(["-dcq", &zst]).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        let same = output.stdout == fs::read(format!("{}{number}", plain.display())).unwrap();
        assert!(same, "{zst} differs");
    }
}

#[test]
fn a_storm_of_renames_and_hangups_loses_and_doubles_nothing() {
    const COUNT: u32 = 40_000;
    let scratch = TempDir::new().unwrap();
    let log = scratch.path().join("log");
    let mut pfscope = Running::start(pfscope().args(["-r", "-", "-w", text(&log)]));
    pfscope.write(&header());
    wait_until("the file", || log.exists());
    let mut renamed = 0;
    for number in 0..COUNT {
        pfscope.write(&numbered(number, 20));
        if number % 200 == 199 {
            // As newsyslog does; some hangups come without, and some renames are not waited for.
            if number % 600 == 199 && log.exists() {
                fs::rename(&log, scratch.path().join(format!("log.{renamed:03}"))).unwrap();
                renamed += 1;
            }
            pfscope.signal("-HUP");
            if number % 4000 == 199 {
                wait_until("the file again", || log.exists());
            }
        }
    }
    let (status, said) = pfscope.end();
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let names = files(scratch.path());
    assert!(renamed > 10 && names.len() == renamed + 1, "{renamed} renamed, {names:?}");
    let mut found = BTreeMap::new();
    for name in &names {
        count_numbers(&scratch.path().join(name), &mut found);
    }
    each_once(&found, COUNT);
}

#[test]
fn a_packet_is_in_the_file_within_the_interval_or_at_once() {
    let scratch = TempDir::new().unwrap();
    for (name, more, least, most) in [
        ("interval", &["--flush-interval", "0.7"][..], 300, 3000),
        ("at-once", &["--flush-interval", "600", "-U"], 0, 3000),
    ] {
        let log = scratch.path().join(name);
        let mut pfscope = Running::start(pfscope().args(["-r", "-", "-w", text(&log)]).args(more));
        pfscope.write(&header());
        wait_until("the header", || fs::metadata(&log).is_ok_and(|found| found.len() == 24));
        sleep(Duration::from_millis(50));
        let record = numbered(0, 10);
        let whole = (header().len() + record.len()) as u64;
        let mut longest = 0;
        for times in 0..3 {
            let started = Instant::now();
            pfscope.write(&record);
            let len = whole + times * record.len() as u64;
            wait_until("the record", || fs::metadata(&log).unwrap().len() == len);
            longest = longest.max(started.elapsed().as_millis());
        }
        assert!((least..most).contains(&longest), "{name}: {longest} ms");
        assert_eq!(pfscope.end().0, Some(0));
    }
}

#[test]
fn a_signal_ends_a_pipe_and_what_was_read_is_written() {
    in_time(|| {
        let scratch = TempDir::new().unwrap();
        let log = scratch.path().join("log");
        let mut pfscope = Running::start(pfscope().args([
            "-r",
            "-",
            "-w",
            text(&log),
            "--flush-interval",
            "600",
        ]));
        pfscope.write(&header());
        wait_until("the header", || log.exists());
        (0..100).for_each(|number| pfscope.write(&numbered(number, 10)));
        sleep(Duration::from_millis(300));
        pfscope.ends_in_time();
        let mut found = BTreeMap::new();
        count_numbers(&log, &mut found);
        each_once(&found, 100);
    });
}

/// What was not compressed in time is there as it was, and nothing is left of the try.
#[test]
fn a_signal_ends_compression_and_loses_nothing() {
    in_time(|| {
        const COUNT: u32 = 60_000;
        let scratch = TempDir::new().unwrap();
        let log = scratch.path().join("log");
        let mut pfscope = Running::start(pfscope().args([
            "-r",
            "-",
            "-w",
            text(&log),
            "-C",
            "4m",
            "--compress",
            "zstd",
        ]));
        pfscope.write(&header());
        // 60 MB of what does not compress well, faster than it can be compressed.
        let mut bytes = Vec::new();
        let mut noise = 1_u64;
        for number in 0..COUNT {
            let start = bytes.len() + 16 + 46;
            bytes.extend(numbered(number, 1000));
            for byte in &mut bytes[start..] {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = u8::try_from(noise >> 60).unwrap();
            }
        }
        pfscope.write(&bytes);
        wait_until("the last file", || scratch.path().join("log14").exists());
        pfscope.ends_in_time();
        let said = pfscope.end().1;
        let mut found = BTreeMap::new();
        let names = files(scratch.path());
        for name in &names {
            assert!(!name.ends_with(".new"), "{names:?}");
            count_numbers(&scratch.path().join(name), &mut found);
        }
        each_once(&found, COUNT);
        let left = names.iter().filter(|name| !name.ends_with(".zst")).count();
        assert!(left > 2, "all was compressed in time: {names:?}");
        // The last one is not full, so it is not for compression.
        let first = names.iter().filter(|name| !name.ends_with(".zst")).count() - 2;
        assert!(said.contains("no time to compress it"), "{said}");
        assert!(said.contains(&format!("(and {first} file")), "{left} left: {said}");
    });
}

#[test]
fn a_file_that_another_has_emptied_gets_its_header_again() {
    let scratch = TempDir::new().unwrap();
    let log = scratch.path().join("log");
    let mut pfscope = Running::start(pfscope().args(["-r", "-", "-U", "-w", text(&log)]));
    let len = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    pfscope.write(&[header(), numbered(0, 10), numbered(1, 10)].concat());
    wait_until("two records", || len(&log) == 24 + 2 * 68);
    // logrotate's copytruncate.
    let copy = scratch.path().join("copy");
    fs::copy(&log, &copy).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    pfscope.write(&numbered(2, 10));
    wait_until("the third", || len(&log) == 24 + 68);
    assert_eq!(pfscope.end(), (Some(0), String::new()));
    let mut found = BTreeMap::new();
    count_numbers(&log, &mut found);
    count_numbers(&copy, &mut found);
    each_once(&found, 3);
}

#[test]
fn killed_at_any_moment_it_leaves_a_file_that_every_reader_opens() {
    let scratch = TempDir::new().unwrap();
    let mut feed = header();
    (0..40_000).for_each(|number| feed.extend(numbered(number, 60)));
    let mut most = 0;
    for round in 0..40_u64 {
        let folder = TempDir::new_in(scratch.path()).unwrap();
        let log = folder.path().join("log");
        let mut arguments = vec!["-r", "-", "-w", text(&log), "--flush-interval", "0.01"];
        let pcapng = round % 4 == 1;
        let rotates = round % 4 == 2;
        arguments.extend(pcapng.then_some("--pcapng"));
        arguments.extend(rotates.then_some(["-C", "100k"]).into_iter().flatten());
        arguments.extend((round % 4 == 3).then_some("-U"));
        let mut pfscope = Running::start(pfscope().args(&arguments));
        let mut stdin = pfscope.0.stdin.take().unwrap();
        let bytes = feed.clone();
        let writer = std::thread::spawn(move || {
            // It is killed in the middle.
            let _ = stdin.write_all(&bytes);
        });
        wait_until("the file", || log.exists());
        sleep(Duration::from_micros(round * round * 173 % 60_000));
        pfscope.0.kill().unwrap();
        pfscope.0.wait().unwrap();
        writer.join().unwrap();
        let names = files(folder.path());
        let logs = names.iter().filter(|name| !name.ends_with(".new"));
        let (mut found, mut before) = (BTreeMap::new(), 0);
        for name in logs {
            let path = folder.path().join(name);
            let (mut whole, mut cut) = (0, false);
            each_event(&path, |event| {
                assert!(!cut, "{name}: records behind one that is cut");
                cut = event.frame.data.len() < event.frame.len;
                if !cut {
                    let number = event.frame.data[42..46].try_into().unwrap();
                    *found.entry(u32::from_be_bytes(number)).or_default() += 1;
                    whole += 1;
                }
            });
            if cut {
                // The kernel looks for a signal that kills between two pages of a write(2).
                assert_eq!(fs::metadata(&path).unwrap().len() % 4096, 0, "{name}");
            } else {
                assert_eq!(tcpdump_counts(&path), Some(whole), "{name}");
            }
            if path == log {
                before = whole;
            }
        }
        each_once(&found, u32::try_from(found.len()).unwrap());
        most = most.max(found.len());
        // Gone on with; a last record that the kernel cut is taken away.
        let again = &["-r", text(&log), "-w"];
        let copy = folder.path().join("copy");
        run(&[&again[..], &[text(&copy)]].concat());
        let one = scratch.path().join("one");
        fs::write(&one, [header(), numbered(0, 60)].concat()).unwrap();
        let mut arguments = vec!["-r", text(&one), "-w", text(&log)];
        arguments.extend(pcapng.then_some("--pcapng"));
        assert_eq!(run(&arguments).status.code(), Some(0));
        assert_eq!(records(&log).len(), before + 1);
        assert_eq!(tcpdump_counts(&log), Some(before + 1));
        assert!(aside(&log).is_empty());
    }
    assert!(most > 1000, "nothing was being written when it was killed: {most}");
}

/// Runs a script as root with a small file system of its own at $1, which goes with it. False,
/// said aloud, where that is not possible.
fn on_a_small_disk(kib: u32, script: &str, folder: &Path) -> Option<Output> {
    let mount = format!("mount -t tmpfs -o size={kib}k tmpfs \"$1\"");
    let mut mounts = Command::new("unshare");
    mounts.args(["-m", "sh", "-c", &mount, "sh", text(folder)]);
    if !mounts.output().is_ok_and(|output| output.status.success()) {
        skipped("no root, or no unshare(1): a full disk was not tried");
        return None;
    }
    let script = format!("set -e; {mount}; {script}");
    let binary = env!("CARGO_BIN_EXE_pfscope");
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script, "sh", text(folder), binary]);
    Some(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn a_full_disk_costs_what_does_not_fit_and_no_more() {
    let scratch = TempDir::new().unwrap();
    let (disk, out) = (scratch.path().join("disk"), scratch.path().join("out"));
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&out).unwrap();
    // Before the disk is full, while, and after.
    const PARTS: [u32; 3] = [1000, 9000, 2000];
    let (mut number, mut parts) = (0, Vec::new());
    for (part, count) in PARTS.into_iter().enumerate() {
        let mut bytes = if part == 0 { header() } else { Vec::new() };
        for _ in 0..count {
            bytes.extend(numbered(number, 58));
            number += 1;
        }
        let path = out.join(format!("part{part}"));
        fs::write(&path, bytes).unwrap();
        parts.push(path);
    }
    // Ballast beside a megabyte: the first part fits, the second does not, and then the ballast
    // goes.
    let script = format!(
        r#"
        dd if=/dev/zero of="$1/ballast" bs=1k count=600 2>/dev/null
        mkfifo "{out}/fifo"
        "$2" -r "{out}/fifo" -w "$1/log" --flush-interval 0.2 2>"{out}/said" & pid=$!
        exec 3>"{out}/fifo"
        cat "{out}/part0" >&3; sleep 1
        cat "{out}/part1" >&3; sleep 1
        cp "$1/log" "{out}/while-full"
        rm "$1/ballast"; sleep 1
        cat "{out}/part2" >&3
        exec 3>&-
        status=0; wait $pid || status=$?
        cp "$1/log" "{out}/after"
        echo "status $status"
        "#,
        out = out.display()
    );
    let Some(output) = on_a_small_disk(1024, &script, &disk) else { return };
    let said = fs::read_to_string(out.join("said")).unwrap_or_default();
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(shown, "status 1\n", "{said}{}", err(&output));
    // While it is full it ends in a whole record.
    let (full, after) = (out.join("while-full"), out.join("after"));
    let mut found = BTreeMap::new();
    count_numbers(&full, &mut found);
    assert_eq!(tcpdump_counts(&full), Some(found.len()));
    let fitted = u32::try_from(found.len()).unwrap();
    assert!((PARTS[0] + 1..PARTS[0] + PARTS[1]).contains(&fitted), "{fitted}");
    each_once(&found, fitted);
    // Afterwards all that came when there was room is there, and the rest was counted.
    let mut found = BTreeMap::new();
    count_numbers(&after, &mut found);
    assert_eq!(tcpdump_counts(&after), Some(found.len()));
    assert!(found.values().all(|&times| times == 1));
    let last = PARTS[0] + PARTS[1]..number;
    assert!({ last }.all(|number| found.contains_key(&number)), "it went on: {said}");
    let lost = number - u32::try_from(found.len()).unwrap();
    assert!(lost > 0 && said.contains("No space left on device"), "{said}");
    assert!(said.contains(&format!("is written again; {lost} records were lost")), "{said}");
    assert!(said.ends_with(&format!("log: {lost} records could not be written\n")), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn a_rotation_on_a_full_disk_goes_on_when_there_is_room() {
    let scratch = TempDir::new().unwrap();
    let (disk, out) = (scratch.path().join("disk"), scratch.path().join("out"));
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&out).unwrap();
    let mut number = 0;
    for part in 0..3 {
        let mut bytes = if part == 0 { header() } else { Vec::new() };
        for _ in 0..3000 {
            bytes.extend(numbered(number, 58));
            number += 1;
        }
        fs::write(out.join(format!("part{part}")), bytes).unwrap();
    }
    let script = format!(
        r#"
        dd if=/dev/zero of="$1/ballast" bs=1k count=400 2>/dev/null
        mkfifo "{out}/fifo"
        "$2" -r "{out}/fifo" -w "$1/log" -C 60k --flush-interval 0.2 2>"{out}/said" & pid=$!
        exec 3>"{out}/fifo"
        cat "{out}/part0" >&3; sleep 0.5
        cat "{out}/part1" >&3; sleep 0.5
        rm "$1/ballast"; sleep 0.5
        cat "{out}/part2" >&3
        exec 3>&-
        status=0; wait $pid || status=$?
        cp "$1"/log* "{out}/"
        echo "status $status"
        "#,
        out = out.display()
    );
    let Some(output) = on_a_small_disk(800, &script, &disk) else { return };
    let said = fs::read_to_string(out.join("said")).unwrap_or_default();
    assert_eq!(
        String::from_utf8(output.stdout.clone()).unwrap(),
        "status 1\n",
        "{said}{}",
        err(&output)
    );
    let mut found = BTreeMap::new();
    for name in files(&out).iter().filter(|name| name.starts_with("log")) {
        let before = found.len();
        count_numbers(&out.join(name), &mut found);
        assert_eq!(tcpdump_counts(&out.join(name)), Some(found.len() - before), "{name}");
    }
    // However often it was tried, no number was left out.
    let logs = files(&out).iter().filter(|name| name.starts_with("log")).count();
    assert!(out.join(format!("log{}", logs - 1)).exists(), "{:?}", files(&out));
    let lost = number - u32::try_from(found.len()).unwrap();
    assert!(found.values().all(|&times| times == 1));
    assert!(lost > 0 && lost < 6000 && found.contains_key(&(number - 1)), "{lost} lost: {said}");
    assert!(said.contains(&format!("{lost} records could not be written")), "{lost}: {said}");
}

#[test]
fn a_next_file_that_cannot_be_made_is_tried_again_under_its_own_name() {
    let scratch = TempDir::new().unwrap();
    let (folder, gone) = (scratch.path().join("folder"), scratch.path().join("gone"));
    fs::create_dir(&folder).unwrap();
    let log = folder.join("log");
    let arguments = ["-r", "-", "-C", "2k", "-U", "--flush-interval", "0.1", "-w", text(&log)];
    let mut pfscope = Running::start(pfscope().args(arguments));
    pfscope.write(&header());
    (0..100).for_each(|number| pfscope.write(&numbered(number, 10)));
    wait_until("the third file", || folder.join("log2").exists());
    sleep(Duration::from_millis(300));
    fs::rename(&folder, &gone).unwrap();
    for number in 100..300 {
        pfscope.write(&numbered(number, 10));
        sleep(Duration::from_millis(2));
    }
    fs::rename(&gone, &folder).unwrap();
    sleep(Duration::from_millis(300));
    (300..310).for_each(|number| pfscope.write(&numbered(number, 10)));
    let (status, said) = pfscope.end();
    assert_eq!(status, Some(1), "{said}");
    let mut found = BTreeMap::new();
    let names = files(&folder);
    names.iter().for_each(|name| count_numbers(&folder.join(name), &mut found));
    let lost = 310 - found.len();
    assert!((100..200).contains(&lost), "{lost} lost: {said}");
    assert!((300..310).all(|number| found.get(&number) == Some(&1)), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
    assert!(said.ends_with(&format!("{lost} records could not be written\n")), "{said}");
    // However often it was tried, no number was left out.
    assert!(folder.join(format!("log{}", names.len() - 1)).exists(), "{names:?}");
}

/// Files that a run of the program makes in a folder of its own, each with its packets.
fn made_by(program: &mut Command, name: &str, input: &Path, more: &[&str]) -> Vec<(String, u64)> {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join(name);
    let output = program.args(["-r", text(input), "-w", text(&log)]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let made = files(folder.path());
    let sizes = made.iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len());
    made.iter().cloned().zip(sizes).collect()
}

#[test]
fn files_are_named_and_cut_as_tcpdump_does() {
    let scratch = TempDir::new().unwrap();
    let input = scratch.path().join("input");
    let mut bytes = header();
    (0..90_000).for_each(|number| bytes.extend(numbered(number, 75)));
    fs::write(&input, &bytes).unwrap();
    for (name, more) in [
        ("log", &["-C", "1"][..]),
        ("log", &["-C", "1", "-W", "1"]),
        ("log", &["-C", "1", "-W", "5"]),
        ("log", &["-C", "1", "-W", "10"]),
        ("log", &["-C", "1", "-W", "11"]),
        ("log", &["-C", "1", "-W", "200"]),
        ("log.%Y", &["-C", "1"]),
        ("log.%Y", &["-C", "3", "-G", "3600"]),
        ("log-%Y%m%d-%%", &["-G", "3600"]),
        ("log-%Y%m%d-%b", &["-G", "3600", "-W", "3"]),
        ("log-%y.%j", &["-G", "3600", "-C", "2", "-W", "12"]),
    ] {
        let mut tcpdump = Command::new("tcpdump");
        // As it is: tcpdump would drop root's rights and with them those to the folder.
        let theirs = made_by(tcpdump.env("TZ", "UTC").args(["-Z", "root"]), name, &input, more);
        let ours = made_by(&mut pfscope(), name, &input, more);
        assert_eq!(ours, theirs, "{name} {more:?}");
    }
}

/// Three packets a second for three seconds through pipes into us and into tcpdump, which rotate by
/// time: the files of both, and whether we said that there may be no more. `None` where one of the
/// two, or this test, was kept from its work until the second had passed.
fn rotated_by_time(more: &[&str]) -> Option<[Vec<(String, u64)>; 2]> {
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap();
    let folder = TempDir::new().unwrap();
    let list = |part: &str| {
        let path = folder.path().join(part);
        let with_size = |name: String| (path.join(&name).metadata().unwrap().len(), name);
        files(&path).into_iter().map(with_size).map(|(len, name)| (name, len)).collect::<Vec<_>>()
    };
    let run = |program: &mut Command, part: &str| {
        let path = folder.path().join(part);
        fs::create_dir(&path).unwrap();
        let log = path.join("log.%s");
        let log = ["-r", "-", "-U", "-w", text(&log)];
        (part.to_owned(), Running::start(program.env("TZ", "UTC").args(log).args(more)))
    };
    // Both start early in a second, so that they see the same seconds.
    while now().subsec_millis() > 100 {
        sleep(Duration::from_millis(10));
    }
    let first = now().as_secs();
    let mut both = [
        run(&mut pfscope(), "pfscope"),
        run(Command::new("tcpdump").args(["-Z", "root"]), "tcpdump"),
    ];
    for number in 0..9 {
        let second = first + u64::from(number / 3);
        let due = Duration::new(second, (number % 3 + 1) * 200_000_000);
        sleep(due.saturating_sub(now()));
        let packet = numbered(number, 10);
        for (part, running) in &mut both {
            if number == 0 {
                running.write(&header());
            }
            // It may have ended, by -W.
            let _ = running.0.stdin.as_mut().unwrap().write_all(&packet);
            let taken = packet.len() as u64 * u64::from(number + 1);
            wait_until("the packet", || {
                let records = list(part).iter().map(|(_, len)| len.saturating_sub(24)).sum::<u64>();
                records == taken || running.0.try_wait().unwrap().is_some()
            });
        }
        if now().as_secs() != second {
            return None;
        }
    }
    for (part, running) in both {
        let (status, said) = running.end();
        assert_eq!(status, Some(0), "{part}: {said}");
        let full = part == "pfscope" && more.contains(&"-W");
        assert_eq!(said.contains("maximum file limit reached: 2"), full, "{part}: {said}");
    }
    Some(["pfscope", "tcpdump"].map(list))
}

#[test]
fn rotation_by_time_is_tcpdump_s() {
    for (more, count) in [(&["-G", "1"][..], 3), (&["-G", "1", "-W", "2"], 2)] {
        let [ours, theirs] = (0..20).find_map(|_| rotated_by_time(more)).unwrap();
        assert_eq!(ours, theirs, "{more:?}");
        assert_eq!(ours.len(), count, "{ours:?}");
    }
}

#[test]
fn a_ring_keeps_its_size_when_compressed_too() {
    let scratch = TempDir::new().unwrap();
    let input = scratch.path().join("input");
    let mut bytes = header();
    (0..30_000).for_each(|number| bytes.extend(numbered(number, 75)));
    fs::write(&input, &bytes).unwrap();
    let folder = TempDir::new_in(scratch.path()).unwrap();
    let log = folder.path().join("log");
    let arguments = ["-r", text(&input), "-w", text(&log), "-C", "300k", "-W", "4"];
    done(&[&arguments[..], &["--compress", "zstd"]].concat());
    let names = files(folder.path());
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.ends_with(".zst")).count(), 3, "{names:?}");
}

#[test]
fn wrong_usage_says_what_to_do() {
    for (arguments, message) in [
        (&["-w", "-", "-C", "1"][..], "-w -"),
        (&["-w", "x", "-W", "3"], "-C or -G"),
        (&["-w", "x", "--compress", "zstd"], "-C or -G"),
        (&["-C", "1"], "--write"),
        (&["--pcapng"], "--write"),
        (&["-w", "x", "--format", "json"], "--format"),
        (&["-w", "x", "-C", "0"], "not a size"),
        (&["-w", "x", "--flush-interval", "0"], "0.01"),
    ] {
        let output = run(&[&["-r", PFLOG], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(message), "{arguments:?}: {}", err(&output));
    }
    let output = run(&["-r", PFLOG, "-w", "no/such/folder/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("no/such/folder/x: No such file or directory"));
}

/// Blocks of a little-endian pcapng file of this type, without their type and lengths.
#[cfg(all(feature = "live", target_os = "linux", target_endian = "little"))]
fn blocks(file: &[u8], kind: u32) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), file);
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let len = word(4) as usize;
        if word(0) == kind {
            found.push(rest[8..len - 4].to_vec());
        }
        rest = &rest[len..];
    }
    found
}

#[cfg(all(feature = "live", target_os = "linux", target_endian = "little"))]
#[test]
fn devices_are_written_with_their_names_and_counters() {
    let scratch = TempDir::new().unwrap();
    let devices = ["-i", "lo", "-i", "any", "udp and dst port 19997", "-w"];
    let start =
        |log: &Path, more: &[&str]| Running::start(pfscope().args(devices).arg(log).args(more));
    let send = || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // Nobody listens: an earlier datagram's refusal may be reported here.
        let _ = socket.send_to(b"pfscope", "127.0.0.1:19997");
    };
    let log = scratch.path().join("pcapng");
    let mut pfscope = start(&log, &["--pcapng", "--flush-interval", "0.1"]);
    let mut ended = None;
    wait_until("the file, before any packet", || {
        ended = pfscope.0.try_wait().unwrap();
        log.exists() || ended.is_some()
    });
    if ended.is_some() {
        return skipped(&format!("no live capture: {}", pfscope.end().1));
    }
    let before = fs::read(&log).unwrap();
    assert_eq!(blocks(&before, 1).len(), 2, "both interfaces are described at once");
    wait_until("four packets", || {
        send();
        sleep(Duration::from_millis(50));
        records(&log).len() >= 4
    });
    pfscope.signal("-INT");
    let (status, said) = pfscope.end();
    assert_eq!(status, Some(0), "{said}");
    let all = records(&log);
    let names = |name: &[u8]| all.iter().filter(|seen| seen.4.as_deref() == Some(name)).count();
    assert!(names(b"lo") > 0 && names(b"any") > 0 && names(b"lo") + names(b"any") == all.len());
    let counted = blocks(&fs::read(&log).unwrap(), 5);
    assert_eq!(counted.len(), 2, "{counted:?}");
    for (number, block) in counted.iter().enumerate() {
        assert_eq!(block[0] as usize, number);
        // isb_ifrecv, 8 bytes.
        assert_eq!(block[12..16], [4, 0, 8, 0]);
        let received = u64::from_le_bytes(block[16..24].try_into().unwrap());
        assert!(received >= names(b"lo") as u64, "{received}");
    }

    // Each file of many ends with the counters so far, whether packets are chosen or not.
    for more in [&["-i", "lo"][..], &["-i", "lo", "udp and dst port 19997"]] {
        let folder = TempDir::new_in(scratch.path()).unwrap();
        let log = folder.path().join("log");
        let mut command = self::pfscope();
        command.args(more).args(["--pcapng", "-U", "-C", "1k", "-w"]).arg(&log);
        let pfscope = Running::start(&mut command);
        wait_until("some files", || {
            send();
            sleep(Duration::from_millis(5));
            files(folder.path()).len() > 3
        });
        pfscope.signal("-INT");
        let (status, said) = pfscope.end();
        assert_eq!(status, Some(0), "{said}");
        let (mut packets, mut before) = (0, 0);
        for number in 0..files(folder.path()).len() {
            let name =
                if number == 0 { log.clone() } else { folder.path().join(format!("log{number}")) };
            let file = fs::read(&name).unwrap();
            packets += blocks(&file, 6).len() as u64;
            let counted = blocks(&file, 5);
            assert_eq!(counted.len(), 1, "{}", name.display());
            let received = u64::from_le_bytes(counted[0][16..24].try_into().unwrap());
            assert!(received >= packets.max(before), "{received} of {packets}");
            before = received;
        }
        assert!(packets > 5, "{packets}");
    }

    let log = scratch.path().join("pcap");
    let mut pfscope = start(&log, &[]);
    let mut status = None;
    wait_until("the end", || {
        send();
        sleep(Duration::from_millis(50));
        status = pfscope.0.try_wait().unwrap();
        status.is_some()
    });
    let (_, said) = pfscope.end();
    assert_eq!(status.unwrap().code(), Some(1));
    assert!(said.contains("cannot take those of 1"), "{said}");
    assert!(said.contains("write both with --pcapng"), "{said}");
}
