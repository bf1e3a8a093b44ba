//! Times and attributes, set in one step by handle. Owners and permissions of other systems mean nothing here.

use super::Dir;
use crate::error::{Context, Result};
use crate::format::FileKind;
use crate::fs::restore::{Applied, Meta, Policy};
use crate::fs::sys::handle;
use std::fs::File;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_ARCHIVE, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_NOT_CONTENT_INDEXED, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_SYSTEM,
};

/// The attributes that can be set; compression, encryption and the like are made in other ways, or are not ours.
const SETTABLE: u32 = FILE_ATTRIBUTE_READONLY
    | FILE_ATTRIBUTE_HIDDEN
    | FILE_ATTRIBUTE_SYSTEM
    | FILE_ATTRIBUTE_ARCHIVE
    | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;

impl Dir {
    /// Applies times and attributes to an open file.
    pub fn apply_file(&self, file: &File, meta: &Meta, _: Policy, _: bool) -> Result<Applied> {
        set(file, meta)
    }

    /// Applies times and attributes to this directory itself.
    pub fn apply_self(&self, meta: &Meta, _: Policy) -> Result<Applied> {
        set(&self.open_meta(None).context(|| "opening it again")?, meta)
    }

    /// Applies times and attributes to a link, without following it.
    pub fn apply_name(&self, name: &[u8], _: FileKind, meta: &Meta, _: Policy) -> Result<Applied> {
        let link = self.open_meta(Some(name));
        set(&link.context(|| "opening it again")?, meta)
    }
}

fn set(file: &File, meta: &Meta) -> Result<Applied> {
    let attributes = meta.win_attributes.map(|all| match all & SETTABLE {
        0 => FILE_ATTRIBUTE_NORMAL,
        some => some,
    });
    handle::set_basic(file, attributes, meta.created, meta.mtime)
        .context(|| "setting times and attributes")?;
    Ok(Applied::default())
}
