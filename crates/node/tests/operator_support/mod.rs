//! What an operator has: the command, folders, and a node of an earlier version.

#![expect(dead_code, reason = "each test uses its part")]

use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_fondaco");

/// Runs the command as it is.
pub fn fondaco(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).env_remove("FONDACO_DIR").env_remove("FONDACO_TOKEN").output().expect("the program starts")
}

/// Runs a command with `--json`: its status and its one document.
pub fn json(dir: &Path, args: &[&str]) -> (i32, Value) {
    let mut all = vec!["--json", "--dir", dir.to_str().expect("utf-8")];
    all.extend(args);
    let output = fondaco(&all);
    let out = String::from_utf8(output.stdout).expect("utf-8");
    let err = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}\n{err}"));
    (output.status.code().expect("not killed"), document)
}

/// Runs a command that must succeed.
pub fn done(dir: &Path, args: &[&str]) -> Value {
    let (status, document) = json(dir, args);
    assert_eq!(status, 0, "{args:?}: {document:#}");
    document
}

/// Runs a command that must be refused, and gives the code.
pub fn refused(dir: &Path, args: &[&str]) -> String {
    let (status, document) = json(dir, args);
    assert_eq!(status, 1, "{args:?}: {document:#}");
    document["code"].as_str().unwrap_or_else(|| panic!("no problem: {document:#}")).to_owned()
}

/// A node of its own process, stopped in the end.
pub struct Serving {
    child: Child,
}

impl Serving {
    /// Starts it and waits until it is ready.
    pub fn start(dir: &Path) -> Self {
        let log = File::create(dir.join("serve.log")).expect("a log");
        let mut child =
            Command::new(PROGRAM).args(["serve", "--dir"]).arg(dir).stdout(Stdio::piped()).stderr(log).spawn().expect("serve starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let serving = Self { child };
        assert!(line.starts_with("ready "), "{line}{}", std::fs::read_to_string(dir.join("serve.log")).unwrap_or_default());
        serving
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill");
        assert!(told.success());
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two nodes as a program of schema 1 left them. See `tests/fixtures/upgrade-1/README.md`.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub facts: Value,
    // The nodes have fixed addresses: one test at a time uses them, of all test processes on this machine.
    _addresses: File,
}

impl Fixture {
    pub fn unpack() -> Self {
        let lock = File::create(std::env::temp_dir().join("fondaco-upgrade-1.lock")).expect("a lock file");
        lock.lock().expect("a turn");
        let folder = tempfile::tempdir().expect("a folder");
        let facts = serde_json::from_slice(&read("facts.json")).expect("facts");
        let fixture = Self { folder, facts, _addresses: lock };
        fixture.unpack_again("provider");
        fixture.unpack_again("consumer");
        fixture
    }

    /// Unpacks one of the nodes, over nothing.
    pub fn unpack_again(&self, name: &str) {
        let packed = read(&format!("{name}.tar.zst"));
        let tar = zstd::Decoder::new(packed.as_slice()).expect("zstd");
        tar::Archive::new(tar).unpack(self.folder.path()).expect("unpacks");
    }

    pub fn provider(&self) -> PathBuf {
        self.folder.path().join("provider")
    }

    pub fn consumer(&self) -> PathBuf {
        self.folder.path().join("consumer")
    }

    /// A profile file that its consumer kept: endpoint and token.
    pub fn profile(name: &str) -> (String, String) {
        let profile: Value = serde_json::from_slice(&read(&format!("{name}.share"))).expect("a profile");
        let text = |key: &str| profile[key].as_str().expect("text").to_owned();
        (text("endpoint"), text("bearerToken"))
    }
}

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upgrade-1").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
