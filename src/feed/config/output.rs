//! `[[output.KIND]]`: each kind of output has its keys, and those that all have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Bytes, Span};

/// All outputs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// `[[output.stdout]]`
    #[serde(default)]
    pub stdout: Vec<Stdout>,
    /// `[[output.file]]`
    #[serde(default)]
    pub file: Vec<File>,
    /// `[[output.syslog]]`
    #[serde(default)]
    pub syslog: Vec<Syslog>,
    /// `[[output.elasticsearch]]`, OpenSearch too
    #[serde(default)]
    pub elasticsearch: Vec<Elastic>,
    /// `[[output.splunk]]`
    #[serde(default)]
    pub splunk: Vec<Splunk>,
    /// `[[output.loki]]`
    #[serde(default)]
    pub loki: Vec<Loki>,
    /// `[[output.http]]`
    #[serde(default)]
    pub http: Vec<Http>,
    /// `[[output.nats]]`
    #[serde(default)]
    pub nats: Vec<Nats>,
}

impl Outputs {
    /// What all have, in the order of their kinds.
    pub fn common(&self) -> impl Iterator<Item = Common> {
        let all = self.stdout.iter().map(Stdout::common);
        let all = all.chain(self.file.iter().map(File::common));
        let all = all.chain(self.syslog.iter().map(Syslog::common));
        let all = all.chain(self.elasticsearch.iter().map(Elastic::common));
        let all = all.chain(self.splunk.iter().map(Splunk::common));
        let all = all.chain(self.loki.iter().map(Loki::common));
        let all = all.chain(self.http.iter().map(Http::common));
        all.chain(self.nats.iter().map(Nats::common))
    }

    /// The names of all, in the order of their kinds.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = self.stdout.iter().map(|o| &o.name);
        let all = all.chain(self.file.iter().map(|o| &o.name));
        let all = all.chain(self.syslog.iter().map(|o| &o.name));
        let all = all.chain(self.elasticsearch.iter().map(|o| &o.name));
        let all = all.chain(self.splunk.iter().map(|o| &o.name));
        let all = all.chain(self.loki.iter().map(|o| &o.name));
        let all = all.chain(self.http.iter().map(|o| &o.name));
        all.chain(self.nats.iter().map(|o| &o.name)).map(String::as_str)
    }
}

/// What all outputs have.
#[derive(Debug, Clone)]
pub struct Common {
    /// Its name.
    pub name: String,
    /// What events are rendered to, as `--format`.
    pub format: Option<String>,
    /// Which events it gets; all by default.
    pub filter: Option<String>,
    /// Bytes of events that wait in memory.
    pub queue: Option<Bytes>,
    /// Bytes of events that wait on disk, of sources that cannot be read again.
    pub spool: Option<Bytes>,
}

/// Declares a kind of output: its keys behind those that all have. serde's `flatten` would lose
/// the line of an unknown key.
macro_rules! outputs {
    ($($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)* })*) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $kind {
            /// Its name, in messages, metrics and the files of its state.
            pub name: String,
            /// What events are rendered to, as `--format`.
            pub format: Option<String>,
            /// Which events it gets; all by default.
            pub filter: Option<String>,
            /// Bytes of events that wait in memory.
            pub queue: Option<Bytes>,
            /// Bytes of events that wait on disk, of sources that cannot be read again.
            pub spool: Option<Bytes>,
            $($(#[$doc])* pub $key: $type,)*
        }

        impl $kind {
            /// The keys that all outputs have.
            pub fn common(&self) -> Common {
                Common {
                    name: self.name.clone(),
                    format: self.format.clone(),
                    filter: self.filter.clone(),
                    queue: self.queue,
                    spool: self.spool,
                }
            }
        }
    )* };
}

outputs! {
    /// Standard output.
    Stdout {}

    /// A file, rotated.
    File {
        /// Where it is.
        path: PathBuf,
        /// Begin a new one behind so many bytes.
        rotate_size: Option<Bytes>,
        /// Begin a new one after that time.
        rotate_time: Option<Span>,
        /// Keep so many.
        keep: Option<u32>,
        /// `zstd`: pack finished ones.
        compress: Option<String>,
    }

    /// Syslog.
    Syslog {
        /// `unix:PATH`, `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`.
        address: String,
        /// `octets` or `lines`, of a stream.
        framing: Option<String>,
        /// 0 to 23; 16 (local0) by default.
        facility: Option<u8>,
        /// 0 to 7; 6 (informational) by default.
        severity: Option<u8>,
        /// APP-NAME; pfscope by default.
        app: Option<String>,
        /// How long connecting or writing may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }

    /// Elasticsearch or OpenSearch.
    Elastic {
        /// `https://host:9200`.
        url: String,
        /// Index or data stream.
        index: String,
        /// Login: a user and his password, or an API key.
        login: Option<Login>,
        /// Events of a request.
        batch_events: Option<usize>,
        /// Bytes of a request.
        batch_bytes: Option<Bytes>,
        /// How long an event waits for others.
        linger: Option<Span>,
        /// How long a request may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }

    /// Splunk's HTTP Event Collector.
    Splunk {
        /// `https://host:8088`.
        url: String,
        /// The token's place.
        login: Option<Login>,
        /// Index.
        index: Option<String>,
        /// Source type.
        sourcetype: Option<String>,
        /// Events of a request.
        batch_events: Option<usize>,
        /// Bytes of a request.
        batch_bytes: Option<Bytes>,
        /// How long an event waits for others.
        linger: Option<Span>,
        /// How long a request may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }

    /// Loki.
    Loki {
        /// `http://host:3100`.
        url: String,
        /// The stream's labels.
        labels: BTreeMap<String, String>,
        /// `X-Scope-OrgID`.
        tenant: Option<String>,
        /// Login.
        login: Option<Login>,
        /// Events of a request.
        batch_events: Option<usize>,
        /// Bytes of a request.
        batch_bytes: Option<Bytes>,
        /// How long an event waits for others.
        linger: Option<Span>,
        /// How long a request may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }

    /// Lines of JSON by POST.
    Http {
        /// Where to.
        url: String,
        /// Other headers.
        headers: Option<BTreeMap<String, String>>,
        /// Login.
        login: Option<Login>,
        /// Events of a request.
        batch_events: Option<usize>,
        /// Bytes of a request.
        batch_bytes: Option<Bytes>,
        /// How long an event waits for others.
        linger: Option<Span>,
        /// How long a request may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }

    /// NATS JetStream.
    Nats {
        /// `nats://host:4222` or `tls://host:4222`.
        url: String,
        /// Subject.
        subject: String,
        /// Login.
        login: Option<Login>,
        /// How long connecting, or an acknowledgement, may take.
        timeout: Option<Span>,
        /// Authorities to trust.
        ca_file: Option<PathBuf>,
        /// Our certificate.
        cert_file: Option<PathBuf>,
        /// Its key.
        key_file: Option<PathBuf>,
    }
}

/// `login = { user = "u", password_file = "…" }` or `{ token_file = "…" }`; the secret in a file
/// or in an environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User.
    pub user: Option<String>,
    /// File of his password.
    pub password_file: Option<PathBuf>,
    /// Environment variable of it.
    pub password_env: Option<String>,
    /// File of a token or API key.
    pub token_file: Option<PathBuf>,
    /// Environment variable of it.
    pub token_env: Option<String>,
    /// File of an NKEY's seed (NATS).
    pub nkey_file: Option<PathBuf>,
    /// A `.creds` file (NATS).
    pub credentials_file: Option<PathBuf>,
}
