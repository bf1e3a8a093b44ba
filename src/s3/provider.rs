//! What each provider takes: one table, so that no code asks for names. Correctness never depends on it.

/// Optional features of a provider's S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// For messages and logs.
    pub name: &'static str,
    /// Honours `If-None-Match: *` (or at least takes it).
    pub conditional_put: bool,
    /// Takes `x-amz-checksum-sha256`.
    pub checksum: bool,
    /// Send `content-md5` with every put.
    pub md5: bool,
    /// Answers `expect: 100-continue`.
    pub expect_continue: bool,
    /// Most keys in one DeleteObjects.
    pub delete_batch: usize,
}

/// What every S3-compatible server takes.
const COMMON: Provider = Provider {
    name: "S3-compatible",
    conditional_put: true,
    checksum: false,
    md5: false,
    expect_continue: true,
    delete_batch: 1000,
};

const AWS: Provider = Provider {
    name: "AWS",
    checksum: true,
    ..COMMON
};

/// Host suffix -> provider. Hosts named nowhere are [`COMMON`].
const TABLE: [(&str, Provider); 5] = [
    (".amazonaws.com", AWS),
    (".amazonaws.com.cn", AWS),
    (
        ".backblazeb2.com",
        Provider {
            name: "Backblaze B2",
            conditional_put: false,
            ..COMMON
        },
    ),
    // Ignores If-None-Match, and has refused unknown x-amz headers.
    (
        "storage.googleapis.com",
        Provider {
            name: "Google Cloud Storage",
            conditional_put: false,
            ..COMMON
        },
    ),
    // Fails batches over 700 keys.
    (
        ".r2.cloudflarestorage.com",
        Provider {
            name: "Cloudflare R2",
            expect_continue: false,
            delete_batch: 500,
            ..COMMON
        },
    ),
];

/// The provider behind a host name.
pub fn of_host(host: &str) -> Provider {
    let host = host.to_ascii_lowercase();
    TABLE
        .iter()
        .find(|(suffix, _)| host.ends_with(suffix))
        .map_or(COMMON, |(_, provider)| *provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_host() {
        assert_eq!(of_host("b.s3.eu-west-1.amazonaws.com").name, "AWS");
        assert_eq!(
            of_host("S3.us-west-000.backblazeb2.com").name,
            "Backblaze B2"
        );
        assert_eq!(of_host("localhost"), COMMON);
        assert_eq!(of_host("amazonaws.com.evil.example"), COMMON);
    }
}
