//! Which entries a restore is about.

use crate::format::TreePath;

/// What an entry is to the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// At or below a selected path.
    Yes,
    /// A directory above one: created if it is missing, left alone if not.
    Above,
    /// Neither.
    No,
}

/// The selected paths, and which of them were seen.
pub struct Selection<'a> {
    paths: &'a [TreePath],
    seen: Vec<bool>,
}

impl<'a> Selection<'a> {
    /// No paths select everything.
    pub fn new(paths: &'a [TreePath]) -> Self {
        Selection {
            paths,
            seen: vec![false; paths.len()],
        }
    }

    /// Classifies one entry's path.
    pub fn look(&mut self, path: &TreePath) -> Selected {
        if self.paths.is_empty() {
            return Selected::Yes;
        }
        let mut selected = Selected::No;
        for (wanted, seen) in self.paths.iter().zip(&mut self.seen) {
            if path.starts_with(wanted) {
                *seen = true;
                selected = Selected::Yes;
            } else if selected == Selected::No && wanted.starts_with(path) {
                selected = Selected::Above;
            }
        }
        selected
    }

    /// Paths that nothing in the snapshot matched.
    pub fn missing(&self) -> impl Iterator<Item = &'a TreePath> {
        self.paths
            .iter()
            .zip(&self.seen)
            .filter(|(_, seen)| !**seen)
            .map(|(path, _)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath(
            text.split('/')
                .filter(|p| !p.is_empty())
                .map(|p| p.as_bytes().to_vec())
                .collect(),
        )
    }

    #[test]
    fn selects_below_and_above() {
        let paths = [path("/a/b"), path("/c")];
        let mut selection = Selection::new(&paths);
        assert_eq!(selection.look(&path("/a")), Selected::Above);
        assert_eq!(selection.look(&path("/a/b")), Selected::Yes);
        assert_eq!(selection.look(&path("/a/b/x")), Selected::Yes);
        assert_eq!(selection.look(&path("/a/bc")), Selected::No);
        assert_eq!(selection.missing().collect::<Vec<_>>(), vec![&paths[1]]);
        assert_eq!(Selection::new(&[]).look(&path("/z")), Selected::Yes);
    }
}
