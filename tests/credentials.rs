//! Every source of keys, through the program: it works, it is named, and its secrets stay where they belong.

mod support;

#[path = "credentials/botocore.rs"]
mod botocore;
#[path = "credentials/long_run.rs"]
mod long_run;
#[path = "credentials/sources.rs"]
mod sources;
#[path = "credentials/sts.rs"]
mod sts;
