//! Files that grow, and several read as one, by the program as a user runs it: writers that are
//! slow, fast, rotated, cut and killed; every record once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "common/pace.rs"]
mod pace;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use pace::END;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

const OPENBSD: &str = "testdata/genuine/openbsd80-pflog0.pcap";
const FREEBSD: &str = "testdata/genuine/freebsd14-pflog.pcap";

/// A pcap file's header: little-endian, microseconds, raw IP.
fn header() -> Vec<u8> {
    [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 4, 0], &[101, 0, 0, 0]].concat()
}

/// UDP of so many bytes, 28 at least.
fn packet(len: u16) -> Vec<u8> {
    let mut packet = vec![0; usize::from(len)];
    packet[..28].copy_from_slice(&[
        0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 20, 192, 0, 2, 10, // IP
        0, 1, 0, 2, 0, 0, 0, 0, // UDP
    ]);
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[24..26].copy_from_slice(&(len - 20).to_be_bytes());
    packet
}

/// The n-th record: it is of the n-th microsecond, and as long as its number makes it.
fn record(n: u32) -> Vec<u8> {
    let data = packet(28 + u16::try_from(n % 100).unwrap());
    let len = u32::try_from(data.len()).unwrap();
    let head = [n / 1_000_000, n % 1_000_000, len, len].map(u32::to_le_bytes).concat();
    [head, data].concat()
}

fn records(range: std::ops::Range<u32>) -> Vec<u8> {
    range.flat_map(record).collect()
}

fn pcap(range: std::ops::Range<u32>) -> Vec<u8> {
    [header(), records(range)].concat()
}

/// A pcapng block.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &len, body, &len].concat()
}

/// A pcapng section of one interface, of raw IP, with this name of four bytes.
fn section(name: &str) -> Vec<u8> {
    let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend([0xff; 8]);
    let mut interface = vec![101, 0, 0, 0, 0, 0, 4, 0, 2, 0, 4, 0];
    interface.extend(name.as_bytes());
    interface.extend([0; 4]);
    [block(0x0a0d_0d0a, &body), block(1, &interface)].concat()
}

/// The n-th record as an enhanced packet block.
fn enhanced(n: u32) -> Vec<u8> {
    let mut data = packet(28 + u16::try_from(n % 100).unwrap());
    let len = u32::try_from(data.len()).unwrap();
    data.resize(data.len().next_multiple_of(4), 0);
    block(6, &[[0, 0, n, len, len].map(u32::to_le_bytes).concat(), data].concat())
}

/// The time of the n-th record.
fn time(n: u32) -> String {
    let (second, micros) = (n / 1_000_000, n % 1_000_000);
    format!("1970-01-01T00:00:{second:02}.{micros:06}Z")
}

