//! The formats of events, and what those for a SIEM need to know.

use clap::{Args, ValueEnum};

use crate::sink::ecs::Version;
use crate::sink::filterlog::Flavour;
use crate::sink::site::Net;

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum EventFormat {
    /// For people: lines in tcpdump's manner
    #[default]
    Text,
    /// For programs: pfscope's own JSON, one object a line
    Json,
    /// Elastic Common Schema, one document a line
    Ecs,
    /// Open Cybersecurity Schema Framework 1.8, one event a line
    Ocsf,
    /// The CSV lines that pfSense's and OPNsense's filterlog give to syslog
    Filterlog,
}

/// Options of the formats for a SIEM.
#[derive(Debug, Args)]
pub(in crate::cli) struct Schemas {
    #[command(flatten)]
    pub(in crate::cli) reporter: Reporter,
    /// With --format filterlog: whose
    #[arg(long, value_enum, default_value_t, value_name = "SYSTEM")]
    pub(in crate::cli) flavour: FilterlogOf,
}

/// Who reports to the SIEM, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reporter {
    /// With --format ecs or ocsf: the firewall's name, in every event and part of its id (default:
    /// this machine's name)
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(in crate::cli) observer: Option<String>,
    /// With --format ecs or ocsf: the firewall's inside networks, which tell what is inbound,
    /// outbound, internal or external
    #[arg(long = "internal-net", value_name = "NET,NET", value_delimiter = ',')]
    pub(in crate::cli) internal: Vec<Net>,
    /// With --format ecs: the schema's version
    #[arg(long, value_enum, default_value_t, value_name = "VERSION")]
    pub(in crate::cli) ecs_version: EcsVersion,
    /// With --format ecs: as another program fills it
    #[arg(long, value_enum, value_name = "PROGRAM", conflicts_with = "ecs_version")]
    pub(in crate::cli) compat: Option<Compat>,
}

impl Reporter {
    /// What ECS documents are like.
    pub(in crate::cli) fn ecs(&self) -> Version {
        match self.compat {
            Some(Compat::ElasticPfsense) => Version::ElasticPfsense,
            None => self.ecs_version.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Compat {
    /// Elastic's pfSense package: ECS 8.11.0, the interface always as ingress, pf's in and out as
    /// inbound and outbound where --internal-net does not tell
    ElasticPfsense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum EcsVersion {
    /// 9.4.0
    #[default]
    #[value(name = "9.4")]
    V9_4,
    /// 8.11.0, which Elastic's pfSense package pins
    #[value(name = "8.11")]
    V8_11,
}

impl From<EcsVersion> for Version {
    fn from(version: EcsVersion) -> Self {
        match version {
            EcsVersion::V9_4 => Self::V9_4,
            EcsVersion::V8_11 => Self::V8_11,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum FilterlogOf {
    /// The fourth field is the rule's tracker
    #[default]
    Pfsense,
    /// The fourth field is the rule's label, 0 where it is not known
    Opnsense,
}

impl From<FilterlogOf> for Flavour {
    fn from(system: FilterlogOf) -> Self {
        match system {
            FilterlogOf::Pfsense => Self::Pfsense,
            FilterlogOf::Opnsense => Self::Opnsense,
        }
    }
}
