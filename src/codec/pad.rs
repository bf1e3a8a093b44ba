//! Padme: object lengths that leak little (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
//! Communication with PURBs", PoPETs 2019, section 4).

/// The smallest Padme length that is at least `len`: its binary form has no more significant bits than its
/// exponent has bits. At most 12 % longer, and about 3 % for objects of some MiB. Saturates at the top of `u64`.
pub fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1u64 << exponent.saturating_sub(significant)) - 1;
    len.checked_add(mask).map_or(!mask, |sum| sum & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_the_paper() {
        for (len, padded) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (15, 16),
            (1000, 1024),
            (1 << 25, 1 << 25),
        ] {
            assert_eq!(padme(len), padded, "{len}");
        }
        assert_eq!(padme((1 << 25) + 1), (1 << 25) + (1 << 20));
    }

    proptest! {
        #[test]
        fn grows_little_and_is_a_fixed_point(len in 2u64..1 << 40) {
            let padded = padme(len);
            prop_assert!(padded >= len && padded - len <= len * 12 / 100 + 1);
            prop_assert_eq!(padme(padded), padded);
        }
    }
}
