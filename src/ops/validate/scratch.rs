//! A prefix of its own for one validation.

use crate::crypto;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::s3::client::{Answer, Cause, Client, Failure, Limits};
use crate::s3::explain::explain;
use crate::s3::request::{self, Action, ListPage, Put, Request};
use crate::s3::response::{Listed, S3Error, parse_list};
use crate::units::MIB;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Largest object that is put, in bytes.
pub const LARGE: usize = MIB as usize;
/// More pages than a scratch prefix has.
const MAX_PAGES: usize = 100;

/// A random name that nothing else has.
pub fn name() -> Result<String> {
    let mut bytes = [0; 8];
    crypto::random(&mut bytes)?;
    Ok(format!("corso-validate-{}", hex::encode(bytes)))
}

/// Bytes that no network on the way makes smaller.
pub fn noise(length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    crypto::random(&mut bytes)?;
    Ok(bytes)
}

/// See the module.
pub struct Scratch<'a> {
    pub client: &'a Client,
    /// Ends with a slash.
    pub prefix: String,
    /// Whole keys of all that was put: listings of odd keys are not to be relied on.
    made: Mutex<BTreeSet<String>>,
}

impl<'a> Scratch<'a> {
    /// Below the prefix of the repository that is to be.
    pub fn new(client: &'a Client, prefix: &str) -> Result<Scratch<'a>> {
        Ok(Scratch {
            client,
            prefix: format!("{prefix}{}/", name()?),
            made: Mutex::default(),
        })
    }

    /// The whole key of `name`.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends a request; answers of at most 2 MiB.
    pub fn send(&self, request: &Request<'_>) -> std::result::Result<Answer, Failure> {
        let limits = Limits {
            body: 2 * MIB,
            not_after: None,
        };
        let result = self.client.send(request, limits);
        let refused = |f: &Failure| service(f).is_some_and(|e| (400..500).contains(&e.status));
        if request.action == Action::PutObject && !result.as_ref().is_err_and(refused) {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.insert(request.key.clone());
        }
        result
    }

    /// A put without anything special.
    pub fn put(&self, name: &str, body: &[u8]) -> std::result::Result<Answer, Failure> {
        let request = request::put_object(&self.key(name), body, &Id::sha256(body), Put::default());
        self.send(&request)
    }

    /// The whole object.
    pub fn get(&self, name: &str) -> std::result::Result<Vec<u8>, Failure> {
        self.send(&request::get_object(&self.key(name)))
            .map(|a| a.body)
    }

    /// One page of a listing below the scratch prefix.
    pub fn page(&self, page: ListPage<'_>) -> Result<Listed> {
        let prefix = self.key(page.prefix);
        let request = request::list_objects(ListPage {
            prefix: &prefix,
            ..page
        });
        let answer = self
            .send(&request)
            .map_err(|f| self.explained(&request, &f))?;
        parse_list(&answer.body).map_err(Error::failed)
    }

    /// All keys below `prefix`, page by page, without the scratch prefix; at most `per_page` at a time.
    pub fn list(&self, prefix: &str, per_page: Option<u32>) -> Result<Vec<String>> {
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let page = self.page(ListPage {
                prefix,
                continuation: token.as_deref(),
                max_keys: per_page,
                ..ListPage::default()
            })?;
            let own = page
                .objects
                .iter()
                .filter_map(|o| o.key.strip_prefix(&self.prefix));
            keys.extend(own.map(str::to_owned));
            match page.continuation {
                Some(next) => token = Some(next),
                None => return Ok(keys),
            }
        }
        Err(Error::failed("the listing does not end"))
    }

    /// The failure in words.
    pub fn explained(&self, request: &Request<'_>, failure: &Failure) -> Error {
        explain(self.client, request, failure)
    }

    /// Removes what was put, and what is listed all the same. Gives what stays.
    pub fn remove(&self) -> Vec<String> {
        let mut keys = self
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let listed = self.list("", None).unwrap_or_default();
        keys.extend(listed.iter().map(|name| self.key(name)));
        let stays = |key: &String| {
            let deleted = self.send(&request::delete_object(key));
            deleted.is_err_and(|f| !is_missing(&f))
        };
        keys.into_iter().filter(stays).collect()
    }
}

/// What the server said, if it said something.
pub fn service(failure: &Failure) -> Option<&S3Error> {
    match &failure.cause {
        Cause::Service(error) => Some(error),
        _ => None,
    }
}

/// Are the keys not allowed to do this?
pub fn is_denied(failure: &Failure) -> bool {
    service(failure).is_some_and(|e| matches!(e.status, 401 | 403))
}

/// Is there nothing?
pub fn is_missing(failure: &Failure) -> bool {
    service(failure).is_some_and(|e| e.status == 404)
}

/// Status and code, for details.
pub fn said(failure: &Failure) -> String {
    match &failure.cause {
        Cause::Service(e) if e.code.is_empty() => format!("status {}", e.status),
        Cause::Service(e) => format!("{} {}", e.status, e.code),
        Cause::Broken(broken) => broken.message.clone(),
        Cause::TooLong(_) => "an answer that is too long".to_owned(),
        Cause::Keys(error) => error.message(),
        Cause::TooLate => "too late".to_owned(),
        Cause::Nonsense(why) | Cause::Changed(why) => why.clone(),
    }
}
