//! `pfscope feed`: the configuration from a file or from options, and the run.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGHUP;

use super::args::Feed;
use super::reach::Reach;
use super::reading::Interrupt;
use super::rights::Rights;
use super::{Error, Status, printable};
use crate::feed::config::{self, Config, Source, Span};
use crate::feed::output::syslog::Address;
use crate::feed::supervisor::{self, Devices, Options, Say, Supervisor, Unstarted};

pub(super) fn run(args: &Feed, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let config = configuration(args).map_err(Error::Usage)?;
    let failed = |err: &mut dyn Write, why: &str| {
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(err, "pfscope: feed: {}", printable(why));
        Ok(Status::Failed)
    };
    let listener = match config.metrics.filter(|_| !args.check).map(supervisor::listen) {
        Some(Err(why)) => return failed(err, &why),
        Some(Ok(listener)) => Some(listener),
        None => None,
    };
    // What cannot be made is told when it is opened.
    let _ = config.state_dir.as_ref().map(fs::create_dir_all);
    let say: Say = Arc::new(|what: &str| {
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(io::stderr(), "pfscope: feed: {}", printable(what));
    });
    let devices = match args.check {
        true => Devices::default(),
        false => match Devices::open(&config, &say) {
            Ok(devices) => devices,
            Err(why) => return failed(err, &why),
        },
    };
    let reach = Reach::new(&config, args.config.as_deref());
    let rights = Rights::of_feed(args, reach.clone(), listener.is_some(), err);
    rights.announce(err);
    rights.enter(err)?;
    let stop = Interrupt::watched()?;
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned());
    let host = host.unwrap_or_else(|_| "localhost".to_owned());
    let options = Options { host, once: args.once, stop, say };
    if args.check {
        return check(&config, &options, out);
    }
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&reload))?;
    let feed = match Supervisor::start(config, options.clone(), devices, listener) {
        Ok(feed) => feed,
        Err(Unstarted::Config(why)) => return Err(Error::Usage(format!("feed: {why}"))),
        Err(Unstarted::System(why)) => return failed(err, &why),
    };
    let whole = feed.run(&reload, || {
        let config = configuration(args)?;
        let confined = args.sandbox.own_process && !args.sandbox.no_sandbox;
        match reach.lacks(&Reach::new(&config, args.config.as_deref())).filter(|_| confined) {
            Some(what) => Err(format!(
                "{what} is out of reach since the feed started, by its sandbox: restart the feed"
            )),
            None => Ok(config),
        }
    });
    let asked = options.stop.load(std::sync::atomic::Ordering::Relaxed);
    Ok(if whole || asked { Status::Done } else { Status::Failed })
}

/// --check: a line for each thing that was tried.
fn check(config: &Config, options: &Options, out: &mut dyn Write) -> Result<Status, Error> {
    let mut status = Status::Done;
    for (what, came_to) in supervisor::check(config, options).map_err(Error::Usage)? {
        match came_to {
            Ok(()) => writeln!(out, "{what}: ok")?,
            Err(why) => {
                status = Status::Failed;
                writeln!(out, "{}", printable(&format!("{what}: {why}")))?;
            }
        }
    }
    Ok(status)
}

fn configuration(args: &Feed) -> Result<Config, String> {
    let mut config = match &args.config {
        Some(path) => read(path)?,
        None => of_options(args)?,
    };
    if let Some(folder) = &args.state_dir {
        config.state_dir = Some(folder.clone());
    }
    config.metrics = args.metrics.or(config.metrics);
    config.notices &= !args.no_notices;
    if let Some(text) = &args.heartbeat {
        config.heartbeat = Some(Span::parse(text).map_err(|why| format!("--heartbeat: {why}"))?);
    }
    Ok(config)
}

fn read(path: &Path) -> Result<Config, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Config::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

/// A configuration of what the options say.
fn of_options(args: &Feed) -> Result<Config, String> {
    let devices = devices(args);
    if (args.read.is_empty() && devices.is_empty()) || args.to.is_empty() {
        let how = if cfg!(feature = "live") { "-r FILE or -i DEVICE" } else { "-r FILE" };
        return Err(format!(
            "nothing to do: name a configuration with --config FILE, or what to read with {how} \
             and where to deliver it with --to WHERE"
        ));
    }
    let source = |path: &PathBuf| Source {
        file: Some(path.clone()),
        follow: args.follow,
        from_start: args.from_start,
        ..Source::default()
    };
    let mut config = Config {
        observer: args.observer.clone(),
        internal_nets: args.internal.clone(),
        rules: args.rules.clone(),
        vici: args.vici.as_ref().map(ToString::to_string),
        sas: args.sas.clone(),
        notices: true,
        sources: args.read.iter().map(source).chain(devices).collect(),
        ..Config::default()
    };
    for to in &args.to {
        add(&mut config, to, args).map_err(|why| format!("--to {to}: {why}"))?;
    }
    config.check()?;
    Ok(config)
}

/// The devices of the options: the kernel leaves out what no output wants.
#[cfg(feature = "live")]
fn devices(args: &Feed) -> Vec<Source> {
    let device = |name: &String| Source {
        device: Some(name.clone()),
        filter: filter(args),
        ..Source::default()
    };
    args.interfaces.iter().map(device).collect()
}

#[cfg(not(feature = "live"))]
const fn devices(_: &Feed) -> Vec<Source> {
    Vec::new()
}

/// What every output of the options gets.
fn filter(args: &Feed) -> Option<String> {
    Some(args.filter.join(" ")).filter(|filter| !filter.is_empty())
}

/// Adds an output. Its name, by which its state is found again, is that of its kind, with a number
/// behind it if there are several.
fn add(config: &mut Config, to: &str, args: &Feed) -> Result<(), String> {
    let format = args.format.clone();
    let filter = filter(args);
    let named = |kind: &str, before: usize| match before {
        0 => kind.to_owned(),
        n => format!("{kind}-{}", n + 1),
    };
    let outputs = &mut config.outputs;
    match to.split_once(':') {
        None if to == "stdout" || to == "-" => {
            let name = named("stdout", outputs.stdout.len());
            outputs.stdout.push(config::Stdout { name, format, filter, ..Default::default() });
        }
        Some(("file", path)) if !path.is_empty() => {
            let (name, path) = (named("file", outputs.file.len()), path.into());
            outputs.file.push(config::File { name, format, filter, path, ..Default::default() });
        }
        Some(("unix" | "udp" | "tcp" | "tls", _)) => {
            let (name, address) = (named("syslog", outputs.syslog.len()), Address::parse(to)?);
            let syslog = config::Syslog { name, format, filter, address, ..Default::default() };
            outputs.syslog.push(syslog);
        }
        Some(("http" | "https", _)) => {
            let (name, url) = (named("http", outputs.http.len()), to.to_owned());
            outputs.http.push(config::Http { name, format, filter, url, ..Default::default() });
        }
        Some(("nats", rest)) => {
            let (host, subject) = rest
                .trim_start_matches('/')
                .split_once('/')
                .ok_or("no subject: write nats://HOST:PORT/SUBJECT")?;
            let (url, subject) = (format!("nats://{host}"), subject.to_owned());
            let name = named("nats", outputs.nats.len());
            let nats = config::Nats { name, format, filter, url, subject, ..Default::default() };
            outputs.nats.push(nats);
        }
        _ => {
            return Err("not stdout, file:PATH, unix:PATH, udp://, tcp:// or tls://HOST:PORT, \
                        http(s)://… or nats://HOST:PORT/SUBJECT"
                .to_owned());
        }
    }
    Ok(())
}
