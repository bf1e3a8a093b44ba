//! Environment variables beside those of flags.

/// Environment variables that no flag stands for, and what they do.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("CORSO_CONFIG_DIR", "folder of .corso.toml; it must exist"),
    (
        "AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE",
        "credentials and config files with profiles",
    ),
    (
        "AWS_USE_DUALSTACK_ENDPOINT, AWS_USE_FIPS_ENDPOINT",
        "true for AWS's endpoints with IPv6, and with validated cryptography",
    ),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME",
        "keys for a token of another identity provider",
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "where a container gets keys",
    ),
    (
        "AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "whether and where an EC2 instance asks for keys",
    ),
    (
        "AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_SSO, AWS_ENDPOINT_URL_SSO_OIDC",
        "URLs of the services that give keys",
    ),
    (
        "CORSO_CACHE_DIR, XDG_CACHE_HOME",
        "folder of the cache, and the folder below which it lies by default",
    ),
    (
        "NO_COLOR, TERM=dumb",
        "no progress bar on a dumb terminal; there is never any colour",
    ),
];
