//! Every line against tcpdump's, for every capture file at hand.
//!
//! Whole packets must give the same bytes. Where they do not, a list says why; of a cut
//! packet all that tcpdump shows must be shown, and more may be.
//!
//! More files are taken from `$PFSCOPE_SHARED`, or from `../shared` if that exists, and from
//! `$TESTDATA`; `$PFSCOPE_NAMES` adds a run without `-n`.

#![allow(clippy::print_stdout, reason = "the counts are read by people")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use pfscope::decode::decode;
use pfscope::event::{Event, Frame, Kind};
use pfscope::packet::{Transport, proto};
use pfscope::pf::{Action, Family};
use pfscope::sink::Sink;
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::text::names::Names;
use pfscope::sink::text::{Dump, Form, Options, Text};
use pfscope::time::{Precision, TimeStyle, Timestamp};
use pfscope::wire::ByteOrder;
use pfscope::wire::link::{LinkHeader, LinkType, Network};
use pfscope::wire::writer::Writer;

/// A pcap file in memory.
struct Capture {
    order: ByteOrder,
    link: LinkType,
    records: Vec<(Timestamp, usize, Vec<u8>)>,
}

impl Capture {
    fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (order, unit) = match *bytes.first_chunk::<4>()? {
            [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, 1),
            _ => return None,
        };
        let word = |at: usize| {
            let word = bytes.get(at..)?.first_chunk::<4>()?;
            Some(order.u32(*word))
        };
        let mut capture = Self { order, link: LinkType(word(20)? & 0xffff), records: Vec::new() };
        let mut at = 24;
        while let (Some(seconds), Some(fraction), Some(caplen), Some(len)) =
            (word(at), word(at + 4), word(at + 8), word(at + 12))
        {
            let Some(data) = bytes.get(at + 16..at + 16 + caplen as usize) else { break };
            let ts = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * unit;
            capture.records.push((Timestamp(ts), len as usize, data.to_vec()));
            at += 16 + caplen as usize;
        }
        Some(capture)
    }

    /// The records as events, each with what is known of the writer by then.
    fn each(&self, mut each: impl FnMut(&Event<'_>)) {
        let mut writer = Writer::new(self.order);
        for (number, (ts, len, data)) in (1..).zip(&self.records) {
            match self.link {
                LinkType::PFLOG => writer.observe(data),
                LinkType::OLD_PFLOG => writer.observe_old(data),
                _ => {}
            }
            let frame = Frame { number, ts: *ts, len: *len, ..Frame::new(self.link, data) };
            each(&decode(frame, self.order, writer));
        }
    }
}

/// One way to run both.
struct Run {
    args: &'static str,
    options: fn() -> Options,
}

fn numeric() -> Options {
    Options { link: true, ..Options::default() }
}

const RUNS: &[Run] = &[
    Run { args: "-n -e", options: numeric },
    Run { args: "-n", options: || Options { link: false, ..numeric() } },
    Run { args: "-n -e -ttt", options: || Options { time: TimeStyle::Delta, ..numeric() } },
    Run { args: "-n -e -ttttt", options: || Options { time: TimeStyle::SinceFirst, ..numeric() } },
    Run { args: "-n -e -tt", options: || Options { time: TimeStyle::Epoch, ..numeric() } },
    Run { args: "-n -e -tttt", options: || Options { time: TimeStyle::Date, ..numeric() } },
    Run {
        args: "-n -t -S",
        options: || Options {
            link: false,
            time: TimeStyle::None,
            absolute: true,
            ..Options::default()
        },
    },
    Run { args: "-n -e -q", options: || Options { quiet: true, ..numeric() } },
    Run { args: "-n -v", options: || Options { link: false, verbose: 1, ..numeric() } },
    Run { args: "-n -e -v", options: || Options { verbose: 1, ..numeric() } },
    Run { args: "-n -e -vv", options: || Options { verbose: 2, ..numeric() } },
    Run { args: "-n -x", options: || dump(Form::Hex, false) },
    Run { args: "-n -xx", options: || dump(Form::Hex, true) },
    Run { args: "-n -X", options: || dump(Form::HexAscii, false) },
    Run { args: "-n -XX", options: || dump(Form::HexAscii, true) },
    Run { args: "-n -A", options: || dump(Form::Ascii, false) },
    Run { args: "-n -AA", options: || dump(Form::Ascii, true) },
    Run { args: NAMES, options: || Options { names: Some(names()), ..numeric() } },
    Run { args: "-n -e --nano", options: || Options { precision: Precision::Nanos, ..numeric() } },
];

