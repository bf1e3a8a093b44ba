//! TLS with extra root certificates, which join the built-in ones (ureq's own setting would replace them).

use crate::error::{Context, Error, Kind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, DefaultConnector, Either,
    LazyBuffers, NextTimeout, TcpConnector, Transport, TransportAdapter,
};

/// A bundle of all the world's roots is under 1 MiB.
const MAX_PEM: u64 = 16 << 20;

/// How to do TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// `https`?
    pub enabled: bool,
    /// Accept every certificate (`--disable-tls-verification`).
    pub disable_verification: bool,
    /// PEM files whose certificates are trusted too.
    pub extra_roots: Vec<PathBuf>,
}

/// A ureq agent with these options.
pub(super) fn agent(config: ureq::config::Config, options: &TlsOptions) -> Result<ureq::Agent> {
    if !options.enabled || options.disable_verification || options.extra_roots.is_empty() {
        return Ok(ureq::Agent::with_parts(
            config,
            DefaultConnector::default(),
            Names::default(),
        ));
    }
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for path in &options.extra_roots {
        add_pem(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Kind::Tls, "setting up TLS").with_source(e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(RootsConnector(Arc::new(client)));
    Ok(ureq::Agent::with_parts(config, connector, Names::default()))
}

fn add_pem(roots: &mut RootCertStore, path: &Path) -> Result<()> {
    let what = || format!("the CA bundle {}", path.display());
    let file = std::fs::File::open(path).context(|| format!("opening {}", what()))?;
    let mut bytes = Vec::new();
    file.take(MAX_PEM + 1)
        .read_to_end(&mut bytes)
        .context(|| format!("reading {}", what()))?;
    if bytes.len() as u64 > MAX_PEM {
        return Err(Error::usage(format!("{} is longer than 16 MiB", what())));
    }
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate =
            certificate.map_err(|e| Error::usage(format!("{} is not PEM: {e}", what())))?;
        roots
            .add(certificate)
            .map_err(|e| Error::usage(format!("a certificate in {}: {e}", what())))?;
        added += 1;
    }
    if added == 0 {
        return Err(
            Error::usage(format!("{} holds no certificate", what())).hint("it must be a PEM file")
        );
    }
    Ok(())
}

/// A lookup that failed; ureq's own error for it is hard to tell from other I/O errors.
#[derive(Debug)]
pub(super) struct NoSuchName(String);

impl std::fmt::Display for NoSuchName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSuchName {}

/// The system's resolver, with errors that say that it was the name.
#[derive(Debug, Default)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        self.0
            .resolve(uri, config, timeout)
            .map_err(|error| match error {
                ureq::Error::Io(e) => ureq::Error::Other(Box::new(NoSuchName(e.to_string()))),
                other => other,
            })
    }
}

/// Puts TLS with our own roots on top of a plain connection.
struct RootsConnector(Arc<ClientConfig>);

impl std::fmt::Debug for RootsConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootsConnector")
    }
}

impl<In: Transport> Connector<In> for RootsConnector {
    type Out = Either<In, RootsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        let Some(plain) = chained else {
            return Err(ureq::Error::ConnectionFailed);
        };
        if !details.needs_tls() || plain.is_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let name = ServerName::try_from(host.to_string())
            .map_err(|_| ureq::Error::Tls("not a host name"))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name)?;
        let mut socket = TransportAdapter::new(plain.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(RootsTransport {
            buffers,
            stream: StreamOwned::new(connection, socket),
        })))
    }
}

struct RootsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for RootsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootsTransport")
    }
}

impl Transport for RootsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        timeout: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
