use std::fs;

use proptest::prelude::*;

use super::*;

fn parcel(numbers: std::ops::Range<u64>) -> Parcel {
    let mut parcel = Parcel::default();
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
fn what_was_put_in_comes_out_in_order_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), 16 * 1024).unwrap();
    for n in 0..100 {
        spool.put(&parcel(n * 3..n * 3 + 3)).unwrap();
    }
    assert_eq!(spool.len(), 300);
    assert!(spool.segments.len() > 3, "the limit is divided into segments");
    assert_eq!(drain(&mut spool), (0..300).collect::<Vec<_>>());
    assert_eq!((spool.len(), spool.bytes(), spool.take_dropped()), (0, 0, 0));
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["cursor"]);
    spool.put(&parcel(300..301)).unwrap();
    assert_eq!(drain(&mut spool), [300]);
}

#[test]
fn what_was_not_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Parcel::default();
    {
        let mut spool = Spool::open(folder.path(), 16 * 1024).unwrap();
        spool.put(&parcel(0..100)).unwrap();
        spool.take(400, &mut out).unwrap();
        spool.acknowledge().unwrap();
        let sent = out.len() as u64;
        spool.take(400, &mut out).unwrap();
        assert_eq!(numbers(&out)[0], sent);
        spool.rewind();
        let mut again = Parcel::default();
        spool.take(400, &mut again).unwrap();
        assert_eq!(numbers(&again), numbers(&out));
    }
    let first = numbers(&out)[0];
    let mut spool = Spool::open(folder.path(), 16 * 1024).unwrap();
    assert_eq!(drain(&mut spool), (first..100).collect::<Vec<_>>());
}

#[test]
fn the_oldest_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), 8 * 1024).unwrap();
    for n in 0..1000 {
        spool.put(&parcel(n..n + 1)).unwrap();
    }
    let dropped = spool.take_dropped();
    assert!(dropped > 0 && spool.bytes() <= 8 * 1024);
    assert_eq!(drain(&mut spool), (dropped..1000).collect::<Vec<_>>());
}

#[test]
fn what_is_put_in_front_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.put(&parcel(5..10)).unwrap();
        spool.put_front(&parcel(0..5)).unwrap();
    }
    let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((spool.len(), drain(&mut spool)), (10, (0..10).collect()));
}

#[test]
fn a_lost_cursor_sends_again_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.put(&parcel(0..10)).unwrap();
        spool.take(100, &mut Parcel::default()).unwrap();
        spool.acknowledge().unwrap();
    }
    fs::write(folder.path().join("cursor"), b"\xff\xffnonsense").unwrap();
    let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(drain(&mut spool), (0..10).collect::<Vec<_>>());
    assert!(folder.path().join("cursor.bad").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever a crash cuts the last segment, what is whole before it survives, and what comes
    /// later follows it.
    #[test]
    fn a_cut_costs_only_what_it_cuts(cut in 0_usize..500, flip in any::<Option<u8>>()) {
        let folder = tempfile::tempdir().unwrap();
        Spool::open(folder.path(), 1 << 20).unwrap().put(&parcel(0..10)).unwrap();
        let path = path(folder.path(), START);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(cut);
        if let (Some(flip), Some(last)) = (flip, bytes.last_mut()) {
            *last ^= flip;
        }
        fs::write(&path, &bytes).unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        let whole = spool.len();
        prop_assert!(whole >= (bytes.len() as u64 / 40).saturating_sub(1).min(10));
        spool.put(&parcel(whole..whole + 2)).unwrap();
        prop_assert_eq!(drain(&mut spool), (0..whole + 2).collect::<Vec<_>>());
    }
}
