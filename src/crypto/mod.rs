//! Passphrases, keys, and what each key may do.
