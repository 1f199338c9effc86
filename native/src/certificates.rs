//! TLS from PEM files that are read again when they change: certificates are renewed under a running server.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{counters::Counters, journal};

/// How often the files are looked at. A few small reads; comparing what they hold misses no change, as times can.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where certificate and key are, and the authority for callers' certificates if these must have one.
#[derive(Clone)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub client_ca: Option<PathBuf>,
}

/// What the files hold.
#[derive(PartialEq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// The configuration for the next connection.
pub struct Certificates {
    files: Files,
    current: RwLock<Arc<ServerConfig>>,
    seen: RwLock<Pem>,
}

impl Certificates {
    /// Reads the files; says in words what is wrong with them.
    pub fn load(files: Files) -> Result<Self, String> {
        let pem = read(&files)?;
        let current = RwLock::new(Arc::new(config(&pem)?));
        Ok(Self { files, current, seen: RwLock::new(pem) })
    }

    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes new files into use for the connections to come; files that do not fit together leave the old ones in use.
    ///
    /// A certificate whose key has not been written yet is such a case, and the next look finds both.
    pub async fn watch(self: Arc<Self>, counters: Arc<Counters>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let (certificates, counters) = (Arc::clone(&self), Arc::clone(&counters));
            // Away from the network's thread: a file system may hang.
            let _ = tokio::task::spawn_blocking(move || certificates.look(&counters)).await;
        }
    }

    fn look(&self, counters: &Counters) {
        match self.reload() {
            Ok(false) => {}
            Ok(true) => {
                counters.certificates_reloaded.one();
                journal::note("info", "new certificates are in use");
            }
            Err(problem) => {
                counters.certificates_refused.one();
                journal::note("error", &format!("new certificates are not used: {problem}"));
            }
        }
    }

    /// Whether there was something new. The same bad files are told once.
    fn reload(&self) -> Result<bool, String> {
        let Ok(pem) = read(&self.files) else { return Ok(false) };
        if *self.seen.read().unwrap_or_else(PoisonError::into_inner) == pem {
            return Ok(false);
        }
        let config = config(&pem);
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = pem;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config?);
        Ok(true)
    }
}

fn read(files: &Files) -> Result<Pem, String> {
    let read = |path: &Path| fs::read(path).map_err(|error: io::Error| format!("{}: {error}", path.display()));
    Ok(Pem {
        certificate: read(&files.certificate)?,
        key: read(&files.key)?,
        client_ca: files.client_ca.as_deref().map(read).transpose()?,
    })
}

fn config(pem: &Pem) -> Result<ServerConfig, String> {
    let chain = certificates(&pem.certificate, "certificate_file")?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|error| format!("key_file: {error}"))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &pem.client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(verifier(authority)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| format!("certificate and key: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{name}: no certificate in it")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn verifier(authority: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority, "client_ca_file")? {
        roots.add(certificate).map_err(|error| format!("client_ca_file: {error}"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|error| format!("client_ca_file: {error}"))
}
