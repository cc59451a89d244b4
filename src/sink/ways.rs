//! Where a renderer finds again what it keeps of headers and flows: a key may be in one of some
//! places, by its sum, and has the one that was given away last but for the others.
#![forbid(unsafe_code)]

/// Places that a key may be in.
const WAYS: usize = 4;

/// So many places of keys, a power of two from four on, by the keys' sums. These lie side by side: a
/// look-up reads one line of the cache, and what is kept only where it is the key's.
#[derive(Debug)]
pub(super) struct Ways<const PLACES: usize> {
    sums: Box<[[u64; WAYS]]>,
    /// Which place of a set is given away next.
    next: usize,
}

impl<const PLACES: usize> Ways<PLACES> {
    /// Sets of places that the same sums go to.
    const SETS: usize = PLACES / WAYS;

    /// Places that are nobody's.
    pub(super) fn new() -> Self {
        Self { sums: vec![[0; WAYS]; Self::SETS].into_boxed_slice(), next: 0 }
    }

    /// The place that a key of this sum has, if `is` says that it is this key's.
    #[inline(always)]
    pub(super) fn find(&self, sum: u64, is: impl FnOnce(usize) -> bool) -> Option<usize> {
        let set = Self::set(sum);
        // Without a branch for each, as any may be the one.
        let ways = self.sums.get(set)?.iter().zip(0..);
        let way = ways.fold(0, |found, (&known, way)| if known == sum { way } else { found });
        Some(set.wrapping_mul(WAYS).wrapping_add(way)).filter(|&at| is(at))
    }

    /// Gives a place to a key of this sum, whosever it was.
    pub(super) fn take(&mut self, sum: u64) -> usize {
        let set = Self::set(sum);
        let way = self.next % WAYS;
        self.next = way.wrapping_add(1);
        let place = self.sums.get_mut(set).and_then(|sums| sums.get_mut(way));
        place.into_iter().for_each(|known| *known = sum);
        set.wrapping_mul(WAYS).wrapping_add(way)
    }

    #[inline(always)]
    fn set(sum: u64) -> usize {
        let [high, low, ..] = sum.to_be_bytes();
        usize::from(u16::from_be_bytes([high, low])) % Self::SETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_until_as_many_others_of_its_set_came() {
        let mut ways = Ways::<16>::new();
        let sum = |n: u64| 3 << 48 | n;
        assert_eq!(ways.find(0, |_| false), None);
        let places: Vec<_> = (1..=4).map(|n| ways.take(sum(n))).collect();
        assert!(places.iter().all(|place| (12..16).contains(place)), "{places:?}");
        for (n, &place) in (1..).zip(&places) {
            assert_eq!(ways.find(sum(n), |at| at == place), Some(place));
            assert_eq!(ways.find(sum(n), |_| false), None);
        }
        let other = ways.take(2 << 48);
        assert!((8..12).contains(&other), "{other}");
        let again = ways.take(sum(5));
        let lost =
            (1..).zip(&places).filter(|&(n, &at)| ways.find(sum(n), |is| is == at).is_none());
        assert_eq!(lost.map(|(_, &at)| at).collect::<Vec<_>>(), [again]);
    }
}
