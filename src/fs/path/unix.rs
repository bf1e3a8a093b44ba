//! Unix paths.

use crate::error::{Error, Result};
use crate::format::TreePath;

/// See [`super::to_tree`].
pub fn to_tree(path: &[u8], directory: &[u8]) -> Result<TreePath> {
    let mut parts = Vec::new();
    if path.first() != Some(&b'/') {
        if directory.first() != Some(&b'/') {
            return Err(Error::failed(
                "the current directory is not an absolute path",
            ));
        }
        push_all(&mut parts, directory);
    }
    push_all(&mut parts, path);
    Ok(TreePath(parts))
}

fn push_all(parts: &mut Vec<Vec<u8>>, path: &[u8]) {
    for part in path.split(|b| *b == b'/') {
        match part {
            [] | [b'.'] => {}
            [b'.', b'.'] => {
                parts.pop();
            }
            part => parts.push(part.to_vec()),
        }
    }
}
