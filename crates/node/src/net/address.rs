//! Which addresses a node may call: the rule of design section 10 against server-side request forgery.
//!
//! Peers, callbacks and DIDs come from others, so every address among them is classified before a connection is made.
//! The ranges follow the IANA special-purpose registries for
//! [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry/) and
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry/). IPv6 is an allow-list: what is not global
//! unicast (`2000::/3`) is never public, whatever gets assigned later.

use fondaco_core::error::{Code, Error, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Longest URL we call: what common servers and proxies accept in a request line.
pub const URL_MAX_CHARS: usize = 2_048;

/// What an address is, as far as calling it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// Reachable by anybody on the internet.
    Public,
    /// This machine.
    Loopback,
    /// Neither, for the given reason.
    Private(NonPublic),
}

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonPublic {
    /// RFC 1918: `10/8`, `172.16/12`, `192.168/16`.
    PrivateNetwork,
    /// RFC 6598, behind a carrier's NAT: `100.64/10`.
    SharedNetwork,
    /// RFC 4193: `fc00::/7`.
    UniqueLocal,
    /// `198.18/15`: meant for benchmarks, in practice the inside of tunnels and transparent proxies.
    Benchmarking,
    /// `169.254/16`, `fe80::/10` and the withdrawn `fec0::/10`.
    LinkLocal,
    /// Where clouds hand out credentials to whoever asks from inside.
    CloudMetadata,
    /// `0/8` and `::`.
    Unspecified,
    /// `224/4` and `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Ranges for examples in documents.
    Documentation,
    /// Ranges the IETF assigns to protocols, not to hosts.
    ProtocolAssignment,
    /// 6to4, Teredo and IPv4-compatible addresses: they carry another address inside and nobody needs them.
    Tunnel,
    /// NAT64 with something other than a public IPv4 address inside.
    Translated,
    /// Not assigned to anything.
    Reserved,
}

impl NonPublic {
    /// True for the ranges that organisations number their own networks with. The others are never called, also not
    /// with `network.allow_private`: no peer lives there, but metadata services and routers do.
    pub const fn is_somebodys_network(self) -> bool {
        matches!(self, Self::PrivateNetwork | Self::SharedNetwork | Self::UniqueLocal | Self::Benchmarking)
    }
}

/// What of the non-public world this node may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkRule {
    /// `network.allow_private`: peers in private networks are wanted.
    pub allow_private: bool,
    /// True exactly while the node's own public address is loopback, so that nodes on one machine need no configuration.
    pub allow_loopback: bool,
    /// `network.allow_http`: plain http also to hosts other than loopback.
    pub allow_http: bool,
}

impl NetworkRule {
    /// True when a connection to this address may be made.
    pub const fn allows(self, ip: IpAddr) -> bool {
        match classify(ip) {
            AddressClass::Public => true,
            AddressClass::Loopback => self.allow_loopback,
            AddressClass::Private(why) => self.allow_private && why.is_somebodys_network(),
        }
    }
}

/// Classifies an address; an IPv4 address in IPv6 clothes is what it is inside.
pub const fn classify(ip: IpAddr) -> AddressClass {
    match ip {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

const fn classify_v4(ip: Ipv4Addr) -> AddressClass {
    use AddressClass::{Loopback, Private, Public};
    match ip.octets() {
        [127, ..] => Loopback,
        [0, ..] => Private(NonPublic::Unspecified),
        // AWS, GCP, Azure and most others; Alibaba Cloud; Azure's wire server, which is not even in a private range.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] => Private(NonPublic::CloudMetadata),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Private(NonPublic::PrivateNetwork),
        [100, 64..=127, ..] => Private(NonPublic::SharedNetwork),
        [169, 254, ..] => Private(NonPublic::LinkLocal),
        [198, 18..=19, ..] => Private(NonPublic::Benchmarking),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Private(NonPublic::Documentation),
        [192, 0, 0, _] => Private(NonPublic::ProtocolAssignment),
        [192, 88, 99, _] => Private(NonPublic::Tunnel),
        [255, 255, 255, 255] => Private(NonPublic::Broadcast),
        [224..=239, ..] => Private(NonPublic::Multicast),
        [240..=255, ..] => Private(NonPublic::Reserved),
        _ => Public,
    }
}

const fn classify_v6(ip: Ipv6Addr) -> AddressClass {
    use AddressClass::{Loopback, Private, Public};
    let s = ip.segments();
    match s {
        [0, 0, 0, 0, 0, 0, 0, 1] => Loopback,
        [0, 0, 0, 0, 0, 0, 0, 0] => Private(NonPublic::Unspecified),
        // IPv4-mapped: the operating system connects to the IPv4 address inside.
        [0, 0, 0, 0, 0, 0xffff, high, low] => classify_v4(embedded(high, low)),
        [0, 0, 0, 0, 0, 0, ..] | [0x2002, ..] | [0x2001, 0, ..] => Private(NonPublic::Tunnel),
        // NAT64, well-known prefix: on an IPv6-only network this is how public IPv4 hosts look.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => match classify_v4(embedded(high, low)) {
            Public => Public,
            Loopback | Private(_) => Private(NonPublic::Translated),
        },
        [0x64, 0xff9b, ..] => Private(NonPublic::Translated),
        // The metadata service of AWS and GCP, and of Oracle, over IPv6.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] | [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => {
            Private(NonPublic::CloudMetadata)
        }
        [0xfc00..=0xfdff, ..] => Private(NonPublic::UniqueLocal),
        [0xfe80..=0xfeff, ..] => Private(NonPublic::LinkLocal),
        [0xff00..=0xffff, ..] => Private(NonPublic::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Private(NonPublic::Documentation),
        [0x2001, 2, 0, ..] => Private(NonPublic::Benchmarking),
        [0x2001, 1..=0x1ff, ..] => Private(NonPublic::ProtocolAssignment),
        [0x2000..=0x3fff, ..] => Public,
        _ => Private(NonPublic::Reserved),
    }
}

const fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// True for names that mean this machine by definition (RFC 6761), whatever a resolver says.
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.len() > 10 && name.as_bytes()[name.len() - 10..].eq_ignore_ascii_case(b".localhost")
}

