//! What a pfsync message says happened to a state: net/if_pfsync.h's `PFSYNC_ACT_` numbers, which
//! changed their meaning from version to version.

/// The action of a pfsync message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncAction {
    /// All states go, or those of one interface or creator.
    Clr,
    /// A new state, whole.
    Ins,
    /// An inserted state is acknowledged.
    InsAck,
    /// A changed state, whole.
    Upd,
    /// A changed state, only what changes.
    UpdC,
    /// One state is asked for, or all.
    UpdReq,
    /// A state goes, whole.
    Del,
    /// A state goes, only its identifiers.
    DelC,
    /// A fragment is inserted: never sent.
    InsF,
    /// A fragment goes: never sent.
    DelF,
    /// Start and end of a bulk update.
    Bus,
    /// Counters of an IPsec SA.
    Tdb,
    /// End of the messages (version 5).
    Eof,
    /// A new state in version 6's first layout.
    Oins,
    /// A changed state in version 6's first layout.
    Oupd,
    /// Counters of an IPsec SA in version 6's first layout: 32-bit replay counter.
    Otdb,
    /// A number that the version does not define.
    Other(u8),
}

impl SyncAction {
    /// The action that a number stands for in a protocol version. FreeBSD's numbers 13 to 16
    /// (version 5) are `Ins` and `Upd` in a layout of their own.
    pub const fn from_wire(version: u8, number: u8) -> Self {
        match (version, number) {
            (_, 0) => Self::Clr,
            (..=5, 1) | (6, 13) => Self::Ins,
            (..=4, 2) | (5, 3) | (6, 14) => Self::Upd,
            (..=4, 3) | (5 | 6, 6) => Self::Del,
            (2..=6, 4) => Self::UpdC,
            (2..=4, 5) | (5 | 6, 7) => Self::DelC,
            (2..=4, 6) | (5 | 6, 8) => Self::InsF,
            (2..=4, 7) | (5 | 6, 9) => Self::DelF,
            (2..=4, 8) | (5 | 6, 5) => Self::UpdReq,
            (2..=4, 9) | (5 | 6, 10) => Self::Bus,
            (3 | 4, 10) | (5, 11) | (6, 15) => Self::Tdb,
            (5 | 6, 2) => Self::InsAck,
            (5 | 6, 12) => Self::Eof,
            (5, 13 | 15) => Self::Ins,
            (5, 14 | 16) => Self::Upd,
            (6, 1) => Self::Oins,
            (6, 3) => Self::Oupd,
            (6, 11) => Self::Otdb,
            _ => Self::Other(number),
        }
    }

    /// The word used in JSON and in filters.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Clr => "clr",
            Self::Ins => "ins",
            Self::InsAck => "ins_ack",
            Self::Upd => "upd",
            Self::UpdC => "upd_c",
            Self::UpdReq => "upd_req",
            Self::Del => "del",
            Self::DelC => "del_c",
            Self::InsF => "ins_f",
            Self::DelF => "del_f",
            Self::Bus => "bus",
            Self::Tdb => "tdb",
            Self::Eof => "eof",
            Self::Oins => "oins",
            Self::Oupd => "oupd",
            Self::Otdb => "otdb",
            Self::Other(_) => return None,
        })
    }

    /// OpenBSD's words, `PFSYNC_ACTIONS` of if_pfsync.h, which tcpdump prints.
    pub const fn text(self, version: u8) -> Option<&'static str> {
        let old = version <= 4;
        Some(match self {
            Self::Clr => "CLR ST",
            Self::Ins => "INS ST",
            Self::InsAck => "INS ST ACK",
            Self::Upd => "UPD ST",
            Self::UpdC => "UPD ST COMP",
            Self::UpdReq if old => "UPD REQ",
            Self::UpdReq => "UPD ST REQ",
            Self::Del => "DEL ST",
            Self::DelC => "DEL ST COMP",
            Self::InsF => "INS FR",
            Self::DelF => "DEL FR",
            Self::Bus if old => "BLK UPD STAT",
            Self::Bus => "BULK UPD STAT",
            Self::Tdb if old => "TDB UPD",
            Self::Tdb => "UPD TDB",
            Self::Eof => "EOF",
            Self::Oins => "INS ST OLD",
            Self::Oupd => "UPD ST OLD",
            Self::Otdb => "UPD TDB OLD",
            Self::Other(_) => return None,
        })
    }

    /// Every name an action of a message can have; an end mark is no message.
    pub const NAMES: [&str; 15] = [
        "clr", "ins", "ins_ack", "upd", "upd_c", "upd_req", "del", "del_c", "ins_f", "del_f",
        "bus", "tdb", "oins", "oupd", "otdb",
    ];
}

/// Where a bulk update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BulkStatus(pub u8);

impl BulkStatus {
    /// `PFSYNC_BUS_START`
    pub const START: Self = Self(1);
    /// `PFSYNC_BUS_END`
    pub const END: Self = Self(2);

    /// Its name.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::START => Some("start"),
            Self::END => Some("end"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_what_its_version_says() {
        let name = |version, n| SyncAction::from_wire(version, n).name();
        assert_eq!([13, 14, 15, 16].map(|n| name(5, n)), ["ins", "upd", "ins", "upd"].map(Some));
        let six = [Some("ins"), Some("upd"), Some("tdb"), None];
        assert_eq!([13, 14, 15, 16].map(|n| name(6, n)), six);
        assert_eq!([1, 3, 11].map(|n| name(6, n)), ["oins", "oupd", "otdb"].map(Some));
        assert_eq!([1, 3, 11].map(|n| name(5, n)), ["ins", "upd", "tdb"].map(Some));
        assert_eq!([2, 3, 8].map(|n| name(4, n)), ["upd", "del", "upd_req"].map(Some));
        assert_eq!((name(3, 10), name(2, 10), name(1, 4)), (Some("tdb"), None, None));
        assert_eq!(SyncAction::from_wire(6, 200), SyncAction::Other(200));
    }

    #[test]
    fn the_list_of_names_is_complete() {
        for version in 1..=6 {
            for n in 0..=255 {
                let action = SyncAction::from_wire(version, n);
                assert_eq!(action.name().is_some(), action.text(version).is_some());
                if let Some(name) = action.name()
                    && action != SyncAction::Eof
                {
                    assert!(SyncAction::NAMES.contains(&name), "{name}");
                }
            }
        }
    }

    #[test]
    fn texts_are_those_of_the_version() {
        assert_eq!(SyncAction::UpdReq.text(4), Some("UPD REQ"));
        assert_eq!(SyncAction::UpdReq.text(6), Some("UPD ST REQ"));
        assert_eq!(SyncAction::Bus.text(3), Some("BLK UPD STAT"));
        assert_eq!(SyncAction::Otdb.text(6), Some("UPD TDB OLD"));
    }
}
