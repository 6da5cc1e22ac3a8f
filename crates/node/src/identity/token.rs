//! Node-to-node tokens: self-issued ES256 JWTs, design section 2.
//!
//! `iss = sub =` caller's DID, `aud =` callee's DID, `jti` used once, life of five minutes at most. The checks follow
//! RFC 7519, RFC 8725 (algorithm and key confusion) and the negative cases of the Decentralized Claims Protocol's kit.
//! That a `jti` was not seen before is recorded by the caller's transaction, in one statement; [`Replay`] says what.

use super::{
    document::{KeySet, METHOD_ID_MAX_CHARS},
    keys::{PublicJwk, SigningKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::{
    agreement::Agreement,
    error::{Code, Error, Result},
    ids::FOREIGN_ID_MAX_CHARS,
    participant::{Declarations, Did},
    time::{Micros, Timestamp},
};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Largest token looked at. Ours have about 600 bytes; presentations will travel elsewhere.
pub const TOKEN_MAX_BYTES: usize = 8 * 1024;
/// Life of our tokens: a call and its clock differences, not more.
pub const LIFE: Micros = Micros::from_secs(120);
/// Longest life accepted, `exp - iat`: how long a `jti` must be remembered.
pub const LIFE_MAX_SECS: i64 = 300;
/// Difference between two organisations' clocks that is tolerated.
pub const SKEW: Micros = Micros::from_secs(30);
/// Longest `jti`: room for a URN, short enough to index.
pub const JTI_MAX_CHARS: usize = 128;
/// Header members that tell the verifier which key to believe (RFC 8725 section 3.10) or change the meaning of the token.
const FORBIDDEN_HEADERS: [&str; 8] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"];

/// What must be recorded so that a token is used once: a unique row of caller, `jti` and until when to keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The token's id, unique per caller.
    pub jti: String,
    /// When the token stops being accepted, tolerance for clocks included; the row may go after that.
    pub expires_at: Timestamp,
}

/// Who is calling, and what they say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's proven identity.
    pub did: Did,
    /// What to record against replay; `None` for authenticators without single-use tokens.
    pub replay: Option<Replay>,
    /// What they declare, signed.
    pub declared: Declarations,
    /// The agreement they sign with this call.
    pub signed: Option<Box<Signed>>,
}

/// The agreement that a token signs. The token travels with the message that carries the agreement, or verifies it; to
/// whoever knows nothing of this claim it is a token like any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementClaim {
    /// The agreement's id.
    pub id: String,
    /// SHA-256 (hex) of its document's RFC 8785 form.
    pub sha256: String,
}

impl AgreementClaim {
    /// That of an agreement.
    pub fn of(agreement: &Agreement) -> Self {
        Self { id: agreement.id.clone(), sha256: agreement.digest.clone() }
    }
    fn is_usable(&self) -> bool {
        (1..=FOREIGN_ID_MAX_CHARS).contains(&self.id.len())
            && self.sha256.len() == 64
            && self.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

/// A signature of an agreement: the whole token, which has been used and is good for nothing else any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub claim: AgreementClaim,
    /// The token in compact form.
    pub jws: String,
    /// The key it was checked with.
    pub key: PublicJwk,
}

/// What a token claims before anything is proven: enough to find the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// Who it says it is from.
    pub issuer: Did,
    /// The key it says it is signed with: `issuer#fragment`.
    pub kid: String,
}

#[derive(Serialize)]
struct OurClaims<'a> {
    iss: &'a Did,
    sub: &'a Did,
    aud: &'a Did,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    declares: Option<&'a Declarations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<&'a AgreementClaim>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
    jti: String,
    declares: Option<Declarations>,
    /// Not ours to refuse when somebody means something else by it.
    agreement: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    typ: Option<String>,
    kid: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// Makes a token for one call.
///
/// # Errors
/// [`Code::Invalid`] when the declarations or the `jti` are over their limits; an internal failure when signing fails.
pub fn mint(key: &SigningKey, issuer: &Did, audience: &Did, declared: &Declarations, now: Timestamp, jti: &str) -> Result<String> {
    mint_signing(key, issuer, audience, declared, None, now, jti)
}

