//! Control planes of Eclipse EDC for measurements: configured in a folder, driven over their management API, stopped
//! when dropped.

use super::{
    super::pair::{cpu_seconds, free_address, memory_mb, text},
    Ended,
};
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often a starting connector is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long a start may take.
const READY_WITHIN: Duration = Duration::from_mins(2);
/// How long a negotiation may take before it counts as lost: twenty times what an idle EDC needs at its defaults.
const ENDED_WITHIN: Duration = Duration::from_mins(1);
const PROTOCOL: &str = "dataspace-protocol-http:2025-1";
const ASSET: &str = "asset";

/// How an EDC is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tuning {
    /// As it comes.
    Default,
    /// As EDC's own end-to-end tests set it: it looks for work 20 times a second instead of once, and takes more at once.
    Tests,
}

/// One control plane.
pub(super) struct Connector {
    dir: PathBuf,
    participant: &'static str,
    health: String,
    management: String,
    protocol: String,
    child: Option<Child>,
    http: reqwest::Client,
}

/// The class path of a control plane, fetched and kept by the conformance suite's script.
pub(super) fn class_path(root: &Path) -> Result<String> {
    let script = root.join("conformance/edc/artifacts.sh");
    let output = Command::new("bash").arg(&script).stderr(Stdio::inherit()).output().context("starting bash")?;
    ensure!(output.status.success(), "{} failed", script.display());
    let printed = String::from_utf8(output.stdout)?;
    printed.lines().next().map(str::to_owned).context("the script printed no class path")
}

impl Connector {
    /// Writes the configuration on free loopback ports. Nothing runs yet.
    pub(super) fn configured(dir: &Path, participant: &'static str, tuning: Tuning, http: reqwest::Client) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut settings = format!("edc.participant.id={participant}\nedc.hostname=127.0.0.1\n");
        let mut bases = Vec::new();
        for (key, path) in [
            ("web.http", "/api"),
            ("web.http.management", "/management"),
            ("web.http.protocol", "/protocol"),
            ("web.http.control", "/control"),
            ("web.http.version", "/version"),
        ] {
            let address = free_address()?;
            let port = address.rsplit(':').next().context("a port")?;
            writeln!(settings, "{key}.port={port}\n{key}.path={path}")?;
            bases.push(format!("http://{address}{path}"));
        }
        let [health, management, protocol, ..] = bases.as_slice() else { bail!("five addresses") };
        writeln!(settings, "edc.dsp.callback.address={protocol}")?;
        if tuning == Tuning::Tests {
            for side in ["consumer", "provider"] {
                writeln!(settings, "edc.negotiation.{side}.state-machine.iteration-wait-millis=50")?;
                writeln!(settings, "edc.negotiation.{side}.state-machine.batch-size=100")?;
            }
        }
        fs::write(dir.join("edc.properties"), settings)?;
        Ok(Self {
            dir: dir.to_owned(),
            participant,
            health: format!("{health}/check/startup"),
            management: format!("{management}/v3"),
            protocol: format!("{protocol}/2025-1"),
            child: None,
            http,
        })
    }

