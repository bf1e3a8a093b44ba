//! The S3 client: a sans-I/O core, a thin ureq shell, a request meter.
