//! What is wrong between the firewalls.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To know.
    Info,
    /// Worth a look.
    Warning,
    /// A failover would lose connections, or somebody forges.
    Error,
}

impl Severity {
    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One sends, the other does not answer or is not heard.
    OneWay,
    /// A bulk update that started and did not end.
    BulkUnfinished,
    /// Bulk updates of different nodes hold different numbers of states.
    CountSkew,
    /// A state updated too often.
    UpdateStorm,
    /// Too many requests.
    RequestFlood,
    /// A state went back.
    Regression,
    /// States updated whose insertion was lost.
    NeverInserted,
    /// Nodes speak different versions or layouts.
    VersionMismatch,
    /// Packets larger than a link carries.
    Mtu,
    /// Packets that could not be decoded.
    Faulty,
    /// Packets that the guard suspects.
    Spoof,
    /// More nodes than are told apart.
    TooMany,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// In words, with its numbers.
    pub sentence: String,
    /// The sender it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The creator it is about, eight hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creatorid: Option<String>,
    /// How many there were of what it is about.
    pub count: u64,
}

impl Finding {
    pub(super) const fn new(kind: Kind, severity: Severity, count: u64, sentence: String) -> Self {
        Self { kind, severity, sentence, sender: None, creatorid: None, count }
    }

    pub(super) fn of_sender(self, sender: String) -> Self {
        Self { sender: Some(sender), ..self }
    }

    pub(super) fn of_creator(self, creatorid: u32) -> Self {
        Self { creatorid: Some(format!("{creatorid:08x}")), ..self }
    }
}
