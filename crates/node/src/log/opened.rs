//! What a bundle proves of its leaf: that it is in the log, what it says, and that what opens it fits. The one place for it.

use fondaco_core::evidence::{Leaf, Opening};
use fondaco_tlog::{
    bundle::{Bundle, Proven},
    policy::Policy,
};
use std::fmt::Display;

/// Checks a bundle by its own keys, and by a policy if one is given.
///
/// # Errors
/// Why it does not hold, as a sentence.
pub fn opened(bundle: &Bundle, policy: Option<&Policy>) -> Result<(Proven, Leaf), String> {
    let proven = bundle.verify(policy).map_err(|e| sentence(&e))?;
    let leaf = Leaf::read(bundle.leaf.as_bytes()).map_err(|e| sentence(&e))?;
    if let Some(o) = &bundle.opening {
        let secret = o.secret_bytes().ok_or("The secret is not 32 bytes in hex.")?;
        let opening = Opening { own: &o.own, peer: o.peer.as_deref(), object: &o.object, document: &o.document, secret: &secret };
        leaf.check(opening).map_err(|e| sentence(&e))?;
    }
    Ok((proven, leaf))
}

/// An error's words, from a capital letter to a full stop.
pub fn sentence(error: &impl Display) -> String {
    let text = error.to_string();
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sentences() {
        assert_eq!(sentence(&"the keys: a second quorum"), "The keys: a second quorum.");
        assert_eq!(sentence(&"The leaf cannot be read."), "The leaf cannot be read.");
        assert_eq!(sentence(&""), "");
    }
}
