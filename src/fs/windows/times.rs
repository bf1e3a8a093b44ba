//! Windows times: 100 ns intervals since 1601-01-01 (Microsoft, FILETIME).

use crate::format::FileTime;

/// From 1601-01-01 to 1970-01-01.
const EPOCH: i64 = 116_444_736_000_000_000;
const PER_SECOND: i64 = 10_000_000;

/// A snapshot's time. Zero, "not kept", is the zero of [`FileTime`].
pub fn from_ticks(ticks: i64) -> FileTime {
    if ticks == 0 {
        return FileTime::default();
    }
    let ticks = ticks.saturating_sub(EPOCH);
    FileTime {
        secs: ticks.div_euclid(PER_SECOND),
        nanos: (ticks.rem_euclid(PER_SECOND) * 100) as u32,
    }
}

/// What to set: at least one tick, as zero and negative numbers mean other things to the system.
pub fn to_ticks(time: FileTime) -> i64 {
    time.secs
        .saturating_mul(PER_SECOND)
        .saturating_add(i64::from(time.nanos / 100))
        .saturating_add(EPOCH)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_to_a_tick() {
        for (secs, nanos) in [
            (0, 0),
            (1, 123_456_700),
            (-1, 999_999_900),
            (-11_644_473_600, 100),
        ] {
            let time = FileTime { secs, nanos };
            assert_eq!(from_ticks(to_ticks(time)), time);
        }
        assert_eq!(from_ticks(0), FileTime::default());
        assert_eq!(
            to_ticks(FileTime {
                secs: i64::MIN,
                nanos: 0
            }),
            1
        );
        assert!(
            to_ticks(FileTime {
                secs: i64::MAX,
                nanos: 0
            }) > 0
        );
    }
}
