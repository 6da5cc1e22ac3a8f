//! From a host name to the addresses that may be called: the operating system's answer, filtered by the
//! [`NetworkRule`] before the connector sees it.

use super::address::{self, NetworkRule};
use fondaco_core::error::{Error, Result};
use futures::future::BoxFuture;
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};
use tokio::sync::Semaphore;

/// Name look-ups at once. Each blocks a thread, and a hostile name server can make one last long.
const LOOKUPS_MAX: usize = 64;
/// Most addresses of one name that are considered.
const ADDRESSES_MAX: usize = 32;

/// Turns a host name into addresses. A trait, so that tests can answer what they like.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of the name, in order of preference.
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
            tokio::task::spawn_blocking(move || {
                // The permit lives as long as the thread is busy, also when the caller has given up.
                let _permit = permit;
                Ok((name.as_str(), 0).to_socket_addrs()?.map(|a| a.ip()).take(ADDRESSES_MAX).collect())
            })
            .await
            .map_err(io::Error::other)?
        })
    }
}

/// Why a name gave no address; found again in the client library's chain of causes.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupFailure {
    #[error("every address of the name is refused")]
    Refused(Error),
    #[error("the name has no address")]
    NoAddress,
}

/// Hands only checked addresses to the connector.
pub(super) struct CheckedResolver {
    pub(super) inner: Arc<dyn Resolver>,
    pub(super) rule: NetworkRule,
}

impl CheckedResolver {
    /// Keeps the allowed addresses of a name; an error when none is left.
    ///
    /// Filtering rather than refusing mixed answers: split-horizon names that also list an internal address are common
    /// and harmless once that address is dropped.
    async fn addresses(&self, name: String) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let loopback_name = address::is_loopback_name(&name);
        let found = self.inner.resolve(name).await?;
        let Some(first) = found.first().copied() else { return Err(LookupFailure::NoAddress.into()) };
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|ip| self.rule.allows(*ip))
            // `localhost` may be called in plain http, so it must not be made to mean another machine.
            .filter(|ip| !loopback_name || address::classify(*ip) == address::AddressClass::Loopback)
            .take(ADDRESSES_MAX)
            .map(|ip| SocketAddr::new(ip, 0))
            .collect();
        if allowed.is_empty() {
            let why = address::check_ip(first, self.rule).err().unwrap_or_else(|| address::refused("localhost is not this machine"));
            return Err(LookupFailure::Refused(why).into());
        }
        Ok(allowed)
    }
}

/// The address to call for a host of a source, by the operating system's resolver: the first that the rule allows.
///
/// # Errors
/// [`fondaco_core::Code::AddressRefused`]; [`fondaco_core::Code::SourceUnreachable`] when the name has no address.
pub async fn resolve_checked(host: &str, rule: NetworkRule) -> Result<IpAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address::check_ip(ip, rule).map(|()| ip);
    }
    let checked = CheckedResolver { inner: Arc::new(SystemResolver::default()), rule };
    let unknown =
        |why: String| Error::new(fondaco_core::Code::SourceUnreachable, format!("{host:.200} cannot be found.")).with_internal(why);
    match checked.addresses(host.to_owned()).await {
        Ok(found) => found.first().map(SocketAddr::ip).ok_or_else(|| unknown("no address".into())),
        Err(e) => Err(match e.downcast_ref::<LookupFailure>() {
            Some(LookupFailure::Refused(why)) => why.clone(),
            _ => unknown(e.to_string()),
        }),
    }
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let checked = Self { inner: Arc::clone(&self.inner), rule: self.rule };
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let addresses: reqwest::dns::Addrs = Box::new(checked.addresses(name).await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Answers with the last list, then the one before it, …
    struct Scripted(Mutex<Vec<Vec<&'static str>>>);

    impl Resolver for Scripted {
        fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let answer = self.0.lock().expect("lock").pop().unwrap_or_default();
            Box::pin(std::future::ready(Ok(answer.into_iter().map(|ip| ip.parse().expect("address")).collect())))
        }
    }

    #[tokio::test]
    async fn a_changing_answer_gains_nothing() {
        // What the connector would get: first the public address and only that, then nothing.
        let scripted = Scripted(Mutex::new(vec![vec!["127.0.0.1"], vec!["93.184.216.34", "10.0.0.1"]]));
        let checked = CheckedResolver { inner: Arc::new(scripted), rule: NetworkRule::default() };
        let first = checked.addresses("flip.example".into()).await.expect("public");
        assert_eq!(first, ["93.184.216.34:0".parse().expect("address")]);
        let second = checked.addresses("flip.example".into()).await.expect_err("loopback");
        assert!(matches!(second.downcast_ref::<LookupFailure>(), Some(LookupFailure::Refused(_))));
    }

    #[tokio::test]
    async fn localhost_is_this_machine_by_the_operating_system() {
        let checked = |allow_loopback| CheckedResolver {
            inner: Arc::new(SystemResolver::default()),
            rule: NetworkRule { allow_loopback, ..NetworkRule::default() },
        };
        let found = checked(true).addresses("localhost".into()).await.expect("addresses");
        assert!(!found.is_empty() && found.iter().all(|a| a.ip().is_loopback()), "{found:?}");
        assert!(checked(false).addresses("localhost".into()).await.is_err());
    }
}
