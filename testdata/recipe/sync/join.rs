//! What pflog0 and pfsync0 of one firewall say about the same connections.

use super::{Clock, File, cast};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::packet::ip::Ip;
use crate::encode::packet::transport::{Tcp, udp_packet};
use crate::encode::pcapng::{Interface, Pcapng};
use crate::encode::pflog::{Header, Variant, name};
use crate::encode::pfsync::message::Delete;
use crate::encode::pfsync::state::{IN, OUT, Peer, State};
use crate::encode::pfsync::{Action, Frame, Layout};

/// FreeBSD 14: the header of a log has no room for other addresses than the packet's.
pub(super) fn file() -> File {
    let layout = Layout::FreeBsd1400;
    let mut file = Pcapng::new(Order::Little);
    for (link, name) in [(link_type::PFLOG, "pflog0"), (link_type::PFSYNC_121, "pfsync0")] {
        let interface =
            Interface { link: link as u16, name: Some(name), tsresol: None, tsoffset: None };
        file.interface(&interface);
    }
    let mut add = |at: f64, interface, bytes: &[u8]| {
        let time = Clock::after(at);
        let micros = u64::from(time.sec) * 1_000_000 + u64::from(time.nsec) / 1000;
        file.packet(interface, micros, bytes, bytes.len());
    };
    let logged = |action, dir, rulenr, packet: &[u8]| {
        let mut header = Header { action, dir, rulenr, ..Header::of(packet, 28) };
        header.ifname = name("em0");
        [&header.encode(Variant::P5, Order::Little), packet].concat()
    };
    let says = |action, state: &State| Frame::of(layout, action, &[state.into()]).bytes();
    let ends = |state: &State| Frame::of(layout, Action::DelC, &[Delete::of(state).into()]).bytes();

    let outside = ("203.0.113.9", 60_277);
    let dns = ("198.51.100.20", 53);
    let asks = |id, inside| {
        let state = cast::translated(cast::flow(17, OUT, inside, dns), outside);
        State { id, src: Peer::in_state(1), dst: Peer::in_state(0), timeout: 6, ..state }
    };
    // nat: pass out shows the outside; that 10.1.2.3 asked is only in the state, half a second
    // later.
    let first = asks(1, ("10.1.2.3", 13_724));
    let query = udp_packet(&Ip::between(outside.0, dns.0), outside.1, dns.1, b"query");
    add(0.0, 0, &logged(0, 2, 4, &query));
    add(0.5, 1, &says(Action::Ins, &first));
    let answer = udp_packet(&Ip::between(dns.0, outside.0), dns.1, outside.1, b"answer");
    add(1.0, 0, &logged(0, 1, 4, &answer));
    // rdr: pass in shows the server inside, the state whom the client asked.
    let client = ("192.0.2.10", 40_004);
    let web = cast::translated(cast::flow(6, IN, client, ("192.0.2.1", 80)), ("10.9.9.9", 8_080));
    let web = State { id: 2, src: cast::tcp_peer(2, 1_000), dst: Peer::in_state(0), ..web };
    let syn = Tcp { sport: client.1, dport: 8_080, ..Tcp::default() };
    add(10.0, 0, &logged(0, 1, 7, &syn.packet(&Ip::between(client.0, "10.9.9.9"), b"")));
    add(10.4, 1, &says(Action::Ins, &web));
    // IPv6, and nothing is translated.
    let six = cast::flow(17, IN, ("2001:db8::10", 5_353), ("2001:db8:0:1::20", 53));
    add(15.0, 1, &says(Action::Ins, &State { id: 3, ..six }));
    add(15.1, 0, &logged(0, 1, 8, &udp_packet(&Ip::v6(), 5_353, 53, b"query")));
    // Blocked: there is no state.
    let refused = Tcp { sport: 50_000, dport: 23, ..Tcp::default() };
    add(20.0, 0, &logged(1, 1, 1, &refused.packet(&Ip::between(client.0, "192.0.2.1"), b"")));
    // The state is gone; the same port outside is given to 10.1.2.99.
    add(60.0, 1, &ends(&first));
    add(70.0, 0, &logged(0, 2, 4, &query));
    add(70.5, 1, &says(Action::Ins, &asks(4, ("10.1.2.99", 9_999))));
    add(80.0, 1, &ends(&web));
    File::new("nat-join.pcapng", file.finish())
}
