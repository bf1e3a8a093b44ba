//! The one error type: what failed, on what, why, and what to do next.
//!
//! An error prints as one line. `Kind` decides the exit code (see [`Kind::exit_code`]) and is what
//! callers branch on; text is for people only.

use std::fmt;

/// What sort of failure this is. Several kinds share an exit code; the text tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Anything that fits no other kind.
    Failed,
    /// Bad flags, or flags and configuration file disagree.
    Usage,
    /// A backup was made, but some source files could not be read.
    Partial,
    /// A single object is absent (a 404 on a key). Internal: callers turn it into something better.
    ObjectMissing,
    /// An object is in an archive class of the storage, and cannot be read before it is brought back from there.
    Archived,
    /// An object is there already (412 on a conditional create). Internal.
    ObjectExists,
    /// A put was not sent because the view it rests on is too old (DESIGN section 4, renewal). Internal.
    TooLate,
    /// The bucket, or the folder of a filesystem repository, does not exist.
    BucketMissing,
    /// The place exists and holds no repository.
    NoRepository,
    /// A repository is there already.
    RepositoryExists,
    /// The repository changed under us in a way that ends this run.
    Changed,
    /// No passphrase was given anywhere.
    PassphraseMissing,
    /// The passphrase opens no key slot.
    PassphraseWrong,
    /// The key lacks the role that the command needs.
    RoleNeeded,
    /// No storage credentials were found in any source.
    CredentialsMissing,
    /// The storage refused the credentials themselves.
    CredentialsRefused,
    /// The credentials are good and may not do this.
    PermissionDenied,
    /// The bucket lives in another region.
    WrongRegion,
    /// This host's clock is too far from the storage's.
    ClockSkew,
    /// The network failed in some way not named below.
    Network,
    /// The host name has no address.
    NameLookup,
    /// The TLS handshake or certificate check failed.
    Tls,
    /// Nothing listens there.
    ConnectionRefused,
    /// There is an object named `config`, and it is not Corso's.
    NotRepository,
    /// Stored data is damaged (a hash, seal or length does not match).
    Damaged,
    /// Written by a newer Corso.
    NewerFormat,
    /// The target has no space left.
    NoSpace,
    /// SIGINT, Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Kind {
    /// The process exit code of this kind (DESIGN section 8, `corso.1` EXIT STATUS).
    pub fn exit_code(self) -> u8 {
        use Kind::*;
        match self {
            Usage => 2,
            Partial => 3,
            BucketMissing | NoRepository => 10,
            RepositoryExists | Changed => 11,
            PassphraseMissing | PassphraseWrong | RoleNeeded => 12,
            CredentialsMissing | CredentialsRefused | PermissionDenied | WrongRegion
            | ClockSkew => 13,
            Network | NameLookup | Tls | ConnectionRefused => 14,
            NotRepository | Damaged | NewerFormat => 15,
            Interrupted => 130,
            Terminated => 143,
            Failed | ObjectMissing | Archived | ObjectExists | TooLate | NoSpace => 1,
        }
    }

    /// A stable name for `--json` and logs, in kebab case.
    pub fn name(self) -> &'static str {
        use Kind::*;
        match self {
            Failed => "failed",
            Usage => "usage",
            Partial => "partial",
            ObjectMissing => "object-missing",
            Archived => "archived",
            ObjectExists => "object-exists",
            TooLate => "too-late",
            BucketMissing => "bucket-missing",
            NoRepository => "no-repository",
            RepositoryExists => "repository-exists",
            Changed => "changed",
            PassphraseMissing => "passphrase-missing",
            PassphraseWrong => "passphrase-wrong",
            RoleNeeded => "role-needed",
            CredentialsMissing => "credentials-missing",
            CredentialsRefused => "credentials-refused",
            PermissionDenied => "permission-denied",
            WrongRegion => "wrong-region",
            ClockSkew => "clock-skew",
            Network => "network",
            NameLookup => "name-lookup",
            Tls => "tls",
            ConnectionRefused => "connection-refused",
            NotRepository => "not-a-repository",
            Damaged => "damaged",
            NewerFormat => "newer-format",
            NoSpace => "no-space",
            Interrupted => "interrupted",
            Terminated => "terminated",
        }
    }
}

/// An error: its kind, what was being done (outermost first), and a hint on what to do next.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    /// Innermost first; printed in reverse, joined by ": ".
    context: Vec<String>,
    hint: Option<String>,
    scope: Scope,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// How far a failure reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scope {
    /// As the kind says.
    #[default]
    Kind,
    /// One object.
    One,
    /// The storage, or the run, as a whole.
    All,
}

