//! Runs the pipelines of a configuration: starts, reloads and ends them, and lets them be heard
//! of by heartbeats and metrics.

use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::build::{self, Context};
use super::config::{Config, Source};
use super::metrics::Metrics;
use super::pipeline::{DRAIN, Pipeline, Running};
use super::state::State;
use super::tap::{Tap, With};

/// Says something to whoever runs the feed: one line.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// How often is looked at what is to be done.
const TICK: Duration = Duration::from_millis(50);
/// How long a device may take to hand on what it has.
const LAST: Duration = Duration::from_millis(700);

/// How to run.
#[derive(Clone)]
pub struct Options {
    /// The name of this machine.
    pub host: String,
    /// End at the end of the files, also of those that are followed.
    pub once: bool,
    /// Set when the feed is to end.
    pub stop: Arc<AtomicBool>,
    /// Hears what there is to say.
    pub say: Say,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("once", &self.once).finish_non_exhaustive()
    }
}

/// A feed that runs.
pub struct Supervisor {
    options: Options,
    config: Config,
    state: Option<State>,
    pipelines: Vec<Pipeline>,
    /// What is read for all of them.
    taps: Vec<Tap>,
    metrics: Option<Metrics>,
    beat: Instant,
    /// Everything of the pipelines that have ended was delivered.
    whole: bool,
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why a feed was not started.
#[derive(Debug)]
pub enum Unstarted {
    /// What is wrong with its configuration.
    Config(String),
    /// What the system lacks or refuses.
    System(String),
}

/// Takes the address that metrics are served at; while the process still may.
///
/// # Errors
/// Why it cannot be had.
pub fn listen(at: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(at).map_err(|error| format!("metrics at {at}: {error}"))
}

/// Devices that are open, and not yet read.
#[derive(Default)]
pub struct Devices(Vec<Tap>);

impl Devices {
    /// Opens those of a configuration; while the process still may.
    ///
    /// # Errors
    /// Which of them cannot be opened, and why.
    pub fn open(config: &Config, say: &Say) -> Result<Self, String> {
        let devices = config.sources.iter().filter(|source| source.device.is_some());
        devices.map(|source| Tap::open(source, say)).collect::<Result<_, _>>().map(Self)
    }
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|tap| &tap.source)).finish()
    }
}

/// What was tried, and what it came to.
pub type Checked = (String, Result<(), String>);

/// Sees whether a configuration would work: reads and connects, and sends nothing. What each
/// output came to.
///
/// # Errors
/// What is wrong with the configuration itself.
pub fn check(config: &Config, options: &Options) -> Result<Vec<Checked>, String> {
    config.check()?;
    let context = Context::new(config, &options.host, &options.say)?;
    let plans = build::plans(config, &context, &options.stop)?;
    let mut all = Vec::new();
    if let Some(folder) = &config.state_dir {
        all.push((format!("state_dir {}", folder.display()), State::check(folder)));
    }
    for source in &config.sources {
        if source.is_endless() {
            let opened = Tap::open(source, &options.say).map(drop);
            let name = format!("source {}", source.name());
            let why =
                |why: String| why.strip_prefix(&format!("{name}: ")).unwrap_or(&why).to_owned();
            all.push((name.clone(), opened.map_err(why)));
        }
        let Some(path) = source.file.as_ref().filter(|_| !source.is_stdin()) else { continue };
        let found = std::fs::File::open(path).map(drop).map_err(|error| error.to_string());
        // A log that is followed need not be there yet.
        if !source.follow || path.exists() {
            all.push((format!("source {}", source.name()), found));
        }
    }
    for mut plan in plans {
        let checked = plan.output.check().map_err(|trouble| trouble.why);
        all.push((format!("output {}", plan.name), checked));
    }
    Ok(all)
}

