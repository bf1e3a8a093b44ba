//! `corso backup forget`

use super::backup_list::describe;
use super::given;
use crate::cli::args::backup::Forget;
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Result};
use crate::ops::forget::{self, Group, Plan};
use crate::policy::{GroupBy, Policy, Span, parse_count};
use crate::repo::snapshots::Snapshot;
use crate::report::json::put_path;
use crate::report::text::{Align, plural, table};
use serde_json::{Map, Value, json};

/// Deletes what no rule keeps, and shows why the rest stays.
pub fn run(session: &Session, flags: &Forget) -> Result<Outcome> {
    let policy = policy(flags)?;
    let by = flags.group_by.as_deref().map(GroupBy::parse);
    let by = by.transpose().context(|| "--group-by")?.unwrap_or_default();
    let filter = super::filter(session)?;
    let repo = super::open(session)?;
    let trust = flags.trust_dates;
    let plan = forget::plan(&repo, &policy, by, &filter, trust, &*session.reporter)?;
    let gone = plan.removed();
    if !flags.dry_run {
        forget::delete(&repo, &gone, &*session.reporter, session.stop()?)?;
    }
    let mut lines = vec![summary(&plan, flags.dry_run)];
    if !flags.dry_run && !gone.is_empty() {
        lines.extend(super::backup_delete::way_back(&repo, &*session.reporter)?);
    }
    Ok(Outcome {
        text: plan.groups.iter().map(text).collect(),
        json: json!({
            "groups": plan.groups.iter().map(json_of).collect::<Vec<_>>(),
            "removed": gone.len(),
            "dry_run": flags.dry_run,
            "unreadable_backups": plan.unreadable,
            "usage": repo.storage().usage(),
        }),
        lines,
        // As in `backup list`: not all was looked at, and what was not is named.
        code: u8::from(plan.unreadable > 0),
    })
}

fn policy(flags: &Forget) -> Result<Policy> {
    let count = |value: &Option<String>, name: &str| match value.as_deref() {
        None | Some("") => Ok(0),
        Some(text) => parse_count(text).context(|| format!("--keep-{name}")),
    };
    let within = given(&flags.keep_within);
    let list = |tags: &String| tags.split(',').map(|t| t.trim().to_owned()).collect();
    Ok(Policy {
        last: count(&flags.keep_last, "last")?,
        hourly: count(&flags.keep_hourly, "hourly")?,
        daily: count(&flags.keep_daily, "daily")?,
        weekly: count(&flags.keep_weekly, "weekly")?,
        monthly: count(&flags.keep_monthly, "monthly")?,
        yearly: count(&flags.keep_yearly, "yearly")?,
        within: within
            .map(Span::parse)
            .transpose()
            .context(|| "--keep-within")?
            .unwrap_or_default(),
        tags: flags.keep_tag.iter().map(list).collect(),
    })
}

fn summary(plan: &Plan, dry_run: bool) -> String {
    let count = |of: &dyn Fn(&Group) -> usize| plan.groups.iter().map(of).sum::<usize>() as u64;
    let (kept, removed) = (count(&|g| g.keep.len()), count(&|g| g.remove.len()));
    let backups = plural(removed, "backup", "backups");
    let verb = if dry_run { "Would delete" } else { "Deleted" };
    match kept + removed {
        0 => "There are no such backups.".to_owned(),
        _ => format!("{verb} {backups}; {}.", plural(kept, "stays", "stay")),
    }
}

/// A heading and a table of the group's backups, oldest first.
fn text(group: &Group) -> String {
    let columns = [
        ("", Align::Left),
        ("Backup", Align::Left),
        ("Time", Align::Left),
        ("Host", Align::Left),
        ("Tags", Align::Left),
        ("Kept as", Align::Left),
    ];
    let row = |mark: &str, s: &Snapshot, why: String| {
        vec![
            mark.to_owned(),
            s.id.short(),
            s.age_time().local(),
            s.manifest.host.clone(),
            s.manifest.tags.join(","),
            why,
        ]
    };
    let keep = group.keep.iter();
    let keep = keep.map(|(s, why)| (s.age_time(), row("keep", s, why.join(", "))));
    let gone = group.remove.iter();
    let gone = gone.map(|s| (s.age_time(), row("delete", s, String::new())));
    let mut rows: Vec<_> = keep.chain(gone).collect();
    rows.sort();
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, cells)| cells).collect();
    let heading = format!(
        "{}: {} kept, {} deleted",
        forget::describe(&group.key),
        group.keep.len(),
        group.remove.len()
    );
    format!(
        "{}\n{}\n",
        crate::error::one_line(&heading),
        table(&columns, &rows)
    )
}

fn json_of(group: &Group) -> Value {
    let key = &group.key;
    let path = |raw: &Vec<u8>| {
        let mut map = Map::new();
        put_path(&mut map, "path", raw);
        Value::Object(map)
    };
    let keep = group.keep.iter().map(|(s, why)| {
        let mut value = describe(s);
        if let Value::Object(map) = &mut value {
            map.insert("reasons".into(), why.clone().into());
        }
        value
    });
    json!({
        "host": key.host,
        "paths": key.paths.as_ref().map(|p| p.iter().map(path).collect::<Vec<_>>()),
        "tags": key.tags,
        "writer": key.writer.hex(),
        "spared": group.spared,
        "keep": keep.collect::<Vec<_>>(),
        "remove": group.remove.iter().map(describe).collect::<Vec<_>>(),
    })
}
