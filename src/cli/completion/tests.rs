use super::*;

#[test]
fn every_script_knows_every_command_and_flag() {
    for (name, shell) in Shell::ALL {
        let script = script(shell);
        assert!(script.lines().any(|l| l.contains(&head(name))), "{name}");
        for command in flags::COMMANDS {
            let path = format!("corso {}", command.path.join(" "));
            assert!(script.contains(&path), "{name}: {path}");
            let own = flags::info(command.path).unwrap().flags;
            let shared = command.groups.iter().flat_map(|g| g.flags());
            for flag in own.iter().chain(shared) {
                let bare = flag.long.trim_start_matches('-');
                let known = script.contains(&format!("--{bare}"))
                    || script.contains(&format!("-l {bare} "));
                assert_eq!(known, !flag.hidden, "{name}: {}", flag.long);
            }
        }
        assert!(!script.contains('@') || shell != Shell::Bash, "{script}");
    }
}

#[test]
fn the_list_of_shells_is_that_of_the_scripts() {
    let names: Vec<&str> = Shell::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, SHELLS);
    assert!(Shell::parse("tcsh").is_none());
}

#[test]
fn values_are_known_by_kind() {
    let all = nodes();
    let flag = |path: &str, name: &str| {
        let node = all.iter().find(|n| n.path == path).unwrap();
        node.flags.iter().find(|f| f.name == name).unwrap().value
    };
    assert!(flag("corso repo init s3", "--bucket") == Value::Any);
    assert!(flag("corso repo init s3", "--root-ca-pem") == Value::File);
    assert!(flag("corso repo init s3", "--addressing") == Value::OneOf(&["path", "virtual"]));
    assert!(flag("corso restore", "--destination") == Value::File);
    assert!(flag("corso restore", "--dry-run") == Value::None);
    let words = |path: &str| all.iter().find(|n| n.path == path).unwrap().words;
    assert!(words("corso backup create") == Value::File);
    assert!(words("corso backup delete") == Value::Any);
    assert!(words("corso completion") == Value::OneOf(SHELLS));
}
