use super::*;
use std::collections::BTreeMap;

fn every_flag() -> Vec<&'static FlagInfo<'static>> {
    let own = COMMANDS
        .iter()
        .flat_map(|c| info(c.path).expect(c.path[0]).flags);
    Group::ALL
        .iter()
        .flat_map(|g| g.flags())
        .chain(own)
        .collect()
}

#[test]
fn one_name_has_one_arity_unless_it_repeats() {
    let mut seen = BTreeMap::new();
    for flag in every_flag() {
        let takes_value = !matches!(arity(flag), Arity::Switch | Arity::Toggle);
        assert_eq!(
            *seen.entry(flag.long).or_insert(takes_value),
            takes_value,
            "{}",
            flag.long
        );
    }
}

#[test]
fn no_row_is_left_over() {
    for row in EXTRAS {
        assert!(
            every_flag().iter().any(|f| f.long == row.flag),
            "{}",
            row.flag
        );
    }
}

#[test]
fn no_command_has_a_flag_twice() {
    for command in COMMANDS {
        let own = info(command.path).unwrap();
        let groups = command
            .groups
            .iter()
            .chain(&[Group::Global])
            .flat_map(|g| g.flags());
        let mut names: Vec<_> = own.flags.iter().chain(groups).map(|f| f.long).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{:?}", command.path);
    }
}

#[test]
fn every_command_that_can_run_has_a_row() {
    fn leaves(node: &CommandInfoWithArgs, path: &mut Vec<&'static str>) {
        if node.commands.is_empty() {
            assert!(command(path).is_some(), "{path:?}");
        }
        for sub in &node.commands {
            path.push(sub.name);
            leaves(&sub.command, path);
            path.pop();
        }
    }
    leaves(&args::Root::get_args_info(), &mut Vec::new());
}
