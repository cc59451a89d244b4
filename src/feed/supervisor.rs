//! Runs the pipelines of a configuration: starts, reloads and ends them, and lets them be heard
//! of by heartbeats and metrics.

use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::build::{self, Context};
use super::config::Config;
use super::metrics::Metrics;
use super::pipeline::{Pipeline, Running};
use super::state::State;

/// Says something to whoever runs the feed: one line.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// How often is looked at what is to be done.
const TICK: Duration = Duration::from_millis(50);

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
        listener: Option<TcpListener>,
    ) -> Result<Self, Unstarted> {
        let (context, plans) = Self::plan(&config, &options).map_err(Unstarted::Config)?;
        let (state, metrics) = (config.state_dir.as_deref(), listener);
        let state = state.map(State::open).transpose().map_err(Unstarted::System)?;
        let metrics = metrics.map(|listener| Metrics::start(listener, &options.say));
        let metrics = metrics.transpose().map_err(Unstarted::System)?;
        let mut feed = Self {
            options,
            config,
            state,
            pipelines: Vec::new(),
            metrics,
            beat: Instant::now(),
            whole: true,
        };
        feed.begin(plans, &context).map_err(Unstarted::System)?;
        Ok(feed)
    }

    fn plan(config: &Config, options: &Options) -> Result<(Context, Vec<build::Plan>), String> {
        config.check()?;
        let follows = config.sources.iter().any(|source| source.follow && !options.once);
        if config.state_dir.is_none() && follows {
            return Err("a followed file needs state_dir (--state-dir), a folder that remembers \
                        what was delivered"
                .to_owned());
        }
        let context = Context::new(config, &options.host, &options.say)?;
        let plans = build::plans(config, &context, &options.stop)?;
        Ok((context, plans))
    }

    fn begin(&mut self, plans: Vec<build::Plan>, context: &Context) -> Result<(), String> {
        let pipelines = self.config.outputs.names().count() * self.config.sources.len();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let running = Running {
            sources: &self.config.sources,
            context,
            state: self.state.as_ref(),
            once: self.options.once,
            notices: self.config.notices,
            workers: (processors / pipelines.max(1)).max(1),
            say: &self.options.say,
        };
        for plan in plans {
            self.pipelines.push(Pipeline::start(plan, &running)?);
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
        let before = mem::replace(&mut self.config, config);
        let Err(why) = self.change(plans, &context) else { return Ok(()) };
        // What has begun of it ends, and what it has ended begins again.
        self.config = before;
        let again = Self::plan(&self.config, &self.options)
            .and_then(|(context, plans)| self.change(plans, &context));
        match again {
            Ok(()) => Err(why),
            Err(again) => {
                Err(format!("{why}; but what it changed has ended: {again}: restart the feed"))
            }
        }
    }

    /// Ends the pipelines that are not planned, and begins those that do not run.
    fn change(&mut self, mut plans: Vec<build::Plan>, context: &Context) -> Result<(), String> {
        let (same, other): (Vec<_>, Vec<_>) = self.pipelines.drain(..).partition(|pipeline| {
            plans.iter().any(|plan| plan.name == pipeline.name && plan.print == pipeline.print)
        });
        plans.retain(|plan| !same.iter().any(|pipeline| pipeline.name == plan.name));
        self.pipelines = same;
        other.iter().for_each(Pipeline::ask);
        for pipeline in other {
            self.whole &= pipeline.end();
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
            let ended =
                self.pipelines.iter_mut().map(Pipeline::tick).filter(|ended| *ended).count();
            if ended == self.pipelines.len() {
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
        self.pipelines.iter().for_each(Pipeline::ask);
        let ends: Vec<_> =
            self.pipelines.drain(..).map(|pipeline| thread::spawn(|| pipeline.end())).collect();
        ends.into_iter().all(|end| end.join().unwrap_or(false)) & self.whole
    }
}
