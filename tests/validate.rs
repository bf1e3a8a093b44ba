//! `corso repo validate-provider` against real servers: what each is said to do, and that nothing stays behind.

mod support;

use serde_json::Value;
use support::{
    Corso, Keys, Minio, Moto, Rclone, S3Options, S3Server, Seaweed, Versitygw, temp_dir,
};

/// A home with the keys.
fn home(keys: &Keys) -> Corso {
    Corso::new().keys(keys)
}

/// The report on the server's bucket, as a document; the run ended with `code`.
fn ask(endpoint: &str, keys: &Keys, more: &[&str], code: i32) -> Value {
    let mut words = vec![
        "repo",
        "validate-provider",
        "s3",
        "--bucket",
        "corso-test",
        "--prefix",
        "below",
    ];
    words.extend(["--endpoint", endpoint, "--disable-tls", "--json"]);
    words.extend(more);
    let finished = home(keys).run(&words);
    assert_eq!(finished.code, code, "{finished:#?}");
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["left_behind"], serde_json::json!([]), "{report:#}");
    report
}

/// Verdict and detail of a check.
fn found(report: &Value, name: &str) -> (String, String) {
    let all = report["findings"].as_array().unwrap();
    let finding = all
        .iter()
        .find(|f| f["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#}"));
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    (text("verdict"), text("detail"))
}

fn feature(report: &Value, name: &str) -> (bool, String) {
    let all = report["features"].as_array().unwrap();
    let feature = all
        .iter()
        .find(|f| f["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#}"));
    (
        feature["used"].as_bool().unwrap(),
        feature["why"].as_str().unwrap().to_owned(),
    )
}

/// What holds of every server that is fit.
fn assert_fit(report: &Value) {
    assert_eq!(report["fit"], true, "{report:#}");
    for name in [
        "s3:ListBucket",
        "s3:PutObject",
        "s3:GetObject",
        "s3:DeleteObject",
        "put, get, head",
        "ranged get",
        "list: pages",
        "delete",
    ] {
        assert_eq!(found(report, name).0, "fine", "{name}: {report:#}");
    }
    let speeds = report["speeds"].as_array().unwrap();
    let connections: Vec<u64> = speeds
        .iter()
        .map(|s| s["connections"].as_u64().unwrap())
        .collect();
    assert_eq!(connections, [1, 4, 16]);
    assert!(
        speeds
            .iter()
            .all(|s| s["up"].as_u64() > Some(0) && s["down"].as_u64() > Some(0)),
        "{report:#}"
    );
}

/// Conditional creates are honoured; wrong hashes are refused.
fn assert_strict(report: &Value) {
    assert_eq!(
        found(report, "conditional create"),
        ("fine".to_owned(), "honoured".to_owned())
    );
    assert!(feature(report, "conditional create").0, "{report:#}");
    assert_eq!(found(report, "wrong payload hash").0, "fine", "{report:#}");
    assert_eq!(found(report, "wrong Content-MD5").0, "fine", "{report:#}");
}

#[test]
fn s3s() {
    let server = S3Server::start(S3Options::default());
    let report = ask(&server.endpoint(), server.keys(), &[], 0);
    assert_fit(&report);
    assert_strict(&report);
    // It says that it encodes the keys of a listing, and does not.
    let (_, odd) = found(&report, "odd keys");
    assert!(odd.contains("a+plus") && odd.contains("100%25"), "{odd}");
    let left = support::read_tree(&server.root().join("corso-test"));
    let files: Vec<_> = left
        .iter()
        .filter(|(_, body)| body.is_some())
        .map(|(path, _)| path)
        .collect();
    assert!(files.is_empty(), "{files:?}");
}

/// The checksum is sent and kept where `--provider` says whose server it is.
fn assert_strict_as(endpoint: &str, keys: &Keys, provider: &str, name: &str) {
    let report = ask(endpoint, keys, &["--provider", provider], 0);
    assert_fit(&report);
    assert_strict(&report);
    assert!(feature(&report, "x-amz-checksum-sha256").0, "{report:#}");
    assert_eq!(report["provider"], name);
}

#[test]
fn versitygw() {
    if let Some(server) = Versitygw::start(&["corso-test"]) {
        let name = "Versity S3 Gateway";
        assert_strict_as(&server.endpoint(), server.keys(), "versitygw", name);
    }
}

#[test]
fn minio() {
    if let Some(server) = Minio::start(&["corso-test"]) {
        assert_strict_as(&server.endpoint(), server.keys(), "minio", "MinIO");
    }
}

