//! A server that is posted to.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, http};

use super::Answer;
use crate::feed::output::Trouble;
use crate::feed::output::secret::Kept;
use crate::feed::output::tls::{Identity, Loaded, Tls};

/// Bytes of an answer that are read: a `_bulk` answer of ten thousand items has them all.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// The longest that a server may send us away for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How a login goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Name and password.
    Basic(String, Kept),
    /// A token behind a word: `Bearer`, `ApiKey`, `Splunk`.
    Token(&'static str, Kept),
}

/// What a server is reached by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `http://` or `https://`, host, port, perhaps a path.
    pub url: String,
    /// How to log in.
    pub auth: Option<Auth>,
    /// Other headers.
    pub headers: Vec<(String, String)>,
    /// TLS, for https.
    pub tls: Tls,
    /// How long a request may take in all.
    pub timeout: Duration,
}

/// Host and port of whom an address leads to: the server, and the proxy that the environment names.
pub fn servers(url: &str) -> Vec<(String, u16)> {
    let uri: Option<http::Uri> = url.parse().ok();
    let server = uri.as_ref().and_then(|uri| {
        let port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(port)))
    });
    let proxy = Proxy::try_from_env().map(|proxy| (proxy.host().to_owned(), proxy.port()));
    server.into_iter().chain(proxy).collect()
}

/// A server, with its connections.
pub struct Client {
    agent: Agent,
    settings: Settings,
}

impl Client {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let uri: http::Uri =
            settings.url.parse().map_err(|error| format!("{}: {error}", settings.url))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a password has no place in a url: use user and password_file".to_owned());
        }
        let mut config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("pfscope/", env!("CARGO_PKG_VERSION")));
        match uri.scheme_str() {
            Some("https") => config = config.tls_config(tls(settings.tls.load()?)?),
            Some("http") => {}
            _ => return Err(format!("{}: not an http or https address", settings.url)),
        }
        Ok(Self { agent: config.build().into(), settings })
    }

    /// The address, for messages.
    pub fn name(&self) -> &str {
        &self.settings.url
    }

    /// Posts a body and reads the answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn post(&self, path: &str, media: &str, body: &[u8]) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", self.settings.url.trim_end_matches('/'));
        let mut request = self.agent.post(url).content_type(media);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        if let Some(header) = self.authorization()? {
            request = request.header("Authorization", header);
        }
        self.answer(request.send(body))
    }

    /// Asks whether the server is there and lets us in.
    ///
    /// # Errors
    /// Why it is not, or does not.
    pub fn get(&self) -> Result<(), Trouble> {
        let mut request = self.agent.get(&self.settings.url);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        if let Some(header) = self.authorization()? {
            request = request.header("Authorization", header);
        }
        let answer = self.answer(request.call())?;
        match answer.status {
            401 | 403 | 500.. => Err(self.trouble(format_args!(
                "status {}{}",
                answer.status,
                super::told(&answer.body)
            ))),
            _ => Ok(()),
        }
    }

    fn answer(&self, got: Result<http::Response<Body>, ureq::Error>) -> Result<Answer, Trouble> {
        let mut response = got.map_err(|error| self.trouble(error))?;
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after");
        let after = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let read = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = read.map_err(|error| self.trouble(error))?;
        let after = after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        Ok(Answer { status, after, body })
    }

    fn authorization(&self) -> Result<Option<String>, Trouble> {
        let read = |kept: &Kept| kept.read().map_err(|wrong| self.trouble(wrong));
        Ok(match &self.settings.auth {
            None => None,
            Some(Auth::Token(word, kept)) => Some(format!("{word} {}", read(kept)?.reveal())),
            Some(Auth::Basic(user, kept)) => {
                let pair = format!("{user}:{}", read(kept)?.reveal());
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
        })
    }

    /// Trouble with this server.
    pub(super) fn trouble(&self, why: impl fmt::Display) -> Trouble {
        Trouble::new(format!("{}: {why}", self.name()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.settings.url).finish_non_exhaustive()
    }
}

fn tls(loaded: Loaded) -> Result<TlsConfig, String> {
    let owned = |one: &CertificateDer<'_>| Certificate::from_der(one).to_owned();
    let roots = RootCerts::Specific(Arc::new(loaded.roots.iter().map(owned).collect()));
    let identity = match loaded.identity {
        None => None,
        Some(Identity { chain, key_file, .. }) => {
            let wrong = |why: &dyn fmt::Display| format!("{}: {why}", key_file.display());
            let pem = fs::read(&key_file).map_err(|error| wrong(&error))?;
            let key = PrivateKey::from_pem(&pem).map_err(|error| wrong(&error))?;
            let chain: Vec<_> = chain.iter().map(owned).collect();
            Some(ClientCert::new_with_certs(&chain, key))
        }
    };
    Ok(TlsConfig::builder().root_certs(roots).client_cert(identity).build())
}
