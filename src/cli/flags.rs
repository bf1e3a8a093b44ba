//! What argh does not know about flags and commands: one table each. Joined with argh's descriptions they feed the
//! pre-pass, help and the manual's test.

mod commands;
mod environment;

use super::args;
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

pub use commands::{COMMANDS, CommandExtra};
pub use environment::ENVIRONMENT;

/// Flags that several commands share, in the order in which help shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What is fixed at `repo init`.
    Init,
    /// Which backup is meant.
    Select,
    /// A new passphrase.
    NewPassphrase,
    /// An S3 repository.
    S3,
    /// A repository in a folder.
    Filesystem,
    /// The passphrase.
    Passphrase,
    /// Every command's.
    Global,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 7] = [
        Group::Init,
        Group::Select,
        Group::NewPassphrase,
        Group::S3,
        Group::Filesystem,
        Group::Passphrase,
        Group::Global,
    ];

    /// Heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Init => "Fixed for the life of the repository",
            Group::Select => "Which backups",
            Group::NewPassphrase => "New passphrase",
            Group::S3 => "Repository on S3",
            Group::Filesystem => "Repository in a folder",
            Group::Passphrase => "Passphrase",
            Group::Global => "Everywhere",
        }
    }

    /// The flags, as argh describes them.
    pub fn flags(self) -> &'static [FlagInfo<'static>] {
        without_help(match self {
            Group::Init => args::InitArgs::get_args_info().flags,
            Group::Select => args::SelectArgs::get_args_info().flags,
            Group::NewPassphrase => args::NewPassphraseArgs::get_args_info().flags,
            Group::S3 => args::S3Args::get_args_info().flags,
            Group::Filesystem => args::FilesystemArgs::get_args_info().flags,
            Group::Passphrase => args::PassphraseArgs::get_args_info().flags,
            Group::Global => args::GlobalArgs::get_args_info().flags,
        })
    }
}

/// How a flag takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Takes none; `--x=true` and `--x=false` are accepted.
    Switch,
    /// As [`Arity::Switch`], and false differs from absent.
    Toggle,
    /// Takes one.
    One,
    /// Takes one and may be repeated.
    Many,
}

/// The side table's row of one flag. Flags without a row have nothing to add.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// `--name`.
    pub flag: &'static str,
    /// Environment variables that say the same, strongest first.
    pub env: &'static [&'static str],
    /// Key of the configuration file.
    pub key: &'static str,
    /// What holds when it is given nowhere, in words for people.
    pub default: &'static str,
    /// The only values allowed; empty for any.
    pub choices: &'static [&'static str],
    /// The value may hold bytes that are not UTF-8.
    pub raw: bool,
}

const NONE: Extra = Extra {
    flag: "",
    env: &[],
    key: "",
    default: "",
    choices: &[],
    raw: false,
};

