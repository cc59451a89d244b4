use std::fs;

use proptest::prelude::*;

use super::*;
use crate::feed::parcel::{Id, Mark};
use crate::time::Timestamp;

fn open(folder: &Path, limit: u64) -> Spool {
    Spool::open(folder, limit, vec!["em0".to_owned()]).unwrap()
}

fn parcel(numbers: Range<u64>) -> Parcel {
    let mut parcel = Parcel::default();
    parcel.mark(Mark { source: 0, position: None, sequence: numbers.end + 1 });
    for n in numbers {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        parcel.push(Id(id), Timestamp(n as i64), format!("event {n}").as_bytes());
    }
    parcel
}

fn numbers(parcel: &Parcel) -> Vec<u64> {
    let number = |event: crate::feed::parcel::Event<'_>| {
        let n = u64::from_be_bytes(event.id.0[..8].try_into().unwrap());
        assert_eq!(event.text, format!("event {n}").as_bytes());
        assert_eq!(event.ts, Timestamp(n as i64));
        n
    };
    parcel.events().map(number).collect()
}

/// All that waits, acknowledged bit by bit.
fn drain(spool: &mut Spool) -> Vec<u64> {
    let (mut all, mut out) = (Vec::new(), Parcel::default());
    loop {
        spool.take(200, &mut out).unwrap();
        if out.is_empty() {
            return all;
        }
        all.extend(numbers(&out));
        spool.acknowledge().unwrap();
    }
}

#[test]
fn what_was_put_in_comes_out_in_order_and_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 16 * 1024);
    for n in 0..100 {
        spool.put(&parcel(n * 3..n * 3 + 3)).unwrap();
    }
    assert_eq!(spool.len(), 300);
    assert!(spool.segments.len() > 3, "the limit is divided into segments");
    assert_eq!(drain(&mut spool), (0..300).collect::<Vec<_>>());
    assert_eq!((spool.len(), spool.take_dropped(), spool.segments.len()), (0, 0, 1));
    assert!(spool.bytes() <= 2 * 1024, "the newest segment is kept: {}", spool.bytes());
    spool.put(&parcel(300..301)).unwrap();
    assert_eq!(drain(&mut spool), [300]);
}

#[test]
fn what_was_not_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Parcel::default();
    {
        let mut spool = open(folder.path(), 16 * 1024);
        spool.put(&parcel(0..100)).unwrap();
        spool.take(400, &mut out).unwrap();
        spool.acknowledge().unwrap();
        spool.save().unwrap();
        let sent = out.len() as u64;
        spool.take(400, &mut out).unwrap();
        assert_eq!(numbers(&out)[0], sent);
    }
    let first = numbers(&out)[0];
    let mut spool = open(folder.path(), 16 * 1024);
    assert_eq!(drain(&mut spool), (first..100).collect::<Vec<_>>());
}

#[test]
fn the_oldest_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 8 * 1024);
    for n in 0..1000 {
        spool.put(&parcel(n..n + 1)).unwrap();
    }
    let dropped = spool.take_dropped();
    assert!(dropped > 0 && spool.bytes() <= 8 * 1024);
    assert_eq!(drain(&mut spool), (dropped..1000).collect::<Vec<_>>());
}

#[test]
fn what_is_in_hand_when_its_segment_goes_is_not_lost_yet() {
    for delivered in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path(), 8 * 1024);
        spool.put(&parcel(0..10)).unwrap();
        let mut hand = Parcel::default();
        spool.take(200, &mut hand).unwrap();
        let held = hand.len() as u64;
        assert!(held > 0 && held < 10);
        for n in 10..1000 {
            spool.put(&parcel(n..n + 1)).unwrap();
        }
        if delivered {
            spool.acknowledge().unwrap();
        } else {
            spool.give_up();
        }
        let left = drain(&mut spool);
        let sent = left.len() as u64 + if delivered { held } else { 0 };
        assert_eq!(spool.take_dropped(), 1000 - sent);
        assert!(left.iter().copied().eq(left[0]..1000));
    }
}