/// Makes a token for one call, which signs an agreement.
///
/// # Errors
/// As [`mint`].
pub fn mint_signing(
    key: &SigningKey,
    issuer: &Did,
    audience: &Did,
    declared: &Declarations,
    agreement: Option<&AgreementClaim>,
    now: Timestamp,
    jti: &str,
) -> Result<String> {
    if !declarations_usable(declared) || !jti_usable(jti) {
        return Err(Error::invalid("The participant's declarations are longer than a token may carry."));
    }
    let iat = now.as_secs();
    let claims = OurClaims {
        iss: issuer,
        sub: issuer,
        aud: audience,
        iat,
        nbf: iat,
        exp: now.plus(LIFE).as_secs(),
        jti,
        declares: (*declared != Declarations::default()).then_some(declared),
        agreement: agreement.filter(|claim| claim.is_usable()),
    };
    key.sign_jwt(issuer, &claims)
}

/// Reads, without believing it, who a token says it is from.
///
/// # Errors
/// [`Code::TokenInvalid`] when it is not a token we could ever accept.
pub fn peek(token: &str) -> Result<Unverified> {
    let (header, claims) = split(token)?;
    let header: JoseHeader = part(header).ok_or_else(|| refused("its header cannot be read"))?;
    if header.alg != "ES256" {
        return Err(refused("its algorithm is not ES256"));
    }
    if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(refused("its type is not JWT"));
    }
    if let Some(name) = FORBIDDEN_HEADERS.iter().find(|name| header.rest.contains_key(**name)) {
        return Err(refused(&format!("its header has \"{name}\"")));
    }
    let Issuer { iss } = part(claims).ok_or_else(|| refused("its claims cannot be read"))?;
    let issuer = Did::parse(&iss).map_err(|_| refused("its issuer is not a DID"))?;
    let fragment = header.kid.strip_prefix(issuer.as_str()).and_then(|rest| rest.strip_prefix('#'));
    if header.kid.len() > METHOD_ID_MAX_CHARS || fragment.is_none_or(str::is_empty) {
        return Err(refused("its key id does not belong to its issuer"));
    }
    Ok(Unverified { issuer, kid: header.kid })
}

/// Checks a token against the document of its issuer.
///
/// # Errors
/// [`Code::TokenInvalid`] with the check that failed.
pub fn verify(token: &str, document: &KeySet, own: &Did, now: Timestamp, skew: Micros) -> Result<Caller> {
    let unverified = peek(token)?;
    if unverified.issuer != document.did {
        return Err(refused("its issuer is not the owner of the key"));
    }
    let method = document.method(&unverified.kid).ok_or_else(|| refused("its key is not in the issuer's DID document"))?;
    if !method.authentication && !method.assertion {
        return Err(refused("its key is not listed for authentication in the issuer's DID document"));
    }
    // Times and names are checked below, with the clock that was handed in.
    let claims = signed_claims(token, &method.jwk)?;
    check_claims(&claims, &unverified.issuer, own, now, skew)?;
    let expires_at =
        claims.exp.checked_mul(1_000_000).map(|us| Timestamp::from_micros(us).plus(skew)).ok_or_else(|| refused("its times are absurd"))?;
    Ok(Caller {
        did: unverified.issuer,
        replay: Some(Replay { jti: claims.jti, expires_at }),
        declared: claims.declares.unwrap_or_default(),
        signed: agreement_claim(claims.agreement).map(|claim| Box::new(Signed { claim, jws: token.to_owned(), key: method.jwk.clone() })),
    })
}

fn agreement_claim(value: Option<Value>) -> Option<AgreementClaim> {
    serde_json::from_value(value?).ok().filter(AgreementClaim::is_usable)
}

/// The claims of a token whose signature is right.
fn signed_claims(token: &str, jwk: &PublicJwk) -> Result<Claims> {
    let key = jwk.decoding_key().ok_or_else(|| refused("its key is not a P-256 key"))?;
    // The library checks the signature, and nothing else.
    let mut signature_only = Validation::new(Algorithm::ES256);
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims.clear();
    let claims = jsonwebtoken::decode(token, &key, &signature_only).map_err(|e| match e.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => refused("its signature is wrong"),
        _ => refused("its claims are missing or of the wrong type").with_internal(e),
    })?;
    Ok(claims.claims)
}

