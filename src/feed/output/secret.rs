//! A password or token: kept, used, never printed.

use std::path::PathBuf;
use std::{env, fmt, fs};

/// Something that is not for the eyes of those who read logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Where one is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In a file, of which the last line's end is left out.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
}

impl Kept {
    /// Reads one line. It is read whenever a connection is made, so that it can be changed.
    ///
    /// # Errors
    /// Why not, in words; never what was read.
    pub fn read(&self) -> Result<Secret, String> {
        let Secret(text) = self.read_all()?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.chars().any(char::is_control) {
            return Err(match self {
                Self::File(path) => format!("{}: more than one line", path.display()),
                Self::Env(name) => format!("environment variable {name} has control characters"),
            });
        }
        Ok(Secret(text.to_owned()))
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(&self) -> Result<Secret, String> {
        match self {
            Self::File(path) => fs::read_to_string(path)
                .map(Secret)
                .map_err(|error| format!("{}: {error}", path.display())),
            Self::Env(name) => env::var(name)
                .map(Secret)
                .map_err(|_| format!("environment variable {name} is not set")),
        }
    }
}

impl Secret {
    /// The secret itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2\n").unwrap();
        let secret = Kept::File(file.path().into()).read().unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter"));
        fs::write(file.path(), "hunter2\nInjected: header\n").unwrap();
        let wrong = Kept::File(file.path().into()).read().unwrap_err();
        assert!(wrong.ends_with("more than one line") && !wrong.contains("hunter"), "{wrong}");
        assert!(Kept::Env("PFSCOPE_NO_SUCH".to_owned()).read().is_err());
    }
}
