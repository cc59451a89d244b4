//! Counts per key in bounded memory: exact as long as the keys fit, then a sketch with a known
//! error.
//!
//! An open-addressing table with linear probing, whose slots are plain numbers: 8 bytes for an
//! IPv4 address and its count. It grows in place, so that the old and the new table are never
//! resident together. When it may not grow any more it turns into the "frequent items" sketch
//! of Misra and Gries in its batched form (Anderson et al., "A High-Performance Algorithm for
//! Identifying Frequent Items in Data Streams", 2017): the median count is taken off every key,
//! which frees at least half of them. What was taken off adds up to [`Table::max_error`]: a
//! key's true count is between the count shown and that plus the error, and a key that is not
//! there has at most the error. The sum of the errors of two tables is that of their merger.
//!
//! What is taken off depends on the counts alone, not on the hash, whose seed is random.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A key of fixed size, all of whose values are keys.
pub(super) trait Key: Copy + Ord + std::fmt::Debug {
    /// What fills an empty slot.
    const EMPTY: Self;
    /// 32 well-mixed bits.
    fn hash(&self, seed: [u64; 2]) -> u32;
}

/// Folded multiplication: both halves of the product of two numbers.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product")]
pub(super) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}
const fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

const fn pair(a: u32, b: u32) -> u64 {
    ((a as u64) << 32) | b as u64
}

impl Key for u32 {
    const EMPTY: Self = 0;
    #[inline]
    fn hash(&self, [a, b]: [u64; 2]) -> u32 {
        upper(fold(u64::from(*self) ^ a, b))
    }
}

impl Key for [u32; 4] {
    const EMPTY: Self = [0; 4];
    #[inline]
    fn hash(&self, [a, b]: [u64; 2]) -> u32 {
        let [k, l, m, n] = *self;
        upper(fold(fold(pair(k, l) ^ a, b) ^ pair(m, n), b))
    }
}

impl Key for [u32; 7] {
    const EMPTY: Self = [0; 7];
    #[inline]
    fn hash(&self, [a, b]: [u64; 2]) -> u32 {
        let [k, l, m, n, o, p, q] = *self;
        let h = fold(fold(pair(k, l) ^ a, b) ^ pair(m, n), b);
        upper(fold(fold(h ^ pair(o, p), b) ^ u64::from(q), b))
    }
}

/// A key and its counts; the first is never 0 in a slot that is in use.
#[derive(Debug, Clone, Copy)]
struct Slot<K, const L: usize> {
    key: K,
    counts: [u32; L],
}

impl<K: Key, const L: usize> Slot<K, L> {
    const EMPTY: Self = Self { key: K::EMPTY, counts: [0; L] };

    #[inline]
    fn weight(&self) -> u32 {
        self.counts.first().copied().unwrap_or_default()
    }
}

/// Bytes that the tables of a summary may still take, beyond what each has for itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    pub(super) free: usize,
}

/// Counts per key. Of the `L` counts of a key the first is its weight; the others are parts of
/// it, and are only right while the table is exact.
#[derive(Debug)]
pub(super) struct Table<K, const L: usize> {
    slots: Vec<Slot<K, L>>,
    seed: [u64; 2],
    /// Slots in use.
    len: usize,
    /// How many may be before room must be made.
    fill: usize,
    /// How many keys there may be at most.
    limit: usize,
    /// Bytes that are this table's own; all beyond come from the pool.
    own: usize,
    /// What was taken off every key.
    error: u64,
    /// The most keys there ever were at one time.
    most: usize,
    /// What exceeds 32 bits, of the few keys that have so much.
    carry: BTreeMap<K, [u64; L]>,
}

const FIRST: usize = 16;
/// More of one addition than this goes to the carry.
const HALF: u32 = 1 << 31;

impl<K: Key, const L: usize> Table<K, L> {
    const SLOT: usize = size_of::<Slot<K, L>>();