/// Without `-n` tcpdump asks the resolver for every host, which takes time and may even answer;
/// so this is done on request only.
const NAMES: &str = "-e";

fn names() -> Arc<Names> {
    static NAMES: OnceLock<Arc<Names>> = OnceLock::new();
    Arc::clone(NAMES.get_or_init(|| Arc::new(Names::of_system(false))))
}

fn dump(form: Form, link: bool) -> Options {
    Options { link: false, dump: Some(Dump { form, link }), ..Options::default() }
}

/// The lines as pfscope writes them, one string an event.
fn ours(capture: &Capture, options: &Options) -> Vec<String> {
    let mut text = Text::new(options.clone(), TimeZone::UTC);
    let mut binder = Binder::new(options.time, options.precision, None);
    let (mut page, mut scratch, mut lines) = (Page::default(), Vec::new(), Vec::new());
    capture.each(|event| {
        page.clear();
        text.event(event, &mut page);
        let bound = binder.bind(&page, &mut scratch);
        assert_eq!((bound.events, bound.done), (1, false));
        lines.push(String::from_utf8_lossy(bound.bytes).into_owned());
    });
    lines
}

/// tcpdump's, told apart by the numbers it puts in front.
fn theirs(path: &Path, args: &str, count: usize) -> Option<Vec<String>> {
    let output = Command::new("tcpdump")
        .args(["--number", "-r"])
        .arg(path)
        .args(args.split_whitespace())
        .env("TZ", "UTC")
        .output()
        .ok()?;
    let text: String = output.stdout.iter().map(|&byte| char::from(byte)).collect();
    let mut rest = text.strip_prefix("    1  ")?;
    let mut lines = Vec::new();
    for number in 2..=count {
        let (line, behind) = rest.split_once(&format!("\n{number:5}  "))?;
        lines.push(format!("{line}\n"));
        rest = behind;
    }
    lines.push(rest.to_owned());
    Some(lines)
}

/// A line in its parts, with what it is of. The parts are ours and tcpdump's.
struct Line<'a> {
    event: &'a Event<'a>,
    options: &'a Options,
    /// Time and rule.
    head: (&'a str, &'a str),
    /// The packet.
    body: (&'a str, &'a str),
    /// Its bytes.
    dump: (&'a str, &'a str),
    /// tcpdump shows nothing of the file's first record.
    first_is_refused: bool,
    /// The file's byte order is not this machine's.
    foreign: bool,
    /// Ours says more of pf's header.
    has_brackets: bool,
}

impl<'a> Line<'a> {
    fn new(
        capture: &Capture,
        event: &'a Event<'a>,
        options: &'a Options,
        ours: &'a str,
        theirs: &'a str,
    ) -> Self {
        let mut dump = ("", "");
        let (mut ours, mut theirs) = (ours, theirs);
        if options.dump.is_some() {
            // pfsync's messages stand between the line and the bytes.
            let messages = event.pfsync.and_then(|_| {
                let at = theirs.find('\n')?;
                Some(ours.strip_suffix(theirs.get(at..)?)?.len())
            });
            let at = messages.or_else(|| ours.find('\n')).unwrap_or(ours.len());
            let dumped = ours.get(at..).unwrap_or_default();
            let their_at = match theirs.strip_suffix(dumped) {
                Some(text) => text.len(),
                None => theirs.find('\n').unwrap_or(theirs.len()),
            };
            dump = (dumped, theirs.get(their_at..).unwrap_or_default());
            (ours, theirs) =
                (ours.get(..at).unwrap_or(ours), theirs.get(..their_at).unwrap_or(theirs));
        }
        let split = |line: &'a str| {
            let on = line.find("rule ").and_then(|at| Some(at + line.get(at..)?.find(" on ")?));
            let end = on.and_then(|on| Some(on + line.get(on..)?.find(": ")? + 2));
            line.split_at(end.filter(|_| options.link && event.pflog.is_some()).unwrap_or(0))
        };
        let ((our_head, mut our_body), (their_head, their_body)) = (split(ours), split(theirs));
        let mut has_brackets = false;
        for bracket in BRACKETS {
            if !our_head.is_empty() && our_body.starts_with(bracket) {
                our_body = our_body.split_once("] ").map_or("", |(_, behind)| behind);
                has_brackets = true;
            }
        }
        let (head, body) = ((our_head, their_head), (our_body, their_body));
        let first_is_refused = capture
            .records
            .first()
            .is_some_and(|(_, len, data)| data.is_empty() || data.len() > *len);
        let foreign = (capture.order == ByteOrder::Big) != cfg!(target_endian = "big");
        Self { event, options, head, body, dump, first_is_refused, foreign, has_brackets }
    }

    fn proto(&self) -> Option<u8> {
        self.event.packet.as_ref()?.ip.proto
    }

    /// The reasons of the parts that differ, or the name of a part that differs without one.
    fn reasons(&self) -> Result<Vec<&'static str>, &'static str> {
        let mut reasons = Vec::new();
        let parts =
            [("head", self.head, HEADS), ("body", self.body, BODIES), ("dump", self.dump, DUMPS)];
        for (name, (ours, theirs), known) in parts {
            if ours != theirs {
                let reason = known.iter().find(|(_, holds)| holds(self)).ok_or(name)?;
                reasons.push(reason.0);
            }
        }
        if self.has_brackets {
            reasons.push("what else pf's header says stands in brackets");
        }
        if reasons.is_empty() { Err("line") } else { Ok(reasons) }
    }
}