impl Supervisor {
    /// Starts all pipelines. Metrics are served at the address that `listener` has, if any.
    ///
    /// # Errors
    /// What is wrong, before anything was started.
    pub fn start(
        config: Config,
        options: Options,
        devices: Devices,
        listener: Option<TcpListener>,
    ) -> Result<Self, Unstarted> {
        let (context, plans) = Self::plan(&config, &options).map_err(Unstarted::Config)?;
        let Devices(mut taps) = devices;
        let opened = open(&config, &taps, &options).map_err(Unstarted::System)?;
        taps.extend(opened);
        let (state, metrics) = (config.state_dir.as_deref(), listener);
        let state = state.map(State::open).transpose().map_err(Unstarted::System)?;
        let metrics = metrics.map(|listener| Metrics::start(listener, &options.say));
        let metrics = metrics.transpose().map_err(Unstarted::System)?;
        let mut feed = Self {
            options,
            config,
            state,
            pipelines: Vec::new(),
            taps,
            metrics,
            beat: Instant::now(),
            whole: true,
        };
        feed.begin(plans, &context).map_err(Unstarted::System)?;
        Ok(feed)
    }

    fn plan(config: &Config, options: &Options) -> Result<(Context, Vec<build::Plan>), String> {
        config.check()?;
        fits(config, options)?;
        let context = Context::new(config, &options.host, &options.say)?;
        for source in &config.sources {
            let wrong = |why| format!("source {}: {why}", source.name());
            context.selection(source.filter.as_deref()).map_err(wrong)?;
        }
        let plans = build::plans(config, &context, &options.stop)?;
        Ok((context, plans))
    }

    /// Starts pipelines, and all that is read for all of them.
    fn begin(&mut self, plans: Vec<build::Plan>, context: &Context) -> Result<(), String> {
        let sources = &self.config.sources;
        let shared = sources.iter().filter(|source| source.is_shared()).count();
        let readers = self.config.outputs.names().count() * (sources.len() - shared) + shared;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let workers = (processors / readers.max(1)).max(1);
        let running = Running {
            sources,
            context,
            state: self.state.as_ref(),
            once: self.options.once,
            notices: self.config.notices,
            workers,
            say: &self.options.say,
        };
        for plan in plans {
            self.pipelines.push(Pipeline::start(plan, &running)?);
        }
        for tap in &mut self.taps {
            let name = tap.source.name();
            tap.start(With {
                selection: context.selection(tap.source.filter.as_deref())?,
                daemon: context.live.clone(),
                site: Arc::new(context.site(&tap.source)),
                workers,
                streams: self.pipelines.iter().filter_map(|output| output.stream(&name)).collect(),
            });
        }
        self.show();
        Ok(())
    }

    /// Lets the metrics show the pipelines that there are.
    fn show(&self) {
        if let Some(metrics) = &self.metrics {
            let of = |pipeline: &Pipeline| (pipeline.name.clone(), Arc::clone(&pipeline.counters));
            metrics.show(self.pipelines.iter().map(of).collect());
        }
    }

    /// Goes on with another configuration: pipelines that it does not change go on as they are.
    ///
    /// # Errors
    /// What is wrong with it; then all goes on as before.
    pub fn reload(&mut self, config: Config) -> Result<(), String> {
        if config.state_dir != self.config.state_dir || config.metrics != self.config.metrics {
            return Err(
                "state_dir and metrics cannot change while the feed runs: restart it".to_owned()
            );
        }
        let (context, plans) = Self::plan(&config, &self.options)?;
        let opened = open(&config, &self.taps, &self.options)?;
        let before = mem::replace(&mut self.config, config);
        let Err(why) = self.change(plans, &context, opened) else { return Ok(()) };
        // What has begun of it ends, and what it has ended begins again.
        self.config = before;
        let again = Self::plan(&self.config, &self.options).and_then(|(context, plans)| {
            let opened = open(&self.config, &self.taps, &self.options)?;
            self.change(plans, &context, opened)
        });
        match again {
            Ok(()) => Err(why),
            Err(again) => {
                Err(format!("{why}; but what it changed has ended: {again}: restart the feed"))
            }
        }
    }

