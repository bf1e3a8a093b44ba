//! A strict S3 server inside the test process (s3s with s3s-fs): it checks signatures, dates and payload hashes.

use super::temporary::{SharedTemporary, Temporary};
use super::{Keys, certificates, temp_dir};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// How to start a server.
pub struct S3Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTPS with a private authority.
    pub tls: bool,
    /// Names for the certificate beside `localhost` and `127.0.0.1`.
    pub names: Vec<String>,
    /// A request to host `bucket.DOMAIN` is for that bucket; all other hosts are path style.
    pub domains: Vec<String>,
    /// Made before the start.
    pub buckets: Vec<String>,
    /// Whose requests are accepted.
    pub keys: Keys,
    /// Accepts these instead.
    pub temporary: Option<Arc<Temporary>>,
    /// Where objects are kept; a temporary directory otherwise.
    pub root: Option<PathBuf>,
}

impl Default for S3Options {
    fn default() -> Self {
        S3Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            names: Vec::new(),
            domains: vec!["s3.amazonaws.com".into()],
            buckets: vec!["corso-test".into()],
            keys: Keys::fixed(),
            temporary: None,
            root: None,
        }
    }
}

/// A request that arrived, and the status of its answer (0 if it got none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub method: String,
    pub host: String,
    /// As sent, still encoded.
    pub path: String,
    pub query: String,
    /// The region that the request was signed for.
    pub region: String,
    pub status: u16,
}

/// What an interceptor sends instead of the server's own answer.
pub enum Answer {
    /// A response with this status, these headers and body.
    Respond(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without a word.
    Close,
}

type Interceptor = dyn Fn(&Logged) -> Option<Answer> + Send + Sync;

/// A running server, stopped when dropped.
pub struct S3Server {
    address: SocketAddr,
    keys: Keys,
    tls: bool,
    root: PathBuf,
    ca: PathBuf,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    /// Holds the root and the authority's certificate.
    _directory: tempfile::TempDir,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Vec<Logged>>,
    interceptor: Mutex<Option<Arc<Interceptor>>>,
}

impl S3Server {
    /// Starts a server on a thread pool of its own; it accepts connections when this returns.
    pub fn start(options: S3Options) -> S3Server {
        let directory = temp_dir();
        let root = options
            .root
            .unwrap_or_else(|| directory.path().join("buckets"));
        for bucket in &options.buckets {
            std::fs::create_dir_all(root.join(bucket)).unwrap();
        }
        std::fs::create_dir_all(&root).unwrap();
        let ca = directory.path().join("ca.pem");
        let tls = options.tls.then(|| {
            let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            names.extend(options.names);
            let (pem, config) = certificates::make(&names);
            std::fs::write(&ca, pem).unwrap();
            TlsAcceptor::from(config)
        });
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(&root).unwrap());
        match options.temporary {
            Some(temporary) => builder.set_auth(SharedTemporary(temporary)),
            None => builder.set_auth(SimpleAuth::from_single(
                options.keys.access.clone(),
                options.keys.secret.clone(),
            )),
        }
        builder.set_host(Domains(options.domains));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(options.listen)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        runtime.spawn(accept(listener, tls, builder.build(), shared.clone()));
        S3Server {
            address,
            keys: options.keys,
            tls: options.tls,
            root,
            ca,
            shared,
            runtime: Some(runtime),
            _directory: directory,
        }
    }

    /// `127.0.0.1:PORT`, as `--endpoint` takes it.
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Whose requests are accepted.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// With TLS?
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The authority's certificate in PEM; there with TLS only.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The folder that holds the buckets; object `K` of bucket `B` is the file `B/K`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every request since the start or the last [`S3Server::clear_log`].
    pub fn log(&self) -> Vec<Logged> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.shared.log.lock().unwrap().clear();
    }

    /// How many requests of this method had a path that contains `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.log()
            .iter()
            .filter(|r| r.method == method && r.path.contains(part))
            .count()
    }

    /// Asks `interceptor` before every request (its status is 0 then); None lets it through.
    pub fn intercept(
        &self,
        interceptor: impl Fn(&Logged) -> Option<Answer> + Send + Sync + 'static,
    ) {
        *self.shared.interceptor.lock().unwrap() = Some(Arc::new(interceptor));
    }

    /// Ends [`S3Server::intercept`].
    pub fn stop_intercepting(&self) {
        *self.shared.interceptor.lock().unwrap() = None;
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Virtual hosts under some domains, path style on every other name.
struct Domains(Vec<String>);

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.split(':').next().unwrap_or(host);
        for domain in &self.0 {
            if let Some(bucket) = name
                .strip_suffix(domain.as_str())
                .and_then(|b| b.strip_suffix('.'))
            {
                return Ok(VirtualHost::new(domain.as_str()).with_bucket(bucket));
            }
        }
        Ok(VirtualHost::new(host))
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S3Service,
    shared: Arc<Shared>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let (tls, service, shared) = (tls.clone(), service.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(socket, service, shared).await,
                Some(tls) => {
                    // A client that refuses the certificate is its own test's business.
                    if let Ok(stream) = tls.accept(socket).await {
                        serve(stream, service, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve<I>(stream: I, service: S3Service, shared: Arc<Shared>)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (service, shared) = (service.clone(), shared.clone());
        async move { shared.answer(&service, request).await }
    });
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
}

impl Shared {
    async fn answer(
        &self,
        service: &S3Service,
        request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<hyper::Response<Body>, std::io::Error> {
        let host = request
            .headers()
            .get("host")
            .and_then(|h| h.to_str().ok())
            .unwrap_or_default();
        let mut logged = Logged {
            method: request.method().to_string(),
            host: host.to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            region: signed_region(request.headers()).unwrap_or_default(),
            status: 0,
        };
        let interceptor = self.interceptor.lock().unwrap().clone();
        let result = match interceptor.and_then(|i| i(&logged)) {
            Some(Answer::Close) => Err(std::io::Error::other("closed on purpose")),
            Some(Answer::Respond(status, headers, body)) => {
                let builder = hyper::Response::builder().status(status);
                let builder = headers
                    .into_iter()
                    .fold(builder, |b, (name, value)| b.header(name, value));
                builder
                    .body(Body::from(body))
                    .map_err(std::io::Error::other)
            }
            None => service
                .call(request.map(Body::from))
                .await
                .map_err(|e| std::io::Error::other(format!("{e:?}"))),
        };
        logged.status = result.as_ref().map_or(0, |r| r.status().as_u16());
        self.log.lock().unwrap().push(logged);
        result
    }
}

/// The region in `Credential=KEY/DATE/REGION/s3/aws4_request`.
fn signed_region(headers: &hyper::HeaderMap) -> Option<String> {
    let (_, scope) = headers
        .get("authorization")?
        .to_str()
        .ok()?
        .split_once("Credential=")?;
    scope.split('/').nth(2).map(str::to_owned)
}