/// Shorthand used everywhere.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error of `kind`; `message` says what is wrong, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            inner: Box::new(Inner {
                kind,
                context: vec![message.into()],
                hint: None,
                scope: Scope::default(),
                source: None,
            }),
        }
    }

    /// [`Kind::Failed`] with a message.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// [`Kind::Damaged`] with a message.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, message)
    }

    /// [`Kind::Usage`] with a message.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Wraps an I/O error; ENOSPC and EDQUOT become [`Kind::NoSpace`].
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::NoSpace,
            std::io::ErrorKind::Interrupted => Kind::Interrupted,
            _ => Kind::Failed,
        };
        Self::new(kind, message).with_source(source)
    }

    /// Attaches the underlying cause; its text is printed after the context.
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Adds what was being done, outside of what is there already, unless that begins with the very words.
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let message = message.into();
        let said = self.inner.context.last();
        if !said.is_some_and(|s| s.starts_with(&message)) {
            self.inner.context.push(message);
        }
        self
    }

    /// Says what to do next; the innermost hint wins.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint.get_or_insert(hint.into());
        self
    }

    /// The same where this place knows better than those inside what to do next.
    pub fn hint_instead(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// The storage answered, and what failed is the one object that was asked for, whatever the kind.
    pub fn of_one(mut self) -> Self {
        self.inner.scope = Scope::One;
        self
    }

    /// Nothing else will fare better: what failed is the storage as a whole, or the one who asked.
    pub fn of_all(mut self) -> Self {
        self.inner.scope = Scope::All;
        self
    }

    /// Replaces the kind, where a caller knows better what a failure means.
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// The same once more, for another place that has to report it: kind, scope, text and hint.
    pub fn again(&self) -> Error {
        let mut again = Error::new(self.kind(), self.message());
        again.inner.scope = self.inner.scope;
        match self.hint_text() {
            Some(hint) => again.hint(hint),
            None => again,
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// Is this about stored data that is damaged or gone, and not about the way to it?
    pub fn is_damage(&self) -> bool {
        matches!(self.kind(), Kind::Damaged | Kind::ObjectMissing)
    }

    /// Is this about one object, so that others may fare better? Damage; an object that is archived, that these
    /// credentials may not read, or whose disk fails. Whoever asks for many goes on, and asks
    /// [`Patience`](crate::repo::patience::Patience) when that makes no sense any more.
    pub fn is_of_one_object(&self) -> bool {
        match self.inner.scope {
            Scope::One => true,
            Scope::All => false,
            Scope::Kind => {
                self.is_damage()
                    || matches!(
                        self.kind(),
                        Kind::Archived | Kind::PermissionDenied | Kind::Failed
                    )
            }
        }
    }

    /// Is an object there, as far as anyone knows, and cannot be read now? Then nothing may be concluded from it.
    pub fn is_unreadable(&self) -> bool {
        self.is_of_one_object() && !self.is_damage()
    }

    /// Was it said to reach beyond one object, whatever the kind?
    pub fn is_of_all(&self) -> bool {
        self.inner.scope == Scope::All
    }

    /// What to do next, where known.
    pub fn hint_text(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// Context and cause on one line, without the hint.
    pub fn message(&self) -> String {
        let mut text = String::new();
        for part in self.inner.context.iter().rev() {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(part);
        }
        let mut cause = self
            .inner
            .source
            .as_deref()
            .map(|s| s as &dyn std::error::Error);
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.ends_with(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        one_line(&text)
    }
}

/// Control characters (a hostile file name, a server's message) never reach a terminal or break the one line.
pub fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        if let Some(hint) = &self.inner.hint {
            write!(f, "; {}", one_line(hint))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.inner.kind, self)
    }
}

impl std::error::Error for Error {}

/// Adds context to a result on its way up.
pub trait Context<T> {
    /// Adds what was being done; the closure runs on failure only.
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| e.context(message()))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::io(message(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_one_line_outermost_first() {
        let e = Error::failed("no such\nthing")
            .context("reading \x1b[31mx")
            .context("backup")
            .hint("try again");
        assert_eq!(
            e.to_string(),
            "backup: reading \\u{1b}[31mx: no such\\nthing; try again"
        );
        assert_eq!(e.kind().exit_code(), 1);
    }

    #[test]
    fn nothing_is_said_twice() {
        let e = Error::failed("writing keys/1 in bucket b: refused").context("writing keys/1");
        assert_eq!(
            e.context("x").to_string(),
            "x: writing keys/1 in bucket b: refused"
        );
    }

    #[test]
    fn a_full_disk_has_its_own_kind() {
        let e = Error::io(
            "writing x",
            std::io::Error::from(std::io::ErrorKind::StorageFull),
        );
        assert_eq!(e.kind(), Kind::NoSpace);
    }
}
