//! `pfscope vici`: a command of the IKE daemon and what it answers, or its events as they come.

mod render;
mod request;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::args::{Vici as Args, ViciFormat};
use super::rights::Rights;
use super::sinks::site;
use super::zone::local_zone;
use super::{Error, Status};
use crate::sink::page::Page;
use crate::sink::status::Form;
use crate::sink::vici::Vici;
use crate::text::escaped;
use crate::vici::commands::{self, Command, EVENTS};
use crate::vici::message::Section;
use crate::vici::{Connection, Error as Fault, Monitor, Options, Update, Watch};

use render::Renderer;

/// How much longer than the daemon we wait: its own words are better than ours.
const GRACE: Duration = Duration::from_secs(2);
/// Most bytes of a request on standard input.
const MAX_INPUT: u64 = 4 << 20;

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    if let Some(warning) = args.uri.warning() {
        writeln!(err, "pfscope: warning: {warning}")?;
    }
    let rights = Rights::of(&args.sandbox);
    rights.announce(err);
    if args.command == "listen" {
        // A daemon that comes back is connected to again, by whoever may.
        rights.with_daemon(Some(&args.uri)).enter(err)?;
        return listen(args, out, err);
    }
    let json = match args.format {
        ViciFormat::Text => false,
        ViciFormat::Json => true,
        ViciFormat::Ecs | ViciFormat::Ocsf => {
            return Err(Error::Usage(
                "--format ecs and ocsf are for the events of 'vici listen'".to_owned(),
            ));
        }
    };
    let renderer = Renderer::new(json);
    if args.count.is_some() {
        return Err(Error::Usage("-c counts the events of 'vici listen'".to_owned()));
    }
    let known = commands::find(&args.command);
    permit(args, known)?;
    let (request, options) = prepare(args, known, request(args)?)?;
    let asked = match Connection::open(&args.uri, options) {
        Ok(connection) => {
            // It needs no more than what is open.
            rights.connected().enter(err)?;
            ask(args, known, &request, connection, renderer, out, err)?
        }
        Err(fault) => Err(fault),
    };
    match asked {
        Ok(status) => Ok(status),
        Err(Fault::Request(why)) => Err(Error::Usage(format!("vici {}: {why}", args.command))),
        Err(fault) => {
            writeln!(err, "pfscope: {}", told(args, &fault))?;
            Ok(Status::Failed)
        }
    }
}

/// The message for a fault; that of connecting names the daemon itself.
fn told(args: &Args, fault: &Fault) -> String {
    match fault {
        Fault::Connect(..) => fault.to_string(),
        _ => format!("{}: {}: {fault}", args.uri, escaped(args.command.as_bytes())),
    }
}

/// Only with --write what changes something, or might.
fn permit(args: &Args, known: Option<&Command>) -> Result<(), Error> {
    let name = escaped(args.command.as_bytes());
    match known {
        _ if args.write => Ok(()),
        Some(command) if !command.writes => Ok(()),
        Some(_) => Err(Error::Usage(format!(
            "vici {name} changes the daemon: add --write if that is meant"
        ))),
        None => Err(Error::Usage(format!(
            "'{name}' is no command known here ('pfscope vici --help' lists them); \
             with --write it is sent all the same"
        ))),
    }
}

fn request(args: &Args) -> Result<Section, Error> {
    let wrong = |why| Error::Usage(format!("vici {}: {why}", escaped(args.command.as_bytes())));
    match args.arguments.as_slice() {
        [dash] if dash == "-" => {
            let mut text = Vec::new();
            let read = io::stdin().lock().take(MAX_INPUT).read_to_end(&mut text);
            read.map_err(|error| wrong(format!("cannot read standard input: {error}")))?;
            request::from_json(&text).map_err(wrong)
        }
        arguments => request::from_arguments(arguments).map_err(wrong),
    }
}

/// What swanctl adds to requests too, and how long to wait.
fn prepare(
    args: &Args,
    known: Option<&Command>,
    mut request: Section,
) -> Result<(Section, Options), Error> {
    let mut reply = args.timeout;
    let Some(command) = known else {
        return Ok((request, Options { connect: args.timeout, reply, ..Options::default() }));
    };
    let has = |key| request.value(key).is_some();
    if command.name == "list-policies" && !["trap", "drop", "pass"].into_iter().any(has) {
        // Without any of them nothing is listed.
        ["trap", "drop", "pass"].into_iter().for_each(|kind| request.push_value(kind, "yes"));
    }
    if command.blocks {
        let given = request
            .value("timeout")
            .map(|value| str::from_utf8(value).ok().and_then(|value| value.parse::<i64>().ok()));
        match given {
            None => request.push_value("timeout", args.timeout.as_millis().to_string()),
            Some(Some(-1)) => {}
            Some(Some(millis)) if millis > 0 => {
                reply = reply.max(Duration::from_millis(millis.unsigned_abs()));
            }
            Some(_) => {
                return Err(Error::Usage(format!(
                    "vici {}: timeout is milliseconds, or -1 to wait for nothing; 0 would occupy \
                     a thread of the daemon for ever",
                    command.name
                )));
            }
        }
        reply = reply.saturating_add(GRACE);
    }
    Ok((request, Options { connect: args.timeout, reply, ..Options::default() }))
}

