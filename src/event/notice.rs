//! What happens to a source besides its records: losses, devices that go and come back. A
//! [`Notice`] stands at its place among a batch's records, so that a reader of the output knows
//! between which packets something is missing.

use crate::time::Timestamp;

/// Something that happened to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// It stands before the batch's record with this index; behind all if there is none.
    pub before: usize,
    /// When it was noticed.
    pub ts: Timestamp,
    /// The device or file: untrusted bytes.
    pub source: Box<[u8]>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Records were lost.
    Loss(Loss),
    /// A device is there that was not when the capture began, and is read from now on.
    Start,
    /// A device can no longer be read, for this reason: it is waited for.
    Gone(Box<str>),
    /// A device is back, after so many nanoseconds, and is read again.
    Reopen(u64),
}

/// Lost records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// How many.
    pub count: u64,
    /// Where.
    pub place: Place,
    /// None of them was lost before this time.
    pub since: Timestamp,
}

/// Where records are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the kernel, which had no room left in its capture buffer.
    Kernel,
    /// In the interface or its driver.
    Interface,
    /// In the ring between the thread that reads the device and those that decode.
    Ring,
    /// Behind decoding: what was captured could not be written.
    Sink,
}

impl Place {
    /// JSON's `where`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Interface => "interface",
            Self::Ring => "ring",
            Self::Sink => "sink",
        }
    }
}

impl What {
    /// JSON's `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Loss(_) => "loss",
            Self::Start => "start",
            Self::Gone(_) => "gone",
            Self::Reopen(_) => "reopen",
        }
    }
}
