//! The side table's other half: commands.

use super::Group;

/// What the tables say about a command that can run.
#[derive(Debug)]
pub struct CommandExtra {
    /// The words after `corso`.
    pub path: &'static [&'static str],
    /// Flag groups beside the command's own and the global ones.
    pub groups: &'static [Group],
    /// Usage after the command's name.
    pub usage: &'static str,
    /// Command lines for help.
    pub examples: &'static [&'static str],
}

use Group::{Filesystem, Init, NewPassphrase, Passphrase, S3, Select};

/// Every command that can run.
pub const COMMANDS: &[CommandExtra] = &[
    CommandExtra {
        path: &["repo", "init", "s3"],
        groups: &[Init, S3, Passphrase],
        usage: "--bucket NAME [flags]",
        examples: &[
            "corso repo init s3 --bucket my-backups --passphrase-file ~/.corso-passphrase",
            "corso repo init s3 --bucket backups --prefix host1 --endpoint minio.example.net:9000",
            "corso repo init s3 --bucket backups --retention-mode compliance --retention-duration 30d --extend-retention",
        ],
    },
    CommandExtra {
        path: &["repo", "init", "filesystem"],
        groups: &[Init, Filesystem, Passphrase],
        usage: "--path DIR [flags]",
        examples: &["corso repo init filesystem --path /mnt/disk/backups"],
    },
    CommandExtra {
        path: &["repo", "connect", "s3"],
        groups: &[S3, Passphrase],
        usage: "--bucket NAME [flags]",
        examples: &[
            "corso repo connect s3 --bucket my-backups",
            "corso repo connect s3 --bucket my-backups --point-in-time 2026-01-31T12:00:00Z",
        ],
    },
    CommandExtra {
        path: &["repo", "connect", "filesystem"],
        groups: &[Filesystem, Passphrase],
        usage: "--path DIR [flags]",
        examples: &["corso repo connect filesystem --path /mnt/disk/backups"],
    },
    CommandExtra {
        path: &["repo", "status"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[flags]",
        examples: &["corso repo status --json"],
    },
    CommandExtra {
        path: &["repo", "disconnect"],
        groups: &[S3, Filesystem],
        usage: "[flags]",
        examples: &["corso repo disconnect"],
    },
    CommandExtra {
        path: &["repo", "update-passphrase"],
        groups: &[NewPassphrase, S3, Filesystem, Passphrase],
        usage: "[flags]",
        examples: &["corso repo update-passphrase --new-passphrase-file ~/.corso-passphrase.new"],
    },
    CommandExtra {
        path: &["repo", "key", "list"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[flags]",
        examples: &["corso repo key list"],
    },
    CommandExtra {
        path: &["repo", "key", "add"],
        groups: &[NewPassphrase, S3, Filesystem, Passphrase],
        usage: "[--role full|writer] [--label LABEL] [flags]",
        examples: &[
            "corso repo key add --role writer --label web1 --new-passphrase-file web1.passphrase",
        ],
    },
    CommandExtra {
        path: &["repo", "key", "remove"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "KEY [flags]",
        examples: &["corso repo key remove 5d41402a"],
    },
    CommandExtra {
        path: &["repo", "maintenance"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[flags]",
        examples: &[
            "corso repo maintenance",
            "corso repo maintenance --dry-run --prices storage=0.006,egress=0.01",
        ],
    },
    CommandExtra {
        path: &["repo", "check"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[--read-data | --read-data-subset PART] [--checksums] [flags]",
        examples: &["corso repo check", "corso repo check --read-data-subset 5%"],
    },
    CommandExtra {
        path: &["repo", "repair", "index"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[--all] [--dry-run] [flags]",
        examples: &["corso repo repair index --dry-run"],
    },
    CommandExtra {
        path: &["repo", "repair", "packs"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[PACK...] [--read-data] [--dry-run] [flags]",
        examples: &["corso repo repair packs 9f86d081884c7d65"],
    },
    CommandExtra {
        path: &["repo", "repair", "snapshots"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "[BACKUP...] [--holes] [--dry-run] [flags]",
        examples: &[
            "corso repo repair snapshots",
            "corso repo repair snapshots --holes",
        ],
    },
    CommandExtra {
        path: &["repo", "validate-provider", "s3"],
        groups: &[S3],
        usage: "--bucket NAME [flags]",
        examples: &[
            "corso repo validate-provider s3 --bucket backups --endpoint minio.example.net:9000",
        ],
    },
    CommandExtra {
        path: &["repo", "validate-provider", "filesystem"],
        groups: &[Filesystem],
        usage: "--path DIR [flags]",
        examples: &["corso repo validate-provider filesystem --path /mnt/disk/backups"],
    },
    CommandExtra {
        path: &["backup", "create"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "PATH... [flags]",
        examples: &[
            "corso backup create /etc /home --exclude-caches --exclude '*.tmp'",
            "pg_dumpall | corso backup create --stdin db.sql --tag db",
        ],
    },
    CommandExtra {
        path: &["backup", "list"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "[flags]",
        examples: &["corso backup list --host web1"],
    },
    CommandExtra {
        path: &["backup", "details"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "BACKUP [PATH] [flags]",
        examples: &["corso backup details latest /etc/ssh"],
    },
    CommandExtra {
        path: &["backup", "delete"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "BACKUP... [flags]",
        examples: &["corso backup delete 3fa9c1d2"],
    },
    CommandExtra {
        path: &["backup", "forget"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "--keep-RULE VALUE... [flags]",
        examples: &[
            "corso backup forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run",
            "corso backup forget --keep-within 1m --keep-tag release --group-by host",
        ],
    },
    CommandExtra {
        path: &["backup", "pin"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "BACKUP... [flags]",
        examples: &["corso backup pin 3fa9c1d2"],
    },
    CommandExtra {
        path: &["backup", "unpin"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "BACKUP... [flags]",
        examples: &["corso backup unpin 3fa9c1d2"],
    },
    CommandExtra {
        path: &["backup", "undelete"],
        groups: &[S3, Filesystem, Passphrase],
        usage: "BACKUP... [flags]",
        examples: &[
            "corso backup list --deleted",
            "corso backup undelete 3fa9c1d2",
        ],
    },
    CommandExtra {
        path: &["restore"],
        groups: &[Select, S3, Filesystem, Passphrase],
        usage: "BACKUP [PATH...] --destination DIR [flags]",
        examples: &[
            "corso restore latest --destination /tmp/restored",
            "corso restore latest /etc/ssh --destination / --collisions replace",
        ],
    },
    CommandExtra {
        path: &["completion"],
        groups: &[],
        usage: "bash|fish|nushell|powershell|zsh",
        examples: &["corso completion bash > /etc/bash_completion.d/corso"],
    },
];
