//! Events through restarts of the daemon.

use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pfscope::vici::codec::Packet;
use pfscope::vici::message::Section;
use pfscope::vici::{Connection, Error, Monitor, Update, Uri, Watch};

use super::fake::{Peer, daemon, path};
use super::{LONG, SHORT, options};

fn watch(uri: &Uri, events: &[&str]) -> Watch {
    let events = events.iter().map(|&event| event.to_owned()).collect();
    Watch { uri: uri.clone(), options: options(LONG), events, refresh: None }
}

/// How many items a list has.
fn count(connection: &mut Connection) -> Result<usize, Error> {
    let stream = connection.stream("list-sas", "list-sa", &Section::new())?;
    stream.map(|item| item.map(drop)).collect::<Result<Vec<()>, _>>().map(|items| items.len())
}

fn next<T>(monitor: &Monitor<T>) -> Update<T> {
    monitor.next_within(LONG).unwrap_or_else(|| panic!("nothing happens"))
}

#[test]
fn a_restart_in_the_middle_of_a_list() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let daemon = daemon(move |number, mut peer| {
        let mut over = false;
        while let Some((kind, name, _)) = (!over).then(|| peer.hear()).flatten() {
            if number == 1 {
                heard.lock().unwrap().push(name.clone());
            }
            match (kind, name.as_str()) {
                (0, "list-sas") => {
                    peer.event("list-sa", &Section::new());
                    over = number == 0;
                    peer.event("child-updown", &Section::new().with("up", "yes"));
                    if !over {
                        peer.event("list-sa", &Section::new());
                        peer.reply(&Section::new());
                    }
                }
                (0, _) => peer.reply(&Section::new().with("version", "5.9.8")),
                (3, "alert") => peer.say(&Packet::EventUnknown),
                _ => peer.say(&Packet::EventConfirm),
            }
        }
    });
    let monitor = Monitor::start(watch(&daemon.uri, &["child-updown", "alert"]), count).unwrap();
    match next(&monitor) {
        Update::Up { version, unknown } => {
            assert_eq!((version, unknown), (Some(b"5.9.8".to_vec()), vec!["alert".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&monitor), Update::Down(Error::Closed)));
    assert!(matches!(next(&monitor), Update::Up { .. }));
    assert!(matches!(next(&monitor), Update::Synced(2)), "the whole list, before the event");
    assert!(matches!(next(&monitor), Update::Event(event) if event.name == b"child-updown"));
    let said = said.lock().unwrap();
    assert_eq!(said[..5], ["child-updown", "alert", "version", "list-sa", "list-sas"]);
}

#[test]
fn a_daemon_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let uri = Uri::Unix(folder.path().join("charon.vici"));
    drop(UnixListener::bind(path(&uri)).unwrap());
    let monitor = Monitor::start(watch(&uri, &[]), count).unwrap();
    assert!(matches!(next(&monitor), Update::Down(Error::Connect(..))));
    // It is told once, however often it is tried.
    assert!(monitor.next_within(3 * SHORT).is_none());
    std::fs::remove_file(path(&uri)).unwrap();
    let listener = UnixListener::bind(path(&uri)).unwrap();
    // Accepted and closed: no beginning, and no second end.
    drop(listener.accept().unwrap());
    let (stream, _) = listener.accept().unwrap();
    thread::spawn(move || Peer::new(stream).serve(|_, _| false));
    assert!(matches!(next(&monitor), Update::Up { .. }));
}

#[test]
fn the_whole_is_looked_at_again_when_asked_and_from_time_to_time() {
    let daemon = daemon(|_, mut peer| peer.serve(|_, _| false));
    let monitor = Monitor::start(watch(&daemon.uri, &[]), count).unwrap();
    assert!(matches!(next(&monitor), Update::Up { .. }));
    assert!(matches!(next(&monitor), Update::Synced(0)));
    assert!(monitor.next_within(SHORT).is_none());
    for _ in 0..3 {
        monitor.refresh();
        assert!(matches!(next(&monitor), Update::Synced(0)));
    }
    let watch = Watch { refresh: Some(Duration::from_millis(10)), ..watch(&daemon.uri, &[]) };
    let monitor = Monitor::start(watch, count).unwrap();
    assert!(matches!(next(&monitor), Update::Up { .. }));
    for _ in 0..5 {
        assert!(matches!(next(&monitor), Update::Synced(0)));
    }
}

#[test]
fn a_slow_consumer_loses_events_but_not_the_daemon() {
    const COUNT: u64 = 20_000;
    let (tell, told) = std::sync::mpsc::channel();
    let daemon = daemon(move |_, mut peer| {
        let tell = tell.clone();
        let line = Section::new().with("msg", [b'x'; 1000]);
        peer.serve(move |peer, said| {
            if said.1 == "list-sas" {
                peer.reply(&Section::new());
                (0..COUNT).for_each(|_| peer.event("log", &line));
                tell.send(()).unwrap();
                return true;
            }
            false
        });
    });
    let mut watch = watch(&daemon.uri, &["log"]);
    watch.options.queue = 1 << 20;
    let monitor = Monitor::start(watch, |connection| {
        connection.request("list-sas", &Section::new()).map(drop)
    })
    .unwrap();
    told.recv_timeout(LONG).unwrap();
    let (mut taken, mut dropped) = (0, 0);
    while taken + dropped < COUNT {
        match next(&monitor) {
            Update::Event(_) => taken += 1,
            Update::Dropped(count) => dropped += count,
            Update::Up { .. } | Update::Synced(()) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(taken + dropped == COUNT && dropped > 0);
}

#[test]
fn dropping_a_monitor_closes_its_connection_at_once() {
    let (tell, told) = std::sync::mpsc::channel();
    let daemon = daemon(move |_, mut peer| {
        peer.serve(|_, _| false);
        let _ = tell.clone().send(());
    });
    let monitor = Monitor::start(watch(&daemon.uri, &["log"]), |_| Ok(())).unwrap();
    assert!(matches!(next(&monitor), Update::Up { .. }));
    assert!(matches!(next(&monitor), Update::Synced(())));
    thread::sleep(SHORT / 10);
    let began = Instant::now();
    drop(monitor);
    told.recv_timeout(LONG).unwrap();
    assert!(began.elapsed() < LONG / 4);
}
