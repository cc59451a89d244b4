//! Packets over time, in buckets whose width adapts to the stream.
//!
//! Only buckets in which something happened are kept, at most [`BUCKETS`]; one more, and all
//! become wider. Each width of the ladder is a multiple of the one before and all are aligned
//! to 1970, so the result is the same in whatever order the packets come, and two timelines
//! merge exactly. The widest leaves seven buckets for all times that a stamp can hold: a
//! garbage clock costs a bucket, never memory.

use std::collections::BTreeMap;

use super::Verdict;
use crate::time::Timestamp;

/// At most so many buckets.
pub(super) const BUCKETS: usize = 512;

/// Widths in seconds: seconds, minutes, hours, days, weeks, 52 weeks and their multiples.
const LADDER: [i64; 18] = [
    1,
    5,
    10,
    30,
    60,
    300,
    600,
    1_800,
    3_600,
    10_800,
    21_600,
    43_200,
    86_400,
    604_800,
    2_419_200,
    31_449_600,
    314_496_000,
    3_144_960_000,
];

/// Packets of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    pub(super) records: u64,
    pub(super) blocked: u64,
    pub(super) passed: u64,
}

impl Bucket {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.blocked += other.blocked;
        self.passed += other.passed;
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    /// Index of the width in the ladder.
    rung: usize,
    /// By start in units of the width.
    buckets: BTreeMap<i64, Bucket>,
    /// The bucket of the latest record, not yet in the map, and its nanoseconds.
    open: Bucket,
    from: i64,
    to: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Timeline {
    pub(super) const fn new() -> Self {
        Self {
            rung: 0,
            buckets: BTreeMap::new(),
            open: Bucket { records: 0, blocked: 0, passed: 0 },
            from: 0,
            to: 0,
            first: None,
            last: None,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, ts: Timestamp, verdict: Verdict) {
        if !(self.from..self.to).contains(&ts.0) {
            self.turn(ts);
        }
        self.open.records += 1;
        self.open.blocked += u64::from(verdict == Verdict::Block);
        self.open.passed += u64::from(verdict == Verdict::Pass);
        if self.first.is_none_or(|first| ts < first) {
            self.first = Some(ts);
        }
        if self.last.is_none_or(|last| ts > last) {
            self.last = Some(ts);
        }
    }

    /// Closes the open bucket and opens that of `ts`.
    #[cold]
    fn turn(&mut self, ts: Timestamp) {
        self.flush();
        let nanos = self.step().saturating_mul(1_000_000_000);
        let index = ts.0.div_euclid(nanos);
        self.from = index.saturating_mul(nanos);
        self.to = index.saturating_add(1).saturating_mul(nanos);
    }

    fn flush(&mut self) {
        let open = std::mem::take(&mut self.open);
        if open.records > 0 {
            let index = Timestamp(self.from).split().0.div_euclid(self.step());
            self.buckets.entry(index).or_default().add(open);
        }
        while self.buckets.len() > BUCKETS && self.coarsen() {}
        (self.from, self.to) = (0, 0);
    }

    /// Goes up the ladder by one; false at its end.
    fn coarsen(&mut self) -> bool {
        let old = self.step();
        if self.rung + 1 >= LADDER.len() {
            return false;
        }
        self.rung += 1;
        let factor = self.step() / old;
        for (index, bucket) in std::mem::take(&mut self.buckets) {
            self.buckets.entry(index.div_euclid(factor)).or_default().add(bucket);
        }
        true
    }

    /// Width of a bucket in seconds.
    pub(super) fn step(&self) -> i64 {
        LADDER.get(self.rung).copied().unwrap_or(1)
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        self.flush();
        other.flush();
        while self.rung < other.rung && self.coarsen() {}
        while other.rung < self.rung && other.coarsen() {}
        for (index, bucket) in other.buckets {
            self.buckets.entry(index).or_default().add(bucket);
        }
        while self.buckets.len() > BUCKETS && self.coarsen() {}
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }

    pub(super) const fn first(&self) -> Option<Timestamp> {
        self.first
    }

    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Width in seconds, and the buckets by their start in seconds since 1970.
    pub(super) fn buckets(&self) -> (i64, Vec<(i64, Bucket)>) {
        let mut closed = self.clone();
        closed.flush();
        let step = closed.step();
        let start = |(index, bucket): (&i64, &Bucket)| (index.saturating_mul(step), *bucket);
        (step, closed.buckets.iter().map(start).collect())
    }
}

/// The narrowest width of at least `seconds`; the widest of all if there is none.
pub(super) fn step_for(seconds: i64) -> i64 {
    let [.., widest] = LADDER;
    LADDER.into_iter().find(|&width| width >= seconds).unwrap_or(widest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_width_is_a_multiple_of_the_one_before() {
        for pair in LADDER.windows(2) {
            assert_eq!(pair[1] % pair[0], 0);
        }
        let all = i64::MAX / 1_000_000_000 / LADDER[LADDER.len() - 1] + 1;
        assert!(usize::try_from(2 * all).unwrap() <= BUCKETS);
    }

    fn of(times: impl IntoIterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::new();
        for ts in times {
            timeline.add(Timestamp(ts), Verdict::Block);
        }
        timeline
    }

    type Facts = ((i64, Vec<(i64, Bucket)>), Option<Timestamp>, Option<Timestamp>);
    fn facts(timeline: &Timeline) -> Facts {
        (timeline.buckets(), timeline.first(), timeline.last())
    }

    #[test]
    fn the_ends_of_time_have_buckets() {
        let mut all = of((0..2000).map(|i| i * 1_000_000_000));
        all.merge(of([i64::MIN, i64::MIN + 1, -1, 0, i64::MAX]));
        let (step, buckets) = all.buckets();
        assert_eq!(step, 5);
        assert_eq!(buckets.iter().map(|(_, b)| b.records).sum::<u64>(), 2005);
        assert_eq!(
            (all.first(), all.last()),
            (Some(Timestamp(i64::MIN)), Some(Timestamp(i64::MAX)))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

        #[test]
        fn order_and_merging_do_not_matter(
            times in prop::collection::vec(
                prop_oneof![any::<i64>(), 0..1_000_000_000_000_i64, 1_400_000_000_000_000_000..1_400_900_000_000_000_000_i64], 0..1500),
            cut in 0..1500_usize,
        ) {
            let whole = of(times.iter().copied());
            prop_assert!(whole.buckets().1.len() <= BUCKETS);
            prop_assert_eq!(facts(&of(times.iter().rev().copied())), facts(&whole));
            let (one, two) = times.split_at(cut.min(times.len()));
            let (mut a, mut b) = (of(one.iter().copied()), of(two.iter().copied()));
            a.merge(b.clone());
            b.merge(of(one.iter().copied()));
            prop_assert_eq!(facts(&a), facts(&whole));
            prop_assert_eq!(facts(&b), facts(&whole));
        }
    }
}
