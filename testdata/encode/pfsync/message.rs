//! What pfsync says besides whole states.

use std::net::IpAddr;

use super::super::pflog::{NAME, name};
use super::state::{Peer, State};
use super::{Action, Layout};

/// One message.
#[derive(Clone, Debug)]
pub enum Message {
    /// Of `Ins`, `Upd`, `Del`, `OldIns` and `OldUpd`.
    State(Box<State>),
    /// Of `UpdC`.
    Update(Update),
    /// Of `DelC`.
    Delete(Delete),
    /// Of `InsAck`.
    Ack {
        /// The state.
        id: u64,
        /// Who created it.
        creatorid: u32,
    },
    /// Of `UpdReq`; both 0 ask for every state.
    Request {
        /// The state.
        id: u64,
        /// Who created it.
        creatorid: u32,
    },
    /// Of `Clr`.
    Clear(Clear),
    /// Of `Bus`.
    Bulk(Bulk),
    /// Of `Tdb` and `OldTdb`.
    Tdb(Tdb),
    /// Of anything.
    Raw(Vec<u8>),
}

/// `struct pfsync_upd_c`.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The state.
    pub id: u64,
    /// Who began.
    pub src: Peer,
    /// The other.
    pub dst: Peer,
    /// Who created the state.
    pub creatorid: u32,
    /// Always sent as 0.
    pub expire: u32,
    /// `PFTM_*`.
    pub timeout: u8,
    /// Versions 2 to 4.
    pub updates: u8,
    /// Version 6, the lower 8 bits.
    pub state_flags: u8,
}

impl Update {
    /// The update that brings a peer to this state.
    pub fn of(state: &State) -> Self {
        Self {
            id: state.id,
            src: state.src,
            dst: state.dst,
            creatorid: state.creatorid,
            expire: 0,
            timeout: state.timeout,
            updates: state.updates,
            state_flags: 0,
        }
    }
}

/// `struct pfsync_del_c`.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    /// The state.
    pub id: u64,
    /// Who created it.
    pub creatorid: u32,
    /// The last states of its peers, versions 2 to 4.
    pub peers: [u8; 2],
}

impl Delete {
    /// The end of this state.
    pub fn of(state: &State) -> Self {
        let peers = [state.src.state, state.dst.state];
        Self { id: state.id, creatorid: state.creatorid, peers }
    }
}

/// `struct pfsync_clr`.
#[derive(Clone, Debug)]
pub struct Clear {
    /// Empty for every interface.
    pub ifname: [u8; NAME],
    /// Whose states.
    pub creatorid: u32,
}

impl Clear {
    /// On every interface.
    pub fn all(creatorid: u32) -> Self {
        Self { ifname: [0; NAME], creatorid }
    }

    /// On one.
    pub fn on(ifname: &str, creatorid: u32) -> Self {
        Self { ifname: name(ifname), creatorid }
    }
}

/// `struct pfsync_bus`.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    /// Who answers.
    pub creatorid: u32,
    /// Seconds it is up.
    pub endtime: u32,
    /// 1 start, 2 end.
    pub status: u8,
}

/// `struct pfsync_tdb`.
#[derive(Clone, Copy, Debug)]
pub struct Tdb {
    /// Security parameter index.
    pub spi: u32,
    /// Where the SA ends.
    pub dst: IpAddr,
    /// Replay counter; 32 bits but in version 6.
    pub rpl: u64,
    /// Bytes so far.
    pub cur_bytes: u64,
    /// 50 ESP, 51 AH.
    pub sproto: u8,
    /// Updates.
    pub updates: u8,
    /// Routing domain, version 6.
    pub rdomain: u16,
}

impl Default for Tdb {
    /// ESP over IPv4.
    fn default() -> Self {
        Self {
            spi: 0xc0ff_ee01,
            dst: [198, 51, 100, 20].into(),
            rpl: 0x1000,
            cur_bytes: 123_456_789,
            sproto: 50,
            updates: 0,
            rdomain: 0,
        }
    }
}

impl From<State> for Message {
    fn from(state: State) -> Self {
        Self::State(Box::new(state))
    }
}

impl From<&State> for Message {
    fn from(state: &State) -> Self {
        state.clone().into()
    }
}

impl From<Update> for Message {
    fn from(update: Update) -> Self {
        Self::Update(update)
    }
}

impl From<Delete> for Message {
    fn from(delete: Delete) -> Self {
        Self::Delete(delete)
    }
}

impl From<Clear> for Message {
    fn from(clear: Clear) -> Self {
        Self::Clear(clear)
    }
}

impl From<Bulk> for Message {
    fn from(bulk: Bulk) -> Self {
        Self::Bulk(bulk)
    }
}