#[test]
fn a_lost_cursor_sends_again_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut spool = open(folder.path(), 1 << 20);
        spool.put(&parcel(0..10)).unwrap();
        spool.take(100, &mut Parcel::default()).unwrap();
        spool.acknowledge().unwrap();
        spool.save().unwrap();
    }
    fs::write(folder.path().join("cursor"), b"\xff\xffnonsense").unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    assert_eq!(drain(&mut spool), (0..10).collect::<Vec<_>>());
    assert!(folder.path().join("cursor.bad").exists());
}

#[test]
fn a_stream_s_numbers_go_on_whatever_became_of_the_events() {
    let folder = tempfile::tempdir().unwrap();
    for (round, limit) in [(0, 1 << 20), (1, 2048), (2, 1 << 20)] {
        let mut spool = open(folder.path(), limit);
        let from = spool.sequence("em0").unwrap_or(1) - 1;
        assert_eq!(from, round * 200, "what is acknowledged, dropped or left counts");
        spool.put(&parcel(from..from + 200)).unwrap();
        assert_eq!(spool.sequence("em0"), Some(from + 201));
        if round < 2 {
            let dropped = spool.take_dropped();
            assert_eq!(dropped > 0, round == 1);
            assert_eq!(drain(&mut spool), (from + dropped..from + 200).collect::<Vec<_>>());
            spool.save().unwrap();
        }
    }
    assert_eq!(open(folder.path(), 1 << 20).len(), 200);
}

#[test]
fn a_cursor_that_was_not_saved_costs_only_what_is_sent_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 16 * 1024);
    for n in 0..100 {
        spool.put(&parcel(n..n + 1)).unwrap();
    }
    assert_eq!(drain(&mut spool).len(), 100);
    drop(spool);
    let mut spool = open(folder.path(), 16 * 1024);
    let again = drain(&mut spool);
    assert_eq!((again.last(), spool.take_dropped()), (Some(&99), 0));
    assert!(again.len() < 30, "what was removed is not missed");
}

#[test]
fn what_cannot_be_written_is_not_in_and_can_be_put_in_again() {
    // A folder that is gone stands for a disk without room for another file.
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 16 * 1024);
    for n in 0..30 {
        spool.put(&parcel(n..n + 1)).unwrap();
    }
    assert!(spool.segments.len() > 1);
    spool.end_segment();
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    assert_eq!(spool.put(&parcel(30..40)).unwrap_err().0, 0, "none of them is in");
    fs::rename(&away, folder.path()).unwrap();
    assert_eq!(spool.sequence("em0"), Some(31));
    spool.put(&parcel(30..50)).unwrap();
    assert_eq!((spool.take_dropped(), spool.sequence("em0")), (0, Some(51)));
    assert_eq!(drain(&mut spool), (0..50).collect::<Vec<_>>());
}

#[test]
fn only_what_has_waited_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    spool.put(&parcel(0..10)).unwrap();
    assert!(spool.unsynced().is_empty(), "it has only just come");
    assert_eq!(spool.unsynced().len(), 1);
    drain(&mut spool);
    assert!(spool.unsynced().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever a crash cuts the last segment, what is whole before it survives, and what comes
    /// later follows it.
    #[test]
    fn a_cut_costs_only_what_it_cuts(cut in 0_usize..500, flip in any::<Option<u8>>()) {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 1 << 20).put(&parcel(0..10)).unwrap();
        let path = path(folder.path(), 0);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(cut);
        if let (Some(flip), Some(last)) = (flip, bytes.last_mut()) {
            *last ^= flip;
        }
        fs::write(&path, &bytes).unwrap();
        let mut spool = open(folder.path(), 1 << 20);
        let whole = spool.len();
        prop_assert!(whole >= (bytes.len() as u64 / 40).saturating_sub(1).min(10));
        spool.put(&parcel(whole..whole + 2)).unwrap();
        prop_assert_eq!(drain(&mut spool), (0..whole + 2).collect::<Vec<_>>());
    }
}
