use super::*;
use crate::cli::place::S3Place;

fn s3(bucket: &str) -> StorageChoice {
    StorageChoice::S3(S3Place {
        bucket: bucket.into(),
        prefix: "p/".into(),
        endpoint: Some("h:9000".into()),
        region: None,
        disable_tls: true,
        disable_tls_verification: false,
        root_ca_pem: None,
        profile: None,
        flag_keys: None,
        file_keys: None,
        manner: Manner::default(),
        role: None,
        point_in_time: None,
        keys_from: None,
    })
}

fn load(path: &Path) -> ConfigFile {
    ConfigFile::load(Some(path.to_owned())).unwrap()
}

#[test]
fn comments_order_and_strange_keys_survive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    let text = "# mine\nbucket = \"b\" # the bucket\nprovider = \"S3\"\nextra = 1\npassphrase = \"x\"\nregion = \"r\"\n";
    std::fs::write(&path, text).unwrap();
    assert_eq!(load(&path).save(&s3("b"), "id", true).unwrap(), None);
    let after = std::fs::read_to_string(&path).unwrap();
    let start =
        "# mine\nbucket = \"b\" # the bucket\nprovider = \"S3\"\nextra = 1\npassphrase = \"x\"\n";
    assert!(after.starts_with(start), "{after}");
    assert!(after.contains("region = \"r\""), "{after}");
    let settings = load(&path).settings;
    assert_eq!(
        settings.describe().unwrap(),
        "S3 bucket b, prefix p/ at h:9000"
    );
    assert_eq!(
        (settings.disable_tls, settings.repo_id.as_deref()),
        (Some(true), Some("id"))
    );
}

#[test]
fn another_repository_replaces_the_file_and_secrets_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    std::fs::write(
        &path,
        "provider = \"S3\"\nbucket = \"a\"\npassphrase = \"old\"\n",
    )
    .unwrap();
    let aside = load(&path).save(&s3("b"), "id", false).unwrap().unwrap();
    assert!(
        std::fs::read_to_string(&aside)
            .unwrap()
            .contains("passphrase")
    );
    assert!(
        !std::fs::read_to_string(&path)
            .unwrap()
            .contains("passphrase")
    );
    assert!(load(&path).save(&s3("c"), "id", false).unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (real, path) = (dir.path().join("real"), dir.path().join("corso.toml"));
    std::fs::write(&real, "").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    load(&path).save(&s3("b"), "id", true).unwrap();
    assert!(path.is_symlink());
    assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn forgetting_keeps_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    load(&path).save(&s3("b"), "id", true).unwrap();
    load(&path).forget().unwrap();
    assert!(!path.exists());
    std::fs::write(&path, "bucket = \"b\"\nother = 1\n").unwrap();
    load(&path).forget().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "other = 1\n");
}

#[test]
fn a_broken_file_is_named_without_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    for text in [
        "a = 1\npassphrase = hunter2\n",
        "bucket = 5",
        "provider = \"Azure\"",
        "disable_tls = \"maybe\"",
    ] {
        std::fs::write(&path, text).unwrap();
        let error = ConfigFile::load(Some(path.clone()))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert!(
            error.to_string().contains("corso.toml") && !error.to_string().contains("hunter2"),
            "{error}"
        );
        let ignored = ConfigFile::load_or_ignore(Some(path.clone()));
        assert!(
            ignored.save(&s3("b"), "id", true).is_err(),
            "never overwritten"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn without_a_place_saving_says_what_to_do() {
    let error = ConfigFile::load(None)
        .unwrap()
        .save(&s3("b"), "id", true)
        .unwrap_err();
    assert!(error.to_string().contains("CORSO_CONFIG_DIR"), "{error}");
    let no_folder = tempfile::NamedTempFile::new().unwrap();
    assert!(
        load(&no_folder.path().join("folder/corso.toml"))
            .save(&s3("b"), "id", true)
            .unwrap_err()
            .to_string()
            .contains("--config-file")
    );
}

#[test]
fn how_s3_is_spoken_to_is_kept_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    let text = "connections = 12\nmax_upload_rate = \"1M\" # the line at home\n";
    std::fs::write(&path, text).unwrap();
    let mut choice = s3("b");
    let StorageChoice::S3(place) = &mut choice else {
        panic!()
    };
    place.manner.recorded = ["minio", "virtual", "STANDARD_IA", "AES256", ""]
        .map(|t| Some(t.to_owned()).filter(|t| !t.is_empty()));
    place.manner.read = ["3", "", "", ""].map(|t| Some(t.to_owned()));
    let recorded = place.manner.recorded.clone();
    load(&path).save(&choice, "id", true).unwrap();
    let kept = load(&path).settings.manner;
    assert_eq!(kept.recorded, recorded);
    let read = ["12", "1M", "", ""].map(|t| Some(t.to_owned()).filter(|t| !t.is_empty()));
    assert_eq!(kept.read, read, "those of this host are not written");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with(text));
    load(&path).save(&s3("b"), "id", true).unwrap();
    let kept = load(&path).settings.manner;
    assert!(kept.recorded.iter().all(Option::is_none), "{kept:?}");
}
