//! How long a program takes from its start to the first byte that it writes: `first ROUNDS
//! COMMAND...` runs it so many times and prints the median in microseconds.
#![allow(clippy::print_stdout, reason = "a tool for the shell")]

use std::env;
use std::error::Error;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: first ROUNDS COMMAND...";
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments.next().ok_or(USAGE)?.parse()?;
    let program = arguments.next().ok_or(USAGE)?;
    let arguments: Vec<String> = arguments.collect();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let mut child = Command::new(&program)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut output = child.stdout.take().ok_or("no output")?;
        output.read_exact(&mut [0])?;
        times.push(start.elapsed().as_micros());
        output.read_to_end(&mut Vec::new())?;
        child.wait()?;
    }
    times.sort_unstable();
    println!("{}", times.get(times.len() / 2).ok_or(USAGE)?);
    Ok(())
}
