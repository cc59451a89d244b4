//! What the program prints about itself: schema, manual page, completions.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::{Cli, SchemaOf};
use super::{Error, Status};
use crate::sink::json;

pub(super) fn schema(format: SchemaOf, out: &mut dyn Write) -> Result<Status, Error> {
    match format {
        SchemaOf::Json => out.write_all(json::SCHEMA.as_bytes())?,
    }
    Ok(Status::Done)
}

pub(super) fn man(out: &mut dyn Write) -> Result<Status, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    out.write_all(&page)?;
    Ok(Status::Done)
}

pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<Status, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pfscope", &mut script);
    out.write_all(&script)?;
    Ok(Status::Done)
}
