//! What events are rendered to for an output: the words of `format =` and `--format`.

use std::str::FromStr;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::filter::Filter;
use crate::sink::Sink;
use crate::sink::ecs::{Ecs, Version};
use crate::sink::filterlog::{Filterlog, Flavour};
use crate::sink::json::{Json, Origin};
use crate::sink::ocsf::Ocsf;
use crate::sink::site::Site;
use crate::sink::status::Form;
use crate::sink::text::{Options, Text};
use crate::time::{Precision, TimeStyle};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
    Ecs(Version),
    Ocsf,
    Filterlog(Flavour),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "text" => Self::Text,
            "json" => Self::Json,
            "ecs" | "ecs-9.4" => Self::Ecs(Version::V9_4),
            "ecs-8.11" => Self::Ecs(Version::V8_11),
            "ecs-elastic-pfsense" => Self::Ecs(Version::ElasticPfsense),
            "ocsf" => Self::Ocsf,
            "filterlog" | "filterlog-pfsense" => Self::Filterlog(Flavour::Pfsense),
            "filterlog-opnsense" => Self::Filterlog(Flavour::Opnsense),
            _ => {
                return Err(format!(
                    "format '{word}' is not ecs, ecs-8.11, ecs-elastic-pfsense, ocsf, json, text, filterlog or \
                     filterlog-opnsense"
                ));
            }
        })
    }
}

impl Format {
    /// A renderer for the records of one source.
    pub(super) fn sink(self, origin: &Origin, site: &Arc<Site>, filter: &Filter) -> Box<dyn Sink> {
        match self {
            Self::Text => {
                let options = Options {
                    link: true,
                    quiet: false,
                    verbose: 0,
                    absolute: false,
                    time: TimeStyle::Date,
                    precision: Precision::Micros,
                    dump: None,
                    names: None,
                    color: false,
                };
                Box::new(Text::new(options, TimeZone::UTC))
            }
            Self::Json => Box::new(Json::new(origin.clone(), filter.clone())),
            Self::Ecs(version) => Box::new(
                Ecs::new(origin.clone(), Arc::clone(site), version, filter.clone()).numbered(),
            ),
            Self::Ocsf => {
                Box::new(Ocsf::new(origin.clone(), Arc::clone(site), filter.clone()).numbered())
            }
            Self::Filterlog(flavour) => Box::new(Filterlog::new(flavour)),
        }
    }

    /// The shape of what the feed says of itself; filterlog has none.
    pub(super) const fn form(self) -> Option<Form> {
        match self {
            Self::Text => Some(Form::Text),
            Self::Json => Some(Form::Json),
            Self::Ecs(version) => Some(Form::Ecs(version)),
            Self::Ocsf => Some(Form::Ocsf),
            Self::Filterlog(_) => None,
        }
    }

    /// Each line is an object.
    pub(super) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ecs(_) | Self::Ocsf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_format_is_told() {
        assert_eq!("ecs-8.11".parse(), Ok(Format::Ecs(Version::V8_11)));
        let wrong = "cef".parse::<Format>().unwrap_err();
        assert!(wrong.starts_with("format 'cef' is not ecs"), "{wrong}");
    }
}
