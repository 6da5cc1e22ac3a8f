//! Whether the node runs and answers; when it does not, whether it could.

use super::{
    super::{
        client::{AdminClient, run_info},
        show::{number, text},
    },
    Finding,
};
use crate::config::Config;
use fondaco_core::Code;
use serde_json::Value;
use std::{fs::File, net::TcpListener, path::Path};

/// The file a running node holds a lock on.
const LOCK_FILE: &str = "node.lock";

/// What a running node said of itself.
#[derive(Debug)]
pub(super) struct Running {
    /// Its participants.
    pub(super) participants: Vec<Value>,
    /// A client of its API.
    pub(super) client: AdminClient,
}

/// Asks the node, or looks at what would keep it from starting.
pub(super) async fn check(dir: &Path, config: &Config) -> (Option<Running>, Vec<Finding>) {
    let locked = locked(dir);
    let asked = match AdminClient::open(dir) {
        Ok(client) => ask(&client).await.map(|(node, participants)| (node, Running { participants, client })),
        Err(e) => Err(e),
    };
    match asked {
        Ok((node, running)) => {
            let found = format!(
                "Version {} answers at its admin address; database {}, {} jobs pending.",
                text(&node, "version"),
                text(&node, "database"),
                node.get("jobs").and_then(|j| number(j, "pending")).unwrap_or(0)
            );
            (Some(running), vec![Finding::ok("node", found)])
        }
        Err(e) if locked => {
            let mend = "If it is starting, try again in a moment. Otherwise look at its log, and stop the process that holds node.lock.";
            (None, vec![Finding::fail("node", format!("A process holds the folder but does not answer: {}", e.problem.detail), mend)])
        }
        Err(e) if e.problem.code == Code::NodeNotRunning.as_str() || e.problem.code == Code::Unauthenticated.as_str() && !locked => {
            let mut findings = vec![Finding::ok("node", format!("Not running. Start it with: fondaco serve --dir {}", dir.display()))];
            if let Ok(Some(run)) = run_info(dir) {
                findings.push(Finding::warn(
                    "run.json",
                    format!("It was left behind by process {} ({}), which did not stop in order.", run.pid, run.public),
                    "Nothing to do: the next start takes over and writes it anew.",
                ));
            }
            findings.push(port("public port", config.public.listen, "public.listen"));
            findings.push(port("admin port", config.admin.listen, "admin.listen"));
            (None, findings)
        }
        Err(e) => (None, vec![Finding::fail("node", e.problem.detail, "Mend this, then run doctor again.")]),
    }
}

async fn ask(client: &AdminClient) -> super::super::failure::Result<(Value, Vec<Value>)> {
    let node = client.get(&["node"], &[]).await?;
    let participants = client.list(&["participants"], &[], "participants").await?;
    Ok((node, participants.items))
}

/// Whether another process holds the folder. The lock is given back at once.
pub(super) fn locked(dir: &Path) -> bool {
    File::open(dir.join(LOCK_FILE)).is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn port(check: &'static str, address: std::net::SocketAddr, key: &str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free.")),
        Err(e) => Finding::fail(
            check,
            format!("The node could not listen at {address}: {e}."),
            format!("Stop the program that uses it (ss -ltnp), or set {key} in fondaco.toml."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn a_port_in_use_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = taken.local_addr().expect("address");
        assert_eq!(port("public port", address, "public.listen").status, Status::Fail);
        drop(taken);
        assert_eq!(port("public port", address, "public.listen").status, Status::Ok);
    }

    #[test]
    fn a_held_folder_is_found() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(!locked(dir.path()));
        let holder = File::create(dir.path().join(LOCK_FILE)).expect("file");
        holder.lock().expect("lock");
        assert!(locked(dir.path()));
        drop(holder);
        assert!(!locked(dir.path()));
    }
}
