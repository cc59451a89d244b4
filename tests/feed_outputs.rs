//! The feed's outputs against real servers on loopback: rsyslog, nats-server, and an HTTP server
//! of the tests' own that fails on demand.
#![cfg(feature = "feed")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod servers;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use pfscope::feed::output::http::{self, Auth, Client, Elastic, Http, Lines, Loki, Splunk};
use pfscope::feed::output::nats::{Login, Nats};
use pfscope::feed::output::secret::Kept;
use pfscope::feed::output::syslog::{self, Address, Framing, Syslog};
use pfscope::feed::output::tls::Tls;
use pfscope::feed::output::{Output, Pending};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use servers::http::{Fault, Server, State};
use servers::{Authority, Daemon, deliver, free_port, id, parcel, program, trouble, until};

fn to_syslog(address: &str, tls: Tls) -> Syslog {
    Syslog::new(syslog::Settings {
        address: Address::parse(address).unwrap(),
        framing: Framing::Octets,
        tls,
        facility: 16,
        severity: 6,
        host: "gw1".to_owned(),
        app: "pfscope".to_owned(),
        timeout: Duration::from_secs(5),
    })
    .unwrap()
}

/// rsyslog with this input, writing what it gets to `out`.
fn rsyslog(folder: &Path, global: &str, input: &str, port: u16) -> Option<Daemon> {
    let program = program("rsyslogd")?;
    let out = folder.join("out");
    let config = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"64k\" {global})\n{input}\n\
         template(name=\"t\" type=\"string\" string=\"%pri% %timestamp:::date-rfc3339% %hostname% %app-name% %msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"t\")\n",
        folder.display(),
        out.display()
    );
    let path = folder.join("rsyslog.conf");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(program);
    command.args(["-n", "-iNONE", "-f"]).arg(path).stdout(Stdio::null());
    command.stderr(fs::File::create(folder.join("log")).unwrap());
    let mut daemon = Daemon::start(&mut command);
    if input.contains("imudp") {
        // Nothing tells that it listens but the kernel's table.
        until("rsyslog has its socket", || {
            assert!(daemon.runs());
            fs::read_to_string("/proc/net/udp").unwrap().contains(&format!(":{port:04X} "))
        });
        return Some(daemon);
    }
    Some(daemon.listens(port))
}

fn received(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// All of these, in their order, as rsyslog has understood them.
fn check_received(folder: &Path, numbers: std::ops::Range<usize>) {
    until("rsyslog has them all", || received(folder).len() >= numbers.len());
    let lines = received(folder);
    for (line, number) in lines.iter().zip(numbers.clone()) {
        assert!(line.starts_with("134 2023-11-1"), "{line}");
        let end = format!(" gw1 pfscope {{\"n\":{number},\"word\":\"é\\\"\"}}");
        assert!(line.ends_with(&end), "{line}");
    }
    assert_eq!(lines.len(), numbers.len());
}

#[test]
fn rsyslog_by_udp() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let input = format!(
        "module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")"
    );
    let Some(_daemon) = rsyslog(folder.path(), "", &input, port) else { return };
    let mut output = to_syslog(&format!("udp://127.0.0.1:{port}"), Tls::default());
    output.check().unwrap();
    assert!(deliver(&mut output, &parcel(0..100)).troubles.is_empty());
    check_received(folder.path(), 0..100);
}

#[test]
fn rsyslog_by_tcp_that_is_killed_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let input = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
    );
    let Some(daemon) = rsyslog(folder.path(), "", &input, port) else { return };
    let mut output = to_syslog(&format!("tcp://127.0.0.1:{port}"), Tls::default());
    output.check().unwrap();
    assert!(deliver(&mut output, &parcel(0..20_000)).troubles.is_empty());
    check_received(folder.path(), 0..20_000);
    daemon.kill();
    let why = trouble(&mut output, &parcel(20_000..20_010));
    assert!(why.starts_with("tcp://127.0.0.1:"), "{why}");
    let _daemon = rsyslog(folder.path(), "", &input, port).unwrap();
    assert!(deliver(&mut output, &parcel(20_000..20_010)).troubles.is_empty());
    check_received(folder.path(), 0..20_010);
}

