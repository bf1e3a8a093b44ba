//! Does a listing get on? Its pages come in the order of their keys, so that one that comes again is seen.

use crate::storage::check_key;

/// Pages without any key that may follow one another: servers skip what was deleted.
const MOST_EMPTY: u32 = 100;

/// The pages so far.
#[derive(Default)]
pub(super) struct Order {
    /// The last key of ours. Others may be sorted by other rules.
    last: Option<String>,
    empty: u32,
    /// One key may go on in the next page.
    versions: bool,
}

impl Order {
    /// Of a listing of versions.
    pub(super) fn of_versions() -> Order {
        Order {
            versions: true,
            ..Order::default()
        }
    }

    /// Another page, with these keys below `prefix`; what is wrong with it, if something is.
    pub(super) fn page<'a>(
        &mut self,
        prefix: &str,
        keys: impl Iterator<Item = &'a str>,
    ) -> Result<(), &'static str> {
        let (mut any, mut ends) = (false, None);
        for key in keys {
            any = true;
            if key
                .strip_prefix(prefix)
                .is_some_and(|k| check_key(k).is_ok())
            {
                let (first, last) = ends.unwrap_or((key, key));
                ends = Some((key.min(first), key.max(last)));
            }
        }
        self.empty = if any { 0 } else { self.empty + 1 };
        if self.empty > MOST_EMPTY {
            return Err("page after page of it is empty");
        }
        let Some((first, last)) = ends else {
            return Ok(());
        };
        let gets_on = |before: &str| first > before || (self.versions && first == before);
        if self.last.as_deref().is_some_and(|before| !gets_on(before)) {
            return Err("its pages are out of order, or come again");
        }
        self.last = Some(last.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_must_get_on() {
        let mut order = Order::default();
        let mut page = |keys: &[&str]| order.page("p/", keys.iter().copied());
        page(&["p/a/1", "p/a/2"]).unwrap();
        page(&["Zebra", "p/Zebra", "a"]).unwrap();
        page(&["p/a/3"]).unwrap();
        assert!(page(&["p/a/3", "p/a/4"]).is_err());
        assert!(page(&["p/a/1", "p/a/9"]).is_err());
        (0..MOST_EMPTY).for_each(|_| page(&[]).unwrap());
        assert!(page(&[]).is_err());
        let mut order = Order::of_versions();
        for (keys, good) in [(["a", "b"], true), (["b", "b"], true), (["a", "c"], false)] {
            assert_eq!(order.page("", keys.into_iter()).is_ok(), good, "{keys:?}");
        }
    }
}
