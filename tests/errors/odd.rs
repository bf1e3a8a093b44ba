//! Answers that no server here gives by itself, as they were documented or seen elsewhere; and a proxy that wants a
//! password.

use crate::support::{Answer, Logged};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// By the bucket that the request is for.
pub fn answer(request: &Logged) -> Option<Answer> {
    let bucket = request.path.trim_start_matches('/').split('/').next()?;
    let (status, code, more) = match bucket {
        "redirected" => (
            301,
            "PermanentRedirect",
            "<Endpoint>redirected.s3.eu-west-1.amazonaws.com</Endpoint>",
        ),
        "signature" => (403, "SignatureDoesNotMatch", ""),
        "foreign" => (403, "AccessDenied", ""),
        "lockout" => (403, "AuthenticationLockout", ""),
        "Odd_Name" => (400, "InvalidBucketName", ""),
        "login" => return Some(page(302, "Hotel", &[("location", "http://login.example/")])),
        "page" => return Some(page(200, "Console", &[])),
        "tls" => {
            let words = "Client sent an HTTP request to an HTTPS server.\n";
            return Some(Answer::Respond(400, Vec::new(), words.into()));
        }
        _ => return None,
    };
    let mut headers = vec![("content-type", "application/xml".to_owned())];
    if bucket == "signature" {
        headers.push(("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()));
    }
    let body = match request.method.as_str() {
        "HEAD" => String::new(),
        _ => format!("<Error><Code>{code}</Code><Message>no</Message>{more}</Error>"),
    };
    Some(Answer::Respond(status, headers, body))
}

fn page(status: u16, title: &str, more: &[(&'static str, &str)]) -> Answer {
    let mut headers = vec![("content-type", "text/html".to_owned())];
    headers.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let body = format!("<!DOCTYPE html><html><head><title>{title}</title></head></html>");
    Answer::Respond(status, headers, body)
}

/// A proxy that asks everyone for a password: gives its address. It lives as long as the tests.
pub fn strict_proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let lines = BufReader::new(client.try_clone().unwrap()).lines();
            let head = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty());
            let _ = head.count();
            let _ = client.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    address
}
