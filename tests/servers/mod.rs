//! What the tests of the feed deliver to: servers on loopback that the test starts and ends.
#![allow(dead_code, unreachable_pub, reason = "each includer uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

pub mod http;
pub mod nats;

use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pfscope::feed::output::tls::Tls;
use pfscope::feed::output::{Output, Pending};
use pfscope::feed::parcel::{Id, Parcel};
use pfscope::time::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Says why a test does not run; past the test runner, which would keep it to itself.
pub fn skipped(why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}

/// The path of a program, or `None`, said aloud.
pub fn program(name: &str) -> Option<PathBuf> {
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin", "/usr/local/bin"] {
        let path = Path::new(folder).join(name);
        if path.is_file() {
            return Some(path);
        }
    }
    skipped(&format!("{name} is not there: contrib/setup test installs it"));
    None
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A process that ends with the test.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits until it listens.
    pub fn listens(mut self, port: u16) -> Self {
        until("a daemon listens", || {
            assert!(self.runs(), "it ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        self
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An authority that signs certificates for 127.0.0.1.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    /// Its own certificate.
    pub ca: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let ca = folder.join(format!("{name}.pem"));
        fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder: folder.to_owned(), ca }
    }

    /// Files of a certificate and its key.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str| self.folder.join(format!("{name}.{end}"));
        fs::write(file("crt"), signed.pem()).unwrap();
        fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("crt"), file("key"))
    }

    /// Trusts it, and shows no certificate.
    pub fn trusted(&self) -> Tls {
        Tls { ca_file: Some(self.ca.clone()), ..Tls::default() }
    }

    /// Trusts it, and shows a certificate of its own.
    pub fn member(&self, name: &str) -> Tls {
        let (cert, key) = self.issue(name);
        Tls { cert_file: Some(cert), key_file: Some(key), ..self.trusted() }
    }
}

pub fn id(number: usize) -> Id {
    Id((number as u128).to_be_bytes())
}

/// JSON events with these numbers.
pub fn parcel(numbers: impl IntoIterator<Item = usize>) -> Parcel {
    let mut parcel = Parcel::default();
    for number in numbers {
        let ts = Timestamp(1_700_000_000_000_000_000 + i64::try_from(number).unwrap() * 1_000_000);
        parcel.push(id(number), ts, format!("{{\"n\":{number},\"word\":\"é\\\"\"}}").as_bytes());
    }
    parcel
}

/// What became of a parcel.
#[derive(Debug, Default)]
pub struct Delivered {
    pub refused: Vec<(usize, String)>,
    pub troubles: Vec<String>,
}

/// Delivers until all is settled, as the feed does.
pub fn deliver(output: &mut dyn Output, parcel: &Parcel) -> Delivered {
    let mut pending = Pending::default();
    pending.all(parcel);
    let mut delivered = Delivered::default();
    let end = Instant::now() + Duration::from_secs(60);
    while !pending.is_empty() {
        let sent = output.send(parcel, &mut pending);
        delivered.refused.extend(pending.take_refused());
        let Err(trouble) = sent else { break };
        assert!(Instant::now() < end, "not delivered: {trouble:?}");
        delivered.troubles.push(trouble.why);
        sleep(Duration::from_millis(50));
    }
    delivered
}

/// The trouble that sending comes to.
pub fn trouble(output: &mut dyn Output, parcel: &Parcel) -> String {
    let mut pending = Pending::default();
    pending.all(parcel);
    let why = output.send(parcel, &mut pending).expect_err("it must not work").why;
    assert_eq!(pending.places().len(), parcel.len(), "nothing is settled: {why}");
    why
}
