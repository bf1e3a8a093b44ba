//! The table's data. In commands, environment and messages `{name}` stands for what `world.rs` knows by that name.

/// Which server a row talks to; its keys are in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// s3s with s3s-fs, in process: checks signatures, dates, payload hashes.
    S3s,
    /// The same behind TLS with a private authority.
    Tls,
    /// The same, but it refuses requests signed for another region than eu-central-1, as AWS does for HEAD: without
    /// saying which is right.
    Regional,
    /// The same, but it finds every request's time wrong.
    Skewed,
    /// The same, but it answers by the bucket's name, as other providers and what lies between answer; see `odd.rs`.
    Odd,
    /// `rclone serve s3`.
    Rclone,
    /// `moto_server` with IAM policies.
    Moto,
    /// A folder.
    Folder,
    /// None: the command ends before, or on the way.
    None,
}

/// One command that must fail.
pub struct Row {
    pub case: &'static str,
    pub server: Server,
    pub command: &'static str,
    /// Beside the passphrase and the server's keys; an empty value removes.
    pub env: &'static [(&'static str, &'static str)],
    /// Content of `~/.corso.toml`.
    pub config: &'static str,
    pub code: i32,
    /// Part of the message.
    pub says: &'static str,
}

const fn row(
    case: &'static str,
    server: Server,
    command: &'static str,
    code: i32,
    says: &'static str,
) -> Row {
    Row {
        case,
        server,
        command,
        env: &[],
        config: "",
        code,
        says,
    }
}

impl Row {
    const fn env(self, env: &'static [(&'static str, &'static str)]) -> Row {
        Row { env, ..self }
    }

    const fn config(self, config: &'static str) -> Row {
        Row { config, ..self }
    }
}

const NO_KEYS: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
const UNKNOWN_KEY: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN000000001")];
const WRONG_SECRET: &[(&str, &str)] = &[("AWS_SECRET_ACCESS_KEY", "{wrong secret}")];
const WRONG_PASSPHRASE: &[(&str, &str)] = &[("CORSO_PASSPHRASE", "{wrong passphrase}")];
const WRITER: &[(&str, &str)] = &[("CORSO_PASSPHRASE", "{writer passphrase}")];
const IN_FOLDER: &str = "provider = \"Filesystem\"\npath = \"{folder}/repo\"\n";
const IN_BUCKET: &str = "provider = \"S3\"\nbucket = \"corso-test\"\nprefix = \"\"\n\
                         endpoint = \"{s3s}\"\ndisable_tls = true\n";

use Server::*;