#[test]
fn rsyslog_by_tls_knows_whom_it_talks_to() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (ours, theirs) =
        (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "theirs"));
    let (cert, key) = ours.issue("server");
    let global = format!(
        "defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{}\" \
         defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
        ours.ca.display(),
        cert.display(),
        key.display()
    );
    let input = format!(
        "module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\" \
         streamDriver.authMode=\"x509/certvalid\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
    );
    let Some(_daemon) = rsyslog(folder.path(), &global, &input, port) else { return };
    let address = format!("tls://127.0.0.1:{port}");
    // We do not trust it.
    let why = trouble(&mut to_syslog(&address, theirs.member("stranger")), &parcel(0..3));
    assert!(why.contains("certificate"), "{why}");
    // It does not trust us: seen before anything is sent, or it would be lost.
    let none = trouble(&mut to_syslog(&address, ours.trusted()), &parcel(0..3));
    let foreign = Tls { ca_file: Some(ours.ca.clone()), ..theirs.member("foreigner") };
    let wrong = trouble(&mut to_syslog(&address, foreign), &parcel(0..3));
    for why in [none, wrong] {
        assert!(why.starts_with(&address), "{why}");
    }
    // A connection that ends loses nothing of what was sent through it.
    for round in 0..10 {
        let mut output = to_syslog(&address, ours.member("client"));
        output.check().unwrap();
        let delivered = deliver(&mut output, &parcel(round * 2000..(round + 1) * 2000));
        assert!(delivered.troubles.is_empty(), "{delivered:?}");
    }
    until("all is there", || received(folder.path()).len() >= 20_000);
    check_received(folder.path(), 0..20_000);
}

fn secret(folder: &Path, text: &str) -> Kept {
    let path = folder.join("secret");
    fs::write(&path, format!("{text}\n")).unwrap();
    Kept::File(path)
}

#[test]
fn nats_takes_each_event_once_and_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = servers::nats::Server::start(folder.path(), "max_payload: 60000") else {
        return;
    };
    let mut output = server.output(None);
    let why = trouble(&mut output, &parcel(0..3));
    assert!(why.contains("no stream takes the subject"), "{why}");
    assert!(output.check().unwrap_err().why.contains("pf.events"));
    server.stream(ConnectOptions::new(), |config| config.max_message_size = 50_000);
    output.check().unwrap();
    // More than the window, and again: the second time all are known.
    let all = parcel(0..20_000);
    for _ in 0..2 {
        let delivered = deliver(&mut output, &all);
        assert!(delivered.troubles.is_empty() && delivered.refused.is_empty(), "{delivered:?}");
    }
    assert_eq!(server.count(ConnectOptions::new()), 20_000);
    // One is too large for the server, one for the stream.
    let mut large = parcel(20_000..20_002);
    for (number, len) in [(20_002, 70_000), (20_003, 55_000)] {
        large.push(id(number), pfscope::time::Timestamp(0), &vec![b'x'; len]);
    }
    large.append(&parcel(20_004..20_006));
    let delivered = deliver(&mut output, &large);
    let places: Vec<_> = delivered.refused.iter().map(|&(at, _)| at).collect();
    assert_eq!((places, delivered.troubles.len()), (vec![2, 3], 0), "{delivered:?}");
    // Killed: said at once; back: all is sent, and what was there is not there twice.
    server.kill();
    let begun = Instant::now();
    let why = trouble(&mut output, &parcel(30_000..30_010));
    assert!(begun.elapsed() < Duration::from_secs(6), "{why}");
    server.restart();
    let delivered = deliver(&mut output, &parcel(19_000..30_000));
    assert!(delivered.refused.is_empty(), "{delivered:?}");
    let ids = server.ids(ConnectOptions::new());
    for number in (0..20_002).chain(20_004..30_000) {
        assert_eq!(ids.get(&id(number).to_string()), Some(&1), "{number}");
    }
    assert_eq!(
        ids.len(),
        29_998
            + usize::from(ids.contains_key(&id(20_002).to_string()))
            + usize::from(ids.contains_key(&id(20_003).to_string()))
    );
}

