use super::*;
use crate::feed::parcel::{Id, Mark};
use crate::time::Timestamp;

const NOW: Duration = Duration::ZERO;

fn parcel(text: &str) -> Parcel {
    let mut parcel = Parcel::default();
    parcel.push(Id::default(), Timestamp(1), text.as_bytes());
    parcel
}

/// The event with this number of the stream 0.
fn numbered(n: u64) -> Parcel {
    let mut parcel = parcel(&n.to_string());
    parcel.mark(Mark { source: 0, position: None, sequence: n + 1 });
    parcel
}

fn texts(parcel: &Parcel) -> Vec<String> {
    parcel.events().map(|e| String::from_utf8_lossy(e.text).into_owned()).collect()
}

fn queue(limit: usize, spool: Option<Spool>) -> (Queue, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    (Queue::new(limit, spool, Arc::clone(&counters)), counters)
}

fn spool(folder: &tempfile::TempDir, limit: u64) -> Option<Spool> {
    Some(Spool::open(folder.path(), limit, vec!["em0".to_owned()]).unwrap())
}

/// All that is there, acknowledged.
fn drain(queue: &Queue) -> Vec<String> {
    let (mut all, mut out) = (Vec::new(), Parcel::default());
    while queue.take(&mut out, NOW).unwrap() == Taken::Some {
        all.extend(texts(&out));
        queue.acknowledge().unwrap();
    }
    all
}

#[test]
fn a_file_waits_for_room() {
    let (queue, _) = queue(10, None);
    assert!(queue.put(parcel("one")) && queue.put(parcel("two")));
    std::thread::scope(|scope| {
        let third = scope.spawn(|| queue.put(parcel("three")));
        let mut out = Parcel::default();
        let mut all = Vec::new();
        while all.len() < 3 {
            assert_eq!(queue.take(&mut out, Duration::from_secs(5)).unwrap(), Taken::Some);
            all.extend(texts(&out));
        }
        assert!(third.join().unwrap());
        assert_eq!(all, ["one", "two", "three"]);
        queue.close();
        assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Closed);
    });
}

#[test]
fn whoever_waits_for_room_is_told_that_nobody_takes_any_more() {
    let folder = tempfile::tempdir().unwrap();
    for spool in [None, spool(&folder, 1)] {
        let (queue, counters) = queue(1, spool);
        assert!(queue.put(parcel("one")));
        queue.store(numbered(1), || false).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.put(parcel("two")));
            let piped = scope.spawn(|| queue.store(numbered(2), || false).unwrap());
            queue.abandon().unwrap();
            assert!(!waiting.join().unwrap());
            piped.join().unwrap();
        });
        let before = counters.dropped.get();
        queue.store(numbered(3), || false).unwrap();
        assert_eq!(counters.dropped.get(), before + 1, "what is nowhere is counted");
    }
}

#[test]
fn a_pipe_waits_for_room_in_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, counters) = queue(8, spool(&folder, 4096));
    std::thread::scope(|scope| {
        let all = scope.spawn(|| {
            (1..500).for_each(|n| queue.store(numbered(n), || false).unwrap());
            queue.close();
        });
        let (mut got, mut out) = (Vec::new(), Parcel::default());
        while queue.take(&mut out, Duration::from_secs(5)).unwrap() == Taken::Some {
            assert!(counters.spool_bytes.get() <= 4096);
            got.extend(texts(&out));
            queue.acknowledge().unwrap();
        }
        all.join().unwrap();
        assert_eq!(got, (1..500).map(|n| n.to_string()).collect::<Vec<_>>());
    });
    assert_eq!(counters.dropped.get(), 0);
}

#[test]
fn without_a_spool_what_has_no_room_is_counted() {
    let (queue, counters) = queue(4, None);
    for text in ["abc", "def", "ghi"] {
        queue.offer(parcel(text)).unwrap();
    }
    let mut out = Parcel::default();
    assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Some);
    assert_eq!((texts(&out), counters.dropped.get()), (vec!["ghi".to_owned()], 2));
}

#[test]
fn what_comes_goes_through_the_spool_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, counters) = queue(8, spool(&folder, 1 << 20));
    for n in 1..50 {
        queue.offer(numbered(n)).unwrap();
    }
    assert_eq!((counters.spooled.get(), counters.waiting.get()), (49, 49));
    assert_eq!(queue.sequence("em0"), Some(50));
    assert_eq!(drain(&queue), (1..50).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!((counters.waiting.get(), counters.dropped.get()), (0, 0));
    queue.offer(numbered(50)).unwrap();
    assert_eq!(drain(&queue), ["50"]);
}

#[test]
fn a_file_and_a_device_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = queue(100, spool(&folder, 1 << 20));
    for n in 0..3 {
        queue.offer(numbered(n)).unwrap();
        assert!(queue.put(parcel(&format!("f{n}"))));
    }
    let (mut out, mut more) = (Parcel::default(), Parcel::default());
    assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Some);
    assert_eq!(texts(&out), ["f0"]);
    assert_eq!(queue.take_more(&mut more, 100, NOW).unwrap(), Taken::Some);
    assert_eq!(texts(&more), ["f1"], "more of the same");
    queue.acknowledge().unwrap();
    assert_eq!(drain(&queue), ["0", "1", "2", "f2"]);
}

#[test]
fn a_full_disk_is_no_concern_of_an_output_that_takes_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, counters) = queue(8, spool(&folder, 1 << 20));
    queue.offer(numbered(0)).unwrap();
    queue.offer(numbered(1)).unwrap();
    // A folder that is gone stands for a disk without room for another file.
    let away = folder.path().with_extension("away");
    let tail = |queue: &Queue| queue.lock().spool.as_mut().unwrap().end_segment();
    tail(&queue);
    std::fs::rename(folder.path(), &away).unwrap();
    assert!(queue.offer(numbered(2)).is_err() && queue.offer(numbered(3)).is_err());
    std::fs::rename(&away, folder.path()).unwrap();
    assert_eq!(drain(&queue), ["0", "1", "2", "3"], "what is on disk is older");
    // What finds no room in memory either is counted; then all goes through the disk again.
    tail(&queue);
    std::fs::rename(folder.path(), &away).unwrap();
    (4..12).for_each(|n| assert!(queue.offer(numbered(n)).is_err()));
    let dropped = counters.dropped.get();
    assert!(dropped > 0 && dropped < 8, "{dropped}");
    std::fs::rename(&away, folder.path()).unwrap();
    queue.offer(numbered(12)).unwrap();
    let left: Vec<_> = (4 + dropped..13).map(|n| n.to_string()).collect();
    assert_eq!((drain(&queue), counters.dropped.get()), (left, dropped));
}

#[test]
fn an_end_during_an_outage_keeps_everything_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = queue(8, spool(&folder, 1 << 20));
    let mut out = Parcel::default();
    for n in 0..20 {
        first.offer(numbered(n)).unwrap();
        if n == 5 {
            first.take(&mut out, NOW).unwrap();
        }
    }
    assert_eq!(out.len(), 6);
    first.abandon().unwrap();
    // Who is late does no harm to the next run.
    first.acknowledge().unwrap();
    let (second, counters) = queue(8, spool(&folder, 1 << 20));
    assert_eq!((counters.waiting.get(), second.sequence("em0")), (20, Some(20)));
    assert_eq!(drain(&second), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}