/// What stands behind the interface and tcpdump does not show.
const BRACKETS: [&str; 7] =
    ["[suspect", "[rule uid", "[uid", "[pid", "[ridentifier", "[rewritten", "[packet at"];

/// Why a part may differ.
type Reason = (&'static str, fn(&Line<'_>) -> bool);

/// Differences in the rule that are meant.
const HEADS: &[Reason] = &[
    ("a record that had fewer bytes than it has is shown; tcpdump refuses it", is_refused),
    ("tcpdump does not count the time from a record that it refuses", |line| {
        line.options.time == TimeStyle::SinceFirst && line.first_is_refused
    }),
    ("hostile bytes of a name are escaped, where tcpdump has ^X and M-X", |line| {
        line.event.pflog.is_some_and(|h| {
            let plain =
                |name: &[u8]| name.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'\\');
            !plain(h.ifname) || !plain(h.ruleset)
        })
    }),
    ("a cut header is shown as far as it goes", |line| line.event.kind == Kind::Undecoded),
    ("rules and codes that tcpdump does not know or takes for others", |line| {
        let (Some(ours), Some(theirs), Some(h)) =
            (Rule::split(line.head.0), Rule::split(line.head.1), line.event.pflog)
        else {
            return false;
        };
        let no_rule = h.rulenr.is_none() || (h.subrulenr.is_none() && !h.ruleset.is_empty());
        let dir_misread = h.hdrlen < 61 || h.dir.is_none_or(|dir| dir.0 > 2);
        // OpenBSD 3.4 may have numbered otherwise.
        let unnamed = h.action.name(h.systems).is_none();
        ours.time == theirs.time
            && ours.interface == theirs.interface
            && (ours.rule == theirs.rule || no_rule)
            // 4.99.3 has 4 as "short" and no 3, and of those above 14 what its own system has.
            && (ours.reason == theirs.reason || matches!(h.reason.0, 3 | 4 | 15..))
            && (ours.action == theirs.action || h.action == Action(3) || h.action.0 > 10 || unnamed)
            && (ours.dir == theirs.dir || dir_misread)
    }),
];

/// The parts of `TIME rule RULE/REASON: ACTION DIR on INTERFACE: `.
struct Rule<'a> {
    time: &'a str,
    rule: &'a str,
    reason: &'a str,
    action: &'a str,
    dir: &'a str,
    interface: &'a str,
}

impl<'a> Rule<'a> {
    fn split(head: &'a str) -> Option<Self> {
        let (time, rest) = head.split_once("rule ")?;
        let (rest, interface) = rest.split_once(" on ")?;
        let (rest, action) = rest.rsplit_once(": ")?;
        let (rule, reason) = rest.rsplit_once('/')?;
        let (action, dir) = action.rsplit_once(' ')?;
        Some(Self { time, rule, reason, action, dir, interface })
    }
}