#[test]
fn nats_takes_all_in_order_while_others_publish_and_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = servers::nats::Server::start(folder.path(), "") else { return };
    server.stream(ConnectOptions::new(), |config| config.max_message_size = 50_000);
    let mut output = server.output(None);
    let others = server.publish_beside(Duration::from_millis(3));
    for round in 0..30 {
        let mut parcel = parcel(round * 1000..round * 1000 + 999);
        if round % 7 == 3 {
            parcel.push(id(1_000_000 + round), pfscope::time::Timestamp(0), &[b'x'; 55_000]);
        }
        let delivered = deliver(&mut output, &parcel);
        let refused = if round % 7 == 3 { vec![999] } else { vec![] };
        let places: Vec<_> = delivered.refused.iter().map(|&(at, _)| at).collect();
        assert_eq!((places, delivered.troubles.len()), (refused, 0), "{delivered:?}");
    }
    let beside = others();
    let ids = server.ids_in_order(ConnectOptions::new());
    assert_eq!(ids.iter().filter(|id| id.is_none()).count(), beside);
    let ours: Vec<_> = ids.into_iter().flatten().collect();
    let expected = (0..30).flat_map(|round| round * 1000..round * 1000 + 999);
    assert!(ours.into_iter().eq(expected.map(|number| id(number).to_string())), "{beside}");
}

#[test]
fn what_is_acknowledged_is_there_whatever_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = servers::nats::Server::start(folder.path(), "") else { return };
    server.stream(ConnectOptions::new(), |_| {});
    // One is missing in the middle, and the one behind it is the stream's last: a chain that went
    // by names alone would close over the gap.
    let mut first = server.output(None);
    let some = parcel((0..6).chain([7]));
    assert!(deliver(&mut first, &some).troubles.is_empty());
    let mut second = server.output(None);
    assert!(deliver(&mut second, &parcel(0..9)).troubles.is_empty());
    let ids = server.ids(ConnectOptions::new());
    assert!((0..9).all(|number| ids.get(&id(number).to_string()) == Some(&1)), "{ids:?}");
}

#[test]
fn nats_is_killed_again_and_again_while_it_is_sent_to() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = servers::nats::Server::start(folder.path(), "") else { return };
    server.stream(ConnectOptions::new(), |_| {});
    let mut output = server.output(None);
    let sender = std::thread::spawn(move || {
        let mut troubles = 0;
        for round in 0..40 {
            let parcel = parcel(round * 1000..(round + 1) * 1000);
            troubles += deliver(&mut output, &parcel).troubles.len();
            std::thread::sleep(Duration::from_millis(20));
        }
        troubles
    });
    for pause in [150, 400, 90] {
        std::thread::sleep(Duration::from_millis(pause));
        server.kill();
        server.restart();
    }
    let troubles = sender.join().unwrap();
    let ids = server.ids(ConnectOptions::new());
    assert_eq!((ids.len(), ids.values().filter(|&&count| count > 1).count()), (40_000, 0));
    assert!(troubles > 0, "the server was never missed");
}

#[test]
fn nats_lets_in_who_has_the_password_the_token_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let kept = secret(folder, "s3cret");
    for (config, login, options) in [
        (
            "authorization { user: pf, password: s3cret }",
            Login::User("pf".to_owned(), kept.clone()),
            ConnectOptions::new().user_and_password("pf".to_owned(), "s3cret".to_owned()),
        ),
        (
            "authorization { token: s3cret }",
            Login::Token(kept),
            ConnectOptions::new().token("s3cret".to_owned()),
        ),
    ] {
        let Some(server) = servers::nats::Server::start(folder, config) else { return };
        server.stream(options, |_| {});
        // The login is read anew where it was wrong.
        fs::write(folder.join("secret"), "wrong\n").unwrap();
        let mut output = server.output(Some(login));
        let why = trouble(&mut output, &parcel(0..3));
        assert!(why.contains("authorization") && !why.contains("wrong"), "{why}");
        fs::write(folder.join("secret"), "s3cret\n").unwrap();
        assert!(deliver(&mut output, &parcel(0..3)).troubles.is_empty());
    }
    let (ours, theirs) = (Authority::new(folder, "ours"), Authority::new(folder, "theirs"));
    let (cert, key) = ours.issue("server");
    let config = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        cert.display(),
        key.display(),
        ours.ca.display()
    );
    let Some(server) = servers::nats::Server::start(folder, &config) else { return };
    let ours_tls = ours.member("client");
    let options =
        ConnectOptions::new().add_root_certificates(ours.ca.clone()).add_client_certificate(
            ours_tls.cert_file.clone().unwrap(),
            ours_tls.key_file.clone().unwrap(),
        );
    server.stream(options, |_| {});
    let output = |tls| Nats::new(server.settings(None, tls)).unwrap();
    assert!(deliver(&mut output(ours_tls), &parcel(0..3)).troubles.is_empty());
    for tls in [theirs.member("stranger"), ours.trusted(), Tls::default()] {
        trouble(&mut output(tls), &parcel(0..3));
    }
}