impl From<Tdb> for Message {
    fn from(tdb: Tdb) -> Self {
        Self::Tdb(tdb)
    }
}

impl Message {
    /// The bytes, without the sub-header.
    pub fn encode(&self, layout: Layout, action: Action) -> Vec<u8> {
        // The structs of versions 2 to 4 end with padding to 8 bytes.
        let old = layout.version() < 5;
        let (mut out, size) = match self {
            Self::State(state) => return state.encode(layout.of(action)),
            Self::Raw(bytes) => return bytes.clone(),
            Self::Update(update) => (update.encode(layout), if old { 88 } else { 84 }),
            Self::Delete(delete) => {
                let mut out = key(delete.id, delete.creatorid);
                if old {
                    out.extend(delete.peers);
                }
                (out, if old { 16 } else { 12 })
            }
            Self::Ack { id, creatorid } | Self::Request { id, creatorid } => {
                (key(*id, *creatorid), if old { 16 } else { 12 })
            }
            Self::Clear(clear) => {
                // "struct pf_state" could say nothing about it: version 1 has no body.
                if layout.version() == 1 {
                    return Vec::new();
                }
                let out = [&clear.ifname[..], &clear.creatorid.to_be_bytes()].concat();
                (out, if old { 24 } else { 20 })
            }
            Self::Bulk(bulk) => {
                let mut out = bulk.creatorid.to_be_bytes().to_vec();
                out.extend(bulk.endtime.to_be_bytes());
                out.push(bulk.status);
                (out, if old { 16 } else { 12 })
            }
            Self::Tdb(tdb) => {
                let wide = layout == Layout::OpenBsd6 && action == Action::Tdb;
                (tdb.encode(layout, wide), if wide { 52 } else { 48 })
            }
        };
        out.resize(size, 0);
        out
    }
}

fn key(id: u64, creatorid: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &creatorid.to_be_bytes()].concat()
}

impl Update {
    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut out = self.id.to_be_bytes().to_vec();
        out.extend(self.src.encode(layout));
        out.extend(self.dst.encode(layout));
        out.extend(self.creatorid.to_be_bytes());
        out.extend(self.expire.to_be_bytes());
        out.push(self.timeout);
        out.push(match layout.version() {
            5 => 0,
            6 => self.state_flags,
            _ => self.updates,
        });
        out
    }
}

impl Tdb {
    fn encode(&self, layout: Layout, wide: bool) -> Vec<u8> {
        let mut out = self.spi.to_be_bytes().to_vec();
        // union sockaddr_union: length, family, then port (and flow), then the address.
        match self.dst {
            IpAddr::V4(address) => {
                out.extend([16, 2, 0, 0]);
                out.extend(address.octets());
            }
            IpAddr::V6(address) => {
                out.extend([28, layout.af6(), 0, 0, 0, 0, 0, 0]);
                out.extend(address.octets());
            }
        }
        out.resize(32, 0);
        if wide {
            out.extend(self.rpl.to_be_bytes());
        } else {
            out.extend((self.rpl as u32).to_be_bytes());
        }
        out.extend(self.cur_bytes.to_be_bytes());
        out.extend([self.sproto, self.updates]);
        if layout.version() == 6 {
            out.extend(self.rdomain.to_be_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// SAs as OpenBSD 8.0 told about them.
    #[test]
    fn openbsd_8_tdb() {
        let four = Message::from(Tdb { rdomain: 3, ..Tdb::default() });
        assert_eq!(
            hex(&four.encode(Layout::OpenBsd6, Action::Tdb)),
            "c0ffee0110020000c6336414000000000000000000000000000000000000000000000000\
             0000100000000000075bcd1532000003"
        );
        let six = Message::from(Tdb {
            spi: 0x1001,
            dst: "2001:db8:2::20".parse().unwrap(),
            rpl: 0x1_0000_0001,
            cur_bytes: 0x12_3456_7890,
            sproto: 51,
            ..Tdb::default()
        });
        assert_eq!(
            hex(&six.encode(Layout::OpenBsd6, Action::Tdb)),
            "000010011c1800000000000020010db8000200000000000000000020000000000000000100000001\
             000000123456789033000000"
        );
    }

    /// `pfctl -i lo1 -F states` on a fork of OpenBSD 4.5, but for the stack garbage of its pad.
    #[test]
    fn version_4_clear() {
        let clear = Message::from(Clear::on("lo1", 0xc0a8_0101));
        assert_eq!(
            hex(&clear.encode(Layout::V4, Action::Clr)),
            "6c6f3100000000000000000000000000c0a8010100000000"
        );
    }
}