    /// An empty table for at most `limit` keys, that has `own` bytes for itself.
    pub(super) fn new(limit: usize, own: usize) -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Self {
            slots: vec![Slot::EMPTY; FIRST],
            seed: [random(), random() | 1],
            len: 0,
            fill: FIRST / 2,
            limit: limit.max(FIRST / 2),
            own: own.max(FIRST * Self::SLOT),
            error: 0,
            most: 0,
            carry: BTreeMap::new(),
        }
    }

    #[inline]
    fn home(&self, key: &K) -> usize {
        ((u64::from(key.hash(self.seed)).wrapping_mul(self.slots.len() as u64)) >> 32) as usize
    }

    /// The slot of a key, or the empty one where it belongs.
    #[inline]
    fn find(&mut self, key: &K) -> Option<&mut Slot<K, L>> {
        let home = self.home(key);
        let (front, back) = self.slots.split_at_mut_checked(home)?;
        let here = |slot: &&mut Slot<K, L>| slot.weight() == 0 || slot.key == *key;
        back.iter_mut().find(here).or_else(|| front.iter_mut().find(here))
    }

    /// Adds to the counts of a key; the first must not be 0.
    #[inline]
    pub(super) fn add(&mut self, key: K, counts: [u32; L], pool: &mut Pool) {
        let Some(slot) = self.find(&key) else { return };
        if slot.weight() == 0 {
            return self.insert(key, counts, pool);
        }
        for (sum, n) in slot.counts.iter_mut().zip(counts) {
            let (total, over) = sum.overflowing_add(n);
            if over {
                return self.add_wide(key, counts.map(u64::from), pool);
            }
            *sum = total;
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, key: K, counts: [u32; L], pool: &mut Pool) {
        while self.len >= self.fill {
            self.make_room(pool);
        }
        self.len += 1;
        self.most = self.most.max(self.len);
        self.place(Slot { key, counts });
    }

    /// Puts a slot whose key is not there yet where it belongs.
    fn place(&mut self, new: Slot<K, L>) {
        if let Some(slot) = self.find(&new.key) {
            *slot = new;
        }
    }

    /// [`Self::add`] for counts of any size.
    pub(super) fn add_wide(&mut self, key: K, counts: [u64; L], pool: &mut Pool) {
        let Some(slot) = self.find(&key) else { return };
        if slot.weight() == 0 {
            self.insert(key, counts.map(low), pool);
            self.carry_add(key, counts.map(|n| n - u64::from(low(n))));
            return;
        }
        let mut carry = [0; L];
        for ((sum, n), over) in slot.counts.iter_mut().zip(counts).zip(&mut carry) {
            let total = u64::from(*sum).saturating_add(n);
            *sum = low(total);
            *over = total - u64::from(*sum);
        }
        self.carry_add(key, carry);
    }

    fn carry_add(&mut self, key: K, more: [u64; L]) {
        if more.iter().any(|&n| n > 0) {
            let carry = self.carry.entry(key).or_insert([0; L]);
            for (sum, n) in carry.iter_mut().zip(more) {
                *sum = sum.saturating_add(n);
            }
        }
    }

    /// Grows, or fills up further, or takes the median off every key.
    fn make_room(&mut self, pool: &mut Pool) {
        let cap = self.slots.len();
        if self.len < self.limit {
            let wish = cap.saturating_mul(2).min(self.limit.saturating_mul(4) / 3 + FIRST);
            let owned = self.own.max(cap.saturating_mul(Self::SLOT));
            let can = owned.saturating_add(pool.free) / Self::SLOT;
            let next = wish.min(can);
            if next >= cap + cap / 8 {
                pool.free -= next.saturating_mul(Self::SLOT).saturating_sub(owned);
                self.rebuild(next, 0);
                self.fill = self.limit.min(next / 4 * 3);
                return;
            }
            let dense = self.limit.min(cap / 8 * 7);
            if self.fill < dense {
                self.fill = dense;
                return;
            }
        }
        let median = self.median().max(1);
        self.error = self.error.saturating_add(u64::from(median));
        self.rebuild(cap, median);
    }

    fn total(&self, slot: &Slot<K, L>) -> [u64; L] {
        let mut counts = slot.counts.map(u64::from);
        if let Some(carry) = self.carry.get(&slot.key) {
            for (sum, n) in counts.iter_mut().zip(carry) {
                *sum = sum.saturating_add(*n);
            }
        }
        counts
    }

    /// The median of the weights (of those beyond 32 bits, what is below): found digit by digit,
    /// so that it costs no memory.
    fn median(&self) -> u32 {
        let mut rank = self.len.div_ceil(2);
        let mut prefix: u32 = 0;
        for shift in [24_u32, 16, 8, 0] {
            let mut histogram = [0_usize; 256];
            for weight in self.slots.iter().map(Slot::weight).filter(|&weight| weight > 0) {
                let above = |n: u32| n.checked_shr(shift + 8).unwrap_or_default();
                if above(weight) == above(prefix)
                    && let [.., digit] = (weight >> shift).to_be_bytes()
                    && let Some(n) = histogram.get_mut(usize::from(digit))
                {
                    *n += 1;
                }
            }
            for (digit, &n) in (0_u32..).zip(&histogram) {
                if rank <= n {
                    prefix |= digit << shift;
                    break;
                }
                rank -= n;
            }
        }
        prefix
    }

    /// Takes `off` from every weight, drops keys that have no more, and spreads the others
    /// over `cap` slots (at least as many as now), all in place.
    fn rebuild(&mut self, cap: usize, off: u32) {
        let old = self.slots.len();
        self.slots.reserve_exact(cap.saturating_sub(old));
        self.slots.resize(cap.max(old), Slot::EMPTY);
        // All that stays moves to the end.
        let mut start = self.slots.len();
        for at in (0..old).rev() {
            let Some(mut slot) = self.slots.get(at).copied().filter(|slot| slot.weight() > 0)
            else {
                continue;
            };
            if off > 0 && !self.reduce(&mut slot, off) {
                self.len -= 1;
                continue;
            }
            start -= 1;
            self.set(at, Slot::EMPTY);
            self.set(start, slot);
        }
        // What is in front of it now is empty or was dropped.
        if let Some(front) = self.slots.get_mut(..start) {
            front.fill(Slot::EMPTY);
        }
        let seed = self.seed;
        if let Some(tail) = self.slots.get_mut(start..) {
            tail.sort_unstable_by_key(|slot| slot.key.hash(seed));
        }
        // In the order of their hashes they go from the end to their places, each of which is
        // at or before the one where it stands, but for a few at the very end.
        let mut next = 0;
        for at in start..self.slots.len() {
            let Some(slot) = self.slots.get(at).copied() else { break };
            let to = self.home(&slot.key).max(next);
            if to > at {
                let rest = self.slots.split_off(at);
                self.slots.resize(self.slots.len() + rest.len(), Slot::EMPTY);
                rest.into_iter().for_each(|slot| self.place(slot));
                break;
            }
            self.set(at, Slot::EMPTY);
            self.set(to, slot);
            next = to + 1;
        }
    }

    fn set(&mut self, at: usize, new: Slot<K, L>) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = new;
        }
    }

    /// Takes `off` from a weight, first from its carry; false if nothing is left.
    fn reduce(&mut self, slot: &mut Slot<K, L>, off: u32) -> bool {
        let mut off = off;
        if let Some([carry, ..]) = self.carry.get_mut(&slot.key).map(<[u64; L]>::as_mut_slice) {
            let part = low(*carry).min(off);
            *carry -= u64::from(part);
            off -= part;
        }
        let left = slot.weight().saturating_sub(off);
        if let Some(weight) = slot.counts.first_mut() {
            *weight = left;
        }
        left > 0
    }

    /// Adds all of another table, whose memory goes back when this returns.
    pub(super) fn merge(&mut self, other: Self, pool: &mut Pool) {
        self.error = self.error.saturating_add(other.error);
        for slot in other.slots.iter().filter(|slot| slot.weight() > 0) {
            self.add_wide(slot.key, other.total(slot), pool);
        }
        self.most = self.most.max(other.most);
    }

    /// All keys with their counts, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, [u64; L])> {
        let used = self.slots.iter().filter(|slot| slot.weight() > 0);
        used.map(|slot| (slot.key, self.total(slot)))
    }

    /// How far a count may be below the truth; 0 while the table is exact.
    pub(super) const fn max_error(&self) -> u64 {
        self.error
    }

    /// How many different keys there were: all, or when not exact so many at least.
    pub(super) const fn distinct(&self) -> usize {
        self.most
    }

    /// Bytes of the slots.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * Self::SLOT
    }
}