/// Seconds of a processor that a process has used (proc_pid_stat(5), utime and stime).
fn used(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind = stat.rsplit_once(')').unwrap().1;
    let ticks: Vec<f64> = behind.split(' ').skip(12).take(2).map(|n| n.parse().unwrap()).collect();
    ticks.iter().sum::<f64>() / 100.0
}

/// How fast events are acknowledged: `cargo test --release --test feed_outputs -- --ignored
/// --nocapture nats_rate`.
#[test]
#[ignore = "a measurement"]
fn nats_rate() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = servers::nats::Server::start(folder.path(), "") else { return };
    server.stream(ConnectOptions::new(), |_| {});
    let mut output = server.output(None);
    let text = [b'x'; 900];
    let mut number = 0;
    for parcels in [10, 60] {
        let nats = server.daemon.as_ref().unwrap().pid();
        let (begun, ours, its) = (Instant::now(), used(std::process::id()), used(nats));
        for _ in 0..parcels {
            let mut parcel = pfscope::feed::parcel::Parcel::default();
            for _ in 0..10_000 {
                number += 1;
                parcel.push(id(number), pfscope::time::Timestamp(0), &text);
            }
            assert!(deliver(&mut output, &parcel).troubles.is_empty());
        }
        let events = f64::from(parcels) * 10_000.0;
        let rate = events / begun.elapsed().as_secs_f64();
        let micros = |pid, before: f64| (used(pid) - before) / events * 1e6;
        let _ = writeln!(
            io::stderr(),
            "{events} events of 900 bytes in parcels of 10 000: {rate:.0} events/s acknowledged; \
             an event takes {:.1} µs of a processor here and {:.1} µs in nats-server",
            micros(std::process::id(), ours),
            micros(nats, its)
        );
    }
    assert_eq!(server.count(ConnectOptions::new()), number as u64);
}

/// A capture of a million records of a genuine log of pf, each at a time of its own.
fn million(path: &Path) -> usize {
    let genuine = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/genuine/openbsd80-pflog0.pcap");
    let bytes = fs::read(genuine).unwrap();
    let (header, mut rest) = bytes.split_at(24);
    let mut records = Vec::new();
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let (record, more) = rest.split_at(16 + length);
        records.push(record);
        rest = more;
    }
    let mut out = io::BufWriter::new(fs::File::create(path).unwrap());
    out.write_all(header).unwrap();
    for (number, record) in (0..1_000_000_u32).zip(records.iter().cycle()) {
        out.write_all(&1_780_000_000_u32.to_le_bytes()).unwrap();
        out.write_all(&number.to_le_bytes()).unwrap();
        out.write_all(&record[8..]).unwrap();
    }
    out.flush().unwrap();
    1_000_000
}