fn times(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(time).collect()
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn pfscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    pfscope(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A program that follows; killed if its test fails.
struct Following {
    child: Child,
    lines: Receiver<String>,
    errors: Option<thread::JoinHandle<String>>,
    seen: Vec<String>,
}

impl Following {
    /// Follows, printing the times of the records.
    fn times(arguments: &[&str]) -> Self {
        Self::start(&[&["--follow", "--fields", "ts"], arguments].concat())
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = pfscope(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let (send, lines) = channel();
        thread::spawn(move || out.lines().for_each(|line| drop(send.send(line.unwrap()))));
        let errors = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, errors: Some(errors), seen: Vec::new() }
    }

    /// Waits until so many lines have come in all.
    fn wait_for(&mut self, count: usize) {
        let end = Instant::now() + PATIENCE;
        while self.seen.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(error) => {
                    let _ = self.child.kill();
                    let said = self.errors.take().unwrap().join().unwrap();
                    let (seen, last) = (self.seen.len(), self.seen.last());
                    let gap = (1..).zip(&self.seen).find(|(n, line)| time(*n) != **line);
                    panic!("{error}: {seen} of {count}, the last {last:?}, gap {gap:?}: {said}");
                }
            }
        }
    }

    /// Ends it by a signal: its status, the rest of the lines, what it said.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(asked.elapsed() < END, "{:?}", asked.elapsed());
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(self.lines.iter());
        (status.code(), seen, self.errors.take().unwrap().join().unwrap())
    }

    /// Ends it: it must have printed these lines, have said nothing and have ended well.
    fn done(self, expected: &[String]) {
        let (status, lines, errors) = self.end();
        same(&lines, expected);
        assert_eq!((status, errors.as_str()), (Some(0), ""));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It has ended already unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails with the first difference only: there may be very many lines.
fn same(lines: &[String], expected: &[String]) {
    for (at, (line, expected)) in lines.iter().zip(expected).enumerate() {
        assert_eq!(line, expected, "line {at} of {}", lines.len());
    }
    assert_eq!(lines.len(), expected.len());
}

/// A log in a folder of its own.
struct Log(tempfile::TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_file_that_is_written_byte_by_byte_is_printed_record_by_record() {
    for (file, ends) in [(pcap(1..6), (1..6).map(|n| pcap(1..n + 1).len()).collect::<Vec<_>>()), {
        // A new section, with another interface, in the middle.
        let parts = [section("eth0"), enhanced(1), enhanced(2), section("eth1")];
        let parts = [&parts[..], &[enhanced(3), enhanced(4), enhanced(5)]].concat();
        let end = |n: usize| parts[..n].iter().map(Vec::len).sum();
        (parts.concat(), [2, 3, 5, 6, 7].map(end).to_vec())
    }] {
        let log = Log::new();
        let mut out = File::create(log.path("log")).unwrap();
        let mut following = Following::times(&["-r", &log.name("log")]);
        for (at, byte) in (1..).zip(&file) {
            out.write_all(&[*byte]).unwrap();
            if ends.contains(&at) {
                let whole = ends.iter().filter(|&&end| end <= at).count();
                following.wait_for(whole);
            }
            thread::sleep(Duration::from_millis(1));
        }
        following.done(&times(1..6));
    }
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let log = Log::new();
    let mut following = Following::times(&["-r", &log.name("log")]);
    thread::sleep(Duration::from_millis(400));
    fs::write(log.path("log"), &header()[..7]).unwrap();
    thread::sleep(Duration::from_millis(400));
    append(&log.path("log"), &header()[7..]);
    append(&log.path("log"), &records(1..4));
    following.wait_for(3);
    append(&log.path("log"), &records(4..6));
    let (status, lines, errors) = following.end();
    same(&lines, &times(1..6));
    assert_eq!((status, errors.lines().count()), (Some(0), 1), "{errors}");
    assert!(errors.contains("not there yet"), "{errors}");
}

/// How a log is rotated.
#[derive(Clone, Copy)]
struct Rotation {
    /// newsyslog's newest is 0, logrotate's 1.
    newest: u32,
    /// Files that are kept.
    keep: u32,
    /// The newest is compressed in the background, as newsyslog does.
    gzip: bool,
}

impl Rotation {
    fn rotate(self, log: &Path) {
        let name = |n: u32, end: &str| PathBuf::from(format!("{}.{n}{end}", log.display()));
        for n in (self.newest..self.newest + self.keep).rev() {
            for end in ["", ".gz"] {
                if name(n, end).exists() {
                    fs::rename(name(n, end), name(n + 1, end)).unwrap();
                }
            }
        }
        fs::rename(log, name(self.newest, "")).unwrap();
    }

    /// Compresses the one before the newest.
    fn compress(self, log: &Path) {
        if self.gzip {
            let name = format!("{}.{}", log.display(), self.newest);
            assert!(Command::new("gzip").arg(name).status().unwrap().success());
        }
    }
}

/// Writes the records behind the n-th as fast as it can while the log is rotated so often; how
/// many there are then.
fn write_and_rotate(log: &Path, rotation: Rotation, mut n: u32, times: u32, per_file: u32) -> u32 {
    for _ in 0..times {
        let mut out = OpenOptions::new().append(true).open(log).unwrap();
        let mut write = |count: u32| {
            for _ in 0..count {
                n += 1;
                let bytes = record(n);
                // Not all writers write whole records.
                let (first, rest) = bytes.split_at(n as usize % bytes.len());
                out.write_all(first).unwrap();
                out.write_all(rest).unwrap();
            }
        };
        write(per_file);
        rotation.rotate(log);
        // The new file is there, empty, before the writer knows of it.
        File::create(log).unwrap();
        write(per_file / 10);
        append(log, &header());
        rotation.compress(log);
    }
    append(log, &records(n + 1..n + 11));
    n + 10
}

#[test]
fn a_hundred_rotations_at_full_rate_lose_and_double_nothing() {
    for (newest, gzip) in [(0, false), (1, false), (0, true)] {
        let log = Log::new();
        fs::write(log.path("log"), pcap(1..2)).unwrap();
        let mut following = Following::times(&["-r", &log.name("log")]);
        // What is rotated away before the file is opened is not asked for.
        following.wait_for(1);
        let rotation = Rotation { newest, keep: 200, gzip };
        let count = write_and_rotate(&log.path("log"), rotation, 1, 100, 500);
        following.wait_for(count as usize);
        following.done(&times(1..count + 1));
    }
}

#[test]
fn from_the_start_with_rotations_that_go_on() {
    for (newest, gzip) in [(0, true), (1, false)] {
        let log = Log::new();
        fs::write(log.path("log"), header()).unwrap();
        let path = log.path("log");
        let rotation = Rotation { newest, keep: 200, gzip };
        let writer = thread::spawn(move || write_and_rotate(&path, rotation, 0, 100, 300));
        let mut followings = Vec::new();
        for wait in [1, 50, 100, 200, 400] {
            thread::sleep(Duration::from_millis(wait));
            followings.push(Following::times(&["--from-start", "-r", &log.name("log")]));
        }
        let count = writer.join().unwrap();
        // When all is still.
        followings.push(Following::times(&["--from-start", "-r", &log.name("log")]));
        for mut following in followings {
            following.wait_for(count as usize);
            following.done(&times(1..count + 1));
        }
    }
}

#[test]
fn rotated_files_are_read_from_the_oldest_whatever_packs_them() {
    let log = Log::new();
    for (name, range, pack) in [
        ("log.10", 1..10, Some("gzip")),
        ("log.9", 10..20, Some("bzip2")),
        ("log.2", 20..30, Some("zstd")),
        ("log.1", 30..40, None),
        ("log", 40..50, None),
    ] {
        fs::write(log.path(name), pcap(range)).unwrap();
        if let Some(pack) = pack {
            let mut command = Command::new(pack);
            let packed = command.arg(log.name(name)).stderr(Stdio::null()).status();
            if !packed.is_ok_and(|status| status.success()) {
                // Read as it is.
                let _ = writeln!(std::io::stderr(), "SKIPPED: {pack} is not there");
            } else if log.path(name).exists() {
                fs::remove_file(log.path(name)).unwrap();
            }
        }
    }
    let mut following = Following::times(&["--from-start", "-r", &log.name("log")]);
    following.wait_for(49);
    following.done(&times(1..50));
    let mut following = Following::times(&["-r", &log.name("log")]);
    following.wait_for(10);
    following.done(&times(40..50));
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let log = Log::new();
    fs::write(log.path("log"), pcap(1..10)).unwrap();
    let mut following = Following::times(&["-r", &log.name("log")]);
    following.wait_for(9);
    OpenOptions::new().write(true).open(log.path("log")).unwrap().set_len(0).unwrap();
    thread::sleep(Duration::from_millis(400));
    append(&log.path("log"), &pcap(10..15));
    following.wait_for(14);
    let (status, lines, errors) = following.end();
    same(&lines, &times(1..15));
    assert_eq!((status, errors.lines().count()), (Some(0), 1), "{errors}");
    assert!(errors.contains(": was truncated"), "{errors}");
}

#[test]
fn a_file_that_is_removed_and_made_again_is_read_again() {
    let log = Log::new();
    fs::write(log.path("log"), pcap(1..10)).unwrap();
    let mut following = Following::times(&["-r", &log.name("log")]);
    following.wait_for(9);
    fs::remove_file(log.path("log")).unwrap();
    thread::sleep(Duration::from_millis(400));
    // The same records: another file all the same.
    fs::write(log.path("log"), pcap(1..10)).unwrap();
    following.wait_for(18);
    following.done(&[times(1..10), times(1..10)].concat());
}

#[test]
fn half_a_record_at_the_end_of_a_renamed_file_is_told_of_once() {
    let log = Log::new();
    fs::write(log.path("log"), pcap(1..10)).unwrap();
    append(&log.path("log"), &record(10)[..20]);
    let mut following = Following::times(&["-r", &log.name("log")]);
    following.wait_for(9);
    fs::rename(log.path("log"), log.path("log.0")).unwrap();
    fs::write(log.path("log"), pcap(11..15)).unwrap();
    following.wait_for(13);
    let (status, lines, errors) = following.end();
    same(&lines, &[times(1..10), times(11..15)].concat());
    assert_eq!((status, errors.lines().count()), (Some(1), 1), "{errors}");
    assert!(errors.contains("in the middle of a record") && errors.contains("at record 10"));
}

#[test]
fn several_files_are_followed_at_once() {
    for how in [&[][..], &["--merge"]] {
        let log = Log::new();
        let names = ["a", "b", "c"].map(|name| log.name(name));
        for name in &names {
            fs::write(name, header()).unwrap();
        }
        let [a, b, c] = names.each_ref().map(String::as_str);
        let files = ["--format", "json", "--follow", "-r", a, "-r", b, "-r", c];
        let mut following = Following::start(&[&files[..], how].concat());
        // Each line is there before the next record is written.
        let each = || (0..9_u32).zip(names.iter().cycle());
        for (n, name) in each() {
            append(Path::new(name), &record(n));
            following.wait_for(n as usize + 1);
        }
        let (status, lines, errors) = following.end();
        assert_eq!((status, errors.as_str(), lines.len()), (Some(0), "", 9));
        for ((n, name), line) in each().zip(&lines) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (line["file"].as_str(), line["frame"].as_u64()),
                (Some(&**name), Some(u64::from(n / 3 + 1)))
            );
            assert_eq!(line["ts"], time(n));
        }
    }
}

