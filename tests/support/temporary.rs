//! Keys that end, and a server's way of knowing them.

use super::Keys;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Gives out keys, and refuses them once they have ended.
pub struct Temporary {
    life: Duration,
    issued: Mutex<Vec<(Keys, Instant)>>,
    refused: AtomicUsize,
}

impl Temporary {
    pub fn new(life: Duration) -> Temporary {
        Temporary {
            life,
            issued: Mutex::default(),
            refused: AtomicUsize::new(0),
        }
    }

    /// New keys and their end.
    pub fn issue(&self) -> (Keys, SystemTime) {
        let mut issued = self.issued.lock().unwrap();
        let number = issued.len() + 1;
        let keys = Keys {
            access: format!("CORSOTEMPORARYKEY{number:03}"),
            secret: format!("corso-temporary-secret-of-forty-letters{number:03}"),
            token: None,
        };
        issued.push((keys.clone(), Instant::now() + self.life));
        (keys, SystemTime::now() + self.life)
    }

    /// How many sets of keys were given out.
    pub fn issued(&self) -> usize {
        self.issued.lock().unwrap().len()
    }

    /// How many requests came with keys that had ended, or were never given out.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// All keys end now.
    pub fn end_all(&self) {
        for (_, end) in self.issued.lock().unwrap().iter_mut() {
            *end = Instant::now();
        }
    }

    fn secret(&self, access: &str) -> S3Result<SecretKey> {
        let issued = self.issued.lock().unwrap();
        let refused = |code| {
            self.refused.fetch_add(1, Ordering::SeqCst);
            Err(S3Error::new(code))
        };
        match issued.iter().find(|(keys, _)| keys.access == access) {
            None => refused(S3ErrorCode::InvalidAccessKeyId),
            Some((_, end)) if Instant::now() >= *end => refused(S3ErrorCode::ExpiredToken),
            Some((keys, _)) => Ok(SecretKey::from(keys.secret.as_str())),
        }
    }
}

/// A shared one; written out, since the trait is made by a macro.
pub struct SharedTemporary(pub std::sync::Arc<Temporary>);

impl S3Auth for SharedTemporary {
    fn get_secret_key<'s, 'k, 'f>(
        &'s self,
        access_key: &'k str,
    ) -> Pin<Box<dyn Future<Output = S3Result<SecretKey>> + Send + 'f>>
    where
        's: 'f,
        'k: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(self.0.secret(access_key)))
    }
}
