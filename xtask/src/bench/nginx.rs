//! An nginx for measurements.

use super::pair::free_address;
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

/// An nginx of our own, as it comes from the distribution, that serves one folder.
pub(super) struct Nginx {
    child: Child,
    /// Where it listens.
    pub(super) address: String,
}

impl Nginx {
    /// Starts it with so many workers (`auto`: one per core), and waits until it listens.
    pub(super) fn start(dir: &Path, root: &Path, workers: &str) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let address = free_address()?;
        let (dir_text, root) = (dir.display(), root.display());
        let config = format!(
            "daemon off;\npid {dir_text}/pid;\nerror_log {dir_text}/error.log;\nworker_processes {workers};\nuser root;\nevents {{ worker_connections 64; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  client_body_temp_path {dir_text}/body;\n  proxy_temp_path {dir_text}/proxy;\n  \
             fastcgi_temp_path {dir_text}/fastcgi;\n  uwsgi_temp_path {dir_text}/uwsgi;\n  scgi_temp_path {dir_text}/scgi;\n  \
             server {{ listen {address}; root {root}; }}\n}}\n"
        );
        let file = dir.join("nginx.conf");
        fs::write(&file, config)?;
        let child = Command::new("nginx")
            .arg("-e")
            .arg(dir.join("error.log"))
            .arg("-c")
            .arg(&file)
            .spawn()
            .context("starting nginx (Debian package nginx)")?;
        let nginx = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(&nginx.address).is_err() {
            ensure!(Instant::now() < deadline, "nginx does not listen: {}", fs::read_to_string(dir.join("error.log")).unwrap_or_default());
            std::thread::yield_now();
        }
        Ok(nginx)
    }

    /// Its process and those of its workers.
    pub(super) fn processes(&self) -> Result<Vec<u32>> {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let children = children.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
        Ok(std::iter::once(own).chain(children).collect())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends its workers on this signal; a kill would leave them.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
