//! Which of several SAs that have one key was there at a time.

use crate::time::Timestamp;

/// Nanoseconds before an SA was told of in which its packets may come: the daemon tells of it
/// once it is installed, and a moment later.
const EARLY: i64 = 1_000_000_000;

/// Overlapping SAs that are looked at. More overlap only where somebody makes them do so.
const MAX_OVERLAP: usize = 64;

/// When something is there, and whether it is what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spanned {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) fits: bool,
}

impl Spanned {
    pub(super) const NEVER: Self =
        Self { from: Timestamp(i64::MAX), to: Timestamp(i64::MIN), fits: false };
}

/// The newest of the items that fit and are there at a time; else one that is about to come.
/// `items` are in the order of their start.
pub(super) fn newest<T>(items: &[T], at: Timestamp, span: impl Fn(&T) -> Spanned) -> Option<&T> {
    best(items, at, |item| {
        let spanned = span(item);
        (spanned, u8::from(spanned.fits))
    })
}

/// As [`newest`], of those with the highest rank; 0 does not fit.
pub(super) fn best<T>(
    items: &[T],
    at: Timestamp,
    ranked: impl Fn(&T) -> (Spanned, u8),
) -> Option<&T> {
    let soon = Timestamp(at.0.saturating_add(EARLY));
    let end = match items {
        [] | [_] => items.len(),
        _ => items.partition_point(|item| ranked(item).0.from <= soon),
    };
    let mut found: Option<(bool, u8, &T)> = None;
    for item in items.iter().take(end).rev().take(MAX_OVERLAP) {
        let (spanned, rank) = ranked(item);
        if rank == 0 || at > spanned.to || spanned.from > soon {
            continue;
        }
        let candidate = (spanned.from <= at, rank);
        if found.is_none_or(|(there, best, _)| candidate > (there, best)) {
            found = Some((candidate.0, candidate.1, item));
        }
    }
    found.map(|(_, _, item)| item)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn at(items: &[(i64, i64)], seconds: f64) -> Option<(i64, i64)> {
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        let at = Timestamp((seconds * 1e9) as i64);
        newest(items, at, |&(from, to)| Spanned {
            from: Timestamp(from * S),
            to: Timestamp(to.saturating_mul(S)),
            fits: true,
        })
        .copied()
    }

    #[test]
    fn the_newest_that_is_there() {
        let items = [(10, 30), (20, 40), (60, i64::MAX)];
        for (time, found) in [
            (8.9, None),
            (9.1, Some((10, 30))),
            (15.0, Some((10, 30))),
            (19.5, Some((10, 30))),
            (20.0, Some((20, 40))),
            (40.0, Some((20, 40))),
            (40.1, None),
            (59.5, Some((60, i64::MAX))),
            (1e6, Some((60, i64::MAX))),
        ] {
            assert_eq!(at(&items, time), found, "{time}");
        }
    }
}
