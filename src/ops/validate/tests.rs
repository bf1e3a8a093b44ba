use super::*;
use crate::report::Silent;

#[test]
fn a_folder_is_fit_and_left_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("other"), b"x").unwrap();
    let report = folder(place.path(), &Silent).unwrap();
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
    assert!(folder(&missing, &Silent).is_err());
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