/// The side table.
pub const EXTRAS: &[Extra] = &[
    Extra {
        flag: "--config-file",
        default: "$CORSO_CONFIG_DIR/.corso.toml, else .corso.toml in the home folder",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--log-level",
        default: "info",
        choices: LOG_LEVELS,
        ..NONE
    },
    Extra {
        flag: "--log-file",
        env: &["CORSO_LOG_FILE"],
        default: "no log",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--bucket",
        key: "bucket",
        ..NONE
    },
    Extra {
        flag: "--prefix",
        key: "prefix",
        default: "none",
        ..NONE
    },
    Extra {
        flag: "--endpoint",
        env: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
        key: "endpoint",
        default: super::place::DEFAULT_ENDPOINT,
        ..NONE
    },
    Extra {
        flag: "--region",
        env: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        key: "region",
        ..NONE
    },
    Extra {
        flag: "--disable-tls",
        key: "disable_tls",
        default: "false",
        ..NONE
    },
    Extra {
        flag: "--disable-tls-verification",
        key: "disable_tls_verification",
        default: "false",
        ..NONE
    },
    Extra {
        flag: "--root-ca-pem",
        env: &["AWS_CA_BUNDLE"],
        key: "root_ca_pem",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--profile",
        env: &["AWS_PROFILE"],
        key: "profile",
        default: "default",
        ..NONE
    },
    Extra {
        flag: "--aws-access-key",
        env: &["AWS_ACCESS_KEY_ID"],
        ..NONE
    },
    Extra {
        flag: "--aws-secret-access-key",
        env: &["AWS_SECRET_ACCESS_KEY"],
        ..NONE
    },
    Extra {
        flag: "--aws-session-token",
        env: &["AWS_SESSION_TOKEN"],
        ..NONE
    },
    Extra {
        flag: "--provider",
        key: "s3_provider",
        default: "by the endpoint's name",
        ..NONE
    },
    Extra {
        flag: "--addressing",
        key: "addressing",
        default: "as the provider wants it",
        choices: &["path", "virtual"],
        ..NONE
    },
    Extra {
        flag: "--storage-class",
        key: "storage_class",
        default: "the bucket's",
        ..NONE
    },
    Extra {
        flag: "--sse",
        key: "sse",
        default: "the bucket's",
        choices: &["AES256", "aws:kms"],
        ..NONE
    },
    Extra {
        flag: "--sse-kms-key-id",
        key: "sse_kms_key_id",
        ..NONE
    },
    Extra {
        flag: "--connections",
        key: "connections",
        default: "by provider: 6 to 16",
        ..NONE
    },
    Extra {
        flag: "--max-upload-rate",
        key: "max_upload_rate",
        default: "no limit",
        ..NONE
    },
    Extra {
        flag: "--max-download-rate",
        key: "max_download_rate",
        default: "no limit",
        ..NONE
    },
    Extra {
        flag: "--timeout",
        key: "timeout",
        default: "2m",
        ..NONE
    },
    Extra {
        flag: "--assume-role-arn",
        key: "assume_role_arn",
        ..NONE
    },
    Extra {
        flag: "--assume-role-external-id",
        key: "assume_role_external_id",
        ..NONE
    },
    Extra {
        flag: "--assume-role-session-name",
        key: "assume_role_session_name",
        default: "made up",
        ..NONE
    },
    Extra {
        flag: "--assume-role-duration",
        key: "assume_role_duration",
        default: "15m",
        ..NONE
    },
    Extra {
        flag: "--path",
        key: "path",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--passphrase-file",
        env: &["CORSO_PASSPHRASE_FILE"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--passphrase-command",
        env: &["CORSO_PASSPHRASE_COMMAND"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--passphrase",
        env: &["CORSO_PASSPHRASE"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--new-passphrase-file",
        env: &["CORSO_NEW_PASSPHRASE_FILE"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--new-passphrase-command",
        env: &["CORSO_NEW_PASSPHRASE_COMMAND"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--new-passphrase",
        env: &["CORSO_NEW_PASSPHRASE"],
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--source",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--retention-mode",
        default: "none",
        choices: &["none", "governance", "compliance"],
        ..NONE
    },
    Extra {
        flag: "--point-in-time",
        key: "point_in_time",
        default: "the present",
        ..NONE
    },
    Extra {
        flag: "--grace",
        default: "24h at init, else the repository's",
        ..NONE
    },
    Extra {
        flag: "--mode",
        default: "complete",
        choices: &["complete", "metadata"],
        ..NONE
    },
    Extra {
        flag: "--max-repack",
        default: "no limit",
        ..NONE
    },
    Extra {
        flag: "--prices",
        env: &["CORSO_PRICES"],
        default: "those of Amazon S3 Standard in us-east-1; nothing for a folder",
        ..NONE
    },
    Extra {
        flag: "--cipher",
        default: "aes-256-gcm",
        choices: &["aes-256-gcm", "chacha20-poly1305"],
        ..NONE
    },
    Extra {
        flag: "--pack-size",
        default: "32M",
        ..NONE
    },
    Extra {
        flag: "--role",
        default: "full",
        choices: &["full", "writer"],
        ..NONE
    },
    Extra {
        flag: "--group-by",
        default: "host,paths",
        ..NONE
    },
    Extra {
        flag: "--stdin",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--exclude",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--exclude-file",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--destination",
        raw: true,
        ..NONE
    },
    Extra {
        flag: "--collisions",
        default: "skip",
        choices: &["skip", "copy", "replace"],
        ..NONE
    },
];

/// Values of `--log-level`.
pub const LOG_LEVELS: &[&str] = &["debug", "info", "warn", "error", "disabled"];

/// The row of `flag` (`--name`), or an empty one.
pub fn extra(flag: &str) -> Extra {
    EXTRAS
        .iter()
        .find(|e| e.flag == flag)
        .copied()
        .unwrap_or(NONE)
}

/// The row of the command reached by `path`; `None` for a group of commands.
pub fn command(path: &[&str]) -> Option<&'static CommandExtra> {
    COMMANDS.iter().find(|c| c.path == path)
}

/// argh lists its own `--help` first; ours stands elsewhere.
fn without_help(flags: &'static [FlagInfo<'static>]) -> &'static [FlagInfo<'static>] {
    match flags {
        [first, rest @ ..] if first.long == "--help" => rest,
        all => all,
    }
}

/// argh's description of the command reached by `path`.
pub fn info(path: &[&str]) -> Option<CommandInfoWithArgs> {
    let mut node = args::Root::get_args_info();
    for word in path {
        node = node.commands.into_iter().find(|c| c.name == *word)?.command;
    }
    node.flags = without_help(node.flags);
    Some(node)
}

/// How `flag` takes its value.
pub fn arity(flag: &FlagInfo<'_>) -> Arity {
    match (&flag.kind, &flag.optionality) {
        (FlagInfoKind::Switch, _) => Arity::Switch,
        (
            FlagInfoKind::Option {
                arg_name: "true|false",
            },
            _,
        ) => Arity::Toggle,
        (_, Optionality::Repeating) => Arity::Many,
        _ => Arity::One,
    }
}

/// The arity of every flag of that name, wherever it is (one name never has two).
pub fn arity_of(name: &str) -> Option<Arity> {
    let shared = Group::ALL.iter().flat_map(|g| g.flags());
    if let Some(flag) = shared.into_iter().find(|f| f.long == name) {
        return Some(arity(flag));
    }
    COMMANDS
        .iter()
        .filter_map(|c| info(c.path))
        .find_map(|i| i.flags.iter().find(|f| f.long == name).map(arity))
}

#[cfg(test)]
mod tests;
