use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;

use super::*;
use crate::feed::parcel::Id;
use crate::time::Timestamp;

fn settings(address: Address) -> Settings {
    Settings {
        address,
        framing: Framing::Octets,
        tls: Tls::default(),
        facility: 16,
        severity: 6,
        host: "gw1".to_owned(),
        app: "pfscope".to_owned(),
        timeout: Duration::from_secs(5),
    }
}

fn parcel(texts: &[&str]) -> Parcel {
    let mut parcel = Parcel::default();
    for text in texts {
        parcel.push(Id::default(), Timestamp(1_700_000_000_123_456_789), text.as_bytes());
    }
    parcel
}

fn send(output: &mut Syslog, parcel: &Parcel) -> Result<Vec<(usize, String)>, Trouble> {
    let mut pending = Pending::default();
    pending.all(parcel);
    output.send(parcel, &mut pending)?;
    Ok(pending.take_refused())
}

fn message(text: &str) -> String {
    let pid = std::process::id();
    format!("<134>1 2023-11-14T22:13:20.123456Z gw1 pfscope {pid} - - {text}")
}

#[test]
fn a_stream_has_lengths_or_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    for framing in [Framing::Octets, Framing::Lines] {
        let mut output = Syslog::new(Settings { framing, ..settings(address.clone()) }).unwrap();
        send(&mut output, &parcel(&["one", "two\nlines"])).unwrap();
        drop(output);
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        let (one, two) = (message("one"), message("two\nlines"));
        let expected = match framing {
            Framing::Octets => format!("{} {one}{} {two}", one.len(), two.len()),
            Framing::Lines => format!("{one}\n{}\n", two.replace('\n', " ")),
        };
        assert_eq!(got, expected);
    }
}

#[test]
fn a_server_that_went_away_is_connected_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    let mut output = Syslog::new(settings(address)).unwrap();
    for _ in 0..3 {
        send(&mut output, &parcel(&["x"])).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = [0; 4];
        stream.read_exact(&mut got).unwrap();
        // The rest is read, so that the end is one, not a reset.
        stream.set_nonblocking(true).unwrap();
        while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        drop(stream);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(listener);
    let why = send(&mut output, &parcel(&["x"])).unwrap_err().why;
    assert!(why.starts_with("tcp://127.0.0.1:"), "{why}");
}

#[test]
fn datagrams_have_a_message_each_and_no_room_for_more_than_they_hold() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = Address::Udp(server.local_addr().unwrap().to_string());
    let mut output = Syslog::new(settings(address)).unwrap();
    let long = "x".repeat(70_000);
    let refused = send(&mut output, &parcel(&["one", &long, "two"])).unwrap();
    assert_eq!((refused.len(), refused[0].0), (1, 1));
    for text in ["one", "two"] {
        let mut got = [0; 2000];
        let len = server.recv(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got[..len]), message(text));
    }
}

#[test]
fn a_local_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let address = Address::parse(&format!("unix:{}", path.display())).unwrap();
    let mut output = Syslog::new(settings(address)).unwrap();
    assert!(send(&mut output, &parcel(&["x"])).is_err());
    let server = UnixDatagram::bind(&path).unwrap();
    send(&mut output, &parcel(&["x"])).unwrap();
    let mut got = [0; 2000];
    let len = server.recv(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got[..len]), message("x"));
}

#[test]
fn what_is_no_address_or_no_header_is_said() {
    for text in
        ["", "tcp://", "tcp://host", "tcp://:514", "host:514", "unix:", "tcp://h:99999", "x://h:1"]
    {
        assert!(Address::parse(text).is_err(), "{text}");
    }
    assert_eq!(Address::parse("tls://[::1]:6514").unwrap().to_string(), "tls://[::1]:6514");
    let host = Settings { host: "a b".to_owned(), ..settings(Address::Udp("h:1".to_owned())) };
    assert!(Syslog::new(host).is_err());
}
