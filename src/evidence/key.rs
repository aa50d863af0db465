//! Keys that sign: in memory, or wherever a program keeps them.

use std::error::Error;
use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::note::{KeyName, KeyNameError, SignatureLine, VerifierKey};
use super::text::encode_base64;

/// What the text form of a secret key begins with.
const PREFIX: &str = "PRIVATE+KEY+";

/// Something that signs with one key. Programs that keep their keys in a device or in a service
/// implement it.
pub trait Signer: Send + Sync {
    /// Returns the public part of the key.
    fn vkey(&self) -> &VerifierKey;

    /// Signs the text of a note.
    fn sign(&self, text: &[u8]) -> Result<SignatureLine, SignError>;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key cannot be used now.
    #[error("the key '{name}' cannot sign: {source}")]
    Unavailable {
        /// Whose key it is.
        name: KeyName,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The signature that came back is not one of the key over the text.
    #[error("the key '{0}' gave a signature that is not its own")]
    WrongSignature(KeyName),
    /// There is no key to sign with.
    #[error("nobody is to sign")]
    NoSigner,
    /// There are more signers than a note can have.
    #[error("more signers than a note can have")]
    TooManySigners,
}

/// A secret Ed25519 key in memory. The memory is wiped when the value goes.
pub struct SecretKey {
    signing: SigningKey,
    verifier: VerifierKey,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeyError {
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The text does not have the parts of a secret key.
    #[error("a secret key has the form PRIVATE+KEY+NAME+ID+KEY")]
    Shape,
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// The secret is not the base64 of an Ed25519 seed.
    #[error("the secret key's last part is not the base64 of an Ed25519 key")]
    Seed,
    /// Name, id and key do not belong together.
    #[error("the secret key's name, id and key do not belong together; a part was changed")]
    Mismatch,
}

impl SecretKey {
    /// Makes a key from random bytes of the system.
    pub fn generate(name: KeyName) -> Result<Self, SecretKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(SecretKeyError::Random)?;
        Ok(Self::from_seed(name, &seed))
    }

    /// Returns the key with this seed (RFC 8032, the 32 bytes of the private key). Whoever knows
    /// the seed has the key.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, signing.verifying_key().as_bytes())
            .expect("the public part of a secret key is a strong key");
        Self { signing, verifier }
    }

    /// Parses the text form `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the seed>`.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(SecretKeyError::Shape)?;
        let mut parts = rest.splitn(3, '+');
        let mut part = || parts.next().ok_or(SecretKeyError::Shape);
        let (name, id, key) = (part()?, part()?, part()?);
        let name = KeyName::new(name)?;
        let bytes = decode_secret(key).ok_or(SecretKeyError::Seed)?;
        let (1, seed) = (bytes[0], &bytes[1..]) else {
            return Err(SecretKeyError::Seed);
        };
        let seed = seed.try_into().map_err(|_| SecretKeyError::Seed)?;
        let secret = Self::from_seed(name, seed);
        if secret.verifier.id().to_string() != id {
            return Err(SecretKeyError::Mismatch);
        }
        Ok(secret)
    }

    /// Returns the text form, for a place that only the owner can read.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([1; 33]);
        bytes[1..].copy_from_slice(self.signing.as_bytes());
        let key = Zeroizing::new(encode_base64(&*bytes));
        let (name, id) = (
            self.verifier.name().as_str(),
            self.verifier.id().to_string(),
        );
        // A string that grows would leave copies of the secret behind.
        let length = PREFIX.len() + name.len() + id.len() + key.len() + 2;
        let mut text = Zeroizing::new(String::with_capacity(length));
        for part in [PREFIX, name, "+", &id, "+", &key] {
            text.push_str(part);
        }
        text
    }

    /// Returns the public part, which readers need.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }
}

/// Decodes one kind byte and a seed, into memory that is wiped.
fn decode_secret(base64: &str) -> Option<Zeroizing<[u8; 33]>> {
    let bytes = Zeroizing::new(super::text::decode_base64(base64)?);
    let mut exact = Zeroizing::new([0; 33]);
    if bytes.len() != exact.len() {
        return None;
    }
    exact.copy_from_slice(&bytes);
    Some(exact)
}

impl Signer for SecretKey {
    fn vkey(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, text: &[u8]) -> Result<SignatureLine, SignError> {
        let signature = self.signing.sign(text);
        Ok(SignatureLine::new(&self.verifier, &signature.to_bytes()))
    }
}

/// Shows the public part only.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    //! A key file that was copied by hand may have a wrong letter. It must not become another key.

    use super::*;

    fn name() -> KeyName {
        KeyName::new("annals/a").expect("a name")
    }

    #[test]
    fn a_changed_secret_is_refused_wherever_it_is_changed() {
        let key = SecretKey::from_seed(name(), &[7; 32]);
        let text = key.to_secret_text();
        let parsed = SecretKey::parse(&text).expect("just written");
        assert_eq!(parsed.verifier(), key.verifier());
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(SecretKey::parse(&changed).is_err(), "{changed}");
            assert!(SecretKey::parse(&text[..at]).is_err());
        }
    }

    #[test]
    fn each_wrong_secret_has_its_own_error() {
        use SecretKeyError as E;
        let seed = encode_base64(&[&[1][..], &[7; 32]].concat());
        let kind = encode_base64(&[&[2][..], &[7; 32]].concat());
        for (text, error) in [
            (String::new(), E::Shape),
            ("annals/a+00000000+AQ==".to_owned(), E::Shape),
            ("PRIVATE+KEY+annals/a+00000000".to_owned(), E::Shape),
            (
                format!("PRIVATE+KEY++00000000+{seed}"),
                E::Name(KeyNameError),
            ),
            ("PRIVATE+KEY+annals/a+00000000+AQ==".to_owned(), E::Seed),
            ("PRIVATE+KEY+annals/a+00000000+*".to_owned(), E::Seed),
            (format!("PRIVATE+KEY+annals/a+00000000+{kind}"), E::Seed),
            (format!("PRIVATE+KEY+annals/a+00000000+{seed}"), E::Mismatch),
        ] {
            assert_eq!(SecretKey::parse(&text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn two_generated_keys_differ() {
        let [one, two] = [(); 2].map(|()| SecretKey::generate(name()).expect("random bytes"));
        assert_ne!(one.verifier(), two.verifier());
        let line = one.sign(b"text\n").expect("signed");
        assert!(one.verifier().verify(b"text\n", line.signature()));
        assert!(!two.verifier().verify(b"text\n", line.signature()));
    }
}
