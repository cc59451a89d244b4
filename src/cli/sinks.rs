//! What is rendered with, as the options say.

use std::sync::Arc;

use super::Error;
use super::args::{EventFormat, Print, Reporter};
use super::reading::Settings;
use crate::filter::Filter;
use crate::sink::Sink;
use crate::sink::ecs::{self, Ecs};
use crate::sink::fields::{Fields, Paths};
use crate::sink::filterlog::{Filterlog, Flavour};
use crate::sink::json::{Json, Origin};
use crate::sink::notice::Notices;
use crate::sink::ocsf::Ocsf;
use crate::sink::site::Site;
use crate::sink::text::names::Names;
use crate::sink::text::{Dump, Form, Options, Text};
use crate::time::{Precision, TimeStyle};
/// What to render with.
pub(super) enum Sinks {
    Count,
    Text(Options, jiff::tz::TimeZone),
    Json,
    Ecs(Arc<Site>, ecs::Version),
    Ocsf(Arc<Site>),
    Filterlog(Flavour),
    Fields(Paths),
}

impl Sinks {
    pub(super) fn new(args: &Print, settings: &Settings, time: TimeStyle) -> Result<Self, Error> {
        if args.count_only {
            return Ok(Self::Count);
        }
        if let Some(list) = &args.fields {
            return Paths::parse(list)
                .map(Self::Fields)
                .map_err(|wrong| Error::Usage(format!("--fields: {wrong}")));
        }
        Ok(match args.format {
            EventFormat::Json => Self::Json,
            EventFormat::Ecs => {
                Self::Ecs(site(&args.schemas.reporter)?, args.schemas.reporter.ecs())
            }
            EventFormat::Ocsf => Self::Ocsf(site(&args.schemas.reporter)?),
            EventFormat::Filterlog => Self::Filterlog(args.schemas.flavour.into()),
            EventFormat::Text => {
                let names = (args.numeric == 0).then(|| Arc::new(Names::of_system(args.resolve)));
                let options = Options {
                    link: args.link,
                    quiet: args.quiet,
                    verbose: args.verbose,
                    absolute: args.absolute,
                    time,
                    precision: precision(args),
                    dump: dump(args),
                    names,
                    color: settings.color,
                };
                Self::Text(options, settings.zone.clone())
            }
        })
    }

    /// How notices go with it: not among fields, and not where nothing is printed.
    pub(super) fn notices(&self, origin: &Origin) -> Option<Notices> {
        match self {
            Self::Text(_, zone) => Some(Notices::text(zone.clone())),
            Self::Json => Some(Notices::json(origin.clone())),
            Self::Ecs(site, version) => {
                Some(Notices::ecs(origin.clone(), Arc::clone(site), *version))
            }
            Self::Ocsf(site) => Some(Notices::ocsf(origin.clone(), Arc::clone(site))),
            Self::Count | Self::Filterlog(_) | Self::Fields(..) => None,
        }
    }

    /// True if a message that only names a state is to have the state's ends.
    pub(super) const fn names_states(&self) -> bool {
        matches!(self, Self::Ecs(..) | Self::Ocsf(_))
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(..))
    }

    /// A renderer for the records of one source.
    pub(super) fn sink(&self, origin: &Origin, filter: &Filter) -> Option<Box<dyn Sink>> {
        Some(match self {
            Self::Count => return None,
            Self::Text(options, zone) => Box::new(Text::new(options.clone(), zone.clone())),
            Self::Json => Box::new(Json::new(origin.clone(), filter.clone())),
            Self::Ecs(site, version) => {
                Box::new(Ecs::new(origin.clone(), Arc::clone(site), *version, filter.clone()))
            }
            Self::Ocsf(site) => {
                Box::new(Ocsf::new(origin.clone(), Arc::clone(site), filter.clone()))
            }
            Self::Filterlog(flavour) => Box::new(Filterlog::new(*flavour)),
            Self::Fields(paths) => {
                Box::new(Fields::new(origin.clone(), paths.clone(), filter.clone()))
            }
        })
    }
}

/// What -x, -X and -A ask for; of several tcpdump takes the one that shows most.
fn dump(args: &Print) -> Option<Dump> {
    let forms =
        [(Form::HexAscii, args.hex_ascii), (Form::Hex, args.hex), (Form::Ascii, args.ascii)];
    let (form, times) = forms.into_iter().find(|&(_, times)| times > 0)?;
    Some(Dump { form, link: times > 1 })
}

pub(super) const fn precision(args: &Print) -> Precision {
    if args.nano { Precision::Nanos } else { Precision::Micros }
}

/// Who reports, for the formats that say it.
pub(super) fn site(args: &Reporter) -> Result<Arc<Site>, Error> {
    let observer = match &args.observer {
        Some(name) => name.clone(),
        None => hostname::get()
            .map_err(|error| {
                Error::Usage(format!("no host name: {error}; name the firewall with --observer"))
            })?
            .to_string_lossy()
            .into_owned(),
    };
    Ok(Arc::new(Site { observer, internal: args.internal.clone() }))
}
