//! The role to assume, from flags or the configuration file.

use super::resolve::text;
use crate::cli::args::S3Args;
use crate::cli::config::Settings;
use crate::error::{Error, Result};
use crate::s3::credentials::Role;
use crate::units::parse_duration;
use std::time::Duration;

/// Keys of the configuration file: role, external id, session name, duration.
pub const KEYS: [&str; 4] = [
    "assume_role_arn",
    "assume_role_external_id",
    "assume_role_session_name",
    "assume_role_duration",
];

/// What STS gives: from 15 minutes to 12 hours.
const DURATIONS: std::ops::RangeInclusive<u64> = 15 * 60..=12 * 3600;

/// The flags; without `--assume-role-arn` they refine the role of the file, which a role from a flag replaces whole.
pub fn choose(flags: &S3Args, file: &Settings) -> Result<Option<Role>> {
    let own = |value: &Option<String>| text(value).map(str::to_owned);
    let duration = text(&flags.assume_role_duration)
        .map(|d| duration(d, "--assume-role-duration"))
        .transpose()?;
    let base = match (own(&flags.assume_role_arn), &file.role) {
        (Some(arn), _) => Role {
            arn,
            ..Role::default()
        },
        (None, Some(role)) => role.clone(),
        (None, None) => {
            let others = [
                &flags.assume_role_external_id,
                &flags.assume_role_session_name,
                &flags.assume_role_duration,
            ];
            return match others.iter().any(|v| text(v).is_some()) {
                true => Err(Error::usage("the role to assume is missing")
                    .hint("give it with --assume-role-arn ARN")),
                false => Ok(None),
            };
        }
    };
    Ok(Some(Role {
        external_id: own(&flags.assume_role_external_id).or(base.external_id),
        session_name: own(&flags.assume_role_session_name).or(base.session_name),
        duration: duration.or(base.duration),
        ..base
    }))
}

/// From the file's values, by key.
pub fn read(get: impl Fn(&str) -> Result<Option<String>>, shown: &str) -> Result<Option<Role>> {
    let [arn, external_id, session_name, lasting] = KEYS;
    let Some(arn) = get(arn)? else {
        return Ok(None);
    };
    let in_file = format!("{lasting} in {shown}");
    Ok(Some(Role {
        arn,
        external_id: get(external_id)?,
        session_name: get(session_name)?,
        duration: get(lasting)?.map(|d| duration(&d, &in_file)).transpose()?,
        mfa_serial: None,
    }))
}

/// For the file, in the order of [`KEYS`].
pub fn values(role: Option<&Role>) -> [Option<String>; 4] {
    let Some(role) = role else {
        return Default::default();
    };
    [
        Some(role.arn.clone()),
        role.external_id.clone(),
        role.session_name.clone(),
        role.duration.map(|d| format!("{}s", d.as_secs())),
    ]
}

fn duration(value: &str, name: &str) -> Result<Duration> {
    let duration = parse_duration(value).map_err(|e| e.context(name.to_owned()))?;
    match DURATIONS.contains(&duration.as_secs()) {
        true => Ok(duration),
        false => Err(Error::usage(format!(
            "{name} {value} is not between 15m and 12h"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str]) -> S3Args {
        <S3Args as argh::FromArgs>::from_args(&["corso"], words).unwrap_or_else(|_| panic!())
    }

    #[test]
    fn flags_refine_the_files_role_or_replace_it() {
        let file = Settings {
            role: Some(Role {
                arn: "arn:f".into(),
                external_id: Some("x".into()),
                ..Role::default()
            }),
            ..Settings::default()
        };
        let none = Settings::default();
        assert_eq!(choose(&flags(&[]), &none).unwrap(), None);
        assert_eq!(choose(&flags(&[]), &file).unwrap(), file.role);
        let role = choose(&flags(&["--assume-role-duration", "1h"]), &file)
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                role.external_id.as_deref(),
                role.duration.unwrap().as_secs()
            ),
            (Some("x"), 3600)
        );
        let role = choose(&flags(&["--assume-role-arn", "arn:g"]), &file)
            .unwrap()
            .unwrap();
        assert_eq!((role.arn.as_str(), role.external_id), ("arn:g", None));
        for bad in [
            &["--assume-role-external-id", "x"][..],
            &["--assume-role-arn", "a", "--assume-role-duration", "14m"],
            &["--assume-role-arn", "a", "--assume-role-duration", "13h"],
            &["--assume-role-arn", "a", "--assume-role-duration", "900"],
        ] {
            assert!(choose(&flags(bad), &none).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_file_keeps_all_of_it() {
        let role = Role {
            arn: "arn:f".into(),
            external_id: Some("x".into()),
            session_name: Some("s".into()),
            duration: Some(Duration::from_secs(3600)),
            mfa_serial: None,
        };
        let values = values(Some(&role));
        let get = |key: &str| {
            let at = KEYS.iter().position(|k| *k == key).unwrap();
            Ok(values[at].clone())
        };
        assert_eq!(read(get, "f").unwrap(), Some(role));
    }
}
