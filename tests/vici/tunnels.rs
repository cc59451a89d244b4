//! The SAs of a daemon that is followed: what it leaves out, what is asked for, what it does not
//! answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pfscope::ipsec::{Live, Unknown, feed};
use pfscope::packet::Packet;
use pfscope::vici::codec;
use pfscope::vici::message::Section;

use super::fake::{Peer, daemon};
use super::{LONG, SHORT};

/// An IKE_SA with these CHILD_SAs; the n-th has SPI 256 + n.
fn sa(children: impl IntoIterator<Item = u32>) -> Section {
    let mut all = Section::new();
    for n in children {
        let child = Section::new()
            .with("name", format!("m{n}"))
            .with("uniqueid", n.to_string())
            .with("state", "INSTALLED")
            .with("spi-in", format!("{:08x}", 256 + n));
        all.push_section(format!("m{n}-{n}"), child);
    }
    let mut ike = Section::new()
        .with("uniqueid", "1")
        .with("state", "ESTABLISHED")
        .with("local-host", "192.0.2.1")
        .with("remote-host", "192.0.2.2")
        .with("initiator-spi", "00000000000000aa");
    ike.push_section("child-sas", all);
    let mut root = Section::new();
    root.push_section("many", ike);
    root
}

fn stats(total: u32) -> Section {
    let mut stats = Section::new();
    stats.push_section(
        "ikesas",
        Section::new().with("total", total.to_string()).with("half-open", "0"),
    );
    stats
}

/// ESP of this SPI from the peer.
fn esp(spi: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 50, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1];
    packet.extend(spi.to_be_bytes());
    packet.resize(36, 1);
    packet
}

fn unknown(live: &Live, spi: u32) -> Vec<Unknown> {
    let bytes = esp(spi);
    let packet = Packet::parse(&bytes, bytes.len()).unwrap();
    Unknown::of(&packet, feed::now(), &live.tunnels().now()).into_iter().collect()
}

/// charon says nothing of an IKE_SA whose entry would be too long, only that there is one.
#[test]
fn what_a_list_leaves_out_is_asked_for_child_by_child() {
    let daemon = daemon(|_, mut peer: Peer| {
        peer.serve(|peer, (kind, name, body)| {
            match (kind, name.as_str()) {
                (0, "stats") => peer.reply(&stats(1)),
                (0, "list-conns") => {
                    let mut children = Section::new();
                    (0..1500).for_each(|n| children.push_section(format!("m{n}"), Section::new()));
                    let (mut conn, mut root) = (Section::new(), Section::new());
                    conn.push_section("children", children);
                    root.push_section("many", conn);
                    peer.event("list-conn", &root);
                    peer.reply(&Section::new());
                }
                (0, "list-sas") => {
                    let request = codec::decode(body).unwrap();
                    if let Some(child) = request.value("child") {
                        assert_eq!(request.value("ike"), Some(&b"many"[..]));
                        let n = String::from_utf8(child[1..].to_vec()).unwrap().parse();
                        peer.event("list-sa", &sa([n.unwrap()]));
                    }
                    peer.reply(&Section::new());
                }
                _ => return false,
            }
            true
        });
    });
    let live = Live::start(daemon.uri, |_| ()).unwrap();
    live.ready(LONG);
    assert_eq!(live.tunnels().now().len(), 1500);
    assert!(unknown(&live, 256 + 1499).is_empty());
}

#[test]
fn an_unknown_sa_is_asked_for_and_waited_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let daemon = daemon(move |_, mut peer: Peer| {
        peer.serve(|peer, (kind, name, body)| {
            if (*kind, name.as_str()) != (0, "list-sas") {
                return false;
            }
            // The first list has the IKE_SA alone; that one is asked for by its number.
            let request = codec::decode(body).unwrap();
            match request.value("ike-id") {
                Some(id) => {
                    assert_eq!(id, b"1");
                    count.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(SHORT);
                    peer.event("list-sa", &sa([7]));
                }
                None => peer.event("list-sa", &sa([])),
            }
            peer.reply(&Section::new());
            true
        });
    });
    let live = Live::start(daemon.uri, |_| ()).unwrap();
    live.ready(LONG);
    let begin = Instant::now();
    assert!(live.wait(&mut unknown(&live, 256 + 7), LONG), "found");
    assert!(begin.elapsed() >= SHORT && begin.elapsed() < LONG);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(unknown(&live, 256 + 7).is_empty());
    // One that there is not is given up in time.
    let begin = Instant::now();
    let mut nobodys = unknown(&live, 99_999);
    assert!(!live.wait(&mut nobodys, Duration::from_secs(1)));
    assert!(begin.elapsed() >= Duration::from_secs(1) && begin.elapsed() < LONG);
    assert_eq!(nobodys.len(), 1);
}

/// Nobody waits for a daemon that has gone, and it is told of once.
#[test]
fn a_daemon_that_is_gone_is_not_waited_for() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = Arc::clone(&gone);
    let daemon = daemon(move |_, mut peer: Peer| {
        while !is_gone.load(Ordering::SeqCst) {
            let Some((kind, name, _)) = peer.hear() else { break };
            match (kind, name.as_str()) {
                (0, "list-sas") => {
                    peer.event("list-sa", &sa([1]));
                    peer.reply(&Section::new());
                }
                (0, _) => peer.reply(&Section::new()),
                _ => peer.say(&codec::Packet::EventConfirm),
            }
            if name == "stats" {
                thread::sleep(SHORT);
                is_gone.store(true, Ordering::SeqCst);
            }
        }
    });
    let (tell, told) = std::sync::mpsc::channel();
    let live = Live::start(daemon.uri, move |what| _ = tell.send(what.to_owned())).unwrap();
    live.ready(LONG);
    assert_eq!(live.tunnels().now().len(), 1);
    let what = told.recv_timeout(LONG).unwrap();
    assert!(what.ends_with("packets are printed without tunnels until it answers"), "{what}");
    let begin = Instant::now();
    assert!(!live.wait(&mut unknown(&live, 99_999), LONG));
    assert!(begin.elapsed() < SHORT * 10);
    assert!(unknown(&live, 257).is_empty(), "its packets still come");
    assert!(told.recv_timeout(SHORT * 5).is_err(), "once");
}
