//! The table. Where a row says `tried`, the suites of this project run against that server (versions: `.ci/run`); all
//! other rows rest on what the documentation they name is known to say, and were not tried.

use super::{Addressing, Checksum, Conditional, ContentMd5, ListDialect, Provider, RegionRule};

/// What every S3-compatible server takes: for endpoints that no row names.
pub const COMMON: Provider = Provider {
    id: "common",
    name: "S3-compatible",
    endpoints: &[],
    addressing: Addressing::Path,
    region: RegionRule::Default("us-east-1"),
    checksum: Checksum::None,
    md5: ContentMd5::WithLock,
    expect_continue: true,
    conditional_put: Conditional::Unknown,
    delete_batch: 1000,
    object_lock: true,
    list: ListDialect::V2Url,
    connections: 12,
    source: "tried: what s3s-fs, moto, rclone, versitygw, MinIO and SeaweedFS have in common",
};

/// The rows. A field that a row leaves out is that of [`COMMON`].
pub const TABLE: &[Provider] = &[
    Provider {
        id: "aws",
        name: "Amazon S3",
        // Global and regional names, dual-stack and FIPS, of the partitions aws, aws-us-gov and aws-cn.
        endpoints: &[
            "s3.amazonaws.com",
            "s3.{region}.amazonaws.com",
            "s3.dualstack.{region}.amazonaws.com",
            "s3-fips.{region}.amazonaws.com",
            "s3-fips.dualstack.{region}.amazonaws.com",
            "s3.{region}.amazonaws.com.cn",
            "s3.dualstack.{region}.amazonaws.com.cn",
            // The oldest form, and the endpoints of private networks.
            "s3-{region}.amazonaws.com",
            "bucket.{account}.s3.{region}.vpce.amazonaws.com",
        ],
        addressing: Addressing::Virtual,
        region: RegionRule::InEndpoint,
        checksum: Checksum::Sha256,
        // The checksum counts in its place.
        md5: ContentMd5::Never,
        conditional_put: Conditional::Honoured,
        connections: 16,
        source: "https://docs.aws.amazon.com/general/latest/gr/s3.html, \
                 https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html",
        ..COMMON
    },
    Provider {
        id: "google",
        name: "Google Cloud Storage",
        endpoints: &["storage.googleapis.com"],
        region: RegionRule::Default("auto"),
        // Conditions of S3 are passed over; its own (x-goog-if-generation-match) need its own signature.
        conditional_put: Conditional::Ignored,
        // One by one: DeleteObjects is new there, and a delete is free.
        delete_batch: 1,
        object_lock: false,
        source: "https://cloud.google.com/storage/docs/interoperability, \
                 https://cloud.google.com/storage/docs/xml-api/reference-headers",
        ..COMMON
    },
    Provider {
        id: "b2",
        name: "Backblaze B2",
        endpoints: &["s3.{region}.backblazeb2.com"],
        region: RegionRule::InEndpoint,
        conditional_put: Conditional::Refused,
        source: "https://www.backblaze.com/docs/cloud-storage-s3-compatible-api",
        ..COMMON
    },
    Provider {
        id: "r2",
        name: "Cloudflare R2",
        endpoints: &[
            "{account}.r2.cloudflarestorage.com",
            "{account}.eu.r2.cloudflarestorage.com",
            "{account}.fedramp.r2.cloudflarestorage.com",
        ],
        region: RegionRule::Always("auto"),
        expect_continue: false,
        conditional_put: Conditional::Honoured,
        // Batches over 700 keys have ended in InternalError.
        delete_batch: 500,
        object_lock: false,
        connections: 6,
        source: "https://developers.cloudflare.com/r2/api/s3/api/",
        ..COMMON
    },
    Provider {
        id: "minio",
        name: "MinIO",
        checksum: Checksum::Sha256,
        md5: ContentMd5::Never,
        conditional_put: Conditional::Honoured,
        source: "tried: MinIO of 2026-02-12 on one drive",
        ..COMMON
    },
    Provider {
        id: "wasabi",
        name: "Wasabi",
        endpoints: &["s3.{region}.wasabisys.com", "s3.wasabisys.com"],
        region: RegionRule::InEndpoint,
        source: "https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabis-different-storage-regions, \
                 https://docs.wasabi.com/docs/wasabi-api",
        ..COMMON
    },
    Provider {
        id: "ceph",
        name: "Ceph RGW",
        // By version: some refuse it, some pass it over.
        conditional_put: Conditional::Unknown,
        source: "https://docs.ceph.com/en/latest/radosgw/s3/",
        ..COMMON
    },
    Provider {
        id: "garage",
        name: "Garage",
        region: RegionRule::Default("garage"),
        checksum: Checksum::Sha256,
        conditional_put: Conditional::Ignored,
        object_lock: false,
        source: "https://garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility/",
        ..COMMON
    },
    Provider {
        id: "seaweedfs",
        name: "SeaweedFS",
        // By version: 3.39 passes it over.
        conditional_put: Conditional::Unknown,
        source: "tried: SeaweedFS 3.39; https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API",
        ..COMMON
    },
    Provider {
        id: "digitalocean",
        name: "DigitalOcean Spaces",
        endpoints: &["{region}.digitaloceanspaces.com"],
        region: RegionRule::InEndpoint,
        object_lock: false,
        list: ListDialect::V2Plain,
        source: "https://docs.digitalocean.com/reference/api/spaces/, \
                 https://docs.digitalocean.com/products/spaces/details/limits/",
        ..COMMON
    },
    Provider {
        id: "scaleway",
        name: "Scaleway",
        endpoints: &["s3.{region}.scw.cloud"],
        region: RegionRule::InEndpoint,
        source: "https://www.scaleway.com/en/docs/object-storage/api-cli/using-api-call-list/",
        ..COMMON
    },
    Provider {
        id: "hetzner",
        name: "Hetzner Object Storage",
        endpoints: &["{region}.your-objectstorage.com"],
        region: RegionRule::InEndpoint,
        source: "https://docs.hetzner.com/storage/object-storage/supported-actions/",
        ..COMMON
    },
    Provider {
        id: "ovh",
        name: "OVHcloud",
        endpoints: &[
            "s3.{region}.io.cloud.ovh.net",
            "s3.{region}.io.cloud.ovh.us",
            "s3.{region}.perf.cloud.ovh.net",
        ],
        region: RegionRule::InEndpoint,
        source: "https://support.us.ovhcloud.com/hc/en-us/articles/4605467875603",
        ..COMMON
    },
    Provider {
        id: "versitygw",
        name: "Versity S3 Gateway",
        checksum: Checksum::Sha256,
        md5: ContentMd5::Never,
        conditional_put: Conditional::Honoured,
        source: "tried: versitygw with its posix backend",
        ..COMMON
    },
    Provider {
        id: "rclone",
        name: "rclone serve s3",
        conditional_put: Conditional::Ignored,
        object_lock: false,
        source: "tried: rclone serve s3 on a folder",
        ..COMMON
    },
];