/// Asks on a connection and prints. The outer error is that of the output.
fn ask(
    args: &Args,
    known: Option<&Command>,
    request: &Section,
    mut connection: Connection,
    mut renderer: Renderer,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Result<Status, Fault>> {
    let mut status = Status::Done;
    let reply = match known.and_then(|command| command.stream) {
        None => connection.request(&args.command, request),
        Some(event) => match connection.stream(&args.command, event, request) {
            Err(fault) => Err(fault),
            Ok(mut stream) => {
                for item in stream.by_ref() {
                    match item {
                        Ok(item) => {
                            renderer.item(event, &item, out)?;
                            out.flush()?;
                        }
                        Err(fault) if fault.is_harmless() => {
                            writeln!(err, "pfscope: {}", told(args, &fault))?;
                            status = Status::Failed;
                        }
                        Err(fault) => return Ok(Err(fault)),
                    }
                }
                stream.reply().cloned().ok_or(Fault::Closed)
            }
        },
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(fault) => return Ok(Err(fault)),
    };
    let is_list = known.is_some_and(|command| command.stream.is_some());
    if !(is_list && reply.is_empty()) {
        renderer.reply(&args.command, &reply, out)?;
    }
    if let Some(why) = commands::refusal(&reply) {
        let (name, why) = (escaped(args.command.as_bytes()), escaped(why));
        let why = if why.is_empty() { "refused without a reason" } else { &why };
        writeln!(err, "pfscope: {}: {name}: {why}", args.uri)?;
        status = Status::Failed;
    }
    Ok(Ok(status))
}

/// Prints events until the output is closed or there were enough of them.
fn listen(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let known = |name: &String| EVENTS.iter().any(|(event, _)| event == name);
    if let Some(name) = args.arguments.iter().find(|name| !args.write && !known(name)) {
        let name = escaped(name.as_bytes());
        return Err(Error::Usage(format!(
            "'{name}' is no event known here ('pfscope vici --help' lists them)"
        )));
    }
    let events: Vec<String> = match args.arguments.as_slice() {
        [] => commands::changes().map(str::to_owned).collect(),
        named => named.to_vec(),
    };
    let mut sink = sink(args)?;
    let mut page = Page::default();
    let options = Options { connect: args.timeout, reply: args.timeout, ..Options::default() };
    let watch = Watch { uri: args.uri.clone(), options, events, refresh: None };
    let monitor = Monitor::start(watch, |_| Ok(()))?;
    let (mut left, mut was_up) = (args.count.unwrap_or(u64::MAX), false);
    for update in &monitor {
        match update {
            Update::Up { version, unknown } => {
                let version = version.unwrap_or_default();
                sink.set_version(&version);
                let version = escaped(&version);
                let again = if was_up { "again " } else { "" };
                writeln!(err, "pfscope: {}: listening {again}to strongSwan {version}", args.uri)?;
                // Of those that were not named older daemons may lack some.
                for name in unknown.iter().filter(|_| !args.arguments.is_empty()) {
                    writeln!(err, "pfscope: {}: the daemon has no event '{name}'", args.uri)?;
                }
                was_up = true;
            }
            Update::Synced(()) => {}
            Update::Event(event) => {
                match event.message() {
                    Ok(message) => {
                        page.clear();
                        sink.event(&event.name, event.at, &message, &mut page);
                        out.write_all(&page.text)?;
                    }
                    Err(error) => {
                        let (name, fault) = (escaped(&event.name), Fault::Body(error));
                        writeln!(err, "pfscope: {}: {name}: {fault}", args.uri)?;
                    }
                }
                out.flush()?;
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            Update::Dropped(count) => {
                writeln!(err, "pfscope: {}: {count} events dropped: read too slowly", args.uri)?;
            }
            Update::Undecodable(error) => {
                writeln!(err, "pfscope: {}: {}", args.uri, Fault::Body(error))?;
            }
            Update::Down(fault) if was_up => {
                writeln!(err, "pfscope: {}: {fault}; waiting for the daemon", args.uri)?;
            }
            Update::Down(fault) => {
                writeln!(err, "pfscope: {}", told(args, &fault))?;
                return Ok(Status::Failed);
            }
        }
    }
    Ok(Status::Done)
}

/// What events are rendered with.
fn sink(args: &Args) -> Result<Vici, Error> {
    let (form, site) = match args.format {
        ViciFormat::Text => (Form::Text, Arc::default()),
        ViciFormat::Json => (Form::Json, Arc::default()),
        ViciFormat::Ecs => (Form::Ecs(args.reporter.ecs()), site(&args.reporter)?),
        ViciFormat::Ocsf => (Form::Ocsf, site(&args.reporter)?),
    };
    let zone = if args.utc { TimeZone::UTC } else { local_zone() };
    Ok(Vici::new(form, &args.uri.to_string(), &site).in_zone(zone))
}
