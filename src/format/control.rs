//! The frame that records and tombstones share: clear content under a MAC that only full keys can make.
//!
//! ```text
//! magic 8 | version u16 | root epoch u32 | length u32 | CBOR map | HMAC-SHA256 of all before, 32
//! ```

use crate::crypto::{Keyring, Role, hmac_sha256, hmac_verify};
use crate::error::{Error, Kind, Result};

const HEAD: usize = 18;
const MAC: usize = 32;
const VERSION: u16 = 1;

/// Frames `body`, with a MAC under the control key of the newest epoch.
pub(super) fn seal(magic: &[u8; 8], body: &[u8], keyring: &Keyring) -> Result<Vec<u8>> {
    let epoch = keyring.newest_epoch();
    let key = keyring.control_key(epoch)?;
    let len =
        u32::try_from(body.len()).map_err(|_| Error::failed("a control object is too long"))?;
    let mut bytes = Vec::with_capacity(HEAD + body.len() + MAC);
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(body);
    let mac = hmac_sha256(&key, &[&bytes]);
    bytes.extend_from_slice(&mac);
    Ok(bytes)
}

/// The body of a frame. The MAC is not looked at: see [`verify`].
pub(super) fn open<'a>(magic: &[u8; 8], bytes: &'a [u8], what: &str) -> Result<&'a [u8]> {
    let bad = || Error::damaged(format!("this is no {what}"));
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or_else(bad)?;
    let (body, _) = rest.split_last_chunk::<MAC>().ok_or_else(bad)?;
    if &head[..8] != magic {
        return Err(bad());
    }
    let version = u16::from_be_bytes([head[8], head[9]]);
    if version > VERSION {
        return Err(Error::new(
            Kind::NewerFormat,
            format!("the {what} has format version {version}"),
        ));
    }
    let len = u32::from_be_bytes([head[14], head[15], head[16], head[17]]);
    if version != VERSION || body.len() != len as usize {
        return Err(bad());
    }
    Ok(body)
}

/// Does the MAC hold? `None` for a writer key, which cannot tell.
pub(super) fn verify(bytes: &[u8], keyring: &Keyring) -> Option<bool> {
    if keyring.role() == Role::Writer {
        return None;
    }
    let Some((signed, mac)) = bytes.split_last_chunk::<MAC>() else {
        return Some(false);
    };
    let epoch = signed
        .get(10..14)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_be_bytes);
    let key = epoch.and_then(|epoch| keyring.control_key(epoch).ok());
    Some(key.is_some_and(|key| hmac_verify(&key, &[signed], mac)))
}
