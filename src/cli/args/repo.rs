//! `corso repo ...`

use argh::{ArgsInfo, FromArgs};

/// Create, connect to and manage a repository.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "repo", help_triggers("--help"))]
pub struct Repo {
    /// what to do
    #[argh(subcommand)]
    pub command: RepoCommand,
}

/// The commands under `corso repo`.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum RepoCommand {
    /// `corso repo init`
    Init(Init),
    /// `corso repo connect`
    Connect(Connect),
    /// `corso repo status`
    Status(Status),
    /// `corso repo disconnect`
    Disconnect(Disconnect),
    /// `corso repo update-passphrase`
    UpdatePassphrase(UpdatePassphrase),
    /// `corso repo key`
    Key(Key),
    /// `corso repo maintenance`
    Maintenance(Maintenance),
    /// `corso repo check`
    Check(Check),
    /// `corso repo repair`
    Repair(Repair),
    /// `corso repo validate-provider`
    Validate(Validate),
}

/// Create a new repository.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "init", help_triggers("--help"))]
pub struct Init {
    /// where
    #[argh(subcommand)]
    pub place: InitPlace,
}

/// Where to create it.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum InitPlace {
    /// `corso repo init s3`
    S3(InitS3),
    /// `corso repo init filesystem`
    Filesystem(InitFilesystem),
}

/// Create a repository in an S3 bucket that exists.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "s3", help_triggers("--help"))]
pub struct InitS3 {
    /// lock every object against deletion, with object lock of the bucket: governance, or compliance, which nobody can lift
    #[argh(option, arg_name = "MODE")]
    pub retention_mode: Option<String>,

    /// how long an object is locked, such as 30d; needs --retention-mode
    #[argh(option, arg_name = "DURATION")]
    pub retention_duration: Option<String>,

    /// let maintenance extend the locks of what is still needed
    #[argh(switch)]
    pub extend_retention: bool,
}

/// Create a repository in a folder.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "filesystem", help_triggers("--help"))]
pub struct InitFilesystem {}

/// What is fixed when a repository is created.
#[derive(FromArgs, ArgsInfo, Default)]
#[argh(help_triggers("--help"))]
pub struct InitArgs {
    /// how long deleted data is kept before maintenance may remove it: 24h, 7d, or 0 if nothing else ever runs
    #[argh(option, arg_name = "DURATION")]
    pub grace: Option<String>,

    /// cipher of all stored data
    #[argh(option, arg_name = "CIPHER")]
    pub cipher: Option<String>,

    /// size at which a pack of data is uploaded
    #[argh(option, arg_name = "SIZE")]
    pub pack_size: Option<String>,
}

/// Connect to an existing repository and remember it in the configuration file.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "connect", help_triggers("--help"))]
pub struct Connect {
    /// where
    #[argh(subcommand)]
    pub place: ConnectPlace,
}

/// Where the repository is.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum ConnectPlace {
    /// `corso repo connect s3`
    S3(ConnectS3),
    /// `corso repo connect filesystem`
    Filesystem(ConnectFilesystem),
}

/// Connect to a repository in an S3 bucket.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "s3", help_triggers("--help"))]
pub struct ConnectS3 {
    /// show the repository as it was then, in a bucket that keeps versions; only for reading
    #[argh(option, arg_name = "TIME")]
    pub point_in_time: Option<String>,
}

/// Connect to a repository in a folder.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "filesystem", help_triggers("--help"))]
pub struct ConnectFilesystem {}

/// Show which repository this is and what it holds.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "status", help_triggers("--help"))]
pub struct Status {}

/// Forget the repository: remove its settings from the configuration file. The repository itself is not touched.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "disconnect", help_triggers("--help"))]
pub struct Disconnect {}

/// Change the passphrase of the key in use.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "update-passphrase", help_triggers("--help"))]
pub struct UpdatePassphrase {}

/// List, add and remove the keys that open the repository.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "key", help_triggers("--help"))]
pub struct Key {
    /// what to do
    #[argh(subcommand)]
    pub command: KeyCommand,
}

/// The commands under `corso repo key`.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum KeyCommand {
    /// `corso repo key list`
    List(KeyList),
    /// `corso repo key add`
    Add(KeyAdd),
    /// `corso repo key remove`
    Remove(KeyRemove),
}

/// List the keys.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list", help_triggers("--help"))]
pub struct KeyList {}

/// Add a key with a passphrase of its own.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "add", help_triggers("--help"))]
pub struct KeyAdd {
    /// what the key may do: everything, or make backups and read nothing
    #[argh(option, arg_name = "ROLE")]
    pub role: Option<String>,

    /// a name for the key, for people; stored in clear
    #[argh(option, arg_name = "LABEL")]
    pub label: Option<String>,
}

