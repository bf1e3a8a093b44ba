//! Against a TLS server of our own, whose certificate no built-in authority signed.

use super::*;
use crate::s3::proxy::ProxyRules;
use crate::s3::transport::{BrokenKind, HttpRequest, Network, Rates, Timeouts, Transport as _};
use rustls::ServerConnection;
use rustls::pki_types::PrivateKeyDer;
use std::net::{SocketAddr, TcpListener};

/// Answers every connection with `hello`; gives its address and certificate.
fn server() -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut buffer = [0; 4096];
            // A client that does not trust us goes away here.
            if stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
                );
                let _ = stream.flush();
            }
        }
    });
    (address, made.cert.pem())
}

fn ask(address: SocketAddr, options: &TlsOptions) -> std::result::Result<String, BrokenKind> {
    let network = Network::new(
        "localhost",
        options,
        &ProxyRules::default(),
        Timeouts::default(),
        Rates::default(),
    )
    .unwrap();
    let url = format!("https://localhost:{}/k", address.port());
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers: &[],
        body: None,
        fresh: false,
    };
    let mut answer = network.exchange(&request).map_err(|broken| broken.kind)?;
    let mut text = String::new();
    answer.body.read_to_string(&mut text).unwrap();
    Ok(text)
}

#[test]
fn extra_roots_are_trusted_and_strangers_are_not() {
    let (address, pem) = server();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let plain = TlsOptions {
        enabled: true,
        ..TlsOptions::default()
    };
    assert_eq!(ask(address, &plain), Err(BrokenKind::Tls));
    assert_eq!(
        ask(
            address,
            &TlsOptions {
                disable_verification: true,
                ..plain.clone()
            }
        )
        .as_deref(),
        Ok("hello")
    );
    assert_eq!(
        ask(
            address,
            &TlsOptions {
                extra_roots: vec![path],
                ..plain.clone()
            }
        )
        .as_deref(),
        Ok("hello")
    );
    let (_, other) = server();
    let path = folder.path().join("other.pem");
    std::fs::write(&path, other).unwrap();
    assert_eq!(
        ask(
            address,
            &TlsOptions {
                extra_roots: vec![path],
                ..plain
            }
        ),
        Err(BrokenKind::Tls)
    );
}

#[test]
fn a_bundle_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty.pem", Some("")),
        ("text.pem", Some("no PEM at all")),
        ("absent.pem", None),
    ] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let options = TlsOptions {
            enabled: true,
            extra_roots: vec![path],
            ..TlsOptions::default()
        };
        let error = Network::new(
            "h",
            &options,
            &ProxyRules::default(),
            Timeouts::default(),
            Rates::default(),
        )
        .err()
        .unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}
