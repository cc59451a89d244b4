//! The VICI client against daemons: recorded ones, wrong ones, ones that come and go.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod cli;
mod fake;
mod monitor;

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fake::{Chunks, Peer, Said, daemon, replay, tcp_daemon, transcript};
use pfscope::vici::codec::{self, Fault, Packet, Segments};
use pfscope::vici::commands::{EVENTS, EventKind};
use pfscope::vici::message::Section;
use pfscope::vici::{Client, Connection, Error, Incoming, Options, Uri, views};

/// Long enough for a busy machine, and for none of these tests to come to.
const LONG: Duration = Duration::from_secs(20);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);

fn options(reply: Duration) -> Options {
    Options { connect: LONG, reply, ..Options::default() }
}

fn is_item(name: &[u8]) -> bool {
    let is_it = |(event, kind): &(&str, EventKind)| {
        event.as_bytes() == name && (*kind == EventKind::Item || *event == "control-log")
    };
    EVENTS.iter().any(is_it)
}

/// What a recorded connection should give: items of streams, and other events.
fn recorded(name: &str, number: u8) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut items, mut events, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    let mut segments = Segments::default();
    for step in transcript(name, number).iter().filter(|step| step.is_daemon) {
        segments.push(&step.bytes);
        while let Some(segment) = segments.next_segment().unwrap() {
            match Packet::parse(segment).unwrap() {
                Packet::Event { name, body } if is_item(name) => pending.push(body.to_vec()),
                Packet::Event { body, .. } => events.push(body.to_vec()),
                // What comes behind the reply belongs to no stream.
                Packet::CmdResponse(_) => items.append(&mut pending),
                _ => {}
            }
        }
    }
    (items, events)
}

