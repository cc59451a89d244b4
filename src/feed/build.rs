//! From the configuration to what delivers: an output of each kind, and what it gets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::config::{Bytes, Common, Compress, Config, Login, Requests, Source, Span};
use super::deliver::Gather;
use super::format::Format;
use super::output::Output;
use super::output::archive::{Archive, Rotation};
use super::output::http::{self, Auth, Client, Dialect, Elastic, Http, Lines, Loki, Splunk};
use super::output::nats::{self, Nats};
use super::output::secret::Kept;
use super::output::stream::Stdout;
use super::output::syslog::{self, Syslog};
use super::supervisor::Say;
use crate::engine::selection::Selection;
use crate::filter::Filter;
use crate::ipsec::journal::Journal;
use crate::ipsec::{GRACE, Live, Tunnels};
use crate::rules::Current;
use crate::sink::ecs::Version;
use crate::sink::site::{Net, Site};

/// An output with all that it needs.
pub(super) struct Plan {
    pub(super) name: String,
    /// Two of the same print do the same.
    pub(super) print: String,
    pub(super) output: Box<dyn Output>,
    pub(super) gather: Gather,
    pub(super) format: Format,
    pub(super) selection: Selection,
    /// Bytes of events in memory.
    pub(super) queue: usize,
    /// Bytes of events on disk.
    pub(super) spool: u64,
    /// The daemon that knows the tunnels, for as long as they are asked for.
    pub(super) live: Option<Live>,
}

/// What events are enriched by, and who reports them.
pub(super) struct Context {
    pub(super) observer: String,
    pub(super) internal: Vec<Net>,
    rules: Option<Arc<Current>>,
    tunnels: Option<Tunnels>,
    /// The connection to the IKE daemon lasts as long as the tunnels are asked for.
    pub(super) live: Option<Live>,
}

/// Bytes of events that wait in memory for an output, unless it is said otherwise.
const QUEUE: u64 = 8 << 20;
/// Bytes of events that wait on disk for it.
const SPOOL: u64 = 256 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Events and bytes of a request.
const REQUEST: (usize, u64) = (5000, 4 << 20);
const LINGER: Duration = Duration::from_secs(1);
/// How long Splunk's indexers may take: as long as Splunk says that one should wait.
const INDEXING: Duration = Duration::from_secs(300);
/// What takes events as they come.
const AT_ONCE: Gather = Gather { events: 10_000, bytes: 1 << 20, linger: Duration::ZERO };
/// What is acknowledged as a whole.
const WHOLE: Gather = Gather { events: 10_000, bytes: 4 << 20, linger: Duration::ZERO };

impl Context {
    /// Reads what the configuration names.
    pub(super) fn new(config: &Config, host: &str, say: &Say) -> Result<Self, String> {
        let internal = config.internal_nets.iter().map(|net| net.parse());
        let internal = internal.collect::<Result<_, _>>();
        let rules = config.rules.as_deref().map(|path| {
            let rules = Current::load(path, &TimeZone::UTC);
            rules.map(Arc::new).map_err(|error| format!("rules: {error}"))
        });
        let live = config.vici.as_ref().map(|uri| {
            let uri = uri.parse().map_err(|error| format!("vici: {error}"))?;
            let say = Arc::clone(say);
            let live = Live::start(uri, move |what| say(&format!("vici: {what}")));
            live.map_err(|error| format!("vici: {error}"))
        });
        let live = live.transpose()?;
        let tunnels = match (&live, &config.sas) {
            (Some(_), Some(_)) => {
                return Err("vici and sas are two ways to know tunnels: name one".to_owned());
            }
            (Some(live), None) => Some(live.tunnels()),
            (None, Some(path)) => Some(journal(path, say)?),
            (None, None) => None,
        };
        Ok(Self {
            observer: config.observer.clone().unwrap_or_else(|| host.to_owned()),
            internal: internal.map_err(|wrong: String| format!("internal_nets: {wrong}"))?,
            rules: rules.transpose()?,
            tunnels,
            live,
        })
    }

    /// Whose events a source's are.
    pub(super) fn site(&self, source: &Source) -> Site {
        let observer = source.observer.clone().unwrap_or_else(|| self.observer.clone());
        Site { observer, internal: self.internal.clone() }
    }

    /// The events that a filter admits, with all that is known about them.
    pub(super) fn selection(&self, filter: Option<&str>) -> Result<Selection, String> {
        let filter = Filter::parse(filter.unwrap_or_default())
            .map_err(|wrong| format!("wrong filter:\n{wrong}"))?;
        if self.rules.is_none() && filter.asks_for_rules() {
            return Err("the filter's 'label' needs a ruleset: name it with rules".to_owned());
        }
        if self.tunnels.is_none() && filter.asks_for_tunnels() {
            return Err("the filter's 'tunnel' needs vici or sas".to_owned());
        }
        let (rules, tunnels) = (self.rules.clone(), self.tunnels.clone());
        Ok(Selection { filter, rules, since: None, until: None, strict: false, tunnels })
    }
}