/// True when the URL's host is this machine by its spelling: a loopback address or a `localhost` name.
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => classify(IpAddr::V4(ip)) == AddressClass::Loopback,
        Some(Host::Ipv6(ip)) => classify(IpAddr::V6(ip)) == AddressClass::Loopback,
        Some(Host::Domain(name)) => is_loopback_name(name),
        None => false,
    }
}

/// Parses a URL that somebody else gave us and checks it by [`check_url`].
///
/// # Errors
/// [`Code::AddressRefused`] with the reason.
pub fn parse_url(text: &str, rule: NetworkRule) -> Result<Url> {
    // The URL standard silently drops tabs and line breaks and trims spaces; two readers would see two addresses.
    if text.len() > URL_MAX_CHARS || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused(&format!("it is longer than {URL_MAX_CHARS} characters or has blanks or non-ASCII characters")));
    }
    let url = Url::parse(text).map_err(|e| refused(&e.to_string()))?;
    check_url(&url, rule)?;
    Ok(url)
}

/// Checks everything about a URL that can be known before its host name is resolved.
///
/// # Errors
/// [`Code::AddressRefused`] with the reason.
pub fn check_url(url: &Url, rule: NetworkRule) -> Result<()> {
    if url.as_str().len() > URL_MAX_CHARS {
        return Err(refused(&format!("it is longer than {URL_MAX_CHARS} characters")));
    }
    match url.scheme() {
        "https" => {}
        "http" if rule.allow_http || is_loopback_host(url) => {}
        "http" => return Err(refused("plain http is for loopback only, unless network.allow_http is set; use https")),
        _ => return Err(refused("only http and https addresses are called")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it carries a user name or password"));
    }
    if url.fragment().is_some() {
        return Err(refused("it has a fragment"));
    }
    if url.port() == Some(0) {
        return Err(refused("port 0 is no port"));
    }
    match url.host() {
        None => Err(refused("it has no host")),
        Some(Host::Ipv4(ip)) => check_ip(IpAddr::V4(ip), rule),
        Some(Host::Ipv6(ip)) => check_ip(IpAddr::V6(ip), rule),
        Some(Host::Domain(name)) if is_loopback_name(name) => check_ip(IpAddr::V4(Ipv4Addr::LOCALHOST), rule),
        // One host, one spelling: a DID or an allow-list would not recognise the other.
        Some(Host::Domain(name)) if name.is_empty() || name.ends_with('.') => Err(refused("its host name is empty or ends with a dot")),
        Some(Host::Domain(_)) => Ok(()),
    }
}

/// Checks one address, with words for the person who configures the node.
pub(super) fn check_ip(ip: IpAddr, rule: NetworkRule) -> Result<()> {
    if rule.allows(ip) {
        return Ok(());
    }
    Err(refused(match classify(ip) {
        AddressClass::Loopback => "it is a loopback address, and this node's own public address is not",
        AddressClass::Private(why) if why.is_somebodys_network() => {
            "it is in a private network; the operator can allow that with network.allow_private"
        }
        AddressClass::Private(_) | AddressClass::Public => "it is in a range that is never called",
    }))
}

/// The one shape of a refusal. The address itself is left out: it may be long and is the caller's own.
pub(super) fn refused(why: &str) -> Error {
    Error::new(Code::AddressRefused, format!("The address is not allowed: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPEN: NetworkRule = NetworkRule { allow_private: true, allow_loopback: true, allow_http: true };
    const STRICT: NetworkRule = NetworkRule { allow_private: false, allow_loopback: false, allow_http: false };

    #[test]
    fn every_range_is_known() {
        use AddressClass::{Loopback as L, Private as P, Public as U};
        use NonPublic as N;
        let table: &[(&str, AddressClass)] = &[
            ("1.1.1.1", U),
            ("9.255.255.255", U),
            ("11.0.0.0", U),
            ("100.63.255.255", U),
            ("100.128.0.0", U),
            ("126.255.255.255", U),
            ("128.0.0.1", U),
            ("169.253.255.255", U),
            ("172.15.255.255", U),
            ("172.32.0.0", U),
            ("192.0.1.1", U),
            ("192.167.255.255", U),
            ("198.17.255.255", U),
            ("198.20.0.0", U),
            ("223.255.255.255", U),
            ("0.0.0.0", P(N::Unspecified)),
            ("0.1.2.3", P(N::Unspecified)),
            ("10.0.0.1", P(N::PrivateNetwork)),
            ("10.255.255.255", P(N::PrivateNetwork)),
            ("100.64.0.0", P(N::SharedNetwork)),
            ("100.127.255.255", P(N::SharedNetwork)),
            ("100.100.100.200", P(N::CloudMetadata)),
            ("127.0.0.1", L),
            ("127.255.255.254", L),
            ("168.63.129.16", P(N::CloudMetadata)),
            ("169.254.0.1", P(N::LinkLocal)),
            ("169.254.169.254", P(N::CloudMetadata)),
            ("172.16.0.1", P(N::PrivateNetwork)),
            ("172.31.255.255", P(N::PrivateNetwork)),
            ("192.0.0.192", P(N::ProtocolAssignment)),
            ("192.0.2.1", P(N::Documentation)),
            ("192.88.99.1", P(N::Tunnel)),
            ("192.168.1.1", P(N::PrivateNetwork)),
            ("198.18.0.1", P(N::Benchmarking)),
            ("198.19.255.255", P(N::Benchmarking)),
            ("198.51.100.7", P(N::Documentation)),
            ("203.0.113.7", P(N::Documentation)),
            ("224.0.0.1", P(N::Multicast)),
            ("239.255.255.250", P(N::Multicast)),
            ("240.0.0.1", P(N::Reserved)),
            ("255.255.255.255", P(N::Broadcast)),
            ("2606:4700:4700::1111", U),
            ("2001:4860:4860::8888", U),
            ("3ffe::1", U),
            ("::1", L),
            ("::", P(N::Unspecified)),
            ("::ffff:127.0.0.1", L),
            ("::ffff:10.0.0.1", P(N::PrivateNetwork)),
            ("::ffff:169.254.169.254", P(N::CloudMetadata)),
            ("::ffff:1.1.1.1", U),
            ("::127.0.0.1", P(N::Tunnel)),
            ("::2", P(N::Tunnel)),
            ("64:ff9b::1.1.1.1", U),
            ("64:ff9b::127.0.0.1", P(N::Translated)),
            ("64:ff9b::10.0.0.1", P(N::Translated)),
            ("64:ff9b:1::1", P(N::Translated)),
            ("100::1", P(N::Reserved)),
            ("2001::1", P(N::Tunnel)),
            ("2001:2::1", P(N::Benchmarking)),
            ("2001:20::1", P(N::ProtocolAssignment)),
            ("2001:db8::1", P(N::Documentation)),
            ("2002:7f00:1::", P(N::Tunnel)),
            ("3fff::1", P(N::Documentation)),
            ("5f00::1", P(N::Reserved)),
            ("fc00::1", P(N::UniqueLocal)),
            ("fd12:3456::1", P(N::UniqueLocal)),
            ("fd00:ec2::254", P(N::CloudMetadata)),
            ("fe80::1", P(N::LinkLocal)),
            ("febf::1", P(N::LinkLocal)),
            ("fec0::1", P(N::LinkLocal)),
            ("ff02::1", P(N::Multicast)),
            ("4000::1", P(N::Reserved)),
        ];
        for (text, expected) in table {
            let ip: IpAddr = text.parse().expect(text);
            assert_eq!(classify(ip), *expected, "{text}");
            assert_eq!(STRICT.allows(ip), *expected == U, "{text} with nothing allowed");
        }
    }

    #[test]
    fn allowing_private_networks_does_not_allow_everything() {
        for (text, allowed) in [
            ("10.1.2.3", true),
            ("100.64.1.1", true),
            ("fd12::1", true),
            ("198.18.0.7", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("169.254.169.254", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
        ] {
            let rule = NetworkRule { allow_private: true, ..STRICT };
            assert_eq!(rule.allows(text.parse().expect(text)), allowed, "{text}");
        }
    }

    #[test]
    fn urls_are_checked_in_every_spelling() {
        for (text, strict, loopback, open) in [
            ("https://example.org/", true, true, true),
            ("https://example.org:8443/p/a/dsp?x=1", true, true, true),
            ("https://xn--bcher-kva.example/", true, true, true),
            ("https://1.1.1.1/", true, true, true),
            ("http://example.org/", false, false, true),
            ("http://127.0.0.1:7400/", false, true, true),
            ("http://localhost:7400/", false, true, true),
            ("http://LOCALHOST./", false, true, true),
            ("http://a.localhost/", false, true, true),
            ("https://localhost/", false, true, true),
            ("http://2130706433/", false, true, true),
            ("http://0x7f000001/", false, true, true),
            ("http://0177.0.0.1/", false, true, true),
            ("http://127.1/", false, true, true),
            ("http://127.0.0.1./", false, true, true),
            ("http://[::1]/", false, true, true),
            ("http://[::ffff:7f00:1]/", false, true, true),
            ("http://%31%32%37.0.0.1/", false, true, true),
            ("https://10.0.0.1/", false, false, true),
            ("https://012.0.0.1/", false, false, true),
            ("https://[fd00::1]/", false, false, true),
            ("https://169.254.169.254/latest/meta-data", false, false, false),
            ("https://0xa9fea9fe/", false, false, false),
            ("https://2852039166/", false, false, false),
            ("https://[64:ff9b::a9fe:a9fe]/", false, false, false),
            ("https://0.0.0.0/", false, false, false),
            ("https://0/", false, false, false),
            ("https://[::]/", false, false, false),
            ("https://example.org./", false, false, false),
            ("https://user@example.org/", false, false, false),
            ("https://user:word@example.org/", false, false, false),
            ("https://example.org/#x", false, false, false),
            ("https://example.org:0/", false, false, false),
            ("https://example.org:99999/", false, false, false),
            ("ftp://example.org/", false, false, false),
            ("file:///etc/passwd", false, false, false),
            ("gopher://example.org/", false, false, false),
            ("data:text/plain,x", false, false, false),
            ("//example.org/", false, false, false),
            ("https://", false, false, false),
            ("", false, false, false),
            (" https://example.org/", false, false, false),
            ("https://exam\tple.org/", false, false, false),
            ("https://ex\u{e4}mple.org/", false, false, false),
        ] {
            let only_loopback = NetworkRule { allow_loopback: true, ..STRICT };
            for (rule, expected) in [(STRICT, strict), (only_loopback, loopback), (OPEN, open)] {
                let got = parse_url(text, rule);
                assert_eq!(got.is_ok(), expected, "{text} under {rule:?}: {got:?}");
                if let Err(e) = got {
                    assert_eq!(e.code(), Code::AddressRefused, "{text}");
                }
            }
        }
        let long = format!("https://example.org/{}", "a".repeat(URL_MAX_CHARS));
        assert!(parse_url(&long, OPEN).is_err());
    }

    #[test]
    fn localhost_is_a_name_not_a_suffix() {
        for (name, expected) in [
            ("localhost", true),
            ("LocalHost.", true),
            ("a.localhost", true),
            ("notlocalhost", false),
            ("localhost.example", false),
            (".", false),
        ] {
            assert_eq!(is_loopback_name(name), expected, "{name}");
        }
    }

    proptest! {
        /// An IPv4 address has one class, whether written as IPv4 or mapped into IPv6.
        #[test]
        fn mapping_changes_nothing(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            prop_assert_eq!(classify(IpAddr::V4(v4)), classify(IpAddr::V6(v4.to_ipv6_mapped())));
        }

        /// Nothing outside global unicast is public, and the standard library agrees on what it calls special.
        #[test]
        fn public_is_never_special(bits: u128, small: u32) {
            for ip in [IpAddr::V6(Ipv6Addr::from(bits)), IpAddr::V4(Ipv4Addr::from(small))] {
                if classify(ip) == AddressClass::Public {
                    prop_assert!(!ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast());
                    match ip {
                        IpAddr::V4(v4) => prop_assert!(!v4.is_private() && !v4.is_link_local() && !v4.is_broadcast() && !v4.is_documentation()),
                        IpAddr::V6(v6) => prop_assert!(v6.segments()[0] >> 13 == 1 || v6.to_ipv4_mapped().is_some() || v6.segments()[0] == 0x64),
                    }
                }
            }
        }

        /// Whatever text arrives: no panic, and what passes the strict rule is https without loopback or private literals.
        #[test]
        fn any_text_is_judged(text in "(https?://)?[a-z0-9.:\\[\\]@#/%-]{0,60}") {
            if let Ok(url) = parse_url(&text, STRICT) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(!is_loopback_host(&url));
            }
        }
    }
}
