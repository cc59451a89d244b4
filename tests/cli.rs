//! The program as a user runs it: flags, exit statuses, messages, pipes, bad files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const OPENBSD: &str = "testdata/genuine/openbsd80-pflog0.pcap";
const FREEBSD: &str = "testdata/genuine/freebsd14-pflog.pcap";
const PFSYNC: &str = "testdata/genuine/openbsd80-pfsync0.pcap";

fn pfscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(arguments).env("TZ", "UTC").env_remove("NO_COLOR");
    command
}

fn run(arguments: &[&str]) -> Output {
    pfscope(arguments).stdin(Stdio::null()).output().unwrap()
}

fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = piped(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn piped(arguments: &[&str]) -> Child {
    let mut command = pfscope(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn assert_done(output: &Output) {
    assert_eq!((status(output), err(output).as_str()), (0, ""));
}

#[test]
fn help_is_short_or_long_and_shows_every_command() {
    let (short, long) = (run(&["-h"]), run(&["--help"]));
    assert_done(&short);
    assert_done(&long);
    assert!(short.stdout.len() < long.stdout.len());
    for word in ["summary", "vici", "schema", "man", "completions", "-r", "--format", "--strict"] {
        assert!(out(&long).contains(word), "{word}");
    }
    assert!(out(&long).contains("Examples:"));
    let summary = run(&["summary", "--help"]);
    assert_done(&summary);
    assert!(out(&summary).contains("Examples:"));
    assert!(out(&run(&["--version"])).starts_with("pfscope "));
}

#[test]
fn documents_come_from_the_program() {
    let man = run(&["man"]);
    assert_done(&man);
    assert!(out(&man).contains(".TH pfscope 1"));
    for word in ["FILTER", "ifname", "Examples", "\\-\\-format"] {
        assert!(out(&man).contains(word), "the manual page lacks {word}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        assert_done(&script);
        assert!(out(&script).contains("summary"), "{shell}");
    }
    let schema = run(&["schema", "json"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&schema.stdout).is_ok());
}

#[test]
fn wrong_usage_is_status_2_and_says_what_to_do() {
    for (arguments, message) in [
        (&[][..], "-r FILE"),
        (&["--nonsense"], "--nonsense"),
        (&["-r", OPENBSD, "-tttttt"], "-t"),
        (&["-r", OPENBSD, "--fields", "pflog.nosuch"], "pflog.nosuch"),
        (&["-r", OPENBSD, "--fields", "pflog"], "pflog.hdrlen"),
        (&["-r", OPENBSD, "--since", "soon"], "soon"),
        (&["-r", OPENBSD, "-c", "0"], "0"),
        (&["-r", OPENBSD, "-F", "no/such/file"], "no/such/file"),
        (&["-r", OPENBSD, "--format", "yaml"], "yaml"),
        (&["summary"], "FILE"),
    ] {
        let output = run(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}");
        assert!(err(&output).contains(message), "{arguments:?}: {}", err(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_wrong_filter_points_at_the_word() {
    let output = run(&["-r", OPENBSD, "action block and ifnam em0"]);
    assert_eq!(status(&output), 2);
    let message = err(&output);
    assert!(message.contains("action block and ifnam em0"), "{message}");
    assert!(message.contains('^'), "{message}");
    assert!(message.contains("ifname"), "{message}");
}

#[test]
fn files_that_cannot_be_opened_are_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("empty"), b"").unwrap();
    fs::write(path("elf"), b"\x7fELF and more").unwrap();
    fs::write(path("bell\u{7}"), b"\x7fELF and more").unwrap();
    for (file, message) in [
        (path("missing"), "No such file"),
        (folder.path().to_str().unwrap().to_owned(), "is a directory"),
        (path("empty"), "is empty"),
        (path("elf"), "7f454c46"),
    ] {
        let output = run(&["-r", &file, "-r", OPENBSD, "-n"]);
        assert_eq!(status(&output), 1);
        assert!(err(&output).starts_with(&format!("pfscope: {file}: ")), "{}", err(&output));
        assert!(err(&output).contains(message), "{}", err(&output));
        assert_eq!(err(&output).lines().count(), 1);
        assert_eq!(out(&output).lines().count(), 59);
    }
    assert!(err(&run(&["-r", &path("bell\u{7}")])).contains("bell\\x07: "));
}

#[test]
fn what_comes_before_a_fault_is_printed() {
    for (file, lines, message) in [
        ("cut-last-record.pcap", 3, "the file ends in the middle of a record"),
        ("garbage-middle.pcap", 3, "record length"),
        ("huge-caplen.pcap", 2, "record length"),
        ("unknown-linktype.pcap", 2, "link type 147 is not read"),
    ] {
        let path = format!("testdata/pflog/{file}");
        let output = run(&["-n", "-r", &path]);
        assert_eq!(status(&output), 1, "{file}");
        let message_there = err(&output);
        assert!(message_there.starts_with(&format!("pfscope: {path}: ")), "{message_there}");
        assert!(message_there.contains(message), "{message_there}");
        assert!(message_there.contains("at record ") && message_there.contains(", byte "));
        assert_eq!(message_there.lines().count(), 1);
        assert!(out(&output).lines().count() >= lines, "{file}: {}", out(&output));
    }
}

#[test]
fn frames_that_cannot_be_decoded_are_events_and_status_1() {
    let file = "testdata/pflog/bad-lengths.pcap";
    let output = run(&["--format", "json", "-r", file]);
    assert_eq!(status(&output), 1);
    let all = out(&output);
    let undecoded = all.lines().filter(|line| line.contains("\"type\":\"undecoded\"")).count();
    assert!(undecoded > 10 && undecoded < all.lines().count());
    assert!(err(&output).contains("more records that cannot be decoded"), "{}", err(&output));

    let output = run(&["--format", "json", "--strict", "-r", file, "-r", OPENBSD]);
    assert_eq!(status(&output), 1);
    assert_eq!(out(&output).lines().count(), 1, "--strict ends at the first");
    assert!(err(&output).contains("at record 1, byte 24"));
}

#[test]
fn compressed_files_are_told_by_content() {
    let plain = fs::read(OPENBSD).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(&plain).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zst = ruzstd::encoding::compress_to_vec(&plain[..], level);
    let expected = run(&["-n", "-e", "-r", OPENBSD]);
    assert_done(&expected);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a", gz.finish().unwrap()), ("b", bz2.finish().unwrap()), ("c.gz", zst)]
    {
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let from_file = run(&["-n", "-e", "-r", path.to_str().unwrap()]);
        assert_done(&from_file);
        assert_eq!(from_file.stdout, expected.stdout, "{name}");
        let from_pipe = run_with(&["-n", "-e", "-r", "-"], &bytes);
        assert_done(&from_pipe);
        assert_eq!(from_pipe.stdout, expected.stdout, "{name} from a pipe");
        fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let cut = run(&["-n", "-e", "-r", path.to_str().unwrap()]);
        assert_eq!(status(&cut), 1, "{name} cut");
        assert!(expected.stdout.starts_with(&cut.stdout) || cut.stdout.len() > 100);
    }
}

#[test]
fn each_record_of_a_pipe_is_printed_at_once() {
    let capture = fs::read(OPENBSD).unwrap();
    let mut child = piped(&["-n", "-e", "-r", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    stdin.write_all(&capture[..24]).unwrap();
    let mut at = 24;
    for _ in 0..5 {
        let caplen = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap()) as usize;
        let end = at + 16 + caplen;
        stdin.write_all(&capture[at..end]).unwrap();
        let written = Instant::now();
        let line = lines.next().unwrap().unwrap();
        // 100 ms is what is promised; a busy machine may need longer to run two processes.
        assert!(written.elapsed() < Duration::from_secs(2), "{line}");
        at = end;
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_count_ends_the_run_though_the_pipe_stays_open() {
    let mut child = piped(&["-n", "-c", "2", "-r", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&fs::read(OPENBSD).unwrap()).unwrap();
    stdin.flush().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text.lines().count(), 2);
    drop(stdin);
}

#[test]
fn a_closed_output_is_a_normal_end() {
    let mut child = piped(&["-n", "-e", "-r", "-"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // The program ends while this is being written.
    let _ = stdin.write_all(&fs::read(OPENBSD).unwrap());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_done(&output);
}

#[test]
fn an_output_that_takes_nothing_is_an_error() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: there is no /dev/full");
        return;
    };
    let output = pfscope(&["-n", "-r", OPENBSD]).stdout(full).output().unwrap();
    assert_eq!(status(&output), 1);
    assert!(err(&output).contains("cannot write the output"));
}

#[test]
fn counting_and_limits_work_over_several_files() {
    assert_eq!(out(&run(&["--count", "-r", OPENBSD])), "59 packets\n");
    assert_eq!(out(&run(&["--count", "-r", OPENBSD, "-r", FREEBSD])), "110 packets\n");
    assert_eq!(out(&run(&["--count", "-c", "1", "-r", OPENBSD])), "1 packet\n");
    assert_eq!(out(&run(&["-n", "-c", "60", "-r", OPENBSD, "-r", FREEBSD])).lines().count(), 60);
    assert_eq!(out(&run(&["--count", "-r", OPENBSD, "action", "block"])), "27 packets\n");
}

#[test]
fn frames_are_counted_in_the_source_whatever_the_filter() {
    let output = run(&["--fields", "frame,pflog.action", "-r", OPENBSD, "action match"]);
    assert_eq!(out(&output), "4\tmatch\n");
}

#[test]
fn fields_are_tab_separated_and_absent_ones_empty() {
    let fields = "ts,pflog.rulenr,pflog.subrulenr,net.src,net.tcp.flags,net.src";
    let output = run(&["--fields", fields, "-c", "6", "-r", OPENBSD]);
    assert_done(&output);
    let last = out(&output).lines().last().unwrap().to_owned();
    assert_eq!(
        last.split('\t').collect::<Vec<_>>(),
        ["2026-05-28T20:26:43.096582Z", "2", "", "192.0.2.10", "S", "192.0.2.10"]
    );
}

#[test]
fn times_can_be_chosen_and_zones() {
    let line = |flags: &[&str], zone: &str| {
        let arguments: Vec<&str> =
            flags.iter().copied().chain(["-n", "-c", "1", "-r", OPENBSD]).collect();
        let output = pfscope(&arguments).env("TZ", zone).output().unwrap();
        out(&output).split(" IP").next().unwrap().to_owned()
    };
    assert_eq!(line(&[], "UTC"), "20:26:40.049356");
    assert_eq!(line(&[], "Europe/Berlin"), "22:26:40.049356");
    assert_eq!(line(&[], ":Europe/Berlin"), "22:26:40.049356");
    assert_eq!(line(&[], "CET-1CEST"), "22:26:40.049356");
    assert_eq!(line(&[], "JST-9"), "05:26:40.049356");
    assert_eq!(line(&["--utc"], "Europe/Berlin"), "20:26:40.049356");
    assert_eq!(line(&["-tt"], "UTC"), "1780000000.049356");
    assert_eq!(line(&["-ttt"], "UTC"), " 00:00:00.000000");
    assert_eq!(line(&["-tttt"], "America/New_York"), "2026-05-28 16:26:40.049356");
    let since = run(&["--count", "--since", "2026-05-28T20:26:43Z", "-r", OPENBSD]);
    let until = run(&["--count", "--until", "2026-05-28T20:26:43Z", "-r", OPENBSD]);
    assert_eq!((out(&since).as_str(), out(&until).as_str()), ("56 packets\n", "3 packets\n"));
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let plain = run(&["-n", "-e", "-r", OPENBSD]);
    assert!(!plain.stdout.contains(&0x1b));
    let coloured = out(&run(&["-n", "-e", "--color", "always", "-r", OPENBSD]));
    assert!(coloured.contains("\x1b[31mblock\x1b[0m"), "{coloured}");
    assert!(coloured.contains("\x1b[32mpass\x1b[0m"));
    assert!(coloured.contains("\x1b[33mmatch\x1b[0m"));
}

#[test]
fn no_byte_of_a_file_reaches_the_terminal_raw() {
    let file = "testdata/pflog/hostile-names.pcap";
    for flags in [
        &["-n", "-e", "-vv"][..],
        &["-e", "-X"],
        &["-A"],
        &["--format", "json"],
        &["--fields", "pflog.ifname,pflog.ruleset"],
    ] {
        let arguments: Vec<&str> = flags.iter().copied().chain(["-r", file]).collect();
        let output = run(&arguments);
        assert_done(&output);
        let bad =
            output.stdout.iter().find(|&&b| (b < b' ' && b != b'\n' && b != b'\t') || b == 0x7f);
        assert_eq!(bad, None, "{flags:?}");
        if !flags.contains(&"json") && !flags.contains(&"--fields") {
            assert!(output.stdout.is_ascii(), "{flags:?}");
        }
    }
}

#[test]
fn of_a_pfsync_packet_the_messages_that_match_are_shown() {
    let fields = |more: &[&str]| {
        let output =
            run(&[&["-r", PFSYNC, "--fields", "frame,pfsync.action,pfsync.index"], more].concat());
        assert_done(&output);
        out(&output).replace('\t', " ")
    };
    let inserted = fields(&["sync ins and host 192.0.2.10"]);
    assert!(
        inserted.starts_with("3 ins 1\n3 ins 2\n3 ins 4\n5 ins 0\n5 ins 1\n5 ins 2\n5 ins 4\n6 ")
    );
    assert_eq!(inserted.lines().count(), 16);
    assert_eq!(
        fields(&["sync bus or host 203.0.113.9"]),
        "3 ins 0\n21 bus 0\n21 upd 1\n25 bus 5\n"
    );
    // Only the bus of the packets that have upd too.
    assert_eq!(fields(&["greater 1000 and not sync upd and not sync ins"]), "21 bus 0\n25 bus 5\n");
    // Packets are counted, not messages.
    assert_eq!(fields(&["-c", "1", "sync ins and tcp"]), "3 ins 1\n3 ins 2\n3 ins 3\n");
    let json = run(&["-r", PFSYNC, "--format", "json", "state", "0000000000000017"]);
    assert_done(&json);
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let lines: Vec<_> = out(&json).lines().map(line).collect();
    assert_eq!(lines.len(), 4, "{}", out(&json));
    for line in lines {
        assert_eq!(line["pfsync"]["state"]["id"], "0000000000000017");
    }
    let count = run(&["-r", PFSYNC, "--count", "sync", "ins", "and", "host", "192.0.2.10"]);
    assert_eq!(out(&count), "6 packets\n");
    let wrong = run(&["-r", PFSYNC, "sync isn"]);
    assert_eq!(status(&wrong), 2);
    assert!(err(&wrong).contains("     ^^^\n") && err(&wrong).contains("did you mean 'ins'?"));
}

#[test]
fn a_summary_is_a_page_or_an_object() {
    let page = run(&["summary", OPENBSD, FREEBSD]);
    assert_done(&page);
    for word in ["110", "block", "pass", "pair0", "em0"] {
        assert!(out(&page).contains(word), "{word}: {}", out(&page));
    }
    let object = run(&["summary", "--format", "json", OPENBSD]);
    assert_done(&object);
    let object: serde_json::Value = serde_json::from_slice(&object.stdout).unwrap();
    assert_eq!(object["v"], 1);
    assert_eq!(object["type"], "summary");
    let missing = run(&["summary", "no/such/file", OPENBSD]);
    assert_eq!(status(&missing), 1);
    assert!(out(&missing).contains("59"));
}

#[test]
fn hex_dumps_need_no_name() {
    let output = run(&["-n", "-c", "1", "-X", "-r", OPENBSD]);
    assert_done(&output);
    assert!(out(&output).contains("\t0x0000:  6000 0000"), "{}", out(&output));
}

#[test]
fn several_sources_may_be_pipes() {
    let capture = fs::read(OPENBSD).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: mkfifo is not there");
        return;
    }
    let (fifo, bytes) = (path.clone(), capture.clone());
    let writer = std::thread::spawn(move || fs::write(fifo, bytes).unwrap());
    let arguments = ["--count", "-r", path.to_str().unwrap(), "-r", "-"];
    let output = run_with(&arguments, &capture);
    writer.join().unwrap();
    assert_done(&output);
    assert_eq!(out(&output), "118 packets\n");
}

/// What comes at the end comes when the user ends the reading.
#[test]
fn an_interrupt_ends_the_reading_of_a_pipe_and_prints() {
    for (arguments, word) in
        [(&["--count", "-r", "-"][..], "59 packets"), (&["summary", "-"], "59 records")]
    {
        let mut child = piped(arguments);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&fs::read(OPENBSD).unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(status(&output), 0, "{arguments:?}: {}", err(&output));
        assert!(out(&output).contains(word), "{arguments:?}: {}", out(&output));
        drop(stdin);
    }
}

#[test]
fn a_filter_file_has_comments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter");
    fs::write(&path, "# blocked\naction block # of all\nand tcp\n").unwrap();
    let output = run(&["--count", "-F", path.to_str().unwrap(), "-r", OPENBSD]);
    assert_done(&output);
    assert_eq!(out(&output), out(&run(&["--count", "-r", OPENBSD, "action block and tcp"])));
}

#[test]
fn what_goes_into_a_file_has_no_escape_sequences() {
    for arguments in [&["--help"][..], &["-h"], &["summary", "--help"], &["states", "--help"]] {
        assert!(!run(arguments).stdout.contains(&0x1b), "{arguments:?}");
    }
    let wrong = run(&["--fields", "foo\x1b[31m", "-r", OPENBSD]);
    assert!(!wrong.stderr.contains(&0x1b), "{}", err(&wrong));
}

#[test]
fn a_file_in_the_place_of_a_filter_is_recognized() {
    let output = run(&[OPENBSD]);
    assert_eq!(status(&output), 2);
    assert!(err(&output).contains(&format!("read it with -r {OPENBSD}")), "{}", err(&output));
}

/// Datagrams to a port of this machine that nobody listens on.
#[cfg(feature = "live")]
#[test]
fn a_device_is_printed_as_its_packets_come() {
    let list = run(&["-D"]);
    let loopback = ["lo", "lo0"]
        .into_iter()
        .find(|name| out(&list).lines().any(|line| line.split(['.', ' ']).nth(1) == Some(name)));
    let mut child =
        piped(&["-n", "-c", "2", "-i", loopback.unwrap_or("lo"), "udp and dst port 19998"]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(50));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        // Nobody listens: an earlier datagram's refusal may be reported here.
        let _ = socket.send_to(b"pfscope", "127.0.0.1:19998");
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    if output.stdout.is_empty() {
        eprintln!("SKIPPED: no live capture on loopback: {}", err(&output));
        return;
    }
    assert_eq!(out(&output).lines().count(), 2);
    assert!(out(&output).contains("> 127.0.0.1.19998: UDP, length 7"), "{}", out(&output));
    assert!(err(&output).contains("packets dropped by kernel"));
    let both = run(&["-i", loopback.unwrap_or("lo"), "-i", "no-such-device"]);
    assert_eq!(status(&both), 1);
    assert!(err(&both).starts_with("pfscope: no-such-device: "));
    let missing = run(&["-i", "no-such-device"]);
    assert_eq!(status(&missing), 1);
    assert!(err(&missing).starts_with("pfscope: no-such-device: "));
}

const LIFECYCLE: &str = "testdata/pfsync/lifecycle.pcap";

#[test]
fn pfsync_is_a_json_line_a_message_and_a_text_line_a_packet_and_a_message() {
    let output = run(&["--fields", "frame,pfsync.index,pfsync.action", "-r", LIFECYCLE]);
    assert_done(&output);
    assert!(out(&output).lines().count() > 24);
    let text = out(&run(&["-n", "-c", "2", "-r", LIFECYCLE]));
    assert!(text.contains("PFSYNCv6 len ") && text.contains("\n    act "), "{text}");
}

#[test]
fn the_state_table_is_followed_sorted_filtered_and_rewound() {
    let at = |time: &str| {
        let output = run(&["states", "-q", "--at", time, "--utc", "-r", LIFECYCLE]);
        assert_done(&output);
        out(&output)
    };
    assert_eq!(at("2026-01-02T03:05:00Z").lines().count(), 7);
    assert_eq!(at("2026-01-02T04:00:00Z"), "");
    let arguments = ["states", "-q", "--at", "2026-01-02T03:05:00Z", "-r", LIFECYCLE, "udp"];
    let udp = out(&run(&arguments));
    assert_eq!(udp.lines().count(), 1);
    assert!(udp.contains("203.0.113.9:60277 (10.1.2.3:13724) -> 198.51.100.20:53"), "{udp}");
    let full = out(&run(&["states", "-r", "testdata/genuine/openbsd80-pfsync0.pcap"]));
    assert!(full.contains("   id: 1122334455667788 creatorid: deadbeef"), "{full}");
    let arguments =
        ["states", "--format", "json", "--sort", "bytes", "-r", "testdata/pfsync/pair.pcap"];
    for line in out(&run(&arguments)).lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&value["type"], &value["v"]), (&"state".into(), &1.into()));
        assert!(value["state"]["wire"]["src"].is_string());
    }
}

#[test]
fn the_health_of_a_pair_is_told_in_sentences() {
    let findings = |file: &str| {
        let path = format!("testdata/pfsync/{file}.pcap");
        let output = run(&["states", "--health", "--format", "json", "-r", &path]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let kinds = report["findings"].as_array().unwrap().iter();
        kinds.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (file, kinds) in [
        ("pair", &[][..]),
        ("one-way", &["one_way"]),
        ("storm", &["request_flood", "update_storm"]),
        ("regression", &["regression"]),
        ("versions", &["version_mismatch"]),
    ] {
        assert_eq!(findings(file), kinds, "{file}");
    }
    let page = run(&["states", "--health", "-r", "testdata/pfsync/one-way.pcap"]);
    assert!(out(&page).contains("asked 3 times for all states and was not answered"));
    let page = run(&["states", "--health", "-r", "testdata/pfsync/pair.pcap"]);
    assert!(out(&page).contains("nothing is wrong"));
}

#[test]
fn pfsync_of_strangers_is_noticed() {
    let peers = "192.0.2.241,192.0.2.242";
    let file = "testdata/pfsync/spoof.pcap";
    let output = run(&["--format", "json", "--pfsync-peers", peers, "-r", file]);
    let (schema, mut words) = (run(&["schema", "json"]).stdout, Vec::new());
    let schema: serde_json::Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in out(&output).lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&value), "{line}");
        if value["type"] == "notice" {
            assert_eq!(value["kind"], "spoof");
            words.push(value["suspicion"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(
        words,
        ["sender", "ttl", "group", "group", "station", "sender", "unicast", "creator", "clear"]
    );
    let text = out(&run(&["-n", "--pfsync-peers", peers, "-r", file]));
    assert!(text.contains("\n    notice spoof: 203.0.113.66 is not one of the peers\n"), "{text}");
    let page = out(&run(&["states", "--health", "--pfsync-peers", peers, "-r", file]));
    assert!(page.contains("creator 66666666, which none of the peers has shown"), "{page}");
}

/// A port that is used again belongs to another inside host than before.
#[test]
fn logged_packets_have_their_state_and_the_addresses_behind_it() {
    let nat = |arguments: &[&str]| {
        let fields = "pflog.rulenr,net.src,state.id,state.nat.src,state.nat.sport,state.nat.dst";
        let arguments: Vec<&str> = ["--fields", fields].iter().chain(arguments).copied().collect();
        let output = run(&arguments);
        assert_done(&output);
        let lines = out(&output);
        let logged = lines.lines().filter(|line| !line.starts_with('\t'));
        logged
            .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let joined = nat(&["-r", "testdata/pfsync/nat-join.pcapng"]);
    let first = ["4", "203.0.113.9", "0000000000000001", "10.1.2.3", "13724", "198.51.100.20"];
    let again = ["4", "203.0.113.9", "0000000000000004", "10.1.2.99", "9999", "198.51.100.20"];
    assert_eq!(joined.first().unwrap(), &first);
    assert_eq!(joined.last().unwrap(), &again);
    let blocked = joined.iter().find(|line| line[0] == "1").unwrap();
    assert_eq!(blocked[2..], ["", "", "", ""], "a blocked packet has no state");
}

#[test]
fn real_captures_beside_the_project_are_read_whole() {
    let folder = std::env::var("PFSCOPE_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let folder = Path::new(&folder).join("captures/pflog");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return;
    };
    let mut files = 0;
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let cut = ["scapy-pflog_udp.pcap", "scapy-pflog_icmp.pcap"];
        let is_cut = cut.iter().any(|name| path.ends_with(name));
        let output = run(&["--format", "json", "-r", path.to_str().unwrap()]);
        assert_eq!(status(&output), i32::from(is_cut), "{}: {}", path.display(), err(&output));
        for line in out(&output).lines() {
            assert!(line.contains("\"type\":\"pflog\"") && line.contains("\"net\":{"), "{line}");
        }
        assert!(!output.stdout.is_empty());
        files += 1;
    }
    assert!(files >= 16, "only {files} captures");
}