/// Whether a token kept from before is the signature of `signer`, with this key, under an agreement.
pub fn signs(jws: &str, key: &PublicJwk, signer: &Did, agreement: &AgreementClaim) -> bool {
    let claimed = || -> Result<bool> {
        let ours = peek(jws)?.issuer == *signer;
        let claims = signed_claims(jws, key)?;
        Ok(ours && claims.iss == signer.as_str() && agreement_claim(claims.agreement).as_ref() == Some(agreement))
    };
    claimed().unwrap_or(false)
}

fn check_claims(claims: &Claims, issuer: &Did, own: &Did, now: Timestamp, skew: Micros) -> Result<()> {
    if claims.iss != issuer.as_str() || claims.sub != claims.iss {
        return Err(refused("its subject is not its issuer"));
    }
    let for_us = match &claims.aud {
        Audience::One(one) => one == own.as_str(),
        // A token for several audiences could be used by one of them against the others.
        Audience::Many(many) => matches!(many.as_slice(), [one] if one == own.as_str()),
    };
    if !for_us {
        return Err(refused("its audience is not this participant alone"));
    }
    let life = claims.exp.checked_sub(claims.iat).filter(|life| claims.iat >= 0 && (1..=LIFE_MAX_SECS).contains(life));
    if life.is_none() {
        return Err(refused(&format!("it must live between 1 and {LIFE_MAX_SECS} seconds")));
    }
    let (earliest, latest) = (now.plus(Micros(-skew.0)), now.plus(skew));
    let instant = |secs: i64| Timestamp::from_micros(secs.saturating_mul(1_000_000));
    if instant(claims.exp) <= earliest {
        return Err(refused("it has expired; is the clock of this machine or of the caller's right?"));
    }
    if instant(claims.iat) > latest || claims.nbf.is_some_and(|nbf| instant(nbf) > latest) {
        return Err(refused("it is from the future; is the clock of this machine or of the caller's right?"));
    }
    if !jti_usable(&claims.jti) {
        return Err(refused(&format!("its jti must have 1 to {JTI_MAX_CHARS} visible ASCII characters")));
    }
    if claims.declares.as_ref().is_some_and(|declared| !declarations_usable(declared)) {
        return Err(refused("its declarations are over their limits"));
    }
    Ok(())
}

fn jti_usable(jti: &str) -> bool {
    (1..=JTI_MAX_CHARS).contains(&jti.len()) && jti.bytes().all(|b| b.is_ascii_graphic())
}

/// Bounded, and without characters that could forge a line of a log or a page.
fn declarations_usable(declared: &Declarations) -> bool {
    declared.within_limits() && declared.purpose.iter().chain(&declared.spatial).all(|v| !v.chars().any(char::is_control))
}