/// What of a count goes into a slot.
fn low(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(HALF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(table: &Table<u32, 1>) -> BTreeMap<u32, u64> {
        table.iter().map(|(key, [n])| (key, n)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn an_exact_table_is_a_map(
            adds in prop::collection::vec((0..300_u32, 1..5_u32), 0..2000),
            split in 0..2000_usize,
        ) {
            let mut pool = Pool { free: 1 << 20 };
            let (mut one, mut two) = (Table::new(1 << 20, 0), Table::new(1 << 20, 0));
            let mut model = BTreeMap::new();
            for (i, &(key, n)) in adds.iter().enumerate() {
                if i < split { one.add(key, [n], &mut pool) } else { two.add(key, [n], &mut pool) }
                *model.entry(key).or_insert(0) += u64::from(n);
            }
            one.merge(two, &mut pool);
            prop_assert_eq!(one.max_error(), 0);
            prop_assert_eq!(one.distinct(), model.len());
            prop_assert_eq!(counts(&one), model);
        }

        #[test]
        fn a_full_table_knows_its_error(
            adds in prop::collection::vec((0..2000_u32, 1..5_u32), 0..4000),
            split in 0..4000_usize,
            limit in 8..200_usize,
        ) {
            let mut pool = Pool { free: 1 << 20 };
            let (mut one, mut two) = (Table::new(limit, 0), Table::new(limit, 0));
            let mut model = BTreeMap::new();
            for (i, &(key, n)) in adds.iter().enumerate() {
                if i < split { one.add(key, [n], &mut pool) } else { two.add(key, [n], &mut pool) }
                *model.entry(key).or_insert(0) += u64::from(n);
            }
            one.merge(two, &mut pool);
            let found = counts(&one);
            prop_assert!(found.len() <= limit);
            prop_assert_eq!(one.max_error() == 0, model.len() <= limit);
            prop_assert!(one.distinct() <= model.len());
            for (key, &truth) in &model {
                let count = found.get(key).copied().unwrap_or(0);
                prop_assert!(count <= truth && truth <= count + one.max_error());
            }
        }
    }

    /// Splitmix64: a stream of numbers for tests.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = fold(*state ^ (*state >> 31), 0xbf58_476d_1ce4_e5b9);
        fold(z, 0x94d0_49bb_1331_11eb)
    }

    #[test]
    fn the_heavy_keys_of_a_zipf_stream_are_found_within_the_error() {
        const KEYS: u32 = 300_000;
        let mut pool = Pool { free: 1 << 20 };
        let mut table = Table::<u32, 1>::new(10_000, 0);
        let mut model = vec![0_u64; 300_000];
        let mut state = 1;
        for i in 0..600_000_u32 {
            // Zipf with exponent 1 by inversion, and every key once.
            let random = u32::try_from(random(&mut state) >> 34).unwrap();
            let rank = crate::summary::tests::zipf(random, KEYS);
            for key in [rank, i % KEYS] {
                table.add(key, [1], &mut pool);
                model[usize::try_from(key).unwrap()] += 1;
            }
        }
        let error = table.max_error();
        // No more than twice what was counted, per key that has a place.
        assert!(error > 0 && error <= 2 * 1_200_000 / 10_000, "{error}");
        let found = counts(&table);
        for (key, &truth) in (0_u32..).zip(&model) {
            let count = found.get(&key).copied().unwrap_or(0);
            assert!(count <= truth && truth <= count + error, "{key}: {count} of {truth}");
        }
    }

    #[test]
    fn tables_share_the_pool_and_keep_to_it() {
        let mut pool = Pool { free: 10_000 };
        let mut one = Table::<u32, 1>::new(1 << 20, 1000);
        let mut two = Table::<u32, 1>::new(1 << 20, 1000);
        for key in 0..100_000 {
            one.add(key, [1], &mut pool);
            two.add(key / 2, [1], &mut pool);
            assert!(one.bytes() + two.bytes() + pool.free <= 12_000);
        }
        assert!(one.max_error() > 0 && two.max_error() > 0);
        assert!(one.bytes() >= 1000 && two.bytes() >= 1000);
    }

    #[test]
    fn counts_go_beyond_32_bits() {
        let mut pool = Pool { free: 1 << 20 };
        let mut table = Table::<u32, 2>::new(100, 0);
        for _ in 0..5 {
            table.add(7, [u32::MAX, 1], &mut pool);
        }
        let mut other = Table::<u32, 2>::new(100, 0);
        other.add_wide(7, [1 << 40, 1 << 33], &mut pool);
        table.merge(other, &mut pool);
        let expected = 5 * u64::from(u32::MAX) + (1 << 40);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(7, [expected, 5 + (1 << 33)])]);
        for key in 100..1000 {
            table.add(key, [1, 0], &mut pool);
        }
        let left = table.iter().find(|&(key, _)| key == 7).map(|(_, [n, _])| n);
        assert_eq!(left, Some(expected - table.max_error()));
    }

    #[test]
    fn wide_keys_are_kept_apart() {
        let mut pool = Pool { free: 1 << 20 };
        let mut table = Table::<[u32; 4], 1>::new(1 << 20, 0);
        for word in 0..4 {
            for n in 1..1000 {
                let mut key = [0; 4];
                key[word] = n;
                table.add(key, [1], &mut pool);
            }
        }
        assert_eq!(table.distinct(), 3996);
        assert!(table.iter().all(|(_, [n])| n == 1));
    }
}