/// How fast the whole feed is, as ECS into a file and into NATS, beside the command that only
/// prints: `cargo test --release --test feed_outputs -- --ignored --nocapture feed_rate`.
#[test]
#[ignore = "a measurement"]
fn feed_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let count = million(&folder.path().join("log"));
    let nats = servers::nats::Server::start(folder.path(), "");
    let (log, state) = (path("log"), path("state"));
    let to_file = format!("file:{}", path("out"));
    let feed = ["feed", "--once", "--no-notices", "--format", "ecs", "-r", &log];
    let mut runs = vec![
        (vec!["--format", "ecs", "-r", &log], "print"),
        ([&feed[..], &["--state-dir", &state, "--to", &to_file]].concat(), "feed to a file"),
    ];
    let to_nats = nats.as_ref().map(|server| {
        server.stream(ConnectOptions::new(), |_| {});
        format!("nats://127.0.0.1:{}/pf.events", server.port)
    });
    runs.extend(to_nats.iter().map(|to| {
        ([&feed[..], &["--state-dir", &state, "--to", to]].concat(), "feed to NATS, acknowledged")
    }));
    // Of children that have ended: cutime and cstime.
    let children = || {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let behind = stat.rsplit_once(')').unwrap().1;
        let ticks = behind.split(' ').skip(14).take(2).map(|n| n.parse::<f64>().unwrap());
        ticks.sum::<f64>() / 100.0
    };
    for (arguments, what) in runs {
        let server = || nats.as_ref().map_or(0.0, |nats| used(nats.daemon.as_ref().unwrap().pid()));
        let (begun, before, its) = (Instant::now(), children(), server());
        let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
        assert!(command.args(arguments).stdout(Stdio::null()).status().unwrap().success());
        let (seconds, ours) = (begun.elapsed().as_secs_f64(), children() - before);
        let _ = writeln!(
            io::stderr(),
            "{what}: {:.0} events/s; an event takes {:.2} µs of a processor, and {:.2} µs of \
             nats-server's",
            count as f64 / seconds,
            ours / count as f64 * 1e6,
            (server() - its) / count as f64 * 1e6
        );
    }
    if let Some(nats) = &nats {
        assert_eq!(nats.count(ConnectOptions::new()), count as u64);
    }
    let lines = fs::read_to_string(path("out")).unwrap().lines().count();
    assert_eq!(lines, count);
}

fn client(url: &str, auth: Option<Auth>, tls: Tls) -> Result<Client, String> {
    Client::new(http::Settings {
        url: url.to_owned(),
        auth,
        headers: vec![("X-Scope-OrgID".to_owned(), "pf".to_owned())],
        tls,
        timeout: Duration::from_secs(2),
    })
}

/// What a server stores of an event.
type Key = fn(usize) -> String;

/// An output for each dialect, and what its server stores.
fn outputs(url: &str) -> Vec<(Box<dyn Output>, Key)> {
    let client = || client(url, None, Tls::default()).unwrap();
    let text: Key = |n| format!("{{\"n\":{n},\"word\":\"é\\\"\"}}");
    let elastic = Elastic { index: "logs-pf".to_owned() };
    let splunk =
        Splunk { index: None, sourcetype: None, host: "gw1".to_owned(), json: true, indexed: None };
    let loki = Loki { labels: BTreeMap::from([("job".to_owned(), "pf".to_owned())]) };
    let bytes = 1 << 20;
    vec![
        (Box::new(Http::new(client(), elastic, 100, bytes)), |n| id(n).to_string()),
        (Box::new(Http::new(client(), splunk, 100, bytes)), text),
        (Box::new(Http::new(client(), loki, 100, bytes)), text),
        (Box::new(Http::new(client(), Lines, 100, bytes)), text),
    ]
}

