//! A server that answers by a script, for tests.

use super::transport::{Broken, BrokenKind, HttpRequest, HttpResponse, Transport};
use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

/// One scripted reply.
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body that breaks off after these bytes of the announced length.
    Torn(u64, Vec<u8>),
    Broken(BrokenKind),
}

/// What was sent: method, URL, headers.
pub(crate) type Sent = (String, String, Vec<(String, String)>);

#[derive(Clone, Default)]
pub(crate) struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// All requests so far.
    pub(crate) sent: Arc<Mutex<Vec<Sent>>>,
    /// Of each, whether it wanted a new connection.
    pub(crate) fresh: Arc<Mutex<Vec<bool>>>,
}

impl Script {
    pub(crate) fn new(replies: Vec<Reply>) -> Script {
        Script {
            replies: Arc::new(Mutex::new(replies.into())),
            ..Script::default()
        }
    }
}

impl Transport for Script {
    fn exchange(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, Broken> {
        self.fresh.lock().unwrap().push(request.fresh);
        self.sent.lock().unwrap().push((
            request.method.into(),
            request.url.into(),
            request.headers.to_vec(),
        ));
        let owned =
            |h: Vec<(&str, String)>| h.into_iter().map(|(n, v)| (n.to_string(), v)).collect();
        match self
            .replies
            .lock()
            .unwrap()
            .pop_front()
            .expect("more requests than replies")
        {
            Reply::Answer(status, headers, body) => Ok(HttpResponse {
                status,
                headers: owned(headers),
                body: Box::new(Cursor::new(body)),
            }),
            Reply::Torn(length, body) => {
                let headers = owned(vec![("content-length", length.to_string())]);
                Ok(HttpResponse {
                    status: 200,
                    headers,
                    body: Box::new(Cursor::new(body)),
                })
            }
            Reply::Broken(kind) => Err(Broken {
                kind,
                message: "scripted".into(),
            }),
        }
    }
}

/// An error answer.
pub(crate) fn error(status: u16, code: &str) -> Reply {
    Reply::Answer(
        status,
        vec![],
        format!("<Error><Code>{code}</Code></Error>").into_bytes(),
    )
}

/// A success.
pub(crate) fn ok(body: &[u8]) -> Reply {
    Reply::Answer(
        200,
        vec![("content-length", body.len().to_string())],
        body.to_vec(),
    )
}
