//! A VICI server for the tests: what a daemon was recorded to send, or what a test makes it do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use pfscope::vici::codec::{Packet, Segments, encode};
use pfscope::vici::message::Section;
use pfscope::vici::{Connection, Options, Uri};

/// A read or write of a recorded connection, as it came.
pub struct Step {
    /// True for what the daemon sent.
    pub is_daemon: bool,
    pub bytes: Vec<u8>,
}

/// The steps of connection `number` of a transcript in testdata/vici.
pub fn transcript(name: &str, number: u8) -> Vec<Step> {
    let path = format!("{}/testdata/vici/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let own = format!("@{number}");
    let steps = text.lines().filter_map(|line| {
        let [conn, _, direction, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let is_daemon = match direction {
            "<" => true,
            ">" => false,
            _ => return None,
        };
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(digits).collect();
        (conn == own).then_some(Step { is_daemon, bytes })
    });
    steps.collect()
}

/// How what was recorded is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    AsRecorded,
    EachByte,
    /// All that the daemon sent up to the client's next word.
    Together,
}

/// Sends what was recorded, and fails unless the client says what was recorded too.
pub fn replay(name: &str, number: u8, chunks: Chunks) -> (Uri, JoinHandle<()>) {
    let (uri, listener, folder) = listener();
    let (name, steps) = (name.to_owned(), transcript(name, number));
    let server = thread::spawn(move || {
        let _folder = folder;
        let (mut stream, _) = listener.accept().unwrap();
        let mut kept = Vec::new();
        for step in steps {
            if step.is_daemon {
                match chunks {
                    Chunks::AsRecorded => stream.write_all(&step.bytes).unwrap(),
                    Chunks::EachByte => {
                        step.bytes.iter().for_each(|&byte| stream.write_all(&[byte]).unwrap());
                    }
                    Chunks::Together => kept.extend(step.bytes),
                }
            } else {
                stream.write_all(&std::mem::take(&mut kept)).unwrap();
                let mut said = vec![0; step.bytes.len()];
                stream.read_exact(&mut said).unwrap();
                assert_eq!(said, step.bytes, "{name}: the client says something else");
            }
        }
        stream.write_all(&kept).unwrap();
    });
    (uri, server)
}

/// A listening socket in a folder of its own.
pub fn listener() -> (Uri, UnixListener, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("charon.vici");
    let listener = UnixListener::bind(&path).unwrap();
    (Uri::Unix(path), listener, folder)
}

/// Both kinds of socket.
pub trait Stream: Read + Write + Send {}
impl Stream for UnixStream {}
impl Stream for TcpStream {}

/// The daemon's end of a connection.
pub struct Peer {
    pub stream: Box<dyn Stream>,
    segments: Segments,
}

/// What a client said: the packet's type, its name, the bytes behind.
pub type Said = (u8, String, Vec<u8>);

impl Peer {
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), segments: Segments::default() }
    }

    /// The next packet of the client; `None` once it has closed.
    pub fn hear(&mut self) -> Option<Said> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(segment) = self.segments.next_segment().unwrap() {
                let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
                return Some(match Packet::parse(segment).unwrap() {
                    Packet::CmdRequest { name, body } => (0, text(name), body.to_vec()),
                    Packet::EventRegister(name) => (3, text(name), Vec::new()),
                    Packet::EventUnregister(name) => (4, text(name), Vec::new()),
                    other => panic!("a client does not say {other:?}"),
                });
            }
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.segments.push(&bytes[..count]),
            }
        }
    }

    /// Sends a packet; the client may be gone.
    pub fn say(&mut self, packet: &Packet<'_>) {
        let _ = self.stream.write_all(&packet.encode().unwrap());
    }

    pub fn event(&mut self, name: &str, message: &Section) {
        let body = encode(message).unwrap();
        self.say(&Packet::Event { name: name.as_bytes(), body: &body });
    }

    pub fn reply(&mut self, message: &Section) {
        let body = encode(message).unwrap();
        self.say(&Packet::CmdResponse(&body));
    }

    /// Answers as a daemon: confirms events, tells its version, lists nothing, until the client
    /// says what `special` wants to answer itself (by returning true) or closes.
    pub fn serve(&mut self, mut special: impl FnMut(&mut Self, &Said) -> bool) {
        while let Some(said) = self.hear() {
            if special(self, &said) {
                continue;
            }
            match &said {
                (0, name, _) if name == "version" => {
                    self.reply(&Section::new().with("version", "5.9.8"));
                }
                (0, ..) => self.reply(&Section::new()),
                _ => self.say(&Packet::EventConfirm),
            }
        }
    }
}

/// A daemon that calls `each` with the number and its end of every connection, on a thread of
/// its own.
pub fn daemon(each: impl Fn(usize, Peer) + Send + Sync + 'static) -> Daemon {
    let (uri, listener, folder) = listener();
    let each = Arc::new(each);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (each, stream) = (Arc::clone(&each), stream.unwrap());
            thread::spawn(move || each(number, Peer::new(stream)));
        }
    });
    Daemon { uri, folder }
}

/// The same on a port of the loopback.
pub fn tcp_daemon(each: impl Fn(usize, Peer) + Send + 'static) -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            each(number, Peer::new(stream.unwrap()));
        }
    });
    Uri::Tcp { host: "127.0.0.1".to_owned(), port }
}

/// Its socket lives as long as this.
pub struct Daemon {
    pub uri: Uri,
    #[allow(dead_code, reason = "held for its end")]
    folder: tempfile::TempDir,
}

impl Daemon {
    pub fn connect(&self, options: Options) -> Connection {
        Connection::open(&self.uri, options).unwrap()
    }
}

/// The path of a unix socket.
pub fn path(uri: &Uri) -> PathBuf {
    match uri {
        Uri::Unix(path) => path.clone(),
        Uri::Tcp { .. } => panic!("not a unix socket"),
    }
}
