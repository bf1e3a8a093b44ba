//! Flags that many commands share.

use crate::cli::value::OsArg;
use argh::{ArgsInfo, FromArgs};

/// Flags of every command.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct GlobalArgs {
    /// configuration file to use
    #[argh(option, arg_name = "FILE")]
    pub config_file: Option<OsArg>,

    /// print the result as one JSON document on standard output
    #[argh(switch)]
    pub json: bool,

    /// print what happens, as it happens, as one JSON object a line on standard output
    #[argh(switch)]
    pub json_events: bool,

    /// how much goes to the log
    #[argh(option, arg_name = "LEVEL")]
    pub log_level: Option<String>,

    /// where the log goes: a file, or stdout, stderr, or - for standard output
    #[argh(option, arg_name = "FILE")]
    pub log_file: Option<OsArg>,

    /// print nothing but warnings, errors and the result asked for
    #[argh(switch)]
    pub quiet: bool,

    /// show no progress
    #[argh(switch)]
    pub hide_progress: bool,

    /// accepted from older scripts; does nothing
    #[argh(switch, hidden_help)]
    pub no_stats: bool,

    /// accepted from older scripts; does nothing
    #[argh(option, hidden_help, arg_name = "FORMAT")]
    pub log_format: Option<String>,

    /// accepted from older scripts; does nothing
    #[argh(switch, hidden_help)]
    pub verbose: bool,

    /// accepted from older scripts; does nothing
    #[argh(switch, hidden_help)]
    pub retain_progress: bool,

    /// accepted from older scripts; does nothing
    #[argh(switch, hidden_help)]
    pub debug_api_calls: bool,

    /// accepted from older scripts; does nothing
    #[argh(switch, hidden_help)]
    pub mask_sensitive_data: bool,
}

/// Where an S3 repository is, and with which keys it is reached.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct S3Args {
    /// name of the bucket; it must exist
    #[argh(option, arg_name = "NAME")]
    pub bucket: Option<String>,

    /// keep the repository under this prefix of the bucket
    #[argh(option, arg_name = "PREFIX")]
    pub prefix: Option<String>,

    /// host and port of the S3 service
    #[argh(option, arg_name = "HOST[:PORT]")]
    pub endpoint: Option<String>,

    /// region of the bucket; found out where not given
    #[argh(option, arg_name = "REGION")]
    pub region: Option<String>,

    /// speak plain HTTP to the endpoint
    #[argh(option, arg_name = "true|false")]
    pub disable_tls: Option<bool>,

    /// do not check the endpoint's certificate
    #[argh(option, arg_name = "true|false")]
    pub disable_tls_verification: Option<bool>,

    /// also trust the certificate authorities in this PEM file
    #[argh(option, arg_name = "FILE")]
    pub root_ca_pem: Option<OsArg>,

    /// profile of the AWS credentials and config files
    #[argh(option, arg_name = "NAME")]
    pub profile: Option<String>,

    /// access key id; needs the secret key beside it
    #[argh(option, arg_name = "ID")]
    pub aws_access_key: Option<String>,

    /// secret access key; other users of this machine can see it in the process list
    #[argh(option, arg_name = "KEY")]
    pub aws_secret_access_key: Option<String>,

    /// session token of temporary keys
    #[argh(option, arg_name = "TOKEN")]
    pub aws_session_token: Option<String>,

    /// whose S3 it is, where the endpoint's name does not tell
    #[argh(option, arg_name = "PROVIDER")]
    pub provider: Option<String>,

    /// whether the bucket's name stands in the request's path or before the endpoint's name
    #[argh(option, arg_name = "path|virtual")]
    pub addressing: Option<String>,

    /// storage class of packs, such as STANDARD_IA
    #[argh(option, arg_name = "CLASS")]
    pub storage_class: Option<String>,

    /// encryption by the storage, beside Corso's own
    #[argh(option, arg_name = "AES256|aws:kms")]
    pub sse: Option<String>,

    /// key of the storage's key service; needs --sse aws:kms
    #[argh(option, arg_name = "ID")]
    pub sse_kms_key_id: Option<String>,

    /// most requests at a time
    #[argh(option, arg_name = "NUMBER")]
    pub connections: Option<String>,

    /// send no faster than so many bytes a second, such as 2M
    #[argh(option, arg_name = "SIZE")]
    pub max_upload_rate: Option<String>,

    /// receive no faster than so many bytes a second
    #[argh(option, arg_name = "SIZE")]
    pub max_download_rate: Option<String>,

    /// how long a request may fail before it is given up
    #[argh(option, arg_name = "DURATION")]
    pub timeout: Option<String>,
    /// assume this IAM role with the keys found
    #[argh(option, arg_name = "ARN")]
    pub assume_role_arn: Option<String>,

    /// what the owner of the role wants to be told
    #[argh(option, arg_name = "ID")]
    pub assume_role_external_id: Option<String>,

    /// name of the session in the owner's logs
    #[argh(option, arg_name = "NAME")]
    pub assume_role_session_name: Option<String>,

    /// how long the role's keys last before they are renewed: 15m to 12h
    #[argh(option, arg_name = "DURATION")]
    pub assume_role_duration: Option<String>,
}

/// Where a repository in a folder is.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct FilesystemArgs {
    /// folder of the repository
    #[argh(option, arg_name = "DIR")]
    pub path: Option<OsArg>,
}

/// Where the passphrase comes from. Without any of these, it is asked for on a terminal.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct PassphraseArgs {
    /// read the passphrase from the first line of this file
    #[argh(option, arg_name = "FILE")]
    pub passphrase_file: Option<OsArg>,

    /// run this command with the shell and take the first line it prints
    #[argh(option, arg_name = "COMMAND")]
    pub passphrase_command: Option<OsArg>,

    /// the passphrase itself; other users of this machine can see it in the process list
    #[argh(option, arg_name = "PASSPHRASE")]
    pub passphrase: Option<OsArg>,
}

/// Where a new passphrase comes from.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct NewPassphraseArgs {
    /// read the new passphrase from the first line of this file
    #[argh(option, arg_name = "FILE")]
    pub new_passphrase_file: Option<OsArg>,

    /// run this command with the shell and take the first line it prints as the new passphrase
    #[argh(option, arg_name = "COMMAND")]
    pub new_passphrase_command: Option<OsArg>,

    /// the new passphrase itself; other users of this machine can see it in the process list
    #[argh(option, arg_name = "PASSPHRASE")]
    pub new_passphrase: Option<OsArg>,
}

/// Which backup `latest` means.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct SelectArgs {
    /// only backups of this host
    #[argh(option, arg_name = "HOST")]
    pub host: Option<String>,

    /// only backups made with this writer key: its id, or full for all full keys
    #[argh(option, arg_name = "WRITER")]
    pub writer: Option<String>,

    /// only backups with this path among their sources
    #[argh(option, arg_name = "PATH")]
    pub source: Option<OsArg>,

    /// only backups with this tag; repeat it to ask for several at once
    #[argh(option, arg_name = "TAG")]
    pub tag: Vec<String>,
}
