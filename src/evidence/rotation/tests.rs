//! Who holds only one of two keys must not be able to hand the log over, or to take it.

use super::*;
use crate::evidence::key::SecretKey;
use crate::evidence::note::KeyName;

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).expect("a name"), &[seed; 32])
}

fn line(text: &str) -> TextLine {
    TextLine::new(text).expect("a line")
}

fn boxed(key: &SecretKey) -> Box<VerifierKey> {
    Box::new(key.verifier().clone())
}

fn signed(text: &str, keys: &[&dyn Signer]) -> String {
    sign_text(text, keys).expect("signed").0.to_string()
}

#[test]
fn a_rotation_hands_trust_from_the_old_key_to_the_new_one() {
    let (old, new) = (key("annals/a", 1), key("annals/a", 2));
    let rotation = Rotation::sign(&old, &new).expect("signed");
    let text = rotation.to_string();
    let expected = format!(
        "annals key rotation v1\nold {}\nnew {}\n\n",
        old.verifier(),
        new.verifier()
    );
    assert!(text.starts_with(&expected), "{text}");
    let verified = Rotation::verify(text.as_bytes(), &[old.verifier().clone()]).expect("trusted");
    assert_eq!(verified, rotation);
    assert_eq!(verified.new_key(), new.verifier());
    // The new key cannot vouch for itself.
    let refused = Rotation::verify(text.as_bytes(), &[new.verifier().clone()]);
    assert_eq!(refused, Err(StatementError::NotTrusted(boxed(&old))));
}

#[test]
fn a_rotation_needs_both_signatures() {
    let (old, new) = (key("annals/a", 1), key("annals/a", 2));
    let trusted = [old.verifier().clone()];
    let text = format!(
        "{ROTATION}\nold {}\nnew {}\n",
        old.verifier(),
        new.verifier()
    );
    Rotation::verify(signed(&text, &[&old, &new]).as_bytes(), &trusted).expect("both");
    for (missing, signers) in [(&new, [&old as &dyn Signer]), (&old, [&new as &dyn Signer])] {
        let refused = Rotation::verify(signed(&text, &signers).as_bytes(), &trusted);
        assert_eq!(refused, Err(StatementError::Unsigned(boxed(missing))));
    }
    let both = signed(&text, &[&old, &new]);
    for at in 0..both.len() {
        let mut bytes = both.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(Rotation::verify(&bytes, &trusted).is_err(), "{at}");
    }
}

#[test]
fn a_lost_key_is_stated_by_a_new_key_that_is_trusted_already() {
    let (old, new) = (key("annals/a", 1), key("annals/a", 2));
    let lost =
        LostKey::sign(old.verifier(), &new, line("the disk of line 3 died")).expect("signed");
    let text = lost.to_string();
    let verified = LostKey::verify(text.as_bytes(), &[new.verifier().clone()]).expect("trusted");
    assert_eq!(verified, lost);
    assert_eq!(verified.reason().as_str(), "the disk of line 3 died");
    // Otherwise anybody could take over a log by claiming that its key is lost.
    let refused = LostKey::verify(text.as_bytes(), &[old.verifier().clone()]);
    assert_eq!(refused, Err(StatementError::NotTrusted(boxed(&new))));
    // It is not a rotation, and a rotation is not it.
    let refused = Rotation::verify(text.as_bytes(), &[old.verifier().clone()]);
    assert_eq!(refused, Err(StatementError::Line(1)));
    let rotation = Rotation::sign(&old, &new).expect("signed").to_string();
    let refused = LostKey::verify(rotation.as_bytes(), &[new.verifier().clone()]);
    assert_eq!(refused, Err(StatementError::Line(1)));
}

#[test]
fn keys_that_cannot_follow_each_other_are_refused() {
    let (a, b) = (key("annals/a", 1), key("annals/b", 2));
    let refused = Rotation::sign(&a, &b);
    assert!(
        matches!(refused, Err(StateError::Keys(KeysError::Names))),
        "{refused:?}"
    );
    let refused = LostKey::sign(a.verifier(), &a, line("r"));
    assert!(
        matches!(refused, Err(StateError::Keys(KeysError::Same))),
        "{refused:?}"
    );
    let text = format!("{ROTATION}\nold {}\nnew {}\n", a.verifier(), b.verifier());
    let refused = Rotation::verify(signed(&text, &[&a, &b]).as_bytes(), &[a.verifier().clone()]);
    assert_eq!(refused, Err(StatementError::Keys(KeysError::Names)));
}

#[test]
fn each_wrong_line_is_named() {
    let (old, new) = (key("annals/a", 1), key("annals/a", 2));
    let trusted = [old.verifier().clone(), new.verifier().clone()];
    let keys = format!("old {}\nnew {}\n", old.verifier(), new.verifier());
    for (text, number) in [
        ("\n".to_owned(), 1),
        (format!("{ROTATION}\n"), 2),
        (format!("{ROTATION} \n{keys}"), 1),
        (format!("{ROTATION}\n{}", keys.replace("new ", "now ")), 3),
        (format!("{ROTATION}\n{keys}more\n"), 4),
    ] {
        let refused = Rotation::verify(signed(&text, &[&old, &new]).as_bytes(), &trusted);
        assert_eq!(refused, Err(StatementError::Line(number)), "{text}");
    }
    for (text, number) in [
        (format!("{LOST}\n{keys}"), 4),
        (format!("{LOST}\n{keys}reason \n"), 4),
        (format!("{LOST}\n{keys}reason r\nmore\n"), 5),
    ] {
        let refused = LostKey::verify(signed(&text, &[&new]).as_bytes(), &trusted);
        assert_eq!(refused, Err(StatementError::Line(number)), "{text}");
    }
    let text = format!("{ROTATION}\nold x\nnew y\n");
    let refused = Rotation::verify(signed(&text, &[&old]).as_bytes(), &trusted);
    assert_eq!(
        refused,
        Err(StatementError::Key(2, VerifierKeyError::Shape))
    );
}