/// Does what the recorded client did, and returns items (those that cannot be decoded empty)
/// and events.
fn relive(uri: &Uri, name: &str, number: u8) -> (Vec<Section>, Vec<Vec<u8>>) {
    let mut connection = Connection::open(uri, options(LONG)).unwrap();
    let mut segments = Segments::default();
    let steps = transcript(name, number);
    steps.iter().filter(|step| !step.is_daemon).for_each(|step| segments.push(&step.bytes));
    let mut items = Vec::new();
    let mut stream: Option<String> = None;
    while let Some(segment) = segments.next_segment().unwrap() {
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        match Packet::parse(segment).unwrap() {
            Packet::EventRegister(event) if is_item(event) => stream = Some(text(event)),
            Packet::EventRegister(event) => match connection.register(&text(event)) {
                Ok(()) | Err(Error::UnknownEvent(_)) => {}
                Err(error) => panic!("{error}"),
            },
            Packet::CmdRequest { name, body } => {
                let request = codec::decode(body).unwrap();
                match &stream {
                    None => drop(connection.request(&text(name), &request).unwrap()),
                    Some(event) => {
                        let stream = connection.stream(&text(name), event, &request).unwrap();
                        items.extend(stream.map(|item| match item {
                            Ok(item) => item,
                            Err(Error::Body(_)) => Section::new(),
                            Err(error) => panic!("{error}"),
                        }));
                    }
                }
            }
            // The stream has done that.
            Packet::EventUnregister(event) if is_item(event) => stream = None,
            Packet::EventUnregister(event) => connection.unregister(&text(event)).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let mut events = Vec::new();
    loop {
        match connection.next_event(LONG) {
            Ok(Some(Incoming::Event(event))) => events.push(event.body),
            Err(Error::Closed) => return (items, events),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_recorded_connection_however_it_is_cut() {
    let names = [
        ("version", 1),
        ("stats", 1),
        ("list-sas", 1),
        ("list-sas-filter-child", 1),
        ("list-conns", 1),
        ("list-certs", 1),
        ("list-policies", 1),
        ("list-policies-empty", 1),
        ("get-counters", 1),
        ("get-algorithms", 1),
        ("get-pools-leases", 1),
        ("get-conns", 1),
        ("conn-named-up", 1),
        ("virtual-ip", 1),
        ("mobike-ike-update", 1),
        ("peer-rekey-reauth", 1),
        ("two-ike-sas-same-name", 1),
        ("two-ike-sas-same-name", 2),
        ("events-initiate-rekey-terminate", 1),
        ("events-initiate-rekey-terminate", 2),
        ("long-child-name", 1),
        ("long-child-name", 2),
    ];
    let mut seen = (0, 0);
    for (name, number) in names {
        let expected = recorded(name, number);
        for chunks in [Chunks::AsRecorded, Chunks::EachByte, Chunks::Together] {
            let (uri, server) = replay(name, number, chunks);
            let (items, events) = relive(&uri, name, number);
            server.join().unwrap();
            let decoded = expected.0.iter().map(|item| codec::decode(item).unwrap_or_default());
            assert_eq!(items, decoded.collect::<Vec<_>>(), "{name} {number} {chunks:?}");
            assert_eq!(events, expected.1, "{name} {number} {chunks:?}");
        }
        seen = (seen.0 + expected.0.len(), seen.1 + expected.1.len());
    }
    assert_eq!(seen, (48, 153));
}

/// Runs a recorded command.
fn list(name: &str, event: &str) -> Vec<Section> {
    let (uri, server) = replay(name, 1, Chunks::AsRecorded);
    let mut connection = Connection::open(&uri, options(LONG)).unwrap();
    let command = name.trim_end_matches("-filter-child");
    let mut request = Section::new();
    match name {
        "list-sas-filter-child" => request.push_value("child", "net1"),
        "list-policies" => {
            ["trap", "drop", "pass"].iter().for_each(|&kind| request.push_value(kind, "yes"));
        }
        _ => {}
    }
    let items = connection.stream(command, event, &request).unwrap();
    let items: Vec<Section> = items.map(Result::unwrap).collect();
    server.join().unwrap();
    items
}

fn reply(name: &str) -> Section {
    let (uri, server) = replay(name, 1, Chunks::AsRecorded);
    let reply = Connection::open(&uri, options(LONG)).unwrap().request(name, &Section::new());
    server.join().unwrap();
    reply.unwrap()
}

#[test]
fn views_of_recorded_messages() {
    let lists = list("list-sas", "list-sa");
    let sas: Vec<_> = lists.iter().flat_map(views::ike_sas).collect();
    let names: Vec<_> = sas.iter().map(|ike| ike.name).collect();
    assert_eq!(names, [&b"v1"[..], b"site-2/(Lab)@x_y", b"site"]);
    let site = &sas[2];
    assert_eq!((site.uniqueid(), site.version()), (Some(3), Some(2)));
    assert_eq!(site.state(), Some(&b"ESTABLISHED"[..]));
    assert_eq!(site.local_host(), Some("192.0.2.1".parse().unwrap()));
    assert_eq!((site.local_port(), site.remote_port()), (Some(4500), Some(4500)));
    assert_eq!(site.initiator_spi(), Some(0xc104_6dec_1242_f7e9));
    assert_eq!(site.responder_spi(), Some(0x3388_82f7_d438_35e0));
    assert!(site.initiator() && site.nat_remote() && site.nat_any() && !site.nat_local());
    assert_eq!((site.encr_keysize(), site.rekey_time()), (Some(256), Some(14230)));
    assert_eq!((site.reauth_time(), site.local_vips()), (None, &[][..]));
    let child = site.children().next().unwrap();
    assert_eq!((child.key, child.name()), (&b"net1-4"[..], Some(&b"net1"[..])));
    assert_eq!((child.spi_in(), child.spi_out()), (Some(0xbd57_1b07), Some(0x4d89_fae1)));
    assert_eq!((child.uniqueid(), child.reqid()), (Some(4), Some(2)));
    assert_eq!((child.bytes_in(), child.use_in()), (Some(0), None));
    assert!(child.encap());
    assert_eq!(child.local_ts(), [b"10.1.0.0/16"]);
    assert_eq!(child.protocol(), Some(&b"ESP"[..]));

    let lists = list("list-sas-filter-child", "list-sa");
    let children = lists.iter().flat_map(views::ike_sas).map(|ike| ike.children().count());
    assert!(lists.len() > children.sum(), "some have an empty child-sas");

    let certs = list("list-certs", "list-cert");
    let certs: Vec<_> = certs.iter().map(|section| views::Cert { section }).collect();
    assert_eq!(certs.len(), 2);
    assert!(certs[0].has_privkey() && !certs[1].has_privkey());
    assert_eq!((certs[1].kind(), certs[1].flag()), (Some(&b"X509"[..]), Some(&b"CA"[..])));
    assert!(certs.iter().all(|cert| cert.data().unwrap().starts_with(&[0x30, 0x82])));

    let policies = list("list-policies", "list-policy");
    let policy = views::policies(&policies[0]).next().unwrap();
    assert_eq!((policy.child(), policy.ike()), (Some(&b"net2"[..]), Some(&b"site"[..])));
    assert_eq!(policy.remote_ts(), [b"172.16.2.0/24[tcp/https]"]);

    let conns = list("list-conns", "list-conn");
    let conns: Vec<_> = conns.iter().flat_map(views::conns).collect();
    let site = conns.iter().find(|conn| conn.name == b"site").unwrap();
    assert_eq!((site.version(), site.rekey_time()), (Some(&b"IKEv2"[..]), Some(14400)));
    assert_eq!(site.children().count(), 2);
    let class = |auth: views::Auth<'_>| auth.class() == Some(b"pre-shared key");
    assert!(site.local().all(class) && site.local().count() == 1);
    assert!(site.remote().all(class) && site.remote().count() == 1);

    let version = reply("version");
    assert_eq!(views::Version { section: &version }.version(), Some(&b"5.9.8"[..]));
    let stats = reply("stats");
    let stats = views::Stats { section: &stats };
    assert_eq!((stats.ike_sas(), stats.workers().unwrap().0), (Some((3, 0)), 16));
    assert!(stats.plugins().iter().any(|plugin| plugin == b"vici"));
    let counters = reply("get-counters");
    let (name, of_all) = views::counters(&counters).next().unwrap();
    assert_eq!((name, of_all.count()), (&b""[..], 21));
    let algorithms = reply("get-algorithms");
    let ke = views::algorithms(&algorithms, "ke").unwrap();
    assert!(ke.value("CURVE_25519").is_some(), "an old daemon calls it dh");
}

/// The bodies of the events of one name on the first connection of a transcript.
fn events(name: &str, event: &str) -> Vec<Section> {
    let mut segments = Segments::default();
    let steps = transcript(name, 1);
    steps.iter().filter(|step| step.is_daemon).for_each(|step| segments.push(&step.bytes));
    let mut found = Vec::new();
    while let Some(segment) = segments.next_segment().unwrap() {
        match Packet::parse(segment).unwrap() {
            Packet::Event { name, body } if name == event.as_bytes() => {
                found.push(codec::decode(body).unwrap());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn views_of_recorded_events() {
    const EVENTS: &str = "events-initiate-rekey-terminate";
    let rekeyed = events(EVENTS, "child-rekey");
    let ike = views::ike_sas(&rekeyed[0]).next().unwrap();
    let child = ike.children().next().unwrap();
    assert_eq!((ike.name, child.key), (&b"site"[..], &b"net1"[..]));
    let (old, new) = child.rekeyed().unwrap();
    assert_eq!(old.reqid(), new.reqid());
    assert_ne!(old.spi_in(), new.spi_in());
    let rekeyed = events(EVENTS, "ike-rekey");
    let (old, new) = views::ike_sas(&rekeyed[0]).next().unwrap().rekeyed().unwrap();
    assert_ne!(old.initiator_spi(), new.initiator_spi());
    let updown: Vec<_> = events(EVENTS, "ike-updown").iter().map(views::is_up).collect();
    assert!(updown.contains(&true) && updown.contains(&false));
    // The connection is called `up`, as the key beside it.
    let named_up = events("conn-named-up", "ike-updown");
    assert!(views::is_up(&named_up[0]));
    assert_eq!(views::ike_sas(&named_up[0]).next().unwrap().name, b"up");
}

#[test]
fn the_genuine_undecodable_event_harms_nothing() {
    let (uri, server) = replay("long-child-name", 2, Chunks::AsRecorded);
    let mut connection = Connection::open(&uri, options(LONG)).unwrap();
    let mut stream = connection.stream("list-sas", "list-sa", &Section::new()).unwrap();
    let fault = match stream.next() {
        Some(Err(Error::Body(error))) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!((fault.offset, fault.fault), (445, Fault::UnknownElement(121)));
    assert!(stream.next().is_none());
    drop(stream);
    let stats = connection.request("stats", &Section::new()).unwrap();
    assert_eq!(views::Stats { section: &stats }.ike_sas(), Some((1, 0)));
    server.join().unwrap();
}

#[test]
fn silence_has_an_end_and_a_late_reply_is_nobodys() {
    let daemon = daemon(|number, mut peer| {
        peer.serve(|peer, said| {
            let is_late = number == 0 && said.1 == "stats";
            if is_late {
                thread::sleep(SHORT + SHORT / 2);
                peer.reply(&Section::new().with("late", "yes"));
            }
            is_late
        });
    });
    let mut client = Client::new(daemon.uri, options(SHORT));
    let began = Instant::now();
    let silent = client.request("stats", &Section::new());
    assert!(matches!(silent, Err(Error::Timeout(limit)) if limit == SHORT));
    assert!(began.elapsed() < LONG / 2);
    thread::sleep(SHORT);
    // On another connection, whose replies are its own.
    let version = client.request("version", &Section::new()).unwrap();
    assert_eq!(version.value("version"), Some(&b"5.9.8"[..]));
}

#[test]
fn a_daemon_that_reads_nothing_is_not_waited_for() {
    let daemon = daemon(|_, peer| {
        thread::sleep(LONG);
        drop(peer);
    });
    let mut connection = daemon.connect(options(SHORT));
    // More than the socket's buffers take.
    let mut request = Section::new();
    request.push_list("data", vec![vec![0; 60_000]; 8]);
    let began = Instant::now();
    assert!(matches!(connection.request("load-conn", &request), Err(Error::Timeout(_))));
    assert!(!connection.is_open() && began.elapsed() < LONG / 2);
    assert!(connection.request("version", &Section::new()).is_err());
}

/// The error of a request that is answered with these bytes.
fn answered(bytes: &'static [u8]) -> Error {
    let daemon = daemon(move |_, mut peer| {
        peer.hear();
        peer.stream.write_all(bytes).unwrap();
        peer.hear();
    });
    daemon.connect(options(SHORT)).request("version", &Section::new()).unwrap_err()
}

#[test]
fn garbage_is_told_from_silence() {
    // A length no daemon sends; what another protocol answers.
    assert!(matches!(answered(&[0, 8, 0, 1]), Error::Framing(_)));
    assert!(matches!(answered(b"HTTP/1.1 400 Bad Request\r\n"), Error::Framing(_)));
    assert!(matches!(answered(&[0, 0, 0, 2, 1, 99]), Error::Body(_)));
    assert!(matches!(answered(&[0, 0, 0, 1, 2]), Error::UnknownCommand(_)));
    // A confirmation is no reply to a command.
    assert!(matches!(answered(&[0, 0, 0, 1, 5]), Error::OutOfStep));
    // Segments that are no packets are no replies either.
    assert!(matches!(answered(&[0, 0, 0, 0, 0, 0, 0, 1, 99]), Error::Timeout(_)));
}

#[test]
fn after_a_wrong_body_the_connection_goes_on() {
    let daemon = daemon(|_, mut peer| {
        peer.stream.write_all(&[0, 0, 0, 0, 0, 0, 0, 1, 99]).unwrap();
        peer.serve(|peer, said| {
            match said.1.as_str() {
                "stats" => peer.say(&Packet::CmdResponse(&[4, 0, 9])),
                "frobnicate" => peer.say(&Packet::CmdUnknown),
                "alert" => peer.say(&Packet::EventUnknown),
                _ => return false,
            }
            true
        });
    });
    let mut connection = daemon.connect(options(LONG));
    for _ in 0..3 {
        assert!(matches!(connection.request("stats", &Section::new()), Err(Error::Body(_))));
        let unknown = connection.request("frobnicate", &Section::new());
        assert!(matches!(unknown, Err(Error::UnknownCommand(name)) if name == b"frobnicate"));
        assert!(matches!(connection.register("alert"), Err(Error::UnknownEvent(_))));
        let unsendable = connection.request("\x1b[2J", &Section::new()).unwrap_err();
        assert!(matches!(&unsendable, Error::Request(why) if why.contains("\\x1b")));
        let long = Section::new().with([b'n'; 256], "");
        assert!(matches!(connection.request("version", &long), Err(Error::Request(_))));
        assert!(connection.request("version", &Section::new()).is_ok());
    }
    for _ in 0..2 {
        let incoming = connection.next_event(LONG).unwrap();
        assert!(matches!(incoming, Some(Incoming::Undecodable(_))));
    }
}

#[test]
fn a_reply_nobody_asked_for_ends_the_connection() {
    let daemon = daemon(|_, mut peer| {
        peer.reply(&Section::new());
        peer.hear();
    });
    let connection = daemon.connect(options(LONG));
    assert!(matches!(connection.next_event(LONG), Err(Error::OutOfStep)));
}

#[test]
fn events_between_a_request_and_its_reply_are_not_lost() {
    let daemon = daemon(|_, mut peer| {
        let mut count = 0;
        let mut next = move |peer: &mut Peer| {
            count += 1;
            peer.event("log", &Section::new().with("n", count.to_string()));
        };
        peer.serve(move |peer, said| {
            // Before every reply, also before the confirmation.
            next(peer);
            if said.0 == 0 && said.1 == "list-sas" {
                for _ in 0..3 {
                    peer.event("list-sa", &Section::new().with("item", "yes"));
                    next(peer);
                }
            }
            false
        });
    });
    let mut connection = daemon.connect(options(LONG));
    connection.register("log").unwrap();
    connection.request("version", &Section::new()).unwrap();
    let stream = connection.stream("list-sas", "list-sa", &Section::new()).unwrap();
    assert_eq!(stream.filter(|item| item.as_ref().unwrap().value("item").is_some()).count(), 3);
    // A stream that is not read to its end does no harm.
    connection.stream("list-sas", "list-sa", &Section::new()).unwrap().next();
    connection.request("version", &Section::new()).unwrap();
    // register, request, two streams (register, request and its items, unregister), request
    for n in 1..=15 {
        match connection.next_event(LONG).unwrap() {
            Some(Incoming::Event(event)) => {
                let message = event.message().unwrap();
                assert_eq!(message.value("n"), Some(n.to_string().as_bytes()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(connection.next_event(Duration::ZERO).unwrap(), None);
}

#[test]
fn an_event_is_registered_once() {
    let (tell, told) = mpsc::channel();
    let daemon = daemon(move |_, mut peer| {
        let tell = tell.clone();
        peer.serve(|_, said: &Said| {
            tell.send((said.0, said.1.clone())).unwrap();
            false
        });
    });
    let mut connection = daemon.connect(options(LONG));
    connection.register("list-sa").unwrap();
    connection.register("list-sa").unwrap();
    // The stream's own registration is counted too.
    connection.stream("list-sas", "list-sa", &Section::new()).unwrap().finish().unwrap();
    connection.unregister("list-sa").unwrap();
    connection.unregister("list-sa").unwrap();
    assert!(matches!(connection.unregister("list-sa"), Err(Error::UnknownEvent(_))));
    drop(connection);
    let said: Vec<_> = told.iter().take(3).collect();
    let expected = [(3, "list-sa"), (0, "list-sas"), (4, "list-sa")];
    assert_eq!(said, expected.map(|(kind, name)| (kind, name.to_owned())));
}

#[test]
fn a_flood_of_events_stops_neither_daemon_nor_requests() {
    const COUNT: u64 = 40_000;
    let (tell, told) = mpsc::channel();
    let daemon = daemon(move |_, mut peer| {
        let tell = tell.clone();
        let line = Section::new().with("msg", [b'x'; 1000]);
        peer.serve(move |peer, said| {
            if said.0 == 0 && said.1 == "stats" {
                (0..COUNT).for_each(|_| peer.event("log", &line));
                tell.send(()).unwrap();
            }
            false
        });
    });
    let limit = 1 << 20;
    let mut connection = daemon.connect(Options { queue: limit, ..options(LONG) });
    connection.register("log").unwrap();
    // 40 MB that nobody takes.
    connection.request("stats", &Section::new()).unwrap();
    told.recv_timeout(LONG).unwrap();
    let (mut taken, mut bytes, mut dropped) = (0, 0, 0);
    while let Some(incoming) = connection.next_event(Duration::ZERO).unwrap() {
        match incoming {
            Incoming::Event(event) => {
                taken += 1;
                bytes += event.body.len();
            }
            Incoming::Dropped(count) => dropped += count,
            Incoming::Undecodable(error) => panic!("{error}"),
        }
    }
    assert_eq!(taken + dropped, COUNT);
    assert!(taken > 500 && bytes <= limit, "{taken} events, {bytes} bytes");
}

#[test]
fn a_daemon_that_ends_in_the_middle_of_a_stream() {
    let daemon = daemon(|_, mut peer| {
        peer.hear();
        peer.say(&Packet::EventConfirm);
        peer.hear();
        peer.event("list-sa", &Section::new());
        // Half of another.
        peer.stream.write_all(&[0, 0, 0, 200, 7, 7]).unwrap();
    });
    let mut connection = daemon.connect(options(LONG));
    let mut stream = connection.stream("list-sas", "list-sa", &Section::new()).unwrap();
    assert!(matches!(stream.next(), Some(Ok(_))));
    assert!(matches!(stream.next(), Some(Err(Error::Closed))));
    assert!(stream.next().is_none());
    assert!(matches!(stream.finish(), Err(Error::Closed)));
}

#[test]
fn an_endless_stream_can_be_dropped() {
    let daemon = daemon(|_, mut peer| {
        peer.hear();
        peer.say(&Packet::EventConfirm);
        peer.hear();
        let item = codec::encode(&Section::new()).unwrap();
        let item = Packet::Event { name: b"list-sa", body: &item }.encode().unwrap();
        while peer.stream.write_all(&item).is_ok() {}
    });
    let mut connection = daemon.connect(options(SHORT));
    let began = Instant::now();
    let mut stream = connection.stream("list-sas", "list-sa", &Section::new()).unwrap();
    assert!(stream.next().unwrap().is_ok());
    drop(stream);
    assert!(!connection.is_open() && began.elapsed() < LONG / 2);
}

fn refused(uri: &Uri) -> String {
    match Connection::open(uri, options(SHORT)) {
        Err(error @ Error::Connect(..)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sockets_where_nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    let uri = |name: &str| Uri::Unix(folder.path().join(name));
    assert!(refused(&uri("nothing")).contains("no such socket"));
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(refused(&uri("file")).contains("not a socket"));
    // As kill -9 leaves it.
    drop(UnixListener::bind(folder.path().join("stale")).unwrap());
    assert!(refused(&uri("stale")).contains("nobody listens"));
    assert!(refused(&uri(&"x".repeat(200))).contains('x'), "longer than sun_path");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = Uri::Tcp { host: "127.0.0.1".to_owned(), port };
    assert!(refused(&tcp).contains("nobody listens"));
}

#[test]
fn a_full_backlog_is_tried_again_for_a_while() {
    use socket2::{Domain, SockAddr, Socket, Type};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("charon.vici");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let address = SockAddr::unix(&path).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    // Others wait already.
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
        assert!(waiting.len() < 100);
    }
    let began = Instant::now();
    let full = Options { connect: SHORT, ..Options::default() };
    match Connection::open(&Uri::Unix(path.clone()), full) {
        Err(error @ Error::Connect(..)) => assert!(error.to_string().contains("hangs")),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() >= SHORT && began.elapsed() < LONG / 2);
    // The daemon comes back to itself.
    let accepting = thread::spawn(move || {
        thread::sleep(SHORT);
        let accepted: Vec<_> = (0..=waiting.len()).map(|_| listener.accept().unwrap()).collect();
        accepted.len()
    });
    let connection = Connection::open(&Uri::Unix(path), options(LONG)).unwrap();
    assert!(connection.is_open());
    accepting.join().unwrap();
}

#[test]
fn over_tcp_too() {
    let uri = tcp_daemon(|_, mut peer| peer.serve(|_, _| false));
    let mut client = Client::new(uri, options(LONG));
    for _ in 0..2 {
        let version = client.request("version", &Section::new()).unwrap();
        assert_eq!(version.value("version"), Some(&b"5.9.8"[..]));
    }
}
