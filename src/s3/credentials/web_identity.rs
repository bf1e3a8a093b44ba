//! Keys for a token that somebody else vouches for (Kubernetes, GitHub, ...): STS AssumeRoleWithWebIdentity.

use super::sts::{self, Sts};
use super::{Credentials, Secret, Source};
use crate::error::{Error, Kind, Result};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// STS takes 20,000 characters.
const MAX_TOKEN: u64 = 64 << 10;
/// Codes that pass: the identity provider could not be asked, or its keys have just changed.
const PASSING: [&str; 2] = ["IDPCommunicationError", "InvalidIdentityToken"];

/// A role, and the file that holds the token for it.
pub(super) struct WebIdentity {
    pub sts: Sts,
    pub token_file: PathBuf,
    pub role_arn: String,
    pub session_name: Option<String>,
}

impl Source for WebIdentity {
    /// The file is read each time: whoever writes it replaces the token before that expires.
    fn fetch(&self) -> Result<Credentials> {
        let shown = self.token_file.display();
        let doing = format!("assuming role {} with the token in {shown}", self.role_arn);
        let token = read_token(&self.token_file).map_err(|e| {
            let text = format!("the web identity token file {shown} cannot be read");
            Error::new(Kind::CredentialsMissing, text).with_source(e)
        })?;
        // No token has blanks in it; editors and heredocs leave a line feed at the end.
        let token = token.expose().trim();
        if token.is_empty() {
            let text = format!("the web identity token file {shown} is empty");
            return Err(Error::new(Kind::CredentialsMissing, text));
        }
        let name = self.session_name.clone().unwrap_or_else(sts::session_name);
        let parameters = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", &self.role_arn),
            ("RoleSessionName", &name),
            ("WebIdentityToken", token),
        ];
        let source = format!(
            "role {} with the web identity token in {shown}",
            self.role_arn
        );
        self.sts
            .call(&parameters, None, &PASSING, &source)
            .map_err(|refusal| sts::explain(refusal, &doing, "sts:AssumeRoleWithWebIdentity"))
    }
}

/// A small file with a token in it.
pub(super) fn read_token(path: &Path) -> std::io::Result<Secret> {
    let wrong = |why| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN as usize + 1));
    std::fs::File::open(path)?
        .take(MAX_TOKEN + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TOKEN {
        return Err(wrong("it is longer than 64 KiB"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8 text"))?;
    Ok(Secret::new(text.to_string()))
}
