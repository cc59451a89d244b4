//! Time stamps: nanoseconds since 1970, and how they are written.

/// A capture time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// Digits after the second that the source's clock gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Six digits.
    #[default]
    Micros,
    /// Nine digits.
    Nanos,
}