#[test]
fn seaweedfs() {
    let Some(server) = Seaweed::start(&["corso-test"]) else {
        return;
    };
    let report = ask(
        &server.endpoint(),
        server.keys(),
        &["--provider", "seaweedfs"],
        0,
    );
    assert_fit(&report);
    let (verdict, detail) = found(&report, "conditional create");
    assert_eq!(verdict, "not-needed");
    assert!(detail.starts_with("ignored; not needed"), "{detail}");
    assert_eq!(report["provider"], "SeaweedFS");
}

#[test]
fn rclone() {
    let Some(server) = Rclone::start(&["corso-test"]) else {
        return;
    };
    let report = ask(&server.endpoint(), server.keys(), &[], 0);
    assert_fit(&report);
    let (verdict, detail) = found(&report, "conditional create");
    assert_eq!(verdict, "not-needed");
    assert!(detail.starts_with("ignored; not needed"), "{detail}");
    assert_eq!(
        feature(&report, "conditional create"),
        (false, "ignored here, and not needed".to_owned())
    );
}

#[test]
fn moto() {
    let Some(server) = Moto::start(&["corso-test"]) else {
        return;
    };
    let report = ask(&server.endpoint(), server.keys(), &[], 0);
    assert_fit(&report);
    assert_eq!(found(&report, "conditional create").1, "honoured");
}

/// Each permission that is missing is named, and the rest is found out all the same.
#[test]
fn missing_permissions() {
    if let Some(server) = Moto::start(&["corso-test"]) {
        are_named(&server.endpoint(), &|name, policy| {
            server.add_user(name, policy)
        });
    }
}

#[test]
fn missing_permissions_on_minio() {
    if let Some(server) = Minio::start(&["corso-test"]) {
        are_named(&server.endpoint(), &|_, policy| server.add_user(policy));
    }
}

fn are_named(endpoint: &str, add_user: &dyn Fn(&str, &str) -> Keys) {
    for (name, actions, missing) in [
        (
            "nodelete",
            r#"["s3:ListBucket","s3:GetObject","s3:PutObject"]"#,
            "s3:DeleteObject",
        ),
        (
            "nolist",
            r#"["s3:DeleteObject","s3:GetObject","s3:PutObject"]"#,
            "s3:ListBucket",
        ),
        (
            "noget",
            r#"["s3:ListBucket","s3:DeleteObject","s3:PutObject"]"#,
            "s3:GetObject",
        ),
        (
            "noput",
            r#"["s3:ListBucket","s3:GetObject","s3:DeleteObject"]"#,
            "s3:PutObject",
        ),
    ] {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"*"}}]}}"#
        );
        let keys = add_user(name, &policy);
        let mut words = vec![
            "repo",
            "validate-provider",
            "s3",
            "--bucket",
            "corso-test",
            "--json",
        ];
        words.extend(["--endpoint", endpoint, "--disable-tls"]);
        let finished = home(&keys).run(&words);
        assert_eq!(finished.code, 13, "{finished:#?}");
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(
            report["missing_permissions"],
            serde_json::json!([missing]),
            "{report:#}"
        );
        assert!(finished.stderr.contains(missing), "{finished:#?}");
    }
}

#[test]
fn text_for_people() {
    let server = S3Server::start(S3Options::default());
    let mut words = vec!["repo", "validate-provider", "s3", "--bucket", "corso-test"];
    let endpoint = server.endpoint();
    words.extend(["--endpoint", &endpoint, "--disable-tls"]);
    let finished = home(server.keys()).ok(&words);
    for part in [
        "S3 bucket corso-test",
        "permissions",
        "s3:PutObject",
        "ranged get",
        "latency: ",
        "Corso will use here",
        "honoured here",
    ] {
        assert!(finished.stdout.contains(part), "{part}: {finished:#?}");
    }
    assert!(
        finished.stderr.contains("Fit for a repository."),
        "{finished:#?}"
    );
    assert!(!finished.stdout.contains(&server.keys().secret));
}

#[test]
fn bucket_missing() {
    let server = S3Server::start(S3Options::default());
    let mut words = vec!["repo", "validate-provider", "s3", "--bucket", "absent"];
    let endpoint = server.endpoint();
    words.extend(["--endpoint", &endpoint, "--disable-tls"]);
    home(server.keys()).fails(&words, 10);
}

#[test]
fn a_folder() {
    let place = temp_dir();
    let path = place.path().to_str().unwrap();
    let finished = Corso::new().ok(&["repo", "validate-provider", "filesystem", "--path", path]);
    assert!(
        finished.stdout.contains("conditional create"),
        "{finished:#?}"
    );
    assert!(
        finished.stderr.contains("Fit for a repository."),
        "{finished:#?}"
    );
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}
