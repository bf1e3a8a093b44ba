use super::*;
use crate::report::{Silent, Stop};
use crate::s3::credentials::Credentials;
use crate::s3::transport::{Broken, HttpRequest, HttpResponse, Transport};
use crate::storage::s3::{S3Config, S3Storage};
use std::sync::{Arc, Mutex};

#[test]
fn a_folder_is_fit_and_left_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("other"), b"x").unwrap();
    let report = folder(place.path(), &Silent, &Stop::default()).unwrap();
    assert!(report.is_fit(), "{report:?}");
    assert_eq!(
        report.finding("conditional create").unwrap().detail,
        "honoured"
    );
    assert_eq!(report.speeds.len(), 3);
    assert!(report.left_behind.is_empty());
    let names: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["other"]);
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    assert!(folder(&missing, &Silent, &Stop::default()).is_err());
    assert!(!missing.exists());
}

#[test]
fn fit_is_what_lacks_nothing() {
    let mut report = Report::default();
    report.add(Group::Integrity, "condition", Verdict::NotNeeded, "");
    report.add(Group::Operations, "list", Verdict::Unknown, "");
    assert!(report.is_fit());
    report.add(Group::Permissions, "s3:PutObject", Verdict::Denied, "");
    assert!(!report.is_fit());
    assert_eq!(
        (report.denied(), report.wrong()),
        (vec!["s3:PutObject"], vec![])
    );
}

/// A bucket that keeps versions, where nothing can be deleted. Notes what is asked.
#[derive(Clone, Default)]
struct Undeletable(Arc<Mutex<Vec<String>>>);

impl Transport for Undeletable {
    fn exchange(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, Broken> {
        let (method, url) = (request.method, request.url);
        self.0.lock().unwrap().push(format!("{method} {url}"));
        let (status, body) = match method {
            "DELETE" | "POST" => (403, "<Error><Code>AccessDenied</Code></Error>"),
            "GET" if url.contains("list-type") => (200, "<ListBucketResult></ListBucketResult>"),
            "GET" => (404, "<Error><Code>NoSuchKey</Code></Error>"),
            _ => (200, ""),
        };
        let version = ("x-amz-version-id".to_owned(), "v1".to_owned());
        Ok(HttpResponse {
            status,
            headers: vec![version],
            body: Box::new(body.as_bytes()),
        })
    }
}

#[test]
fn where_nothing_can_be_deleted_little_is_put() {
    let bucket = Undeletable::default();
    let keys = Credentials::new("AK", "SK", None, "test");
    let mut config = S3Config::new("bkt", keys);
    config.endpoint = "localhost:9000".into();
    let storage = S3Storage::with_transport(config, Box::new(bucket.clone())).unwrap();
    let usual = storage.client().provider().connections;
    let storage = storage.letting_through(usual + 7);
    let report = s3(&storage, Meant::default(), &Silent, &Stop::default()).unwrap();
    assert_eq!(report.denied(), ["s3:DeleteObject"]);
    assert!(report.keeps_versions && report.speeds.is_empty());
    let asked = bucket.0.lock().unwrap();
    let puts = |part: &str| {
        let is_one = |a: &&String| a.starts_with("PUT ") && a.contains(part);
        asked.iter().filter(is_one).count()
    };
    assert!(puts("/permission") == 1 && puts("/speed/") == 0);
    let at_once = report
        .features
        .iter()
        .find(|f| f.name == "requests at a time");
    assert_eq!(at_once.unwrap().why, format!("up to {usual}"));
}

#[test]
fn who_stops_it_is_told_what_stays() {
    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);
    impl crate::report::Observer for Warnings {
        fn event(&self, event: crate::report::Event<'_>) {
            if let crate::report::Event::Warning(text) = event {
                self.0.lock().unwrap().push(text.to_owned());
            }
        }
    }
    let (stop, warnings) = (Stop::default(), Warnings::default());
    stop.request(2);
    let mut config = S3Config::new("bkt", Credentials::new("AK", "SK", None, "test"));
    config.endpoint = "localhost:9000".into();
    let bucket = Box::new(Undeletable::default());
    let storage = S3Storage::with_transport(config, bucket).unwrap();
    let ended = s3(&storage, Meant::default(), &warnings, &stop).unwrap_err();
    assert_eq!(ended.kind(), crate::error::Kind::Interrupted);
    let said = warnings.0.lock().unwrap();
    assert!(
        said.iter().any(|w| w.ends_with("could not be removed")),
        "{said:?}"
    );
    let place = tempfile::tempdir().unwrap();
    let ended = folder(place.path(), &Silent, &stop).unwrap_err();
    assert_eq!(ended.kind(), crate::error::Kind::Interrupted);
    assert!(std::fs::read_dir(place.path()).unwrap().next().is_none());
}
