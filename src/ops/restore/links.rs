//! Hard links: which file of the snapshot got which name in the target.

use super::job::Job;
use super::run::Run;
use crate::format::{LinkId, TreePath};
use std::collections::HashMap;
use std::sync::Arc;

/// Memory for remembered names, bytes.
const MAX_WEIGHT: usize = 32 << 20;

/// A name: its directory's path in the snapshot, and its own name in the target.
pub type Place = (Arc<TreePath>, Vec<u8>);

/// A further name of a file, to be made when the first one is finished.
pub struct Link {
    pub id: LinkId,
    pub parent: Arc<TreePath>,
    pub name: Vec<u8>,
}

/// The files with several names that were met so far.
#[derive(Default)]
pub struct Links {
    /// `None`: planned, not finished.
    places: HashMap<LinkId, Option<Place>>,
    weight: usize,
    last_parent: Option<Arc<TreePath>>,
}

impl Links {
    /// Was a name of this file met before?
    pub fn knows(&self, id: &LinkId) -> bool {
        self.places.contains_key(id)
    }

    /// Remembers a file that is planned under `parent`. False when there are too many: its other names become files
    /// of their own then.
    pub fn plan(&mut self, id: LinkId, parent: &Arc<TreePath>, name: &[u8]) -> bool {
        let known_parent = self
            .last_parent
            .as_ref()
            .is_some_and(|p| Arc::ptr_eq(p, parent));
        let path: usize = match known_parent {
            true => 0,
            false => parent.0.iter().map(|part| part.len() + 40).sum(),
        };
        let weight = self.weight + path + name.len() + 160;
        if weight > MAX_WEIGHT {
            return false;
        }
        self.weight = weight;
        self.last_parent = Some(parent.clone());
        self.places.insert(id, None);
        true
    }

    /// A file has its final name now.
    pub fn placed(&mut self, id: LinkId, place: Place) {
        if let Some(slot) = self.places.get_mut(&id) {
            slot.get_or_insert(place);
        }
    }

    /// The first name failed: the next one is restored as a file.
    pub fn forget(&mut self, id: &LinkId) {
        self.places.remove(id);
    }

    /// Takes over what became of a batch's files.
    pub fn learn(&mut self, jobs: &[Arc<Job>]) {
        for job in jobs {
            let Some(id) = job.hardlink else { continue };
            match job.current_name() {
                Some(name) if job.is_done() => self.placed(id, (job.parent.clone(), name)),
                _ if job.is_open() => {}
                _ => self.forget(&id),
            }
        }
    }

    /// The finished first name of a file.
    pub fn place(&self, id: &LinkId) -> Option<&Place> {
        self.places.get(id).and_then(|place| place.as_ref())
    }
}

impl Run<'_> {
    /// Makes a further name, or reports why not.
    pub fn link(&self, links: &Links, link: &Link) {
        let path = super::run::full_path(&link.parent, &link.name);
        let made = match links.place(&link.id) {
            Some(place) => self.make_link(place, link, &path),
            None => Err(crate::error::Error::failed(
                "the file it is another name of was not restored",
            )),
        };
        if let Err(e) = made {
            self.error(&path, e);
        }
    }
}
