//! Where to cut: large files by content, small files into bundles.
