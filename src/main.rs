//! The `pfscope` program: arguments, standard output and standard error for [`pfscope::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let status = pfscope::cli::run(
        std::env::args_os(),
        &mut std::io::stdout().lock(),
        &mut std::io::stderr(),
    );
    ExitCode::from(status as u8)
}