/// Remove a key. What it could open before, it can still open in copies of the storage.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "remove", help_triggers("--help"))]
pub struct KeyRemove {
    /// id of the key, or a unique beginning of it
    #[argh(positional, arg_name = "KEY")]
    pub key: String,
}

/// Free what no backup needs any more, and keep the repository quick. May run at any time, beside anything.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "maintenance", help_triggers("--help"))]
pub struct Maintenance {
    /// complete: everything; metadata: only merge index objects and delete what is due
    #[argh(option, arg_name = "MODE")]
    pub mode: Option<String>,

    /// say what would be done, and what it would cost, and change nothing
    #[argh(switch)]
    pub dry_run: bool,

    /// wait longer than the repository's grace period before deleting, or not at all: 0 if nothing else runs now
    #[argh(option, arg_name = "DURATION")]
    pub grace: Option<String>,

    /// move at most so much data in order to free space
    #[argh(option, arg_name = "SIZE")]
    pub max_repack: Option<String>,

    /// extend the locks of what backups need, also where the repository was not made so
    #[argh(switch)]
    pub extend_retention: bool,

    /// go on although backups are missing without a record of their deletion
    #[argh(switch)]
    pub accept_missing: bool,

    /// what storage and requests cost, such as storage=0.006,egress=0.01
    #[argh(option, arg_name = "PRICES")]
    pub prices: Option<String>,
}

/// Check that every backup is complete and nothing is damaged.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "check", help_triggers("--help"))]
pub struct Check {
    /// also read and verify all data
    #[argh(switch)]
    pub read_data: bool,

    /// also read and verify a part of the data: 5% at random, part 1/7, or 10G at random
    #[argh(option, arg_name = "PART")]
    pub read_data_subset: Option<String>,

    /// also ask the storage for the checksums that it keeps: one request a pack, no download
    #[argh(switch)]
    pub checksums: bool,
}

/// Mend what a check found.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "repair", help_triggers("--help"))]
pub struct Repair {
    /// what to repair
    #[argh(subcommand)]
    pub command: RepairCommand,
}

/// The commands under `corso repo repair`.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum RepairCommand {
    /// `corso repo repair index`
    Index(RepairIndex),
    /// `corso repo repair packs`
    Packs(RepairPacks),
    /// `corso repo repair snapshots`
    Snapshots(RepairSnapshots),
}

/// Rebuild what is missing or wrong in the index from the packs.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "index", help_triggers("--help"))]
pub struct RepairIndex {
    /// read every pack, not only those that the index does not describe
    #[argh(switch)]
    pub all: bool,

    /// say what would be done, and change nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Salvage what is whole in damaged packs and take them out of use, so that the next backup stores the rest again.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "packs", help_triggers("--help"))]
pub struct RepairPacks {
    /// names of damaged packs, or unique beginnings; missing and shortened ones are found without
    #[argh(positional, arg_name = "PACK")]
    pub packs: Vec<String>,

    /// read all packs to find the damaged ones
    #[argh(switch)]
    pub read_data: bool,

    /// say what would be done, and change nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Show which files of backups are lost, and with --holes make backups without them.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "snapshots", help_triggers("--help"))]
pub struct RepairSnapshots {
    /// backups to repair; all if none is given
    #[argh(positional, arg_name = "BACKUP")]
    pub backups: Vec<String>,

    /// replace damaged backups by ones in which what is lost is marked and zero
    #[argh(switch)]
    pub holes: bool,

    /// say what would be done, and change nothing; without --holes nothing is changed anyway
    #[argh(switch)]
    pub dry_run: bool,
}

/// Find out whether a place is fit for a repository, and what it can do.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "validate-provider", help_triggers("--help"))]
pub struct Validate {
    /// which place
    #[argh(subcommand)]
    pub place: ValidatePlace,
}

/// Which place is meant.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum ValidatePlace {
    /// `corso repo validate-provider s3`
    S3(ValidateS3),
    /// `corso repo validate-provider filesystem`
    Filesystem(ValidateFilesystem),
}

/// Ask a bucket for everything that Corso does, one thing at a time, below a prefix that is removed afterwards.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "s3", help_triggers("--help"))]
pub struct ValidateS3 {
    /// also try what object lock needs: governance or compliance
    #[argh(option, arg_name = "MODE")]
    pub retention_mode: Option<String>,

    /// also try what it needs to show the repository as it was
    #[argh(option, arg_name = "TIME")]
    pub point_in_time: Option<String>,
}

/// Ask a folder for everything that Corso does, in a folder below it that is removed afterwards.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "filesystem", help_triggers("--help"))]
pub struct ValidateFilesystem {}