/// Differences in the packet that are meant.
const BODIES: &[Reason] = &[
    ("a record that had fewer bytes than it has is shown; tcpdump refuses it", is_refused),
    ("what could not be read is said in words", |line| {
        line.event.error.is_some() && line.event.packet.is_none() && line.body.0.contains("[|")
    }),
    ("the packet is found behind a header that is padded further than its length says", |line| {
        line.event.pflog.is_some_and(|h| h.skip != usize::from(h.hdrlen).next_multiple_of(4))
    }),
    ("the version nibble counts, not the address family of the header before", |line| {
        line.body.1.contains("wrong link-layer encapsulation (invalid)")
            || line.body.1.contains("version error: 4 != 6")
            || line.event.pflog.is_some_and(|h| !matches!(h.af, 2 | 24 | 28 | 30))
    }),
    ("an interface index means nothing on the machine that reads", |line| {
        let their_name = line.body.1.split(' ').find(|word| word.starts_with(char::is_lowercase));
        matches!(line.event.link, LinkHeader::Sll2 { .. })
            && their_name.is_some_and(|name| {
                let ours = line.body.0.replacen("?    ", &format!("{name:5}"), 1);
                ours == line.body.1 || same_start(&ours, line.body.1)
            })
    }),
    ("hosts are not looked up", |line| line.body.1.contains("localhost")),
    ("hardware addresses have no names", |line| line.body.1.contains(" (oui ")),
    ("frames that are not IP are named and no more", |line| line.event.network != Network::Ip),
    ("IKE's line has version and both SPIs, with -v too, and no payloads", |line| {
        let ours = line.body.0.split(" [version ").next().unwrap_or_default();
        let ours = ours.split(" [spi ").next().unwrap_or_default().trim_end();
        ours.contains("isakmp") && line.body.1.starts_with(ours)
    }),
    ("extension headers behind AH are stepped over, as RFC 4302 has them", |line| {
        let behind = line.body.1.find("): ").and_then(|at| line.body.1.get(..at + 3));
        behind.is_some_and(|ah| ah.contains(": AH(") && line.body.0.starts_with(ah))
            && line.body.1.contains("):  ip-proto-60 ")
    }),
    ("who began an IKEv1 exchange is not remembered from packet to packet", |line| {
        let (ours, theirs) = line.body;
        ours.contains("isakmp")
            && ours.split_once(" ? ").is_some_and(|(start, _)| theirs.starts_with(start))
    }),
    ("pfsync's link types are read", |line| {
        matches!(
            line.event.frame.link,
            LinkType::PFSYNC | LinkType::PFSYNC_18 | LinkType::PFSYNC_121
        ) && line.body.1.contains("UNSUPPORTED\n")
    }),
    ("pfsync and CARP are known", |line| {
        ["PFSYNCv", "pfsync, version ", "CARPv2-advertise "]
            .iter()
            .any(|known| line.body.0.contains(known))
    }),
    ("bytes are dumped with -x only", |line| {
        line.body.0.trim_end() == without_dumps(line.body.1).trim_end()
    }),
    ("user data of SCTP is not dumped", |line| line.body.0.contains("[Payload]")),
    ("of a cut listener message the delay is shown", |line| {
        line.event.packet.is_some_and(|packet| packet.is_truncated())
            && line.body.0.contains("max resp delay: ")
    }),
    ("of a cut quote all is shown that is there", |line| {
        matches!(line.proto(), Some(proto::ICMP))
            && line
                .body
                .1
                .split_once(" [|")
                .is_some_and(|(start, _)| line.body.0.starts_with(start.trim_end()))
    }),
    ("applications are not taken apart", application),
    ("routers' protocols are not taken apart", |line| {
        line.body
            .0
            .find(" ip-proto-")
            .is_some_and(|at| line.body.1.starts_with(line.body.0.get(..at).unwrap_or_default()))
    }),
    ("of a cut packet all is shown that is there", |line| {
        line.event.packet.is_some_and(|p| p.is_truncated())
            && line.body.1.find(" [").is_some_and(|at| {
                let shown = line.body.1.get(..at).unwrap_or_default().trim_end();
                line.body.0.starts_with(shown.trim_end_matches(':'))
            })
    }),
    ("an offloaded segment has length 0; what is there is shown", |line| {
        line.body.1.contains("bad-len 0")
            || line
                .event
                .packet
                .is_some_and(|p| p.ip.family == Family::Inet6 && p.ip.len == Some(40))
    }),
];

