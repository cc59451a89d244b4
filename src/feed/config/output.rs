//! `[[output.KIND]]`: each kind of output has its keys, those of its groups, and those that all have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::value::{self, Bytes, Span};
use crate::feed::output::syslog::{Address, Framing};
use crate::feed::output::tls::Tls;

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

/// Declares the kinds of outputs: the groups of keys that a kind has are put behind its own, and
/// those that all have before them. serde's `flatten` would lose the line of an unknown key.
macro_rules! outputs {
    ($($(#[$about:meta])* $kind:ident $([$($group:ident)*])? { $($own:tt)* })*) => { $(
        outputs!(@kind [$($($group)*)?] { $(#[$about])* $kind } { $($own)* });
    )* };

    // Requests, which have many events each.
    (@kind [requests $($group:ident)*] { $(#[$about:meta])* $kind:ident } { $($key:tt)* }) => {
        outputs!(@kind [server $($group)*] { $(#[$about])* $kind } {
            $($key)*
            /// Events of a request.
            batch_events: Option<usize>,
            /// Bytes of a request.
            batch_bytes: Option<Bytes>,
            /// How long an event waits for others.
            linger: Option<Span>,
        });

        impl $kind {
            /// The keys of requests.
            pub fn requests(&self) -> Requests {
                Requests {
                    url: self.url.clone(),
                    login: self.login.clone(),
                    tls: self.tls(),
                    timeout: self.timeout,
                    batch_events: self.batch_events,
                    batch_bytes: self.batch_bytes,
                    linger: self.linger,
                }
            }
        }
    };

    // A server that wants to know who comes.
    (@kind [server $($group:ident)*] $kind:tt { $($key:tt)* }) => {
        outputs!(@kind [tls $($group)*] $kind {
            /// Where it is: `https://host:9200`, `nats://host:4222`.
            url: String,
            $($key)*
            /// Who comes: a user and his password, a token, a key.
            login: Option<Login>,
        });
    };

    // Anybody at the other end of a connection.
    (@kind [tls $($group:ident)*] { $(#[$about:meta])* $kind:ident } { $($key:tt)* }) => {
        outputs!(@kind [$($group)*] { $(#[$about])* $kind } {
            $($key)*
            /// How long connecting, a request or an acknowledgement may take.
            timeout: Option<Span>,
            /// Authorities to trust.
            ca_file: Option<PathBuf>,
            /// Our certificate.
            cert_file: Option<PathBuf>,
            /// Its key.
            key_file: Option<PathBuf>,
        });

        impl $kind {
            /// Whom to trust, and who we are.
            pub fn tls(&self) -> Tls {
                Tls {
                    ca_file: self.ca_file.clone(),
                    cert_file: self.cert_file.clone(),
                    key_file: self.key_file.clone(),
                }
            }
        }
    };

    (@kind [] { $(#[$about:meta])* $kind:ident } {
        $($(#[$doc:meta])* $key:ident: $type:ty,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $kind {
            /// Its name, in messages, metrics and the files of its state.
            pub name: String,
            /// What events are rendered to, as `--format`.
            #[serde(default, deserialize_with = "value::format")]
            pub format: Option<String>,
            /// Which events it gets; all by default.
            #[serde(default, deserialize_with = "value::filter")]
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
    };
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
        /// Pack finished ones.
        compress: Option<Compress>,
    }

    /// Syslog.
    Syslog [tls] {
        /// `unix:PATH`, `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`.
        address: Address,
        /// `octets` or `lines`, of a stream.
        framing: Option<Framing>,
        /// 0 to 23; 16 (local0) by default.
        facility: Option<u8>,
        /// 0 to 7; 6 (informational) by default.
        severity: Option<u8>,
        /// APP-NAME; pfscope by default.
        app: Option<String>,
    }

    /// Elasticsearch or OpenSearch.
    Elastic [requests] {
        /// Index or data stream.
        index: String,
    }

    /// Splunk's HTTP Event Collector.
    Splunk [requests] {
        /// Index.
        index: Option<String>,
        /// Source type.
        sourcetype: Option<String>,
        /// Waits until the indexers have the events, as the token asks for (`useACK`).
        #[serde(default)]
        indexer_ack: bool,
    }

    /// Loki.
    Loki [requests] {
        /// The stream's labels.
        labels: BTreeMap<String, String>,
        /// `X-Scope-OrgID`.
        tenant: Option<String>,
    }

    /// Lines of JSON by POST.
    Http [requests] {
        /// Other headers.
        headers: Option<BTreeMap<String, String>>,
    }

    /// NATS JetStream.
    Nats [server] {
        /// Subject.
        subject: String,
    }
}

/// What outputs have that post.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Where to.
    pub url: String,
    /// Who comes.
    pub login: Option<Login>,
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// How long a request may take.
    pub timeout: Option<Span>,
    /// Events of a request.
    pub batch_events: Option<usize>,
    /// Bytes of a request.
    pub batch_bytes: Option<Bytes>,
    /// How long an event waits for others.
    pub linger: Option<Span>,
}

/// How finished files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compress {
    /// By Zstandard.
    Zstd,
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
