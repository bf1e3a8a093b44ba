//! Encodings with hard length limits: everything read is hostile.