/// Differences in the bytes that are meant.
const DUMPS: &[Reason] = &[
    ("a record that had fewer bytes than it has is shown; tcpdump refuses it", is_refused),
    ("bytes are the file's; libpcap swaps the owners of a machine of another order", |line| {
        line.options.dump.is_some_and(|dump| dump.link)
            && line.event.frame.link == LinkType::PFLOG
            && line.dump.0.len() == line.dump.1.len()
            && line.foreign
    }),
    ("tcpdump shows the link header of a packet whose printer gave up", |line| {
        line.body.1.contains("[|")
            || line.body.1.contains("(invalid)")
            || line.event.error.is_some()
    }),
    ("the packet is found behind a header that is padded further than its length says", |line| {
        line.event.pflog.is_some_and(|h| h.skip != usize::from(h.hdrlen).next_multiple_of(4))
    }),
    ("tcpdump shows bytes of what it does not know, with or without -x", |line| {
        line.event.network != Network::Ip
            || line.body.1.contains("UNSUPPORTED")
            || line.proto().is_some_and(|n| n == proto::ICMP6)
    }),
];

fn is_refused(line: &Line<'_>) -> bool {
    line.event.frame.data.len() > line.event.frame.len
}

/// The text without the lines of hex digits in it.
fn without_dumps(text: &str) -> String {
    let is_dump = |line: &&str| {
        let line = line.trim_start_matches(['\t', ' ']);
        line.starts_with("0x") && line.get(6..7) == Some(":")
    };
    text.split_inclusive('\n').filter(|line| !is_dump(line)).collect()
}

/// True if one line is the other up to where tcpdump goes on into an application.
fn application(line: &Line<'_>) -> bool {
    let Some(packet) = &line.event.packet else { return false };
    same_start(line.body.0, line.body.1)
        && match packet.transport {
            Transport::Udp(_) => line.body.0.contains("UDP, "),
            Transport::Tcp(_) => line.body.0.contains(", length "),
            _ => false,
        }
}

/// True if tcpdump's goes on where ours ends, or where it only says that it is UDP.
fn same_start(ours: &str, theirs: &str) -> bool {
    let ours = ours.trim_end();
    let start = ours.find("UDP, ").and_then(|at| ours.get(..at)).unwrap_or(ours);
    theirs.starts_with(start)
}

fn captures() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("testdata")];
    folders.extend(std::env::var_os("TESTDATA").map(PathBuf::from));
    match std::env::var_os("PFSCOPE_SHARED").map(PathBuf::from) {
        Some(shared) => folders.push(shared),
        None if here.join("../shared").is_dir() => folders.push(here.join("../shared")),
        None => println!("SKIPPED: no shared captures: set PFSCOPE_SHARED to their folder"),
    }
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "pcap") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn lines_are_tcpdumps() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        println!("SKIPPED: tcpdump is not installed");
        return;
    }
    if std::env::var_os("PFSCOPE_NAMES").is_none() {
        println!("SKIPPED: names of ports and protocols: set PFSCOPE_NAMES where no host has one");
    }
    let (mut compared, mut equal, mut failed) = (0_u32, 0_u32, 0_u32);
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    for path in captures() {
        let Some(capture) = Capture::read(&path).filter(|capture| !capture.records.is_empty())
        else {
            println!("SKIPPED: {}: not a pcap file with records", path.display());
            continue;
        };
        for run in RUNS {
            if run.args == NAMES && std::env::var_os("PFSCOPE_NAMES").is_none() {
                continue;
            }
            let options = (run.options)();
            let ours = ours(&capture, &options);
            let Some(theirs) = theirs(&path, run.args, ours.len()) else {
                println!("SKIPPED: {}: tcpdump does not read all of it", path.display());
                break;
            };
            let mut lines = ours.iter().zip(&theirs);
            capture.each(|event| {
                let Some((ours, theirs)) = lines.next() else { return };
                compared += 1;
                if ours == theirs {
                    equal += 1;
                    return;
                }
                match Line::new(&capture, event, &options, ours, theirs).reasons() {
                    Ok(reasons) => {
                        for reason in reasons {
                            *known.entry(reason).or_default() += 1;
                        }
                    }
                    Err(part) => {
                        failed += 1;
                        println!(
                            "{} #{} {}\n  ours    {ours:?}\n  tcpdump {theirs:?} {part}",
                            path.display(),
                            event.frame.number,
                            run.args
                        );
                    }
                }
            });
        }
    }
    println!("{compared} lines compared, {equal} equal, {failed} different");
    for (reason, count) in known {
        println!("{count:6} {reason}");
    }
    assert_eq!(failed, 0, "lines differ without a reason");
    assert!(equal > 30_000, "testdata is not whole: only {equal} lines are equal");
}