#[test]
fn http_servers_that_fail_get_all_in_the_end() {
    for which in 0..4 {
        let server = Server::start();
        let (mut output, key) = outputs(&server.url).swap_remove(which);
        output.check().unwrap();
        for fault in [
            Fault::CloseEarly,
            Fault::CloseLate,
            Fault::Swallow,
            Fault::Stall(Duration::from_secs(4)),
            Fault::Status(401, "", "who are you"),
            Fault::Status(429, "Retry-After: 7", "slowly"),
            Fault::Status(429, "Retry-After: 18446744073709551615", "slowly"),
            Fault::Status(500, "", "<html>oops</html>"),
            Fault::Status(503, "", ""),
            Fault::Status(302, "Location: http://127.0.0.1:1/", ""),
            Fault::Half,
            Fault::Garbage,
        ] {
            let named = format!("{which} {fault:?}");
            // A status without a body has no half that could be missing.
            if matches!(fault, Fault::Half) && which >= 2 {
                continue;
            }
            let stored = |n: usize| {
                server.state.lock().unwrap().stored.get(&key(n)).copied().unwrap_or_default()
            };
            server.state.lock().unwrap().stored.clear();
            server.faults([fault.clone()]);
            let all = parcel(0..250);
            let mut pending = Pending::default();
            pending.all(&all);
            let trouble = output.send(&all, &mut pending).expect_err(&named);
            assert!(trouble.why.starts_with(&server.url), "{named}: {}", trouble.why);
            assert_eq!(pending.places().len(), 250, "{named}: nothing is acknowledged");
            let after = trouble.after.map(|after| after.as_secs());
            match fault {
                Fault::Status(429, "Retry-After: 7", _) => assert_eq!(after, Some(7)),
                Fault::Status(429, ..) => assert_eq!(after, Some(600)),
                _ => assert_eq!(after, None),
            }
            let delivered = deliver(&mut *output, &all);
            assert!(delivered.refused.is_empty(), "{named}: {delivered:?}");
            // What was stored and not acknowledged is sent again: `_bulk` knows it by its id.
            let most = match fault {
                Fault::Swallow | Fault::Half | Fault::Garbage if which > 0 => 2,
                _ => 1,
            };
            for number in 0..250 {
                assert!((1..=most).contains(&stored(number)), "{named} {number}");
            }
        }
    }
}

#[test]
fn http_servers_that_refuse_get_the_others() {
    let server = Server::start();
    // Too large: in halves.
    for (mut output, key) in outputs(&server.url) {
        let mut state = server.state.lock().unwrap();
        (state.longest, state.stored) = (Some(1500), HashMap::new());
        drop(state);
        let delivered = deliver(&mut *output, &parcel(0..300));
        assert!(delivered.refused.is_empty() && delivered.troubles.is_empty(), "{delivered:?}");
        let state = server.state.lock().unwrap();
        assert!((0..300).all(|number| state.stored[&key(number)] == 1));
        let mut order = state.order.iter().rev().take(300).rev();
        assert!((0..300).all(|number| *order.next().unwrap() == key(number)), "in their order");
    }
    let mut state = server.state.lock().unwrap();
    (state.longest, state.stored) = (None, HashMap::new());
    // One that is refused for good, one that the store is too busy for, one of a blocked index.
    for (number, fates) in [(7, [400, 400]), (8, [429, 429]), (9, [403, 503])] {
        state.items.insert(id(number).to_string(), fates.into());
    }
    drop(state);
    let (mut elastic, key) = outputs(&server.url).swap_remove(0);
    let delivered = deliver(&mut *elastic, &parcel(0..20));
    assert_eq!(delivered.refused, [(7, "status 400: t: r".to_owned())]);
    assert_eq!(delivered.troubles.len(), 2, "{delivered:?}");
    let stored = |n: usize| server.state.lock().unwrap().stored.contains_key(&key(n));
    assert!((0..20).all(|number| stored(number) == (number != 7)));
    // Splunk names the bad one, and has those before it.
    let (mut splunk, key) = outputs(&server.url).swap_remove(1);
    let delivered = deliver(&mut *splunk, &parcel(600..700));
    assert_eq!(delivered.refused.iter().map(|&(at, _)| at).collect::<Vec<_>>(), [66]);
    let state = server.state.lock().unwrap();
    assert!((600..700).filter(|&n| n != 666).all(|n| state.stored[&key(n)] == 1));
    drop(state);
    // Loki does not say which one it is: it is found.
    let (mut loki, _) = outputs(&server.url).swap_remove(2);
    server.faults(vec![Fault::Status(400, "", "entry too far behind"); 7]);
    let delivered = deliver(&mut *loki, &parcel(0..64));
    assert_eq!(delivered.refused.len(), 1, "{delivered:?}");
}