fn split(token: &str) -> Result<(&str, &str)> {
    if token.len() > TOKEN_MAX_BYTES {
        return Err(refused(&format!("it is larger than {TOKEN_MAX_BYTES} bytes")));
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None) if !signature.is_empty() => Ok((header, claims)),
        _ => Err(refused("it is not a signed JWT")),
    }
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn refused(why: &str) -> Error {
    Error::new(Code::TokenInvalid, format!("The token is not valid: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::LazyLock;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const NOW_SECS: i64 = NOW.as_secs();
    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().expect("key"));

    fn alice() -> Did {
        Did::parse("did:web:alice.example").expect("did")
    }
    fn bob() -> Did {
        Did::parse("did:web:bob.example").expect("did")
    }

    fn document_with(relationship: &str, key: &SigningKey) -> KeySet {
        let id = key.verification_method(&alice());
        let document = json!({
            "id": alice(),
            "verificationMethod": [{"id": id, "type": "JsonWebKey2020", "controller": alice(), "publicKeyJwk": key.public_jwk()}],
            relationship: [id],
        });
        KeySet::parse(&alice(), document.to_string().as_bytes()).expect("document")
    }

    fn document() -> KeySet {
        document_with("authentication", &KEY)
    }

    fn check(token: &str) -> Result<Caller> {
        verify(token, &document(), &bob(), NOW, SKEW)
    }

    fn claims() -> Value {
        json!({"iss": alice(), "sub": alice(), "aud": bob(), "iat": NOW_SECS, "exp": NOW_SECS + 120, "jti": "one"})
    }

    fn header() -> Value {
        json!({"alg": "ES256", "typ": "JWT", "kid": KEY.verification_method(&alice())})
    }

    /// Signs any header and claims with Alice's key, as a hostile program would.
    fn forge(header: &Value, claims: &Value) -> String {
        use aws_lc_rs::{rand::SystemRandom, signature};
        let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, KEY.pkcs8()).expect("pair");
        let encode = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).expect("signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn refusal(token: &str) -> String {
        let error = check(token).expect_err("must be refused");
        assert_eq!(error.code(), Code::TokenInvalid, "{error}");
        error.message().to_owned()
    }

    #[test]
    fn our_token_is_accepted_and_says_who_and_what() {
        let declared = Declarations { spatial: Some("CN".into()), purpose: vec!["research".into()] };
        let token = mint(&KEY, &alice(), &bob(), &declared, NOW, "nonce-1").expect("mint");
        assert_eq!(peek(&token).expect("peek"), Unverified { issuer: alice(), kid: KEY.verification_method(&alice()) });
        let caller = check(&token).expect("valid");
        assert_eq!(caller.did, alice());
        assert_eq!(caller.declared, declared);
        let replay = caller.replay.expect("replay");
        assert_eq!(replay.jti, "nonce-1");
        assert_eq!(replay.expires_at, NOW.plus(LIFE).plus(SKEW), "remembered for as long as it is accepted");
        let at = |offset: i64| verify(&token, &document(), &bob(), NOW.plus(Micros::from_secs(offset)), SKEW);
        assert!(at(-30).is_ok() && at(149).is_ok());
        assert!(at(-31).is_err() && at(150).is_err());
    }

    #[test]
    fn a_token_signs_an_agreement_and_still_does_when_it_has_expired() {
        let claim = AgreementClaim { id: "agr_1".into(), sha256: "ab".repeat(32) };
        let token = mint_signing(&KEY, &alice(), &bob(), &Declarations::default(), Some(&claim), NOW, "one").expect("mint");
        let signed = check(&token).expect("valid").signed.expect("signed");
        assert_eq!((&signed.claim, &signed.jws, signed.key.thumbprint()), (&claim, &token, KEY.public_jwk().thumbprint()));
        assert!(signs(&token, &signed.key, &alice(), &claim), "whatever the time");
        let other = |id: &str, sha256: String| AgreementClaim { id: id.into(), sha256 };
        assert!(!signs(&token, &signed.key, &alice(), &other("agr_2", claim.sha256.clone())));
        assert!(!signs(&token, &signed.key, &alice(), &other("agr_1", "cd".repeat(32))));
        assert!(!signs(&token, &signed.key, &bob(), &claim));
        assert!(!signs(&token, SigningKey::generate().expect("key").public_jwk(), &alice(), &claim));
        assert!(!signs("a.b.c", &signed.key, &alice(), &claim));
        assert!(!signs(&token[..token.len() - 2], &signed.key, &alice(), &claim));
        let plain = mint(&KEY, &alice(), &bob(), &Declarations::default(), NOW, "two").expect("mint");
        assert!(!signs(&plain, &signed.key, &alice(), &claim));
        // What others mean by a claim of that name is not ours to refuse.
        for odd in [json!("x"), json!({"id": "", "sha256": "ab".repeat(32)}), json!({"id": "a", "sha256": "AB".repeat(32)}), json!(7)] {
            let mut claims = claims();
            claims["agreement"] = odd;
            assert_eq!(check(&forge(&header(), &claims)).expect("a token like any other").signed, None);
        }
    }

    #[test]
    fn forged_tokens_that_change_nothing_are_accepted() {
        // The forge itself must work, or the refusals below would prove nothing.
        assert!(check(&forge(&header(), &claims())).is_ok());
        let mut one_element = claims();
        one_element["aud"] = json!([bob()]);
        assert!(check(&forge(&header(), &one_element)).is_ok());
        let token = forge(&header(), &claims());
        assert!(verify(&token, &document_with("assertionMethod", &KEY), &bob(), NOW, SKEW).is_ok());
    }

    #[test]
    fn every_wrong_claim_is_refused() {
        type Change = fn(&mut Value);
        let table: &[(&str, Change)] = &[
            ("subject is not its issuer", |c| c["sub"] = json!(bob())),
            ("audience", |c| c["aud"] = json!(alice())),
            ("audience", |c| c["aud"] = json!([bob(), alice()])),
            ("audience", |c| c["aud"] = json!([bob(), bob()])),
            ("audience", |c| c["aud"] = json!([])),
            ("audience", |c| c["aud"] = json!("did:web:bob.example/")),
            ("audience", |c| c["aud"] = json!("DID:WEB:BOB.EXAMPLE")),
            ("wrong type", |c| c["aud"] = json!({})),
            ("wrong type", |c| drop(c.as_object_mut().expect("object").remove("aud"))),
            ("wrong type", |c| drop(c.as_object_mut().expect("object").remove("sub"))),
            ("wrong type", |c| drop(c.as_object_mut().expect("object").remove("exp"))),
            ("wrong type", |c| drop(c.as_object_mut().expect("object").remove("iat"))),
            ("wrong type", |c| drop(c.as_object_mut().expect("object").remove("jti"))),
            ("claims cannot be read", |c| drop(c.as_object_mut().expect("object").remove("iss"))),
            ("wrong type", |c| c["exp"] = json!("soon")),
            ("wrong type", |c| c["exp"] = json!(1e300)),
            ("live between", |c| c["exp"] = json!(NOW_SECS + 301)),
            ("live between", |c| c["exp"] = json!(NOW_SECS)),
            ("live between", |c| c["exp"] = json!(i64::MAX)),
            ("live between", |c| c["iat"] = json!(i64::MIN)),
            ("live between", |c| (c["iat"], c["exp"]) = (json!(-10), json!(10))),
            ("expired", |c| (c["iat"], c["exp"]) = (json!(NOW_SECS - 200), json!(NOW_SECS - 30))),
            ("future", |c| (c["iat"], c["exp"]) = (json!(NOW_SECS + 31), json!(NOW_SECS + 100))),
            ("future", |c| c["nbf"] = json!(NOW_SECS + 31)),
            ("future", |c| (c["iat"], c["exp"]) = (json!(i64::MAX - 100), json!(i64::MAX))),
            ("jti", |c| c["jti"] = json!("")),
            ("jti", |c| c["jti"] = json!("x".repeat(JTI_MAX_CHARS + 1))),
            ("jti", |c| c["jti"] = json!("a b")),
            ("wrong type", |c| c["jti"] = json!(7)),
            ("declarations", |c| c["declares"] = json!({"purpose": vec!["x"; 21]})),
            ("declarations", |c| c["declares"] = json!({"spatial": ""})),
            ("declarations", |c| c["declares"] = json!({"purpose": ["a\nb"]})),
            ("wrong type", |c| c["declares"] = json!({"purpose": "research"})),
            ("key id does not belong", |c| (c["iss"], c["sub"]) = (json!("did:web:carol.example"), json!("did:web:carol.example"))),
            ("issuer is not a DID", |c| c["iss"] = json!("a b")),
        ];
        for (words, change) in table {
            let mut changed = claims();
            change(&mut changed);
            let said = refusal(&forge(&header(), &changed));
            assert!(said.contains(words), "{changed}: {said}");
        }
    }

    #[test]
    fn every_wrong_header_is_refused() {
        type Change = fn(&mut Value);
        let table: &[(&str, Change)] = &[
            ("algorithm", |h| h["alg"] = json!("none")),
            ("algorithm", |h| h["alg"] = json!("None")),
            ("algorithm", |h| h["alg"] = json!("HS256")),
            ("algorithm", |h| h["alg"] = json!("ES384")),
            ("algorithm", |h| h["alg"] = json!("RS256")),
            ("algorithm", |h| h["alg"] = json!("es256")),
            ("header cannot be read", |h| drop(h.as_object_mut().expect("object").remove("alg"))),
            ("header cannot be read", |h| drop(h.as_object_mut().expect("object").remove("kid"))),
            ("type", |h| h["typ"] = json!("JWE")),
            ("\"jwk\"", |h| h["jwk"] = json!(KEY.public_jwk())),
            ("\"jwk\"", |h| h["jwk"] = json!(null)),
            ("\"jku\"", |h| h["jku"] = json!("https://evil.example/keys")),
            ("\"x5u\"", |h| h["x5u"] = json!("https://evil.example/cert")),
            ("\"x5c\"", |h| h["x5c"] = json!(["MII"])),
            ("\"crit\"", |h| h["crit"] = json!(["exp"])),
            ("\"b64\"", |h| h["b64"] = json!(false)),
            ("\"zip\"", |h| h["zip"] = json!("DEF")),
            ("key id", |h| h["kid"] = json!("key-1")),
            ("key id", |h| h["kid"] = json!("#key-1")),
            ("key id", |h| h["kid"] = json!("did:web:alice.example#")),
            ("key id", |h| h["kid"] = json!("did:web:alice.example.evil.example#k")),
            ("key id", |h| h["kid"] = json!(format!("did:web:alice.example#{}", "k".repeat(METHOD_ID_MAX_CHARS)))),
            ("not in the issuer's DID document", |h| h["kid"] = json!("did:web:alice.example#other")),
        ];
        for (words, change) in table {
            let mut changed = header();
            change(&mut changed);
            let said = refusal(&forge(&changed, &claims()));
            assert!(said.contains(words), "{changed}: {said}");
        }
    }

    #[test]
    fn signatures_count() {
        let token = forge(&header(), &claims());
        let (message, signature) = token.rsplit_once('.').expect("parts");
        let other = SigningKey::generate().expect("key");
        // Right names, wrong key.
        let foreign = KeySet {
            methods: vec![super::super::document::Method { jwk: other.public_jwk().clone(), ..document().methods[0].clone() }],
            ..document()
        };
        let error = verify(&token, &foreign, &bob(), NOW, SKEW).expect_err("another key");
        assert!(error.message().contains("signature"), "{error}");
        // HMAC with the public key as secret, under an ES256 header.
        let secret = URL_SAFE_NO_PAD.decode(&KEY.public_jwk().x).expect("x");
        let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &jsonwebtoken::EncodingKey::from_secret(&secret), Algorithm::HS256)
            .expect("mac");
        // A changed claim under the old signature.
        let mut other_claims = claims();
        other_claims["jti"] = json!("two");
        let other_token = forge(&header(), &other_claims);
        let swapped = format!("{}.{signature}", other_token.rsplit_once('.').expect("parts").0);
        for bad in [
            format!("{message}.{mac}"),
            swapped,
            format!("{message}.AAAA"),
            format!("{message}.{}", URL_SAFE_NO_PAD.encode([0u8; 64])),
            format!("{message}.!!"),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
        for bad in [message.to_owned(), format!("{message}."), format!("{token}.x"), String::new(), "..".into(), "a.b.c".into()] {
            assert_eq!(check(&bad).expect_err("no token").code(), Code::TokenInvalid, "{bad}");
        }
        let mut large = claims();
        large["padding"] = json!("x".repeat(TOKEN_MAX_BYTES));
        assert!(refusal(&forge(&header(), &large)).contains("larger"));
    }

    #[test]
    fn keys_for_other_purposes_do_not_authenticate() {
        let token = forge(&header(), &claims());
        for relationship in ["keyAgreement", "capabilityDelegation", "capabilityInvocation"] {
            let error = verify(&token, &document_with(relationship, &KEY), &bob(), NOW, SKEW).expect_err(relationship);
            assert!(error.message().contains("not listed"), "{error}");
        }
        let mut carol = document();
        carol.did = Did::parse("did:web:carol.example").expect("did");
        assert!(verify(&token, &carol, &bob(), NOW, SKEW).is_err(), "another's document");
    }

    #[test]
    fn limits_hold_for_ourselves() {
        let many = Declarations { spatial: None, purpose: vec!["x".into(); 21] };
        assert!(mint(&KEY, &alice(), &bob(), &many, NOW, "n").is_err());
        assert!(mint(&KEY, &alice(), &bob(), &Declarations::default(), NOW, "").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_panic(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check(&text).is_err());
            let b64 = URL_SAFE_NO_PAD.encode(&bytes);
            let wrapped = format!("{b64}.{b64}.{b64}");
            prop_assert!(check(&wrapped).is_err());
        }
    }
}