#[rustfmt::skip] // a table
pub const ROWS: &[Row] = &[
    // Bucket or folder missing
    row("bucket missing", S3s, "repo init s3 --bucket absent --endpoint {s3s} --disable-tls", 10, "there is no bucket absent at {s3s}"),
    row("bucket missing, connect", S3s, "repo connect s3 --bucket absent --endpoint {s3s} --disable-tls", 10, "there is no bucket absent at {s3s}"),
    row("bucket missing, rclone", Rclone, "repo init s3 --bucket absent --endpoint {rclone} --disable-tls", 10, "there is no bucket absent"),
    row("bucket missing, moto", Moto, "repo init s3 --bucket absent --endpoint {moto} --disable-tls", 10, "there is no bucket absent"),
    row("folder missing", Folder, "repo connect filesystem --path {folder}/absent", 10, "{folder}/absent does not exist"),
    // No repository there
    row("no repository", S3s, "repo connect s3 --bucket empty --endpoint {s3s} --disable-tls", 10, "there is no repository at S3 bucket empty"),
    row("no repository below the prefix", S3s, "repo connect s3 --bucket corso-test --prefix elsewhere --endpoint {s3s} --disable-tls", 10, "there is no repository at S3 bucket corso-test, prefix elsewhere/"),
    row("no repository, rclone", Rclone, "repo connect s3 --bucket corso-test --endpoint {rclone} --disable-tls", 10, "there is no repository at S3 bucket corso-test"),
    row("no repository, moto", Moto, "repo connect s3 --bucket corso-test --endpoint {moto} --disable-tls", 10, "there is no repository at S3 bucket corso-test"),
    row("no repository in the folder", Folder, "repo connect filesystem --path {folder}/empty", 10, "there is no repository at path {folder}/empty"),
    // Already there
    row("repository already there", S3s, "repo init s3 --bucket corso-test --endpoint {s3s} --disable-tls", 11, "a repository is already at S3 bucket corso-test"),
    row("repository already in the folder", Folder, "repo init filesystem --path {folder}/repo", 11, "a repository is already at path {folder}/repo"),
    // Passphrases
    row("wrong passphrase", S3s, "repo connect s3 --bucket corso-test --endpoint {s3s} --disable-tls", 12, "passphrase").env(WRONG_PASSPHRASE),
    row("wrong passphrase, folder", Folder, "repo connect filesystem --path {folder}/repo", 12, "passphrase").env(WRONG_PASSPHRASE),
    row("no passphrase", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 12, "no passphrase was given").env(&[("CORSO_PASSPHRASE", "")]),
    row("passphrase file missing", Folder, "backup list --passphrase-file {folder}/absent", 12, "reading the passphrase from {folder}/absent").config(IN_FOLDER),
    row("two passphrases of one rank", Folder, "backup list", 2, "CORSO_PASSPHRASE_FILE and CORSO_PASSPHRASE both give a passphrase").env(&[("CORSO_PASSPHRASE_FILE", "{folder}/absent")]).config(IN_FOLDER),
    // Credentials
    row("no credentials", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 13, "no storage credentials; tried flags (no --aws-access-key), environment (no AWS_ACCESS_KEY_ID), web identity (no AWS_WEB_IDENTITY_TOKEN_FILE), profile \"default\"").env(NO_KEYS),
    row("half a key pair", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 13, "AWS_SECRET_ACCESS_KEY is not").env(&[("AWS_SECRET_ACCESS_KEY", "")]),
    row("profile missing", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls --profile absent", 13, "profile \"absent\"").env(NO_KEYS),
    row("credentials file unreadable", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 13, "the credentials file {folder}/empty, which AWS_SHARED_CREDENTIALS_FILE names, cannot be read").env(&[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_SHARED_CREDENTIALS_FILE", "{folder}/empty")]),
    row("unknown access key", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 13, "AKIAUNKNOWN000000001 from environment").env(UNKNOWN_KEY),
    row("unknown access key, rclone", Rclone, "repo init s3 --bucket corso-test --endpoint {rclone} --disable-tls", 13, "AKIAUNKNOWN000000001 from environment").env(UNKNOWN_KEY),
    row("unknown access key, moto", Moto, "repo init s3 --bucket corso-test --endpoint {moto} --disable-tls", 13, "the storage does not know the access key: AKIAUNKNOWN000000001 from environment").env(UNKNOWN_KEY),
    row("wrong secret key", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 13, "the secret key does not fit the access key").env(WRONG_SECRET),
    row("wrong secret key, rclone", Rclone, "repo init s3 --bucket corso-test --endpoint {rclone} --disable-tls", 13, "the secret key does not fit the access key").env(WRONG_SECRET),
    row("wrong secret key, moto", Moto, "repo init s3 --bucket corso-test --endpoint {moto} --disable-tls", 13, "the secret key does not fit the access key").env(WRONG_SECRET),
    // Permissions
    row("may not get", Moto, "repo init s3 --bucket corso-test --endpoint {moto} --disable-tls", 13, "permission s3:GetObject denied").env(&[("AWS_ACCESS_KEY_ID", "{lister}"), ("AWS_SECRET_ACCESS_KEY", "{lister secret}")]),
    row("may not put", Moto, "repo init s3 --bucket corso-test --endpoint {moto} --disable-tls", 13, "permission s3:PutObject denied").env(&[("AWS_ACCESS_KEY_ID", "{reader}"), ("AWS_SECRET_ACCESS_KEY", "{reader secret}")]),
    row("may put keys but not config", Moto, "repo init s3 --bucket corso-test --endpoint {moto} --disable-tls", 13, "permission s3:PutObject denied").env(&[("AWS_ACCESS_KEY_ID", "{slots}"), ("AWS_SECRET_ACCESS_KEY", "{slots secret}")]),
    // Region and clock
    row("wrong region", Regional, "repo init s3 --bucket empty --endpoint {regional} --disable-tls --region us-west-2", 13, "the bucket is not in region us-west-2"),
    row("clock skew", Skewed, "repo init s3 --bucket empty --endpoint {skewed} --disable-tls", 13, "this host's clock is"),
    row("endpoint of another region", Odd, "repo init s3 --bucket redirected --endpoint {odd} --disable-tls", 13, "but at \"redirected.s3.eu-west-1.amazonaws.com\""),
    row("wrong secret key and a wrong clock", Odd, "repo init s3 --bucket signature --endpoint {odd} --disable-tls", 13, "off, which was allowed for"),
    // Accounts and names
    row("bucket of another account", Odd, "repo init s3 --bucket foreign --endpoint {odd} --disable-tls", 13, "names of other accounts' buckets are refused like this"),
    row("keys locked out", Odd, "repo init s3 --bucket lockout --endpoint {odd} --disable-tls", 13, "the storage has locked the keys out for some minutes"),
    row("impossible bucket name", None, "repo init s3 --bucket my/bucket", 2, "\"my/bucket\" is not a bucket name"),
    row("bucket name that the provider refuses", Odd, "repo init s3 --bucket Odd_Name --endpoint {odd} --disable-tls", 2, "\"Odd_Name\" is not a name that a bucket can have"),
    // Between here and there
    row("login page of a network", Odd, "repo init s3 --bucket login --endpoint {odd} --disable-tls", 14, "a web page titled \"Hotel\" came from {odd} instead of an answer of S3 (status 302, which leads to \"http://login.example/\")"),
    row("web page instead of XML", Odd, "repo init s3 --bucket page --endpoint {odd} --disable-tls", 14, "a web page titled \"Console\" came from {odd} instead of an answer of S3 (status 200)"),
    row("proxy wants a password", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 14, "it wants a user name and a password").env(&[("http_proxy", "http://{strict proxy}")]),
    row("proxy is none", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 2, "only HTTP proxies are supported").env(&[("all_proxy", "socks5://127.0.0.1:1")]),
    row("plain HTTP to a TLS port that says so", Odd, "repo init s3 --bucket tls --endpoint {odd} --disable-tls", 14, "{odd} wants TLS"),
    // Network
    row("private authority not given", Tls, "repo init s3 --bucket corso-test --endpoint {tls}", 14, "no secure connection to {tls}"),
    row("TLS to a plain HTTP port", S3s, "repo init s3 --bucket corso-test --endpoint {s3s}", 14, "no secure connection to {s3s}"),
    row("plain HTTP to a TLS port", Tls, "repo init s3 --bucket corso-test --endpoint {tls} --disable-tls", 14, "what listens at {tls} does not speak HTTP"),
    row("host name not found", None, "repo init s3 --bucket corso-test --endpoint no-such-host.invalid", 14, "no address is known for no-such-host.invalid"),
    row("connection refused", None, "repo init s3 --bucket corso-test --endpoint {nobody} --disable-tls", 14, "nothing listens at {nobody}"),
    // Something else is there
    row("not a repository", S3s, "repo connect s3 --bucket foreign --endpoint {s3s} --disable-tls", 15, "not a Corso repository"),
    row("not a repository, init", S3s, "repo init s3 --bucket foreign --endpoint {s3s} --disable-tls", 15, "not a Corso repository"),
    row("not a repository, folder", Folder, "repo connect filesystem --path {folder}/foreign", 15, "not a Corso repository"),
    row("newer format", S3s, "repo connect s3 --bucket newer --endpoint {s3s} --disable-tls", 15, "written by a newer Corso"),
    row("newer format, init", S3s, "repo init s3 --bucket newer --endpoint {s3s} --disable-tls", 15, "written by a newer Corso"),
    // Flags
    row("bucket flag missing", None, "repo init s3", 2, "the bucket is missing"),
    row("folder flag missing", None, "repo init filesystem", 2, "the repository's folder is missing"),
    row("endpoint with a scheme", S3s, "repo init s3 --bucket empty --endpoint http://{s3s}", 2, "add --disable-tls"),
    row("flag: provider", None, "repo init s3 --bucket b --provider nobody", 2, "--provider: no provider \"nobody\" is known"),
    row("flag: provider without a place", None, "repo init s3 --bucket b --provider b2", 2, "give its --endpoint: s3.REGION.backblazeb2.com").env(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")]),
    row("flag: storage class", None, "repo init s3 --bucket b --storage-class DEEP_ARCHIVE", 2, "--storage-class: objects of class DEEP_ARCHIVE cannot be read at once"),
    row("flag: key without its service", None, "repo init s3 --bucket b --sse-kms-key-id k", 2, "--sse-kms-key-id needs --sse aws:kms"),
    row("flag: addressing", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls --addressing virtual", 2, "is not a name"),
    row("environment: FIPS", S3s, "repo init s3 --bucket empty --endpoint {s3s} --disable-tls", 2, "AWS_USE_FIPS_ENDPOINT is \"1\"").env(&[("AWS_USE_FIPS_ENDPOINT", "1")]),
    row("no repository named", None, "backup list", 2, "run 'corso repo connect' first"),
    row("flag unlike file: bucket", S3s, "backup list --bucket other", 2, "--bucket \"other\" does not match bucket \"corso-test\" in {home}/.corso.toml").config(IN_BUCKET),
    row("flag unlike file: prefix", S3s, "backup list --prefix other", 2, "--prefix \"other/\" does not match prefix \"\"").config(IN_BUCKET),
    row("flag unlike file: endpoint", S3s, "backup list --endpoint {nobody}", 2, "--endpoint \"{nobody}\" does not match endpoint \"{s3s}\"").config(IN_BUCKET),
    row("flag unlike file: path", Folder, "backup list --path {folder}/empty", 2, "--path \"{folder}/empty\" does not match path \"{folder}/repo\"").config(IN_FOLDER),
    row("file is not TOML", None, "backup list", 2, "{home}/.corso.toml is not valid TOML, line 1").config("passphrase = {writer passphrase}\n"),
    row("no such backup", Folder, "backup details 1234abcd", 1, "1234abcd").config(IN_FOLDER),
    row("no such deleted backup", Folder, "backup undelete 1234abcd", 1, "no deleted backup with the id 1234abcd").config(IN_FOLDER),
    row("no rule to forget by", Folder, "backup forget", 2, "there is no rule").config(IN_FOLDER),
    row("not a rule to forget by", Folder, "backup forget --keep-within 3w", 2, "--keep-within: \"3w\" is not a length of time").config(IN_FOLDER),
    row("check: no such part", Folder, "repo check --read-data-subset x", 2, "which part of the data").config(IN_FOLDER),
    row("check: all and a part", Folder, "repo check --read-data --read-data-subset 5%", 2, "exclude each other").config(IN_FOLDER),
    row("repair: no such pack", Folder, "repo repair packs 1234abcd", 2, "there is no pack").config(IN_FOLDER),
    // A writer key makes backups and nothing else
    row("writer key: status", Folder, "repo status", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: list", Folder, "backup list", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: details", Folder, "backup details latest", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: restore", Folder, "restore latest --destination {home}/out", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: delete", Folder, "backup delete latest", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: forget", Folder, "backup forget --keep-last 1", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: pin", Folder, "backup pin latest", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: undelete", Folder, "backup undelete 1234abcd", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: check", Folder, "repo check", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: repair index", Folder, "repo repair index", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: repair packs", Folder, "repo repair packs", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: repair snapshots", Folder, "repo repair snapshots", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: key list", Folder, "repo key list", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: key add", Folder, "repo key add --new-passphrase x", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: key remove", Folder, "repo key remove 00", 12, "role full").env(WRITER).config(IN_FOLDER),
    row("writer key: update-passphrase", Folder, "repo update-passphrase --new-passphrase x", 12, "role full").env(WRITER).config(IN_FOLDER),
];
