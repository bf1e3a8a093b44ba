//! The source and target side: the one place for the platform.
