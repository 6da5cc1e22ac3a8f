//! Node processes for measurements: made in a temporary folder, driven over the admin API, stopped when dropped.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A folder that `fondaco init` made, and the process that serves it, if one does.
pub(super) struct Node {
    binary: PathBuf,
    dir: PathBuf,
    slug: &'static str,
    public: String,
    admin: String,
    token: String,
    child: Option<Child>,
    http: reqwest::Client,
}

impl Node {
    /// Makes the folder on free loopback ports. Nothing runs yet.
    pub(super) fn init(binary: &Path, dir: &Path, slug: &'static str, http: reqwest::Client) -> Result<Self> {
        let (public, admin) = (format!("http://{}", free_address()?), free_address()?);
        Self::init_at(binary, dir, slug, (public, admin), http)
    }

    /// Makes the folder for a public URL and an admin address. Nothing runs yet.
    pub(super) fn init_at(
        binary: &Path,
        dir: &Path,
        slug: &'static str,
        (public, admin): (String, String),
        http: reqwest::Client,
    ) -> Result<Self> {
        let output = Command::new(binary)
            .args(["init", "--participant", slug, "--name", slug, "--public", &public, "--admin", &admin, "--dir"])
            .arg(dir)
            .output()
            .with_context(|| format!("starting {}", binary.display()))?;
        ensure!(output.status.success(), "fondaco init failed: {}", String::from_utf8_lossy(&output.stderr));
        Self::existing(binary, dir, slug, (public, admin), http)
    }

    /// A folder that was made before, for the same addresses. Nothing runs yet.
    pub(super) fn existing(
        binary: &Path,
        dir: &Path,
        slug: &'static str,
        (public, admin): (String, String),
        http: reqwest::Client,
    ) -> Result<Self> {
        let token = fs::read_to_string(dir.join("admin.token")).context("admin.token")?.trim().to_owned();
        Ok(Self {
            binary: binary.to_owned(),
            dir: dir.to_owned(),
            slug,
            public,
            admin: format!("http://{admin}"),
            token,
            child: None,
            http,
        })
    }

    /// Starts it; the time until it says it is ready.
    pub(super) fn start(&mut self) -> Result<Duration> {
        self.start_by(Command::new(&self.binary))
    }

    /// The same on one processor from the start, so that the node counts one.
    pub(super) fn start_on(&mut self, core: &str) -> Result<Duration> {
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(&self.binary);
        self.start_by(command)
    }

    fn start_by(&mut self, mut command: Command) -> Result<Duration> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("bench.log"))?;
        let begun = Instant::now();
        let mut child = command.args(["serve", "--dir"]).arg(&self.dir).stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        self.child = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let took = begun.elapsed();
        let log = || fs::read_to_string(self.dir.join("bench.log")).unwrap_or_default();
        ensure!(line.starts_with("ready "), "{} did not become ready: {line}{}", self.slug, log());
        Ok(took)
    }

    /// Stops it as an operator would, and waits until it is gone.
    pub(super) fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
            ensure!(told.success(), "cannot signal {}", child.id());
            let status = child.wait()?;
            ensure!(status.success(), "{} did not stop cleanly: {status}", self.slug);
        }
        Ok(())
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// A value of `/proc/PID/status` in MB (10^6 bytes): `VmRSS` or `VmHWM`.
    pub(super) fn memory_mb(&self, key: &str) -> Result<f64> {
        memory_mb(self.child.as_ref().context("the node is not running")?.id(), key)
    }

    /// What the process has computed so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.as_ref().context("the node is not running")?.id())
    }

    /// The id of its process.
    pub(super) fn process(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the node is not running")?.id())
    }

    /// Its folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The participant's address as peers know it.
    pub(super) fn address(&self) -> String {
        self.address_of(self.slug)
    }

    /// The address of any of its participants.
    pub(super) fn address_of(&self, slug: &str) -> String {
        format!("{}/p/{slug}", self.public)
    }

    /// Its public URL, without a trailing slash.
    pub(super) fn public(&self) -> &str {
        &self.public
    }

    /// The console's address, without a trailing slash.
    pub(super) fn console(&self) -> &str {
        &self.admin
    }

    /// Calls the participant's part of the admin API; an answer that is not a success is an error with its body.
    pub(super) async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        self.admin_call(method, &format!("participants/{}/{path}", self.slug), body).await
    }

    /// Calls any part of the admin API, by its path below `/api/v1/`.
    pub(super) async fn admin_call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.admin);
        let mut request = self.http.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| url.clone())?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{url}: {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{url}: {text}"))
    }

    /// Waits until one of our negotiations is FINALIZED and returns it.
    pub(super) async fn finalized(&self, id: &str) -> Result<Value> {
        let negotiation = self.call(reqwest::Method::GET, &format!("negotiations/{id}?wait=30"), None).await?;
        ensure!(negotiation["state"] == "FINALIZED", "negotiation {id} of {} is {}", self.slug, negotiation["state"]);
        Ok(negotiation)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A failed measurement ends here; the process must not outlive it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that people use (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The time a process has computed, its own and the kernel's for it, in seconds: fields 14 and 15 of `/proc/PID/stat`.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may hold anything.
    let after_name = stat.rsplit_once(") ").with_context(|| format!("no name in /proc/{pid}/stat"))?.1;
    let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / TICKS_PER_SECOND)
}

/// A value of `/proc/PID/status` in MB (10^6 bytes).
pub(super) fn memory_mb(pid: u32, key: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|l| l.strip_prefix(key)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.trim().parse::<u32>().ok())
        .with_context(|| format!("no {key} in /proc"))?;
    Ok(f64::from(kib) * 1024.0 / 1e6)
}

/// A loopback address whose port is free now.
pub(super) fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The text member `key` of an answer.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("the answer has no \"{key}\": {value}"))
}
