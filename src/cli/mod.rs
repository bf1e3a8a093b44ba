//! The command line: flags, environment, configuration, output.