    /// Starts it; the time until it says it is ready.
    pub(super) async fn start(&mut self, class_path: &str) -> Result<Duration> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("edc.log"))?;
        let begun = Instant::now();
        let child = Command::new("java")
            .arg(format!("-Dedc.fs.config={}", self.dir.join("edc.properties").display()))
            .args(["-cp", class_path, "org.eclipse.edc.boot.system.runtime.BaseRuntime"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting java")?;
        let child = self.child.insert(child);
        loop {
            if let Ok(answer) = self.http.get(&self.health).send().await
                && answer.json::<Value>().await.is_ok_and(|v| v["isSystemHealthy"] == true)
            {
                return Ok(begun.elapsed());
            }
            ensure!(child.try_wait()?.is_none() && begun.elapsed() < READY_WITHIN, "EDC is not ready: {}", self.log());
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("edc.log")).unwrap_or_default()
    }

    /// Stops it, and waits until it is gone.
    pub(super) fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
            ensure!(told.success(), "cannot signal {}", child.id());
            child.wait()?;
        }
        Ok(())
    }

    /// Resident memory in MB (10^6 bytes).
    pub(super) fn memory_mb(&self) -> Result<f64> {
        memory_mb(self.child.as_ref().context("it is not running")?.id(), "VmRSS")
    }

    /// What the process has computed so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.as_ref().context("it is not running")?.id())
    }

    async fn call(&self, method: Method, path: &str, mut body: Value) -> Result<Value> {
        if body.get("@context").is_none() && body.is_object() {
            body["@context"] = json!({"@vocab": "https://w3id.org/edc/v0.0.1/ns/"});
        }
        let url = format!("{}{path}", self.management);
        let request = self.http.request(method, &url);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.with_context(|| url.clone())?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status}: {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{url}: {text}"))
    }

    /// Offers one asset to everybody.
    pub(super) async fn offer_asset(&self) -> Result<()> {
        let asset = json!({"@id": ASSET, "properties": {"name": ASSET}, "dataAddress": {"@type": "DataAddress", "type": "HttpData", "baseUrl": "http://127.0.0.1/"}});
        self.call(Method::POST, "/assets", asset).await?;
        let policy = json!({"@context": contexts(), "@id": "use", "policy": {"@type": "Set", "permission": [{"action": "use"}]}});
        self.call(Method::POST, "/policydefinitions", policy).await?;
        let selector = json!({"operandLeft": "https://w3id.org/edc/v0.0.1/ns/id", "operator": "=", "operandRight": ASSET});
        let definition = json!({"@id": "offer", "accessPolicyId": "use", "contractPolicyId": "use", "assetsSelector": [selector]});
        self.call(Method::POST, "/contractdefinitions", definition).await?;
        Ok(())
    }

    /// The offer in a provider's catalogue.
    pub(super) async fn offer_of(&self, provider: &Self) -> Result<Value> {
        let mut wanted = provider.as_peer();
        wanted["@type"] = json!("CatalogRequest");
        let catalog = self.call(Method::POST, "/catalog/request", wanted).await?;
        let first = |v: &Value| v.as_array().and_then(|a| a.first()).unwrap_or(v).clone();
        let offer = first(&first(&catalog["dataset"])["hasPolicy"]);
        text(&offer, "@id").with_context(|| catalog.to_string())?;
        Ok(offer)
    }

    fn as_peer(&self) -> Value {
        json!({"counterPartyAddress": self.protocol, "counterPartyId": self.participant, "protocol": PROTOCOL})
    }

    /// Asks a provider for its offer; the negotiation's id.
    pub(super) async fn request(&self, provider: &Self, offer: &Value) -> Result<String> {
        let mut body = provider.as_peer();
        body["@context"] = contexts();
        body["@type"] = json!("ContractRequest");
        let mut policy = offer.clone();
        policy["assigner"] = json!({"@id": provider.participant});
        policy["target"] = json!({"@id": ASSET});
        body["policy"] = policy;
        let begun = self.call(Method::POST, "/contractnegotiations", body).await?;
        Ok(text(&begun, "@id")?.to_owned())
    }

    /// Waits until a negotiation has ended.
    pub(super) async fn ended(&self, id: &str, look_every: Duration) -> Result<Ended> {
        let begun = Instant::now();
        loop {
            let seen = self.call(Method::GET, &format!("/contractnegotiations/{id}/state"), Value::Null).await?;
            match text(&seen, "state")? {
                "FINALIZED" => return Ok(Ended::Finalized),
                "TERMINATED" => return Ok(Ended::Lost),
                _ if begun.elapsed() > ENDED_WITHIN => return Ok(Ended::Lost),
                _ => {}
            }
            tokio::time::sleep(look_every).await;
        }
    }
}

/// What policies are written in.
fn contexts() -> Value {
    json!(["http://www.w3.org/ns/odrl.jsonld", {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}])
}

impl Drop for Connector {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A failed measurement ends here; the process must not outlive it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
