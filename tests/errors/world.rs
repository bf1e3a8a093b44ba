//! The servers and folders of the table, and the names by which rows speak of them.

use super::rows::Server;
use crate::support::{
    Answer, Corso, Keys, Logged, Moto, Rclone, S3Options, S3Server, read_tree, temp_dir,
};
use std::path::{Path, PathBuf};

const PASSPHRASE: &str = "correct horse battery staple";
const WRITER: &str = "a writer may only write";

/// All that runs while the table is checked.
pub struct World {
    s3s: S3Server,
    tls: S3Server,
    regional: S3Server,
    skewed: S3Server,
    odd: S3Server,
    rclone: Option<Rclone>,
    moto: Option<Moto>,
    folder: tempfile::TempDir,
    /// `{name}` and what it stands for.
    names: Vec<(String, String)>,
    /// What must never be printed.
    pub secrets: Vec<String>,
}

fn buckets(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

impl World {
    pub fn start() -> World {
        let options = || S3Options {
            buckets: buckets(&["corso-test", "empty", "foreign", "newer"]),
            ..S3Options::default()
        };
        let mut world = World {
            s3s: S3Server::start(options()),
            tls: S3Server::start(S3Options {
                tls: true,
                ..options()
            }),
            regional: S3Server::start(options()),
            skewed: S3Server::start(options()),
            odd: S3Server::start(options()),
            rclone: Rclone::start(&["corso-test"]),
            moto: Moto::start(&["corso-test"]),
            folder: temp_dir(),
            names: Vec::new(),
            secrets: Vec::new(),
        };
        world.regional.intercept(other_region);
        world.skewed.intercept(|_| Some(too_skewed()));
        world.odd.intercept(super::odd::answer);
        world.name_everything();
        world.fill();
        world
    }

    fn name(&mut self, name: &str, value: impl Into<String>) {
        self.names.push((format!("{{{name}}}"), value.into()));
    }

    fn secret(&mut self, name: &str, value: &str) {
        self.name(name, value);
        self.secrets.push(value.to_owned());
    }

    fn name_everything(&mut self) {
        self.name("s3s", self.s3s.endpoint());
        self.name("tls", self.tls.endpoint());
        self.name("regional", self.regional.endpoint());
        self.name("skewed", self.skewed.endpoint());
        self.name("odd", self.odd.endpoint());
        self.name("strict proxy", super::odd::strict_proxy());
        self.name(
            "rclone",
            self.rclone.as_ref().map_or(String::new(), Rclone::endpoint),
        );
        self.name(
            "moto",
            self.moto.as_ref().map_or(String::new(), Moto::endpoint),
        );
        // A port that a listener had a moment ago.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        self.name("nobody", gone.local_addr().unwrap().to_string());
        let folder = self.folder.path().to_str().unwrap().to_owned();
        self.name("folder", folder);
        self.secret("wrong secret", "not-the-secret-key-that-anybody-has00001");
        self.secret("wrong passphrase", "incorrect horse");
        self.secret("writer passphrase", WRITER);
        self.secret("passphrase", PASSPHRASE);
        self.secret("secret key", &Keys::fixed().secret);
        let users: Vec<(&str, Keys)> = match &self.moto {
            Some(moto) => POLICIES
                .iter()
                .map(|(name, policy)| (*name, moto.add_user(name, policy)))
                .chain([("moto user", moto.keys().clone())])
                .collect(),
            None => Vec::new(),
        };
        for (name, keys) in users {
            self.name(name, keys.access.clone());
            self.secret(&format!("{name} secret"), &keys.secret);
        }
    }

    /// Two repositories, and things that are none.
    fn fill(&self) {
        let newer = b"corso\0cf\0\x02 of which nothing is known yet";
        for (name, bytes) in [
            ("foreign", &b"[core]\nbare = false\n"[..]),
            ("newer", newer),
        ] {
            std::fs::write(self.s3s.root().join(name).join("config"), bytes).unwrap();
            let folder = self.folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("config"), bytes).unwrap();
        }
        std::fs::create_dir(self.folder.path().join("empty")).unwrap();
        let corso = self.home(Server::S3s);
        let run = |line: &str| {
            corso.ok(&self.words(line));
        };
        run("repo init s3 --bucket corso-test --endpoint {s3s} --disable-tls");
        run("repo init filesystem --path {folder}/repo");
        corso.add_writer(WRITER);
        run("backup create {folder}/foreign");
    }

    /// A home with the passphrase, and the server's keys.
    pub fn home(&self, server: Server) -> Corso {
        let keys = match server {
            Server::Moto => self.moto.as_ref().map(Moto::keys),
            _ => None,
        };
        let keys = keys.unwrap_or(self.s3s.keys());
        Corso::new().env("CORSO_PASSPHRASE", PASSPHRASE).keys(keys)
    }

    /// Does the server run?
    pub fn has(&self, server: Server) -> bool {
        match server {
            Server::Rclone => self.rclone.is_some(),
            Server::Moto => self.moto.is_some(),
            _ => true,
        }
    }

    /// Names become what they stand for.
    pub fn real(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |t, (name, value)| t.replace(name, value))
    }

    pub fn words(&self, line: &str) -> Vec<String> {
        line.split(' ').map(|word| self.real(word)).collect()
    }

    /// The other way round; what differs from run to run becomes a name, too.
    pub fn steady(&self, text: &str, home: &Path) -> String {
        let mut text = text.replace(home.to_str().unwrap(), "{home}");
        for (name, value) in self.names.iter().filter(|(_, value)| !value.is_empty()) {
            text = text.replace(value, name);
        }
        // Resolvers put it in different words.
        for words in [
            "Temporary failure in name resolution",
            "No address associated with hostname",
        ] {
            text = text.replace(words, "Name or service not known");
        }
        text = between(&text, ", request ", ")", "{id}");
        text = between(&text, " keys/", " in", "{id}");
        text = between(&text, "clock is ", " off", "{time}");
        between(&text, "clock is ", " ahead", "{time}")
    }

    /// Everything that is stored on any server or in the folder.
    pub fn stored(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.folder.path().to_owned()];
        roots.extend(
            [
                &self.s3s,
                &self.tls,
                &self.regional,
                &self.skewed,
                &self.odd,
            ]
            .map(|s| s.root().to_owned()),
        );
        roots.extend(self.rclone.as_ref().map(Rclone::root));
        let in_roots = roots.iter().flat_map(|root| {
            let found = read_tree(root).into_keys();
            found.map(|path| root.join(path)).collect::<Vec<_>>()
        });
        in_roots.chain(self.in_moto()).collect()
    }

    fn in_moto(&self) -> Vec<PathBuf> {
        use corso::s3::credentials::Credentials;
        use corso::storage::Storage;
        use corso::storage::s3::{S3Config, S3Storage};
        let Some(moto) = &self.moto else {
            return Vec::new();
        };
        let keys = moto.keys();
        let credentials = Credentials::new(&keys.access, &keys.secret, None, "test");
        let storage = S3Storage::connect(S3Config {
            endpoint: moto.endpoint(),
            disable_tls: true,
            ..S3Config::new("corso-test", credentials)
        });
        let mut keys = Vec::new();
        storage
            .unwrap()
            .list("", &mut |object| {
                keys.push(Path::new("moto").join(&object.key));
                Ok(())
            })
            .unwrap();
        keys
    }
}

/// `new` instead of what stands between the first `begin` and the next `end`.
fn between(text: &str, begin: &str, end: &str, new: &str) -> String {
    let cut = text.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some(format!("{before}{begin}{new}{end}{after}"))
    });
    cut.unwrap_or_else(|| text.to_owned())
}

/// A bucket that is in eu-central-1, on a server that does not say so.
fn other_region(request: &Logged) -> Option<Answer> {
    let body = "<Error><Code>AuthorizationHeaderMalformed</Code>\
                <Message>The authorization header is malformed; the region is wrong</Message></Error>";
    (request.region != "eu-central-1").then(|| Answer::Respond(400, Vec::new(), body.into()))
}

fn too_skewed() -> Answer {
    let body = "<Error><Code>RequestTimeTooSkewed</Code>\
                <Message>The difference between the request time and the current time is too large.</Message></Error>";
    let date = vec![("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned())];
    Answer::Respond(403, date, body.into())
}

/// Users of moto and what each may do.
const POLICIES: [(&str, &str); 3] = [
    (
        "lister",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}"#,
    ),
    (
        "reader",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":"*"}]}"#,
    ),
    (
        "slots",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":"*"},
        {"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::corso-test/keys/*"}]}"#,
    ),
];