    /// Ends the sources and pipelines that are not planned, and begins those that do not run.
    fn change(
        &mut self,
        mut plans: Vec<build::Plan>,
        context: &Context,
        opened: Vec<Tap>,
    ) -> Result<(), String> {
        let sources = &self.config.sources;
        let (mut taps, gone): (Vec<_>, Vec<_>) =
            self.taps.drain(..).partition(|tap| sources.contains(&tap.source));
        self.whole &= end(gone, Instant::now() + LAST);
        taps.iter_mut().for_each(Tap::turn);
        taps.extend(opened);
        self.taps = taps;
        let (same, other): (Vec<_>, Vec<_>) = self.pipelines.drain(..).partition(|pipeline| {
            plans.iter().any(|plan| plan.name == pipeline.name && plan.print == pipeline.print)
        });
        plans.retain(|plan| !same.iter().any(|pipeline| pipeline.name == plan.name));
        self.pipelines = same;
        other.iter().for_each(Pipeline::ask);
        let until = Instant::now() + DRAIN;
        for pipeline in other {
            self.whole &= pipeline.end(until);
        }
        self.begin(plans, context)
    }

    /// Runs until all is delivered or the end is asked for. `reload` is set when the
    /// configuration is to be read again, by `load`. True if everything was delivered.
    pub fn run(
        mut self,
        reload: &AtomicBool,
        mut load: impl FnMut() -> Result<Config, String>,
    ) -> bool {
        while !self.options.stop.load(Ordering::Relaxed) {
            if reload.swap(false, Ordering::Relaxed) {
                match load().and_then(|config| self.reload(config)) {
                    Ok(()) => (self.options.say)("the configuration was read again"),
                    Err(why) => (self.options.say)(&format!("goes on as before: {why}")),
                }
            }
            // All are looked after, also once one has ended.
            let read = self.taps.iter().all(Tap::is_finished);
            let ended = self.pipelines.iter_mut().map(|pipeline| pipeline.tick(read));
            if ended.filter(|ended| *ended).count() == self.pipelines.len() {
                break;
            }
            if let Some(every) = self.config.heartbeat()
                && self.beat.elapsed() >= every
            {
                self.beat = Instant::now();
                self.pipelines.iter().for_each(Pipeline::beat);
            }
            thread::sleep(TICK);
        }
        let until = Instant::now() + DRAIN;
        self.pipelines.iter().for_each(Pipeline::ask);
        let whole = end(self.taps, Instant::now() + LAST) & self.whole;
        let end = |pipeline: Pipeline| thread::spawn(move || pipeline.end(until));
        let ends: Vec<_> = self.pipelines.into_iter().map(end).collect();
        ends.into_iter().all(|end| end.join().unwrap_or(false)) & whole
    }
}

/// Opens what is read for all outputs and is not open yet.
fn open(config: &Config, open: &[Tap], options: &Options) -> Result<Vec<Tap>, String> {
    let shared = config.sources.iter().filter(|source| source.is_shared());
    let new = shared.filter(|source| !open.iter().any(|tap| tap.source == **source));
    new.map(|source| Tap::open(source, &options.say)).collect()
}

/// Ends what is read for all outputs; false if something of it could not be read.
fn end(taps: Vec<Tap>, until: Instant) -> bool {
    taps.iter().for_each(Tap::ask);
    let whole = !taps.iter().any(Tap::has_failed);
    taps.into_iter().for_each(|tap| tap.end(until));
    whole
}

/// What of a configuration does not go together with how the feed runs.
fn fits(config: &Config, options: &Options) -> Result<(), String> {
    let follows = config.sources.iter().any(|source| source.follow && !options.once);
    if config.state_dir.is_none() && follows {
        return Err("a followed file needs state_dir (--state-dir), a folder that remembers what \
                    was delivered"
            .to_owned());
    }
    let spool = config.outputs.common().find(|output| output.spool.is_some());
    if let (None, Some(output)) = (&config.state_dir, spool) {
        return Err(format!(
            "output {}: spool needs state_dir, the folder that it is in",
            output.name
        ));
    }
    match config.sources.iter().find(|source| source.is_endless()) {
        Some(Source { .. }) if options.once => {
            Err("--once reads files to their end: a device has none".to_owned())
        }
        _ => Ok(()),
    }
}
