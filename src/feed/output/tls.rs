//! Whom TLS trusts, and as whom it speaks: the same for every output.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl_probe::ProbeResult;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Files of PEM blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and those up to its authority, for servers that ask.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
}

/// What the files hold.
#[derive(Debug)]
pub struct Loaded {
    /// Whom to trust; never empty.
    pub roots: Vec<CertificateDer<'static>>,
    /// As whom to speak.
    pub identity: Option<Identity>,
}

/// As whom to speak.
#[derive(Debug)]
pub struct Identity {
    /// The certificate and those up to its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The file of the key, for those who read it themselves.
    pub key_file: PathBuf,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn load(&self) -> Result<Loaded, String> {
        let roots = match &self.ca_file {
            Some(path) => certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        if roots.is_empty() {
            return Err("the system has no trusted authorities: name some with ca_file".to_owned());
        }
        let identity = match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert_file), Some(key_file)) => {
                let key = PrivateKeyDer::from_pem_file(key_file);
                let key = key.map_err(|error| format!("{}: {error}", key_file.display()))?;
                let chain = certificates(cert_file)?;
                Some(Identity { chain, key, key_file: key_file.clone() })
            }
            _ => return Err("cert_file and key_file go together".to_owned()),
        };
        Ok(Loaded { roots, identity })
    }

    /// Reads the files and makes of them what a connection needs.
    ///
    /// # Errors
    /// As [`load`](Self::load); or what is wrong with what they hold.
    pub fn client_config(&self) -> Result<ClientConfig, String> {
        let loaded = self.load()?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(loaded.roots);
        if added == 0 {
            return Err("no usable authority to trust".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        match loaded.identity {
            None => Ok(config.with_no_client_auth()),
            Some(Identity { chain, key, key_file }) => config
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("{}: {error}", key_file.display())),
        }
    }
}

/// Where the system keeps the authorities that it trusts: files and folders, with what they are
/// links to.
pub fn authorities() -> Vec<PathBuf> {
    let ProbeResult { cert_file, cert_dir, .. } = openssl_probe::probe();
    let mut all: Vec<_> = cert_file.into_iter().chain(cert_dir).collect();
    let entries = all.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
    let folder = |entry: fs::DirEntry| Some(entry.path().canonicalize().ok()?.parent()?.to_owned());
    let folders: BTreeSet<_> = entries.filter_map(folder).collect();
    all.extend(folders);
    all
}

/// The certificates of a file: at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("{}: {error}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if all.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(all)
}