#[test]
fn splunk_s_indexers_are_waited_for() {
    let server = Server::start();
    let output = |headers| {
        let client = Client::new(http::Settings {
            url: server.url.clone(),
            auth: None,
            headers,
            tls: Tls::default(),
            timeout: Duration::from_secs(5),
        });
        let splunk = Splunk {
            index: None,
            sourcetype: None,
            host: "gw1".to_owned(),
            json: true,
            indexed: Some(Duration::from_millis(300)),
        };
        Http::new(client.unwrap(), splunk, 100, 1 << 20)
    };
    let indexing = |times| server.state.lock().unwrap().indexing = times;
    let asked = || {
        let heads = server.state.lock().unwrap().heads.clone();
        heads.iter().filter(|head| head.starts_with("POST /services/collector/ack ")).count()
    };
    // A token without it, and a request without a channel.
    let why = trouble(&mut output(vec![http::channel()]), &parcel(0..1));
    assert!(why.contains("no ackId"), "{why}");
    indexing(Some(3));
    let why = trouble(&mut output(Vec::new()), &parcel(0..1));
    assert!(why.contains("Data channel is missing"), "{why}");
    // Three questions for each of three requests.
    let mut output = output(vec![http::channel()]);
    assert!(deliver(&mut output, &parcel(1000..1250)).troubles.is_empty());
    assert_eq!(asked(), 9);
    // Never indexed: it is sent again, and at last it is.
    indexing(Some(usize::MAX));
    let why = trouble(&mut output, &parcel(2000..2010));
    assert!(why.contains("not indexed in 0.3 s"), "{why}");
    indexing(Some(1));
    assert!(deliver(&mut output, &parcel(2000..2010)).troubles.is_empty());
    let state = server.state.lock().unwrap();
    let stored = |n: usize| state.stored[&format!("{{\"n\":{n},\"word\":\"é\\\"\"}}")];
    assert!((1000..1250).all(|n| stored(n) == 1) && (2000..2010).all(|n| stored(n) == 2));
}

#[test]
fn http_logins_and_addresses_that_are_wrong_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let kept = secret(folder.path(), "t0ken");
    let server = Server::start();
    server.state.lock().unwrap().login = Some("Splunk t0ken".to_owned());
    let client = client(&server.url, Some(Auth::Token("Splunk", kept)), Tls::default()).unwrap();
    let mut output = Http::new(client, Lines, 100, 1 << 20);
    fs::write(folder.path().join("secret"), "old\n").unwrap();
    let why = trouble(&mut output, &parcel(0..1));
    assert!(why.contains("status 401: who are you") && !why.contains("old"), "{why}");
    assert!(output.check().is_err());
    fs::write(folder.path().join("secret"), "t0ken\n").unwrap();
    output.check().unwrap();
    assert!(deliver(&mut output, &parcel(0..1)).troubles.is_empty());
    let heads = server.state.lock().unwrap().heads.clone();
    assert!(
        heads.iter().all(|head| head.to_lowercase().contains("x-scope-orgid: pf")),
        "{heads:?}"
    );
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (mut output, _) = outputs(&nobody).swap_remove(0);
    assert!(trouble(&mut *output, &parcel(0..1)).contains("refused"));
}

fn server_config(authority: &Authority) -> Arc<ServerConfig> {
    let (cert, key) = authority.issue("server");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&authority.ca).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap());
    let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
    Arc::new(config.with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap())
}

#[test]
fn https_knows_whom_it_talks_to() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) =
        (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "theirs"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::serve(listener, State::default(), Some(server_config(&ours)));
    let output = |tls| Http::new(client(&server.url, None, tls).unwrap(), Lines, 100, 1 << 20);
    assert!(deliver(&mut output(ours.member("client")), &parcel(0..3)).troubles.is_empty());
    let foreign = Tls { ca_file: Some(ours.ca.clone()), ..theirs.member("foreigner") };
    for tls in [theirs.member("stranger"), ours.trusted(), foreign, Tls::default()] {
        let Ok(_) = client(&server.url, None, tls.clone()) else { continue };
        let why = trouble(&mut output(tls), &parcel(0..3));
        assert!(why.starts_with(&server.url), "{why}");
    }
    assert_eq!(server.state.lock().unwrap().order.len(), 3);
}