#[test]
fn what_waits_uses_little_of_the_processor() {
    if !Path::new("/proc/self/stat").exists() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no /proc to ask for used time");
        return;
    }
    let log = Log::new();
    fs::write(log.path("log"), pcap(1..2)).unwrap();
    let mut following = Following::times(&["-r", &log.name("log"), "-r", &log.name("other")]);
    following.wait_for(1);
    let used = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = used(following.child.id());
    thread::sleep(Duration::from_secs(4));
    // In hundredths of a second: 2 percent.
    assert!(used(following.child.id()) - before <= 8);
    drop(following);
}

#[test]
fn a_count_ends_the_following() {
    let log = Log::new();
    fs::write(log.path("log"), pcap(1..4)).unwrap();
    let mut following = Following::times(&["-c", "5", "-r", &log.name("log")]);
    following.wait_for(3);
    append(&log.path("log"), &records(4..9));
    following.wait_for(5);
    let end = Instant::now() + PATIENCE;
    while following.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end);
        thread::sleep(Duration::from_millis(10));
    }
    assert!(following.child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_it_while_a_writer_goes_on() {
    let log = Log::new();
    fs::write(log.path("log"), header()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (path, until) = (log.path("log"), Arc::clone(&stop));
    let writer = thread::spawn(move || {
        let mut n = 1;
        while !until.load(Ordering::Relaxed) {
            append(&path, &records(n..n + 100));
            n += 100;
        }
    });
    let mut following = Following::times(&["-r", &log.name("log")]);
    following.wait_for(1000);
    let (status, lines, errors) = following.end();
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    same(&lines, &times(1..u32::try_from(lines.len()).unwrap() + 1));
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

/// The lines of a run that must end well.
fn lines(arguments: &[&str]) -> Vec<String> {
    let output = run(arguments);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

/// Records of the same numbers taken apart, so that two files are in step.
fn halves(log: &Log) -> (String, String) {
    let numbers = |odd: u32| (1..20_000_u32).filter(move |n| (n / 7 + n / 3) % 2 == odd);
    for (name, odd) in [("a", 0), ("b", 1)] {
        let file = [header(), numbers(odd).flat_map(record).collect()].concat();
        fs::write(log.path(name), file).unwrap();
    }
    (log.name("a"), log.name("b"))
}

#[test]
fn merged_files_are_what_sorting_makes_of_them() {
    let log = Log::new();
    let (a, b) = halves(&log);
    for threads in ["1", "3"] {
        let merge = ["--threads", threads, "--merge", "-r", &a, "-r", &b];
        let merged = lines(&[&["--fields", "ts,file,frame"][..], &merge].concat());
        let mut apart = lines(&["--fields", "ts,file,frame", "-r", &a, "-r", &b]);
        assert!(!apart.is_sorted());
        apart.sort();
        assert_eq!(apart.len(), 19_999);
        same(&merged, &apart);
        let seven = lines(&[&["--fields", "ts", "-c", "7"][..], &merge].concat());
        same(&seven, &times(1..8));
    }
    let deltas = lines(&["-ttt", "-n", "--merge", "-r", &a, "-r", &b]);
    assert!(deltas[0].starts_with(" 00:00:00.000000 "));
    assert!(deltas[1..].iter().all(|line| line.starts_with(" 00:00:00.000001 ")));
}

#[test]
fn equal_times_keep_the_order_of_the_command_line_and_each_file_its_own() {
    let log = Log::new();
    // The second record of b is out of order: it stays behind its first.
    let file =
        |numbers: &[u32]| [header(), numbers.iter().flat_map(|&n| record(n)).collect()].concat();
    fs::write(log.path("a"), file(&[5, 6, 7])).unwrap();
    fs::write(log.path("b"), file(&[6, 2, 6, 8])).unwrap();
    let (a, b) = (log.name("a"), log.name("b"));
    let merged = lines(&["--merge", "--fields", "file,frame", "-r", &b, "-r", &a]);
    let expected = [(&a, 1), (&b, 1), (&b, 2), (&b, 3), (&a, 2), (&a, 3), (&b, 4)];
    same(&merged, &expected.map(|(file, frame)| format!("{file}\t{frame}")));
}

#[test]
fn files_of_two_systems_stay_what_they_are() {
    let arguments = ["--format", "json", "-r", OPENBSD, "-r", FREEBSD];
    let (mut apart, merged) = (lines(&arguments), lines(&[&arguments[..], &["--merge"]].concat()));
    let key = |line: &String| line.split("\"ts\":\"").nth(1).unwrap()[..27].to_owned();
    apart.sort_by_key(key);
    same(&merged, &apart);
}

#[test]
fn clocks_that_are_off_are_put_right() {
    let log = Log::new();
    let (a, b) = halves(&log);
    for (offset, nanos) in [("+1.5s", 1_500_000_i64), ("-2ms", -2000), ("3us", 3)] {
        let offset = format!("{b}={offset}");
        let shifted = lines(&["--fields", "ts", "-r", &b, "--offset", &offset]);
        let plain = lines(&["--fields", "ts", "-r", &b]);
        let micros = |line: &String| {
            let time: jiff::Timestamp = line.parse().unwrap();
            time.as_microsecond()
        };
        for (shifted, plain) in shifted.iter().zip(&plain) {
            assert_eq!(micros(shifted), micros(plain) + nanos);
        }
        let merged = lines(&["--merge", "--fields", "ts", "-r", &a, "-r", &b, "--offset", &offset]);
        let mut expected = [lines(&["--fields", "ts", "-r", &a]), shifted].concat();
        expected.sort_by_key(micros);
        same(&merged, &expected);
    }
    // Of an interface, in a file of two.
    let sections = [section("eth0"), enhanced(1), section("eth1"), enhanced(2)].concat();
    fs::write(log.path("c"), sections).unwrap();
    let c = log.name("c");
    let shifted = run(&["--fields", "ts", "-r", &c, "--offset", "eth1=+1s"]);
    assert_eq!(text(&shifted.stdout), format!("{}\n{}\n", time(1), time(1_000_002)));
}

#[test]
fn what_is_wrong_with_one_file_is_told_with_its_name() {
    let log = Log::new();
    let (a, b) = halves(&log);
    let missing = log.name("missing");
    let whole = fs::read(&b).unwrap();
    fs::write(&b, &whole[..whole.len() - 5]).unwrap();
    let garbage = log.name("garbage");
    let frame = |n: u32| [[n, 0, 3, 3].map(u32::to_le_bytes).concat(), vec![0xff; 3]].concat();
    fs::write(&garbage, [header(), frame(1), frame(2)].concat()).unwrap();
    let files = ["-r", &a, "-r", &b, "-r", &missing, "-r", &garbage];
    let output = run(&[&["--merge", "--count"][..], &files].concat());
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "20001 packets\n");
    assert_eq!(errors.lines().count(), 3, "{errors}");
    for (name, what) in
        [(&b, "ends in the middle of a record"), (&missing, "No such file"), (&garbage, "record 1")]
    {
        let told =
            |line: &str| line.starts_with(&format!("pfscope: {name}: ")) && line.contains(what);
        assert!(errors.lines().any(told), "{name}: {what}: {errors}");
    }
    let wrong = run(&["-r", &a, "--offset", "nosuch=1s", "-c", "1"]);
    assert!(text(&wrong.stderr).contains("--offset nosuch: no file and no interface"));
    for (arguments, message) in [
        (&["-r", &a, "--offset", "x"][..], "NAME=OFFSET"),
        (&["-r", &a, "--from-start"], "--follow"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
}

#[test]
fn a_pipe_is_merged_with_a_file() {
    let log = Log::new();
    let (a, b) = halves(&log);
    let mut command = pfscope(&["--merge", "--fields", "ts", "-r", "-", "-r", &b]);
    let output = command.stdin(File::open(&a).unwrap()).output().unwrap();
    same(&text(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>(), &times(1..20_000));
    // And with one that is followed: the pipe's end is not the end.
    let mut command = pfscope(&["--follow", "--fields", "ts", "-r", "-", "-r", &b]);
    command.stdin(File::open(&a).unwrap()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen: Vec<_> = out.by_ref().take(19_999).map(Result::unwrap).collect();
    append(Path::new(&b), &record(20_000));
    assert_eq!(out.next().unwrap().unwrap(), time(20_000));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    seen.sort();
    same(&seen, &times(1..20_000));
}

/// The log and pfsync of one capture as a file each: its blocks of one interface, and its section.
fn apart(path: &str) -> [Vec<u8>; 2] {
    let file = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut files = [Vec::new(), Vec::new()];
    let mut at = 0;
    while at < file.len() {
        let (kind, len) = (word(at), word(at + 4) as usize);
        for (interface, out) in (0..).zip(&mut files) {
            if kind != 6 || word(at + 8) == interface {
                out.extend(&file[at..at + len]);
            }
        }
        at += len;
    }
    files
}

#[test]
fn logged_packets_have_their_states_in_merged_files_too() {
    const JOINED: &str = "testdata/pfsync/nat-join.pcapng";
    let log = Log::new();
    for (name, file) in ["a", "b"].into_iter().zip(apart(JOINED)) {
        fs::write(log.path(name), file).unwrap();
    }
    let (a, b) = (log.name("a"), log.name("b"));
    let fields = "ts,type,net.src,net.dst,state.id,state.creatorid,state.nat.src,state.nat.dst";
    let one = lines(&["--fields", fields, "-r", JOINED]);
    let states = |lines: &[String]| {
        let logged = lines.iter().filter(|line| line.split('\t').nth(1) == Some("pflog"));
        logged.cloned().collect::<Vec<_>>()
    };
    for files in [["-r", &a, "-r", &b], ["-r", &b, "-r", &a]] {
        let merged = lines(&[&["--merge", "--fields", fields][..], &files].concat());
        assert_eq!(states(&merged), states(&one));
        assert_eq!(merged.len(), one.len());
    }
    let with_state = |line: &&String| line.split('\t').nth(4).is_some_and(|id| !id.is_empty());
    assert!(states(&one).iter().filter(with_state).count() > 2, "{one:?}");
}