/// The tunnels that a journal tells of.
fn journal(path: &Path, say: &Say) -> Result<Tunnels, String> {
    let mut journal = Journal::new(GRACE);
    let trouble = journal.add(path).map_err(|error| format!("sas {}: {error}", path.display()))?;
    if let Some(first) = trouble.first {
        let unknown = trouble.unknown;
        say(&format!(
            "sas {}: {unknown} lines are no records of a journal, the first is line {first}",
            path.display()
        ));
    }
    Ok(Tunnels::new(journal.index()))
}

/// What is known before the output itself is looked at.
struct Builder<'a> {
    config: &'a Config,
    context: &'a Context,
    plans: Vec<Plan>,
}

/// All outputs of a configuration. `closed` is set when nobody reads standard output any more.
pub(super) fn plans(
    config: &Config,
    context: &Context,
    closed: &Arc<AtomicBool>,
) -> Result<Vec<Plan>, String> {
    let mut all = Builder { config, context, plans: Vec::new() };
    let outputs = &config.outputs;
    for output in &outputs.stdout {
        let closed = Arc::clone(closed);
        all.add(&output.common(), output, Format::Json, |_| {
            Ok((Box::new(Stdout { closed }), AT_ONCE))
        })?;
    }
    for output in &outputs.file {
        all.add(&output.common(), output, Format::Json, |_| {
            let compress = output.compress == Some(Compress::Zstd);
            let rotation = Rotation {
                size: output.rotate_size.map(|Bytes(size)| size),
                age: output.rotate_time.map(|Span(age)| age),
                keep: output.keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX)),
                compress,
            };
            if rotation.size.is_none()
                && rotation.age.is_none()
                && (compress || rotation.keep.is_some())
            {
                return Err("keep and compress need rotate_size or rotate_time".to_owned());
            }
            if rotation.size == Some(0) || rotation.age == Some(Duration::ZERO) {
                return Err("rotate_size and rotate_time are more than 0".to_owned());
            }
            Ok((Box::new(Archive::new(&output.path, rotation)), AT_ONCE))
        })?;
    }
    for output in &outputs.syslog {
        all.add(&output.common(), output, Format::Json, |builder| {
            let settings = syslog::Settings {
                address: output.address.clone(),
                framing: output.framing.unwrap_or_default(),
                tls: output.tls(),
                facility: output.facility.unwrap_or(16),
                severity: output.severity.unwrap_or(6),
                host: builder.context.observer.clone(),
                app: output.app.clone().unwrap_or_else(|| "pfscope".to_owned()),
                timeout: timeout(output.timeout),
            };
            Ok((Box::new(Syslog::new(settings)?), AT_ONCE))
        })?;
    }
    for output in &outputs.nats {
        all.add(&output.common(), output, Format::Json, |_| {
            let settings = nats::Settings {
                url: output.url.clone(),
                subject: output.subject.clone(),
                login: output.login.as_ref().map(nats_login).transpose()?,
                tls: output.tls(),
                timeout: timeout(output.timeout),
            };
            Ok((Box::new(Nats::new(settings)?), WHOLE))
        })?;
    }
    all.http(config)?;
    Ok(all.plans)
}

impl Builder<'_> {
    /// Adds an output that `build` makes.
    fn add(
        &mut self,
        common: &Common,
        own: &impl std::fmt::Debug,
        format: Format,
        build: impl FnOnce(&Self) -> Result<(Box<dyn Output>, Gather), String>,
    ) -> Result<(), String> {
        let plan = self.plan(common, own, format, build);
        self.plans.push(plan.map_err(|wrong| format!("output {}: {wrong}", common.name))?);
        Ok(())
    }

    fn plan(
        &self,
        common: &Common,
        own: &impl std::fmt::Debug,
        format: Format,
        build: impl FnOnce(&Self) -> Result<(Box<dyn Output>, Gather), String>,
    ) -> Result<Plan, String> {
        let Config { sources, rules, vici, sas, notices, .. } = self.config;
        let Context { observer, internal, .. } = self.context;
        let shared = (sources, rules, vici, sas, notices, observer, internal);
        let queue = common.queue.map_or(QUEUE, |Bytes(queue)| queue);
        let format = common.format.as_deref().map_or(Ok(format), str::parse)?;
        let selection = self.context.selection(common.filter.as_deref())?;
        let (output, gather) = build(self)?;
        Ok(Plan {
            name: common.name.clone(),
            print: format!("{own:?} {shared:?}"),
            output,
            gather,
            format,
            selection,
            queue: usize::try_from(queue).unwrap_or(usize::MAX),
            spool: common.spool.map_or(SPOOL, |Bytes(spool)| spool),
            live: self.context.live.clone(),
        })
    }

    fn http(&mut self, config: &Config) -> Result<(), String> {
        let ecs = Format::Ecs(Version::V9_4);
        for output in &config.outputs.elasticsearch {
            self.add(&output.common(), output, ecs, |_| {
                let dialect = Elastic { index: output.index.clone() };
                post(output.requests(), "ApiKey", Vec::new(), dialect)
            })?;
        }
        for output in &config.outputs.splunk {
            self.add(&output.common(), output, Format::Json, |builder| {
                let format = output.format.as_deref().map_or(Ok(Format::Json), str::parse)?;
                let dialect = Splunk {
                    index: output.index.clone(),
                    sourcetype: output.sourcetype.clone(),
                    host: builder.context.observer.clone(),
                    json: format.is_json(),
                    indexed: output.indexer_ack.then_some(INDEXING),
                };
                let headers = output.indexer_ack.then(http::channel).into_iter().collect();
                post(output.requests(), "Splunk", headers, dialect)
            })?;
        }
        for output in &config.outputs.loki {
            self.add(&output.common(), output, Format::Json, |_| {
                let tenant = output.tenant.clone().map(|name| ("X-Scope-OrgID".to_owned(), name));
                let dialect = Loki { labels: output.labels.clone() };
                if dialect.labels.is_empty() {
                    return Err("labels: Loki wants one at least".to_owned());
                }
                post(output.requests(), "Bearer", tenant.into_iter().collect(), dialect)
            })?;
        }
        for output in &config.outputs.http {
            self.add(&output.common(), output, Format::Json, |_| {
                let headers = output.headers.clone().unwrap_or_default().into_iter().collect();
                post(output.requests(), "Bearer", headers, Lines)
            })?;
        }
        Ok(())
    }
}

/// An output that posts. `word` stands before a token.
fn post(
    requests: Requests,
    word: &'static str,
    headers: Vec<(String, String)>,
    dialect: impl Dialect + 'static,
) -> Result<(Box<dyn Output>, Gather), String> {
    let Requests { url, login, tls, timeout: limit, batch_events, batch_bytes, linger } = requests;
    let auth = login.map(|login| auth(&login, word)).transpose()?;
    let client = Client::new(http::Settings { url, auth, headers, tls, timeout: timeout(limit) })?;
    let events = batch_events.unwrap_or(REQUEST.0).max(1);
    let Bytes(bytes) = batch_bytes.unwrap_or(Bytes(REQUEST.1));
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let linger = linger.map_or(LINGER, |Span(linger)| linger);
    let output = Box::new(Http::new(client, dialect, events, bytes));
    Ok((output, Gather { events, bytes, linger }))
}

fn timeout(configured: Option<Span>) -> Duration {
    configured.map_or(TIMEOUT, |Span(timeout)| timeout)
}

/// A secret that is in a file or in the environment.
fn kept(file: Option<&PathBuf>, env: Option<&String>) -> Option<Kept> {
    file.cloned().map(Kept::File).or_else(|| env.cloned().map(Kept::Env))
}

fn auth(login: &Login, word: &'static str) -> Result<Auth, String> {
    let password = kept(login.password_file.as_ref(), login.password_env.as_ref());
    let token = kept(login.token_file.as_ref(), login.token_env.as_ref());
    match (&login.user, password, token) {
        (Some(user), Some(password), None) => Ok(Auth::Basic(user.clone(), password)),
        (None, None, Some(token)) => Ok(Auth::Token(word, token)),
        _ => Err(
            "login: either user and password_file (or password_env), or token_file (or token_env)"
                .to_owned(),
        ),
    }
}

fn nats_login(login: &Login) -> Result<nats::Login, String> {
    if let Some(file) = &login.nkey_file {
        return Ok(nats::Login::Nkey(Kept::File(file.clone())));
    }
    if let Some(file) = &login.credentials_file {
        return Ok(nats::Login::Credentials(Kept::File(file.clone())));
    }
    match auth(login, "") {
        Ok(Auth::Basic(user, password)) => Ok(nats::Login::User(user, password)),
        Ok(Auth::Token(_, token)) => Ok(nats::Login::Token(token)),
        Err(why) => Err(format!("{why}, or nkey_file, or credentials_file")),
    }
}
